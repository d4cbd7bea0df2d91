//! Conditions on a request: `If-Match` and `If-None-Match` (RFC 9110, 13.1). Pure.

use axum::http::{HeaderMap, HeaderName, header};

/// The versions that a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whichever there is.
    Any,
    /// One of these. A weak one matches no change, as it may stand for several versions.
    These(Vec<Tag>),
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    text: String,
    is_weak: bool,
}

impl Tags {
    /// The versions that `If-Match` names; `None`: there is no such condition.
    pub(super) fn to_match(headers: &HeaderMap) -> Option<Self> {
        Self::of(headers, &header::IF_MATCH)
    }

    /// The versions that `If-None-Match` names; `None`: there is no such condition.
    pub(super) fn not_to_match(headers: &HeaderMap) -> Option<Self> {
        Self::of(headers, &header::IF_NONE_MATCH)
    }

    /// Whether `version` is one of them, for a change.
    pub(super) fn match_strongly(&self, version: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| !tag.is_weak && tag.text == version),
        }
    }

    /// Whether `version` is one of them, for a look.
    pub(super) fn match_weakly(&self, version: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| tag.text == version),
        }
    }

    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut tags = None;
        for text in headers.get_all(name) {
            let text = String::from_utf8_lossy(text.as_bytes());
            let tags = tags.get_or_insert_with(Vec::new);
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                if tag == "*" {
                    return Some(Self::Any);
                }
                // Without its quotes, as people write it by hand, it is taken as well.
                let (is_weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |tag| (true, tag));
                tags.push(Tag { text: quoted.trim_matches('"').to_owned(), is_weak });
            }
        }
        tags.map(Self::These)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_change_needs_exactly_a_version_that_was_named() {
        for (lines, strong, weak) in [
            (&["\"a1\""][..], true, true),
            (&["a1"], true, true),
            (&["*"], true, true),
            (&["\"b2\", \"a1\""], true, true),
            (&["\"b2\"", "\"a1\""], true, true),
            (&["W/\"a1\""], false, true),
            (&["\"b2\""], false, false),
            (&[""], false, false),
        ] {
            let headers: HeaderMap = lines.iter().map(|line| (header::IF_MATCH, HeaderValue::from_static(line))).collect();
            let tags = Tags::to_match(&headers).unwrap();
            assert_eq!((tags.match_strongly("a1"), tags.match_weakly("a1")), (strong, weak), "{lines:?}");
        }
        assert_eq!(Tags::to_match(&HeaderMap::new()), None);
    }
}
