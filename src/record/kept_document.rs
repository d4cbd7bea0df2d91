//! A configuration document in little room.

use std::sync::Arc;

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

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The document.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).expect("it is the text of a value")
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
        let spaced = "{ \"ingress\": [{\"service\":\"http_status:404\"}],\n \"a\": 1.5 }";
        assert_eq!(KeptDocument::read(spaced).unwrap(), kept);
        assert!(KeptDocument::read("{").is_err());
    }
}
