//! Foreign text, made fit for a log line: no secrets, no control characters, one line, bounded.

use crate::{foreign_text::is_hidden, secret::Secret};

/// The longest piece of foreign text that an error carries, in characters: enough to recognise a proxy's page.
const FOREIGN_TEXT_MAX: usize = 200;

/// `text` as one line of at most [`FOREIGN_TEXT_MAX`] characters, without hidden characters, and with
/// every occurrence of a secret replaced: whatever answers may echo what it was sent.
pub(crate) fn tame(text: &str, secrets: &[&Secret]) -> String {
    let text = without(secrets, text.to_owned());
    let visible: String = text.chars().filter(|&char| char.is_whitespace() || !is_hidden(char)).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    // Once more, as one with something hidden in it has just come together; and before the cut, which would hide one that it cuts.
    let line = without(secrets, line);
    match line.char_indices().nth(FOREIGN_TEXT_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn without(secrets: &[&Secret], text: String) -> String {
    secrets.iter().filter(|secret| !secret.is_empty()).fold(text, |text, secret| text.replace(secret.expose(), "[secret]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_visible_line() {
        for (text, line) in [
            ("plain", "plain"),
            ("<html>\r\n  <b>502</b>\t</html>\n", "<html> <b>502</b> </html>"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("abc\u{202e}def\u{2066}\u{feff}", "abcdef"),
            ("two\u{2028}lines", "two lines"),
        ] {
            assert_eq!(tame(text, &[]), line, "{text:?}");
        }
    }

    #[test]
    fn foreign_text_is_bounded() {
        let line = tame(&"ä".repeat(10_000), &[]);
        assert_eq!(line.chars().count(), FOREIGN_TEXT_MAX + 1);
        assert!(line.ends_with('…'));
    }

    #[test]
    fn an_echoed_secret_is_replaced_even_where_the_text_is_cut() {
        let secret = Secret::new("s".repeat(40));
        let text = format!("{}{}", "x".repeat(FOREIGN_TEXT_MAX - 10), secret.expose());
        assert!(!tame(&text, &[&secret]).contains("ss"));
        assert_eq!(tame("Bearer hunter2!", &[&Secret::new("hunter2")]), "Bearer [secret]!");
        assert_eq!(tame("text", &[&Secret::new("")]), "text");
        assert_eq!(tame("hun\u{0}ter\u{200b}2", &[&Secret::new("hunter2")]), "[secret]");
    }
}
