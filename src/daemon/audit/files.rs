//! The audit log's files: `audit.jsonl` and, the older the higher their number, `audit.1.jsonl` to `audit.7.jsonl`.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::control::{AuditQuery, api::AuditEntry};

/// The size at which the file is put aside, in bytes: over ten thousand changes.
const FILE_MAX: u64 = 4 << 20;

/// How many older files are kept: 32 MiB in all, years of a busy host.
const OLDER_MAX: u32 = 7;

/// Where entries are written.
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Appends `entries` and has them on the disk when it returns. The file is opened each time: changes are rare, and one that an
    /// operator moved away is made anew.
    pub(super) fn append(&self, entries: &[AuditEntry]) -> io::Result<()> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let mut file = self.open()?;
        let length = file.metadata()?.len();
        if length > 0 && length + text.len() as u64 > FILE_MAX {
            self.rotate()?;
            file = self.open()?;
        } else if is_torn(&mut file, length)? {
            // What a crash left of a line ends there, so that it costs no other.
            text.insert(0, b'\n');
        }
        // One write: a reader never meets half a batch.
        file.write_all(&text)?;
        file.sync_data()
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path(&self.folder, 0))
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (0..OLDER_MAX).rev() {
            match fs::rename(path(&self.folder, number), path(&self.folder, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The newest entries that are asked for, oldest first. A line that cannot be read is passed over.
pub(super) fn read(folder: &Path, query: &AuditQuery) -> Vec<AuditEntry> {
    let limit = usize::from(query.limit.get());
    // By id: a file that is put aside while it is read comes again under its next name.
    let mut found: BTreeMap<u64, AuditEntry> = BTreeMap::new();
    // The newest file first, because most who ask want only the end.
    for number in 0..=OLDER_MAX {
        let mut newest = VecDeque::new();
        let mut oldest_id = None;
        for entry in entries(&path(folder, number)) {
            oldest_id.get_or_insert(entry.id);
            if query.wants(&entry) {
                newest.push_back(entry);
            }
            if newest.len() > limit {
                newest.pop_front();
            }
        }
        found.extend(newest.into_iter().map(|entry| (entry.id, entry)));
        let is_behind = oldest_id.is_some_and(|oldest| query.since.is_some_and(|since| oldest <= since));
        if found.len() >= limit || is_behind {
            break;
        }
    }
    let too_many = found.len().saturating_sub(limit);
    found.into_values().skip(too_many).collect()
}

/// The id of the newest entry; 0 when there is none.
pub(super) fn last_id(folder: &Path) -> u64 {
    let newest = (0..=OLDER_MAX).map(|number| entries(&path(folder, number)).map(|entry| entry.id).max());
    newest.flatten().next().unwrap_or(0)
}

fn entries(path: &Path) -> impl Iterator<Item = AuditEntry> {
    let file = File::open(path).ok().into_iter();
    // An operator may have put anything there.
    let lines = file.flat_map(|file| BufReader::new(file.take(2 * FILE_MAX)).split(b'\n'));
    lines.map_while(Result::ok).filter_map(|line| serde_json::from_slice(&line).ok())
}

fn is_torn(file: &mut File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn path(folder: &Path, number: u32) -> PathBuf {
    match number {
        0 => folder.join("audit.jsonl"),
        number => folder.join(format!("audit.{number}.jsonl")),
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU16, os::unix::fs::PermissionsExt};

    use super::*;

    fn entry(id: u64) -> AuditEntry {
        let at = jiff::Timestamp::UNIX_EPOCH;
        serde_json::from_value(serde_json::json!({ "id": id, "at": at, "who": "ada", "verb": "stop", "result": "done" })).unwrap()
    }

    fn query(limit: u16, since: Option<u64>) -> AuditQuery {
        let limit = NonZeroU16::new(limit).unwrap();
        let (from, until, who, verb, tunnel, result, refused) = (None, None, None, None, None, None, None);
        AuditQuery { limit, since, from, until, who, verb, tunnel, result, refused }
    }

    fn ids(folder: &Path, limit: u16, since: Option<u64>) -> Vec<u64> {
        read(folder, &query(limit, since)).into_iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path());
        files.append(&[entry(1), entry(2)]).unwrap();
        let log = folder.path().join("audit.jsonl");
        assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
        OpenOptions::new().append(true).open(&log).unwrap().write_all(b"{\"id\":3,\"at\":\"19").unwrap();
        assert_eq!(last_id(folder.path()), 2);
        files.append(&[entry(4)]).unwrap();
        assert_eq!(ids(folder.path(), 10, None), [1, 2, 4]);
        assert_eq!(last_id(folder.path()), 4);
    }

    #[test]
    fn files_that_have_grown_are_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path());
        let kept = u64::from(OLDER_MAX) + 1;
        for id in 1..=kept + 3 {
            files.append(&[entry(id)]).unwrap();
            let log = OpenOptions::new().append(true).open(folder.path().join("audit.jsonl")).unwrap();
            // A hole of empty lines' size: what counts is the length.
            log.set_len(FILE_MAX).unwrap();
        }
        let names = fs::read_dir(folder.path()).unwrap().count() as u64;
        assert_eq!(names, kept);
        assert_eq!(ids(folder.path(), 100, None), (4..=kept + 3).collect::<Vec<_>>());
        assert_eq!(ids(folder.path(), 2, None), [kept + 2, kept + 3], "the newest, over the files' ends");
        assert_eq!(ids(folder.path(), 100, Some(kept + 1)), [kept + 2, kept + 3]);
        assert_eq!(last_id(folder.path()), kept + 3);
    }

    #[test]
    fn no_log_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!((ids(folder.path(), 10, None), last_id(folder.path())), (vec![], 0));
        assert!(Files::new(Path::new("/nonexistent")).append(&[entry(1)]).is_err());
    }
}
