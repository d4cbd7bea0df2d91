//! What the next daemon must know of slots and of the program's roll-out, in small files on the tmpfs of the runtime directory.
//!
//! A reboot voids them, which their boot id tells. Writing happens on a thread of its own, and only when something changed that is
//! worth knowing.

mod files;
mod writer;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(any(test, fuzzing))]
pub(super) use self::files::fuzzing;
use self::{
    files::{Clocks, NamesFile, SlotFile, read},
    writer::Writer,
};
use super::rollout::RolloutMemory;
use crate::{
    connector::{Happening, Past, SlotId, SlotMemory},
    name::TunnelName,
    process::own_folder,
    whole_file::Keep,
};

/// The folder of the slots' files, within the private folder.
const FOLDER: &str = "slots";
/// The file of the roll-out.
const ROLLOUT: &str = "rollout.json";
/// The file of the names.
const NAMES: &str = "names.json";

/// The memory of every slot.
pub(super) struct Memories {
    folder: PathBuf,
    rollout_path: PathBuf,
    names_path: PathBuf,
    /// What tunnels are called whose slots have another name, by that name.
    names: BTreeMap<TunnelName, TunnelName>,
    boot_id: String,
    /// What an earlier daemon left of slots that do not exist yet.
    found: BTreeMap<SlotId, (SlotMemory, Past)>,
    pasts: BTreeMap<SlotId, Past>,
    /// What was given to the writer last; nothing for a slot of which nothing is worth knowing.
    kept: BTreeMap<SlotId, (SlotMemory, Past)>,
    kept_rollout: Option<ProgramMemory>,
    writer: Writer,
}

/// What is known of the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProgramMemory {
    /// Where it was.
    pub(super) path: Option<PathBuf>,
    /// How it was.
    pub(super) rollout: RolloutMemory,
}

/// What tunnels are called whose slots have another name, by that name, as an earlier daemon of this boot left it in `private`.
pub(super) fn names(private: &Path, boot_id: &str) -> BTreeMap<TunnelName, TunnelName> {
    read::<NamesFile>(&private.join(NAMES), boot_id).map(|file| file.names).unwrap_or_default()
}

