//! What an API token looks like, and a secret to sign with.

use crate::secret::Secret;

/// The longest token that is believed, in bytes. Cloudflare's have 40 to 60; longer ones may come.
const TOKEN_MAX: usize = 512;

/// The token in `bytes`: one line, of the characters that tokens have. The error says which rule is broken, never by what.
pub(super) fn token(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = word(
        bytes,
        "it holds more than one line; an API token is one line",
        "it holds white space; give the bare token, without \"Bearer\" or anything else around it",
    )?;
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err("it holds characters that no API token has (letters, digits, - and _ only; no quotes, no name=value)");
    }
    if text.len() > TOKEN_MAX {
        return Err("it is longer than any API token");
    }
    if text.starts_with("eyJ") {
        return Err("it is a tunnel's connector token (eyJ…), not an API token");
    }
    Ok(Secret::new(text))
}

/// The shortest secret that is signed with, in characters: a shorter one could be guessed by whoever sees what it signed.
const SECRET_MIN: usize = 16;

/// The signing secret in `bytes`: one line of visible ASCII. The error says which rule is broken, never by what.
pub(super) fn signing_secret(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = word(bytes, "it holds more than one line; a secret is one line", "it holds white space; a secret is one word")?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it holds characters that are not ASCII");
    }
    if text.len() < SECRET_MIN {
        return Err("it is shorter than 16 characters (make one with: openssl rand -hex 32)");
    }
    Ok(Secret::new(text))
}

/// The one word in `bytes`, or what is said of `several_lines` and of `several_words`.
fn word<'a>(bytes: &'a [u8], several_lines: &'static str, several_words: &'static str) -> Result<&'a str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "what is there is not text")?.trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains(['\n', '\r']) {
        return Err(several_lines);
    }
    if text.contains(char::is_whitespace) {
        return Err(several_words);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_bare_word() {
        for text in ["cfut_abc-DEF_123", "abc\n", "abc\r\n", "  abc  "] {
            assert_eq!(token(text.as_bytes()).unwrap().expose(), text.trim());
        }
        let long = "a".repeat(TOKEN_MAX + 1);
        for (text, part) in [
            ("", "empty"),
            (" \n\n", "empty"),
            ("one\ntwo", "more than one line"),
            ("Bearer abc", "white space"),
            ("TOKEN=abc", "name=value"),
            ("\"abc\"", "quotes"),
            ("{\"token\":\"abc\"}", "quotes"),
            ("abc\0", "characters"),
            ("\u{feff}abc", "characters"),
            ("abcä", "characters"),
            (long.as_str(), "longer"),
            ("eyJhIjoi", "connector token"),
        ] {
            let rule = token(text.as_bytes()).unwrap_err();
            assert!(rule.contains(part), "{text:?}: {rule}");
        }
        assert!(token(b"\xff\xfe").is_err());
    }
}
