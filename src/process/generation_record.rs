//! The record of one generation: written before its process exists, completed after, removed when it is gone.
//!
//! It lies in the private folder of the runtime directory (a tmpfs that outlives the daemon) and is what the next daemon adopts
//! by. A reboot voids it, which its boot id tells.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    connector::{Generation, LastKnown, LaunchFacts, SlotId, Told},
    failpoint::{self, Point},
    id::ConnectorId,
    name::TunnelName,
    whole_file::{self, Keep, Step},
};

/// The folder of the records, within the private folder.
pub(super) const FOLDER: &str = "generations";
/// The version that this code writes, and the only one that it reads.
const VERSION: u32 = 1;
/// No record is longer, in bytes.
const LENGTH_MAX: u64 = 64 * 1024;

/// What is known of one generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    version: u32,
    tunnel: String,
    replica: u8,
    pub(super) generation: Generation,
    pub(super) boot_id: String,
    /// What [`super::command_line::INSTANCE`] is set to in its process.
    pub(super) instance: String,
    /// When the record was begun, in ticks since boot.
    #[serde(default)]
    pub(super) begun: Option<u64>,
    /// The cgroup that its process is in, as the kernel names it; `None` where connectors have none of their own.
    #[serde(default)]
    pub(super) leaf: Option<String>,
    pub(super) facts: LaunchFacts,
    pub(super) metrics: SocketAddr,
    /// `None` from before the spawn until right after it.
    pub(super) process: Option<RecordedProcess>,
    /// Who answered on the metrics address, as soon as anyone has.
    pub(super) connector_id: Option<ConnectorId>,
    /// What was known of it last.
    #[serde(default)]
    pub(super) last_known: LastKnown,
    /// It is about to be told to finish its requests, or was. It must not be told twice.
    pub(super) draining: bool,
    /// What was on record before was lost, and with it whether the process was told.
    #[serde(default)]
    pub(super) rebuilt: bool,
}

/// What tells the process from all others of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordedProcess {
    pub(super) pid: u32,
    /// In ticks since boot.
    pub(super) start_time: u64,
    /// The kernel's number for this process alone, where it has one (Linux 6.9).
    #[serde(default)]
    pub(super) inode: Option<u64>,
}

/// A record and its file.
#[derive(Debug)]
pub(super) struct GenerationRecord {
    path: PathBuf,
    /// `None` when the generation is over. The lock is held over writing, so that the file never goes back in time.
    content: Mutex<Option<Content>>,
}

impl Content {
    pub(super) fn new(
        slot: &SlotId,
        generation: Generation,
        boot_id: String,
        instance: String,
        facts: LaunchFacts,
        metrics: SocketAddr,
    ) -> Self {
        Self {
            version: VERSION,
            tunnel: slot.tunnel.as_str().to_owned(),
            replica: slot.replica,
            generation,
            boot_id,
            instance,
            begun: None,
            leaf: None,
            facts,
            metrics,
            process: None,
            connector_id: None,
            last_known: LastKnown::default(),
            draining: false,
            rebuilt: false,
        }
    }

    /// Reads one, or says why it cannot be read.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let content: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if content.version == VERSION { Ok(content) } else { Err(format!("its version {} is not {VERSION}", content.version)) }
    }

    /// Whether its process was told to finish its requests.
    pub(super) fn told(&self) -> Told {
        if self.draining {
            Told::Recorded
        } else if self.rebuilt {
            Told::Unknown
        } else {
            Told::No
        }
    }

    pub(super) fn slot(&self) -> Option<SlotId> {
        Some(SlotId::new(TunnelName::try_from(self.tunnel.clone()).ok()?, self.replica))
    }

    /// The name of the record's file, and the beginning of the names of what belongs to it.
    pub(super) fn stem(slot: &SlotId, generation: Generation) -> String {
        format!("{}.{}.{generation}", slot.tunnel, slot.replica)
    }
}

impl GenerationRecord {
    /// Writes a record. Where that fails, for want of room above all, the process is started all the same: it carries what adoption
    /// needs.
    pub(super) fn create(folder: &Path, slot: &SlotId, content: Content) -> Self {
        let path = folder.join(format!("{}.json", Content::stem(slot, content.generation)));
        // Never torn, not even by a crash: one that cannot be read would stay and be warned of at every start.
        if let Err(error) = replace(&path, &content) {
            tracing::warn!(path = %path.display(), %error, "Cannot write the record of a connector, which starts without one");
        }
        Self::adopt(path, content)
    }

