//! Whether the records of running connectors can be read: what a daemon could adopt by.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::generation_record::{FOLDER, GenerationRecord};

/// What became of reading the records.
#[derive(Debug, Default)]
pub struct ReadableRecords {
    /// How many can be read.
    pub readable: usize,
    /// Those that cannot, and why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Reads the records in the private folder `directory`, and changes nothing.
///
/// # Errors
///
/// When their folder is there and cannot be listed.
pub fn readable_records(directory: &Path) -> io::Result<ReadableRecords> {
    let mut records = ReadableRecords::default();
    let entries = match fs::read_dir(directory.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match GenerationRecord::read(&path) {
            Ok(_) => records.readable += 1,
            // Its connector ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => records.unreadable.push((path, error)),
        }
    }
    Ok(records)
}
