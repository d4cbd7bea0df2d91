//! What the tests of hooks share.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Entry, Level, Subject};

/// An event of connector web/0, `id` seconds after 1970.
pub(super) fn entry(id: u64, kind: &str) -> Arc<Entry> {
    Arc::new(Entry {
        id,
        at: Timestamp::from_second(id.cast_signed()).unwrap(),
        kind: kind.to_owned(),
        level: Level::Warn,
        subject: Subject { tunnel: Some("web".parse().unwrap()), replica: Some(0), generation: Some(id), account: None },
        reason: None,
        sentence: "it is so".to_owned(),
    })
}
