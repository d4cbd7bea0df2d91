//! The laws of what an earlier daemon remembered.

/// Any bytes as a slot's file, as the roll-out's and as that of the names.
pub fn memory(bytes: &[u8]) {
    super::memory::fuzzing::law(bytes);
}
