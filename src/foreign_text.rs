//! Which characters of what others wrote do something to whoever reads it.

use std::borrow::Cow;

/// Whether `char` does something to a terminal or turns the order of what is read: control characters (C0 and C1), line separators and
/// the bidirectional formatting characters of Unicode.
pub fn is_active(char: char) -> bool {
    char.is_control() || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether nobody sees `char`, or it is active: those without width, variation selectors and tags too. The last spell whole sentences
/// that no person sees.
pub fn is_hidden(char: char) -> bool {
    is_active(char)
        || matches!(
            char,
            '\u{ad}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200d}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// `text` as one line without active characters. Tabs and line ends become spaces.
pub fn plain(text: &str) -> Cow<'_, str> {
    without(text, is_active)
}

/// `text` as one line without hidden characters. Tabs and line ends become spaces.
pub fn visible(text: &str) -> Cow<'_, str> {
    without(text, is_hidden)
}

fn without(text: &str, taken_out: fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(taken_out) {
        return Cow::Borrowed(text);
    }
    let harmless = |char: char| match char {
        '\t' | '\n' => Some(' '),
        char => (!taken_out(char)).then_some(char),
    };
    Cow::Owned(text.chars().filter_map(harmless).collect())
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
            ("no\u{200b}width", "no\u{200b}width"),
        ] {
            assert_eq!(plain(text), harmless);
        }
    }

    #[test]
    fn what_nobody_sees_is_taken_out() {
        for (text, seen) in [
            ("plain text", "plain text"),
            ("\x1b[31mred\u{202e}x\u{2066}y\u{200b}z", "[31mredxyz"),
            ("no\u{200b}width\u{feff}", "nowidth"),
            ("tags\u{e0049}\u{e0067}", "tags"),
            ("two\nlines\tand\r more", "two lines and more"),
            ("Zürich – 東京", "Zürich – 東京"),
        ] {
            assert_eq!(visible(text), seen);
        }
    }

    #[test]
    fn whatever_is_active_is_hidden() {
        assert!((0..=u32::from(char::MAX)).filter_map(char::from_u32).all(|char| is_hidden(char) || !is_active(char)));
    }
}
