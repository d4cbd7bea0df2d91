//! The snapshot that everyone reads, folded from events.
