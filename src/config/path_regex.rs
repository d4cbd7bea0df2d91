//! The regular expressions of rules. cloudflared reads them with Go's `regexp`; what only one of the two engines takes is
//! refused here, so that a rule means the same to everyone.

use regex::Regex;

/// The most that Go lets something repeat.
const COUNT_MAX: u16 = 1_000;

/// Whether Go takes this expression; otherwise the reason.
pub(super) fn check(text: &str) -> Result<(), String> {
    if let Err(error) = Regex::new(text) {
        // The error draws the expression and marks the place over several lines; the last one says what it is.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return Err(format!("it must be a regular expression ({reason})"));
    }
    match beyond_go(text) {
        Some(what) => Err(format!("cloudflared's regular expressions have no {what}")),
        None => Ok(()),
    }
}

/// Whether the expression finds something in `path`. One that was checked is one.
pub(super) fn finds(text: &str, path: &str) -> bool {
    Regex::new(text).is_ok_and(|expression| expression.is_match(path))
}

/// Whether the expression plainly finds every path. Every path starts with a slash, and an expression may match anywhere.
pub(super) fn finds_everything(text: &str) -> bool {
    matches!(text, "" | "^" | "/" | "^/" | "/*" | ".*" | "^.*" | ".*$" | "^.*$" | "/.*" | "^/.*" | "/.*$" | "^/.*$")
}

/// What this expression has that Rust's `regex` takes and Go's `regexp` refuses (go.dev/s/re2syntax).
fn beyond_go(text: &str) -> Option<&'static str> {
    let mut chars = text.chars().peekable();
    let mut in_class = false;
    // How the text before ends: with an operator that repeats, which cannot be repeated once more.
    let mut repeated = false;
    while let Some(char) = chars.next() {
        let repeated_before = std::mem::replace(&mut repeated, false);
        match char {
            '\\' => match chars.next() {
                Some('<' | '>') => return Some("\\< and \\>"),
                Some('u' | 'U') => return Some("\\u (write \\x{…})"),
                Some('b') if chars.peek() == Some(&'{') => return Some("\\b{…}"),
                // As in \p{Greek} and \x{10FFFF}: no repetition.
                Some('p' | 'P' | 'x') if chars.peek() == Some(&'{') => {
                    let _ = chars.by_ref().find(|char| *char == '}');
                }
                Some(_) | None => {}
            },
            '[' if !in_class => {
                in_class = true;
                // Right behind the opening, a ] is a character of the class.
                chars.next_if_eq(&'^');
                chars.next_if_eq(&']');
            }
            '[' if chars.peek() != Some(&':') => return Some("classes inside classes"),
            // A named class, as in [[:alpha:]], ends with its own bracket.
            '[' => {
                let _ = chars.by_ref().find(|char| *char == ']');
            }
            ']' => in_class = false,
            '&' | '-' | '~' if in_class && chars.peek() == Some(&char) => return Some("set operations in classes"),
            '(' if !in_class && chars.peek() == Some(&'?') => {
                chars.next();
                let flags: String =
                    std::iter::from_fn(|| chars.next_if(|char| char.is_ascii_alphabetic() || *char == '-')).collect();
                let named = flags == "P" || chars.peek() == Some(&'<');
                if !named && flags.contains(['x', 'R', 'u']) {
                    return Some("flags x, R and u");
                }
            }
            '*' | '+' | '?' | '{' if !in_class => {
                if repeated_before {
                    return Some("operator that repeats a repetition");
                }
                if char == '{' {
                    let counts: String = chars.by_ref().take_while(|char| *char != '}').collect();
                    if !counts.split(',').all(is_count) {
                        return Some("counts with spaces or leading zeros, or beyond 1000");
                    }
                }
                chars.next_if_eq(&'?');
                repeated = true;
            }
            _ => {}
        }
    }
    None
}

/// Whether Go takes this for how often something repeats; nothing stands for no limit. What it does not take is plain text to it.
fn is_count(text: &str) -> bool {
    text.is_empty() || text.parse::<u16>().is_ok_and(|count| count <= COUNT_MAX && count.to_string() == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_both_engines_take_is_taken() {
        for good in [
            "/api",
            "^/api/v[0-9]+/.*$",
            "\\.(jpg|png|css|js)$",
            "(?i)static",
            "(?:a|b)*?",
            "(?P<name>a)",
            "[]a]",
            "[^]]",
            "[[:alpha:]]",
            "a{2,3}?",
            "a{0}b{7,}c{1000}",
            "\\bx\\b",
            "[a-z_-]",
            "\\p{Greek}+\\x{41}*",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (bad, reason) in [
            ("a**", "cloudflared's regular expressions have no operator that repeats a repetition"),
            ("a{2}{3}", "cloudflared's regular expressions have no operator that repeats a repetition"),
            ("a{1001}", "cloudflared's regular expressions have no counts with spaces or leading zeros, or beyond 1000"),
            ("a{ 2, 3 }", "cloudflared's regular expressions have no counts with spaces or leading zeros, or beyond 1000"),
            ("a{02}", "cloudflared's regular expressions have no counts with spaces or leading zeros, or beyond 1000"),
            ("(?x) a", "cloudflared's regular expressions have no flags x, R and u"),
            ("\\u0041", "cloudflared's regular expressions have no \\u (write \\x{…})"),
            ("\\<a", "cloudflared's regular expressions have no \\< and \\>"),
            ("[a-z&&[^b]]", "cloudflared's regular expressions have no set operations in classes"),
            ("(a", "it must be a regular expression (unclosed group)"),
            ("*a", "it must be a regular expression (repetition operator missing expression)"),
            ("(?=a)", "it must be a regular expression (look-around, including look-ahead and look-behind, is not supported)"),
        ] {
            assert_eq!(check(bad).unwrap_err(), reason, "{bad}");
        }
    }

    #[test]
    fn only_what_plainly_finds_every_path_counts_as_everything() {
        for everything in ["", "/", "^/", ".*", "^/.*$"] {
            assert!(finds_everything(everything), "{everything}");
            assert!(everything.is_empty() || Regex::new(everything).unwrap().is_match("/any/path"));
        }
        for some in ["/api", "^/$", "$", "."] {
            assert!(!finds_everything(some), "{some}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", syntax in "[\\[\\]()?*+{}|^$.a:&<>-]{0,12}") {
            let _ = check(&text);
            let _ = check(&syntax);
        }
    }
}
