//! Text that must never be seen: API tokens, tunnel secrets, connector tokens.
//!
//! A [`Secret`] has no `Display`, no `Serialize` and a `Debug` that shows only that there is one. Whoever needs the text says
//! so with [`Secret::expose`], so that a search for that word finds every place where a secret leaves its type.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text. It is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`; surrounding whitespace (a file's final newline) is not part of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        let trimmed = text.trim();
        if trimmed.len() == text.len() { Self(text) } else { Self(Zeroizing::new(trimmed.to_owned())) }
    }

    /// The text itself: for one header marked sensitive, one 0600 file or one descriptor, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn a_final_newline_is_not_part_of_the_secret() {
        assert_eq!(Secret::new("hunter2\n").expose(), "hunter2");
    }
}
