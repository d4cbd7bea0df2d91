//! The laws of the feed's file.

use std::{fs, sync::Arc};

use jiff::Timestamp;

use super::{LinesFirst, feed::Feed, writer};
use crate::{
    event::{DaemonEvent, Entry, Event},
    metrics::Metrics,
};

/// Any bytes as the feed's file of an earlier daemon, with the last of them as the id from which somebody goes on.
pub fn feed(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let path = folder.path().join("events.jsonl");
    fs::write(&path, bytes).expect("there is room for a file");
    let (past, writer, guard) = writer::start(folder.path(), LinesFirst::default());
    for entry in &past {
        let line = serde_json::to_string(entry).expect("an entry has a JSON form");
        assert!(!line.contains('\n') && serde_json::from_str::<Entry>(&line).as_ref().ok() == Some(entry));
    }
    let since = bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
    let last_id = past.last().map_or(0, |entry| entry.id);
    let feed = Feed::new(past, writer, Metrics::new());
    for since in [None, Some(since), Some(last_id)] {
        let following = feed.follow(since);
        assert_eq!(following.past, feed.entries(since));
        assert!(following.past.iter().all(|entry| since.is_none_or(|since| entry.id > since)));
    }
    feed.add(Timestamp::UNIX_EPOCH, &Event::from(DaemonEvent::Started { version: "0.0.0" }));
    let added = feed.last().expect("it was just added");
    assert!(added.id > last_id, "{} comes after {last_id}", added.id);
    let behind: Vec<Arc<Entry>> = feed.entries(Some(last_id));
    assert!(behind.iter().any(|entry| entry.id == added.id));
    drop((feed, guard));
    // What was read of the file stays in it, and the next daemon finds what was added behind it.
    assert!(fs::read(&path).expect("it was written").starts_with(bytes));
    let (past, ..) = writer::start(folder.path(), LinesFirst::default());
    assert_eq!(past.last(), Some(&*added), "it was lost");
}
