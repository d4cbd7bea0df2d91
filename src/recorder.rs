//! The one listener: each event becomes a log line, a metric, a change of the status and an entry of the feed.
