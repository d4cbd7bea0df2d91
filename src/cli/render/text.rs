//! Texts: foreign ones made harmless, and JSON.

use std::borrow::Cow;

use serde::Serialize;

/// `text` without the characters that do something to a terminal or turn the order of what is read: control characters (C0 and
/// C1) and the bidirectional formatting characters of Unicode. Tabs and line ends become spaces.
pub(in crate::cli) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let harmless = |char: char| match char {
        '\t' | '\n' => Some(' '),
        char if is_active(char) => None,
        char => Some(char),
    };
    Cow::Owned(text.chars().filter_map(harmless).collect())
}

fn is_active(char: char) -> bool {
    char.is_control() || matches!(char, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `value` as JSON over several lines, with a final newline.
pub(in crate::cli) fn json(value: &impl Serialize) -> String {
    escaped(&serde_json::to_string_pretty(value).expect("the API's types are JSON"), true)
}

/// `value` as JSON in one line, with a final newline.
pub(in crate::cli) fn json_line(value: &impl Serialize) -> String {
    escaped(&serde_json::to_string(value).expect("the API's types are JSON"), false)
}

/// JSON with its active characters as `\u…`: the same value, harmless to a terminal. They stand only inside of strings, apart
/// from the line ends between values.
fn escaped(json: &str, lines: bool) -> String {
    let mut text = String::with_capacity(json.len() + 1);
    for char in json.chars() {
        if is_active(char) && !(lines && char == '\n') {
            text.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            text.push(char);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_taken_out() {
        for (text, harmless) in [
            ("plain text", "plain text"),
            ("\x1b]0;title\x07red\x1b[31m", "]0;titlered[31m"),
            ("a\u{202e}b\u{2066}c\u{9b}d", "abcd"),
            ("two\nlines\tand\r more", "two lines and more"),
            ("Zürich – 東京", "Zürich – 東京"),
        ] {
            assert_eq!(plain(text), harmless);
        }
    }

    #[test]
    fn json_stays_the_same_value_and_is_harmless() {
        let value = serde_json::json!({ "text": "a\u{202e}\u{9b}\x1b\n" });
        let text = json(&value);
        assert!(text.chars().all(|char| char == '\n' || !is_active(char)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(json_line(&value).matches('\n').count(), 1);
    }
}