impl Memories {
    /// Reads what an earlier daemon of this boot left in `private`. It blocks for as long as reading a small file for each slot
    /// takes. What is torn or foreign is passed over with a warning.
    pub(super) fn open(private: &Path, boot_id: String, now: Instant) -> io::Result<(Self, ProgramMemory)> {
        let (folder, rollout_path) = (private.join(FOLDER), private.join(ROLLOUT));
        own_folder(&folder)?;
        let clocks = Clocks::at(now);
        let mut found = BTreeMap::new();
        for path in fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path())) {
            if Keep::ThisBoot.left_unfinished(&path) {
                // The daemon died while it wrote; the file itself is whole.
                let _ = fs::remove_file(&path);
            }
            // What is not ours is left alone, whoever put it there.
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let Some(file) = read::<SlotFile>(&path, &boot_id) else { continue };
            if let Some((slot, memory, past)) = file.memory(clocks) {
                found.insert(slot, (memory, past));
            }
        }
        let program: ProgramMemory = read(&rollout_path, &boot_id).unwrap_or_default();
        let (names_path, names) = (private.join(NAMES), names(private, &boot_id));
        let writer = Writer::start()?;
        let kept = found.clone();
        let memories = Self {
            folder,
            rollout_path,
            names_path,
            names,
            boot_id,
            found,
            pasts: BTreeMap::new(),
            kept,
            kept_rollout: Some(program.clone()),
            writer,
        };
        Ok((memories, program))
    }

    /// What an earlier daemon left of a slot, once.
    pub(super) fn take(&mut self, slot: &SlotId) -> Option<(SlotMemory, Past)> {
        let (memory, past) = self.found.remove(slot)?;
        self.pasts.insert(slot.clone(), past.clone());
        Some((memory, past))
    }

    /// Something happened in a slot.
    pub(super) fn hear(&mut self, slot: &SlotId, happening: &Happening) {
        if let Happening::Forgotten = happening {
            self.pasts.remove(slot);
            return;
        }
        let is_worth_it = happening.restart().is_some() || matches!(happening, Happening::Exited { asked: false, .. });
        if is_worth_it {
            self.pasts.entry(slot.clone()).or_default().take(happening, Timestamp::now());
        }
    }

    /// Keeps how a slot is, if that is another than before.
    pub(super) fn keep(&mut self, slot: &SlotId, memory: SlotMemory, now: Instant) {
        let nothing = Past::default();
        let past = self.pasts.get(slot).unwrap_or(&nothing);
        let is_empty = memory.is_empty() && *past == nothing;
        match self.kept.get(slot) {
            Some((kept, kept_past)) if *kept == memory && kept_past == past => return,
            None if is_empty => return,
            Some(_) | None => {}
        }
        let path = self.path(slot);
        if is_empty {
            self.kept.remove(slot);
            return self.writer.remove(path);
        }
        let past = past.clone();
        let file = SlotFile::new(slot, &memory, &past, Clocks::at(now));
        self.writer.write(path, files::render(&self.boot_id, file));
        self.kept.insert(slot.clone(), (memory, past));
    }

    /// Forgets what was left of slots that nobody wants: `is_wanted` says which are.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&SlotId) -> bool) {
        let unwanted: Vec<SlotId> = self.found.keys().filter(|slot| !is_wanted(slot)).cloned().collect();
        for slot in unwanted {
            self.found.remove(&slot);
            self.kept.remove(&slot);
            self.writer.remove(self.path(&slot));
        }
    }

    /// What tunnels are called whose slots have another name, as it was kept last.
    pub(super) fn names(&self) -> &BTreeMap<TunnelName, TunnelName> {
        &self.names
    }

    /// Keeps what tunnels are called, if that is another than before.
    pub(super) fn keep_names(&mut self, names: &BTreeMap<TunnelName, TunnelName>) {
        if self.names != *names {
            self.writer.write(self.names_path.clone(), files::render(&self.boot_id, NamesFile { names: names.clone() }));
            self.names.clone_from(names);
        }
    }

    /// Keeps how the program is, if that is another than before.
    pub(super) fn keep_program(&mut self, program: ProgramMemory) {
        if self.kept_rollout.as_ref() != Some(&program) {
            self.writer.write(self.rollout_path.clone(), files::render(&self.boot_id, program.clone()));
            self.kept_rollout = Some(program);
        }
    }

    fn path(&self, slot: &SlotId) -> PathBuf {
        self.folder.join(format!("{}.{}.json", slot.tunnel, slot.replica))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connector::{
        Generation, LastExit, Reason, RestartReason, Waiting,
        testing::{launch, start_of_time},
    };

    fn slot() -> SlotId {
        SlotId::new("web".parse().unwrap(), 1)
    }

    fn memory(now: Instant) -> (SlotMemory, Past) {
        let reason = Reason::new("exit", "it failed");
        let waiting = Waiting {
            until: now + Duration::from_secs(40),
            blocked: false,
            restart: Some(RestartReason::Exit),
            reason: reason.clone(),
        };
        let memory = SlotMemory {
            launch: Some(launch().facts().fingerprint),
            ran: false,
            waiting: Some(waiting),
            ..SlotMemory::default()
        };
        let last_exit = LastExit {
            at: Timestamp::from_second(1_000).unwrap(),
            generation: Generation(3),
            how: "exit code 1".to_owned(),
            lived_millis: 20,
            reason,
        };
        (memory, Past { restarts: [(RestartReason::Exit, 7)].into(), last_exit: Some(last_exit) })
    }

    fn kept(private: &Path, now: Instant) {
        let (mut memories, _) = Memories::open(private, "boot".to_owned(), now).unwrap();
        let (memory, past) = memory(now);
        memories.pasts.insert(slot(), past);
        memories.keep(&slot(), memory, now);
    }

    #[test]
    fn what_was_kept_is_found_by_the_next_daemon_of_the_boot_and_by_none_after_it() {
        let private = tempfile::tempdir().unwrap();
        let now = start_of_time();
        kept(private.path(), now);

        let (mut next, _) = Memories::open(private.path(), "boot".to_owned(), now).unwrap();
        let (found, past) = next.take(&slot()).unwrap();
        let (expected, expected_past) = memory(now);
        assert_eq!((&found.backoff, found.launch, past), (&expected.backoff, expected.launch, expected_past));
        let (found, expected) = (found.waiting.unwrap(), expected.waiting.unwrap());
        assert_eq!((found.blocked, found.restart, found.reason), (expected.blocked, expected.restart, expected.reason));
        assert!(found.until <= expected.until && found.until + Duration::from_secs(20) > expected.until);
        assert!(next.take(&slot()).is_none(), "once");
        drop(next);

        let (mut other, _) = Memories::open(private.path(), "another boot".to_owned(), now).unwrap();
        assert!(other.take(&slot()).is_none());
    }

    #[test]
    fn torn_and_foreign_files_are_passed_over_and_leave_the_others() {
        let private = tempfile::tempdir().unwrap();
        let now = start_of_time();
        kept(private.path(), now);
        let folder = private.path().join(FOLDER);
        for (name, text) in [("a.0.json", "{"), ("b.0.json", "{\"version\":9,\"boot_id\":\"boot\"}"), ("c.0.new", "torn")] {
            fs::write(folder.join(name), text).unwrap();
        }
        fs::write(private.path().join(ROLLOUT), "no JSON").unwrap();
        let (mut memories, program) = Memories::open(private.path(), "boot".to_owned(), now).unwrap();
        assert_eq!(program, ProgramMemory::default());
        assert!(memories.take(&slot()).is_some() && memories.found.is_empty());
    }

    #[test]
    fn no_file_that_is_not_its_own_is_removed() {
        let (private, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = start_of_time();
        kept(private.path(), now);
        let names = ["passwd", "a.conf", "b.new", "c.json"];
        for name in names {
            fs::write(elsewhere.path().join(name), "").unwrap();
        }
        let folder = private.path().join(FOLDER);
        fs::write(folder.join("somebody.txt"), "").unwrap();
        drop(Memories::open(private.path(), "boot".to_owned(), now).unwrap());
        assert!(folder.join("somebody.txt").exists());

        fs::remove_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &folder).unwrap();
        drop(Memories::open(private.path(), "boot".to_owned(), now).unwrap());
        assert!(names.iter().all(|name| elsewhere.path().join(name).exists()));
    }

    #[test]
    fn what_is_not_worth_knowing_has_no_file() {
        let private = tempfile::tempdir().unwrap();
        let now = start_of_time();
        kept(private.path(), now);
        let files = || fs::read_dir(private.path().join(FOLDER)).unwrap().count();
        assert_eq!(files(), 1);
        let (mut memories, _) = Memories::open(private.path(), "boot".to_owned(), now).unwrap();
        memories.keep(&slot(), SlotMemory::default(), now);
        drop(memories);
        assert_eq!(files(), 0);
        let (mut memories, _) = Memories::open(private.path(), "boot".to_owned(), now).unwrap();
        memories.keep(&slot(), SlotMemory::default(), now);
        drop(memories);
        assert_eq!(files(), 0);
    }

    #[test]
    fn a_slot_that_nobody_wants_any_more_is_forgotten() {
        let private = tempfile::tempdir().unwrap();
        let now = start_of_time();
        kept(private.path(), now);
        let (mut memories, _) = Memories::open(private.path(), "boot".to_owned(), now).unwrap();
        memories.retain(|_| false);
        drop(memories);
        assert_eq!(fs::read_dir(private.path().join(FOLDER)).unwrap().count(), 0);
    }
}
