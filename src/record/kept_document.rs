//! A configuration document in little room.

use std::{io, sync::Arc};

use serde_json::Value;

/// A configuration document, kept as its text: as a value it takes ten times the room, and it is rarely looked at. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDocument(Arc<str>);

impl KeptDocument {
    /// Keeps `document`. Two equal documents have the same text, as the keys of a value are in order.
    pub fn new(document: &Value) -> Self {
        Self(document.to_string().into())
    }

    /// Keeps the document that `text` is.
    ///
    /// # Errors
    ///
    /// When it is no JSON.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        Ok(Self::new(&serde_json::from_str(text)?))
    }

    /// Whether it is `document`, which is told without a copy of its text.
    pub fn is(&self, document: &Value) -> bool {
        let mut left = Left(self.0.as_bytes());
        serde_json::to_writer(&mut left, document).is_ok() && left.0.is_empty()
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The document.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).expect("it is the text of a value")
    }
}

/// What is left of a text, from which each byte that is written is taken if it is the next one.
struct Left<'a>(&'a [u8]);

impl io::Write for Left<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_what_was_given() {
        let document = json!({ "ingress": [{ "service": "http_status:404" }], "a": 1.5 });
        let kept = KeptDocument::new(&document);
        assert_eq!(kept.value(), document);
        assert!(kept.is(&document));
        for other in [json!({ "ingress": [] }), json!({ "ingress": [{ "service": "http_status:404" }], "a": 1.5, "b": 1 })] {
            assert!(!kept.is(&other) && !KeptDocument::new(&other).is(&document));
        }
        let spaced = "{ \"ingress\": [{\"service\":\"http_status:404\"}],\n \"a\": 1.5 }";
        assert_eq!(KeptDocument::read(spaced).unwrap(), kept);
        assert!(KeptDocument::read("{").is_err());
    }
}
