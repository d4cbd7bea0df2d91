//! What connectors write: files they append to, a follower behind each, and the log store it feeds.
