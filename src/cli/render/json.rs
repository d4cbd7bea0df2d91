//! JSON as it is printed.

use serde::Serialize;

use crate::foreign_text::is_active;

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
    fn json_stays_the_same_value_and_is_harmless() {
        let value = serde_json::json!({ "text": "a\u{202e}\u{9b}\x1b\n" });
        let text = json(&value);
        assert!(text.chars().all(|char| char == '\n' || !is_active(char)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(json_line(&value).matches('\n').count(), 1);
    }
}