    /// Writes again what is known of a process whose record was lost. Where that fails the process is known all the same, and found
    /// without a record by the next daemon too.
    pub(super) fn restore(path: PathBuf, content: Content) -> Self {
        let _ = replace(&path, &content);
        Self::adopt(path, content)
    }

    /// Takes over a record that was found.
    pub(super) fn adopt(path: PathBuf, content: Content) -> Self {
        Self { path, content: Mutex::new(Some(content)) }
    }

    /// Reads one. What is torn, foreign or of another version is an error.
    pub(super) fn read(path: &Path) -> io::Result<Content> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        Content::parse(&whole_file::read(path, LENGTH_MAX)?).map_err(invalid)
    }

    /// Changes the record. A record whose generation is over stays gone.
    pub(super) fn update(&self, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let mut guard = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(content) = guard.as_mut() else { return Ok(()) };
        let before = content.clone();
        change(content);
        if *content == before { Ok(()) } else { replace(&self.path, content) }
    }

    /// Removes the record: its process is gone.
    pub(super) fn remove(&self) {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        *content = None;
        // One that stays behind names a process that does not exist, which the next daemon sees.
        let _ = fs::remove_file(&self.path);
    }
}

fn replace(path: &Path, content: &Content) -> io::Result<()> {
    whole_file::replace_in_steps(path, &serde_json::to_vec(content)?, Keep::ThisBoot, &mut |step| match step {
        Step::Created => failpoint::hit(Point::GenerationOpened),
        Step::Written => failpoint::hit(Point::GenerationStaged),
        Step::Renamed => failpoint::hit(Point::GenerationReplaced),
        Step::Synced | Step::FolderSynced => {} // nothing is synced
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::testing::launch;

    fn content() -> (SlotId, Content) {
        let slot = SlotId::new("web".parse().unwrap(), 3);
        let metrics = "127.0.0.1:4000".parse().unwrap();
        let content = Content::new(&slot, Generation(7), "boot".into(), "instance".into(), launch().facts(), metrics);
        (slot, content)
    }

    #[test]
    fn a_record_reads_as_it_was_written_and_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (slot, content) = content();
        let record = GenerationRecord::create(folder.path(), &slot, content.clone());
        let path = folder.path().join("web.3.7.json");
        assert_eq!(GenerationRecord::read(&path).unwrap(), content);
        record.update(|content| content.draining = true).unwrap();
        let read = GenerationRecord::read(&path).unwrap();
        assert_eq!((read.draining, read.slot()), (true, Some(slot)));
    }

    #[test]
    fn a_removed_record_stays_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (slot, content) = content();
        let record = GenerationRecord::create(folder.path(), &slot, content);
        record.remove();
        record.update(|content| content.draining = true).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_record_is_written_though_its_folder_was_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (slot, content) = content();
        let lost = folder.path().join("private/generations");
        let record = GenerationRecord::create(&lost, &slot, content);
        fs::remove_dir_all(&lost).unwrap();
        record.update(|content| content.draining = true).unwrap();
        assert!(GenerationRecord::read(&lost.join("web.3.7.json")).unwrap().draining);
    }

    #[test]
    fn a_record_of_the_first_release_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.3.7.json");
        let (_, mut content) = content();
        content.process = Some(RecordedProcess { pid: 1, start_time: 2, inode: None });
        let mut value = serde_json::to_value(&content).unwrap();
        let record = value.as_object_mut().unwrap();
        for later in ["begun", "leaf", "rebuilt"] {
            record.remove(later).unwrap();
        }
        record["process"].as_object_mut().unwrap().remove("inode").unwrap();
        fs::write(&path, value.to_string()).unwrap();
        assert_eq!(GenerationRecord::read(&path).unwrap(), content);
    }

    #[test]
    fn torn_and_foreign_records_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.3.7.json");
        for text in ["", "{", "{\"version\":1}", "[]"] {
            fs::write(&path, text).unwrap();
            assert!(GenerationRecord::read(&path).is_err(), "{text:?}");
        }
        let (_, mut content) = content();
        content.version = 2;
        fs::write(&path, serde_json::to_vec(&content).unwrap()).unwrap();
        assert!(GenerationRecord::read(&path).is_err());
    }
}
