//! The files: their names, making them, the last words in them, and which go first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    ledger::FileName,
    line::{Stream, clean_line},
    room,
    split::Splitter,
};
use crate::{
    connector::{Generation, SlotId},
    name::TunnelName,
};

/// How much of the end of stderr is looked at when a process has ended, in bytes.
const LAST_WORDS: u64 = 4 * 1024;
/// How many files of generations that are over a tunnel keeps at most, be they empty.
const OLD_FILES_MAX: usize = 200;
/// Of how many tunnels that do not exist any more the logs are kept.
const FORGOTTEN_MAX: usize = 16;

/// Where a generation's output goes.
pub struct Opened {
    /// For stdout and stderr.
    pub stderr: OwnedFd,
    /// For cloudflared's `--logfile`.
    pub logfile: PathBuf,
    /// Why it is not kept in the log store, if it is not.
    pub trouble: Option<io::Error>,
}

/// The folders that hold one folder for each tunnel.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) store: PathBuf,
    pub(super) spare: PathBuf,
}

impl Folders {
    pub(super) fn open(&self, slot: &SlotId, generation: Generation) -> io::Result<Opened> {
        let mut trouble = None;
        for folder in self.each() {
            match make(folder, slot, generation) {
                Ok((stderr, logfile)) => return Ok(Opened { stderr, logfile, trouble }),
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        // Neither takes a file. A connector whose output is lost serves all the same.
        let nowhere = PathBuf::from("/dev/null");
        let stderr = OpenOptions::new().write(true).open(&nowhere)?.into();
        Ok(Opened { stderr, logfile: nowhere, trouble })
    }

    /// The file that `stream` of a generation is written to, if there is one.
    pub(super) fn find(&self, slot: &SlotId, generation: Generation, stream: Stream) -> Option<PathBuf> {
        self.each().map(|folder| path(folder, slot, generation, stream)).into_iter().find(|path| path.exists())
    }

    pub(super) fn last_words(&self, slot: &SlotId, generation: Generation) -> Vec<String> {
        let Some(path) = self.find(slot, generation, Stream::Stderr) else { return Vec::new() };
        let mut lines = Vec::new();
        // What cannot be read says nothing about the exit.
        let _ = for_each_line_of_end(&path, LAST_WORDS, |line| lines.push(clean_line(line)));
        lines
    }

    pub(super) fn generations(&self) -> BTreeMap<SlotId, Generation> {
        let folders = self.each().into_iter().flat_map(tunnels);
        let files: Vec<LogFile> = folders.flat_map(|(tunnel, folder, _)| list_folder(&folder, &tunnel)).collect();
        last_of_each(&files)
    }

    /// Whether a file of a tunnel is there.
    pub(super) fn has(&self, tunnel: &TunnelName, file: FileName) -> bool {
        self.find(&SlotId::new(tunnel.clone(), file.replica), file.generation, file.stream).is_some()
    }

    /// Removes the oldest files in the store that are not of `running` generations, for as long as `goes_on`. Of each slot the
    /// generation before stays: it tells why there is another.
    pub(super) fn remove_oldest(&self, running: &BTreeSet<(SlotId, Generation)>, goes_on: impl Fn() -> bool) {
        let mut old: Vec<LogFile> =
            tunnels(&self.store).iter().flat_map(|(tunnel, folder, _)| list_folder(folder, tunnel)).collect();
        old.retain(|file| !running.contains(&(file.slot.clone(), file.generation)));
        let last = last_of_each(&old);
        old.retain(|file| last.get(&file.slot) != Some(&file.generation));
        old.sort_by_key(|file| file.modified);
        for file in old {
            if !goes_on() {
                return;
            }
            let _ = fs::remove_file(&file.path);
        }
    }

    /// The files of a tunnel, oldest first.
    pub(super) fn list(&self, tunnel: &TunnelName) -> Vec<LogFile> {
        let mut files: Vec<LogFile> = self.each().iter().flat_map(|folder| list(folder, tunnel)).collect();
        files.sort_by_key(|file| (file.modified, file.generation));
        files
    }

    /// Removes the oldest files of a tunnel beyond `bytes_max` bytes; those of `running` generations are no old files. Of
    /// each slot the generation before stays: it tells why there is another.
    pub(super) fn prune(&self, tunnel: &TunnelName, running: &BTreeSet<(SlotId, Generation)>, bytes_max: u64) {
        let mut old = self.list(tunnel);
        old.retain(|file| !running.contains(&(file.slot.clone(), file.generation)));
        let last = last_of_each(&old);
        let mut bytes = 0;
        for (index, file) in old.iter().rev().enumerate() {
            bytes += file.bytes_on_disk;
            let is_last = last.get(&file.slot) == Some(&file.generation);
            if !is_last && (bytes > bytes_max || index >= OLD_FILES_MAX) {
                let _ = fs::remove_file(&file.path);
            }
        }
    }

    /// Removes the logs of tunnels that do not exist, but for those that were written to last.
    pub(super) fn retain(&self, existing: &BTreeSet<TunnelName>) {
        let mut forgotten: Vec<_> = self.each().iter().flat_map(|folder| tunnels(folder)).collect();
        forgotten.retain(|(tunnel, _, _)| !existing.contains(tunnel));
        forgotten.sort_by_key(|(_, _, modified)| std::cmp::Reverse(*modified));
        for (tunnel, folder, _) in forgotten.iter().skip(FORGOTTEN_MAX) {
            let _ = fs::remove_dir_all(folder);
            let _ = fs::remove_file(self.ledger(tunnel));
        }
    }

    /// Where the ledger of a tunnel is: on the tmpfs, whatever the store can take. No tunnel is called so.
    pub(super) fn ledger(&self, tunnel: &TunnelName) -> PathBuf {
        self.spare.join(".numbers").join(tunnel.as_str())
    }

    fn each(&self) -> [&Path; 2] {
        [&self.store, &self.spare]
    }
}

fn make(folder: &Path, slot: &SlotId, generation: Generation) -> io::Result<(OwnedFd, PathBuf)> {
    let (stderr, log) = (path(folder, slot, generation, Stream::Stderr), path(folder, slot, generation, Stream::Log));
    let open = |path: &Path| OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    // Made here, so that the follower can watch it from the first line on.
    match open(&log) {
        Ok(_) => {}
        // The first of its tunnel. Restarts, which are to be quick, find the folder.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(slot.tunnel.as_str()))?;
            open(&log)?;
        }
        Err(error) => return Err(error),
    }
    // From here on the folder is there.
    let made = (|| {
        let log_file = open(&log)?;
        let stderr_file = open(&stderr)?;
        // A file system that takes nothing back would be filled by a connector that runs for months, and cutting a file that is
        // written to loses lines. On a full one the file could be made and no line be written.
        room::punch(&stderr_file, 1)?;
        room::keep_ahead(&log_file, 0)?;
        room::keep_ahead(&stderr_file, 0)?;
        Ok(OwnedFd::from(stderr_file))
    })();
    match made {
        Ok(stderr) => Ok((stderr, log)),
        Err(error) => {
            // What is left of it would be found instead of the files that are written to.
            let _ = (fs::remove_file(&log), fs::remove_file(&stderr));
            Err(error)
        }
    }
}

fn path(folder: &Path, slot: &SlotId, generation: Generation, stream: Stream) -> PathBuf {
    let name = FileName { replica: slot.replica, generation, stream };
    folder.join(slot.tunnel.as_str()).join(name.to_string())
}

/// A file of a tunnel.
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    pub(super) slot: SlotId,
    pub(super) generation: Generation,
    pub(super) stream: Stream,
    modified: SystemTime,
    /// What it takes, which is less than its length where holes were punched.
    pub(super) bytes_on_disk: u64,
}

impl LogFile {
    pub(super) fn name(&self) -> FileName {
        FileName { replica: self.slot.replica, generation: self.generation, stream: self.stream }
    }
}

/// The last generation of each slot among these files.
fn last_of_each(files: &[LogFile]) -> BTreeMap<SlotId, Generation> {
    let mut last = BTreeMap::new();
    for file in files {
        let known = last.entry(file.slot.clone()).or_insert(file.generation);
        *known = file.generation.max(*known);
    }
    last
}

fn list(folder: &Path, tunnel: &TunnelName) -> Vec<LogFile> {
    list_folder(&folder.join(tunnel.as_str()), tunnel)
}

fn list_folder(folder: &Path, tunnel: &TunnelName) -> Vec<LogFile> {
    // A folder that does not exist holds no files, and what is no file of ours is left alone.
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| log_file(&entry.ok()?, tunnel)).collect()
}

fn log_file(entry: &fs::DirEntry, tunnel: &TunnelName) -> Option<LogFile> {
    let path = entry.path();
    let FileName { replica, generation, stream } = entry.file_name().to_str()?.parse().ok()?;
    let slot = SlotId::new(tunnel.clone(), replica);
    let metadata = entry.metadata().ok()?;
    let modified = metadata.modified().ok()?;
    Some(LogFile { path, slot, generation, stream, modified, bytes_on_disk: metadata.blocks() * 512 })
}

fn tunnels(folder: &Path) -> Vec<(TunnelName, PathBuf, SystemTime)> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let tunnel = entry.file_name().to_str()?.to_owned().try_into().ok()?;
            Some((tunnel, entry.path(), entry.metadata().ok()?.modified().ok()?))
        })
        .collect()
}

/// Reads the last `length` bytes of a file, line by line; a line that began before them is left out.
fn for_each_line_of_end(path: &Path, length: u64, mut line: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(length);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(length).read_to_end(&mut end)?;
    // A hole that was punched behind the follower reads as zeros.
    let hole = end.iter().take_while(|byte| **byte == 0).count();
    let mut splitter = if start > 0 || hole > 0 { Splitter::in_a_line() } else { Splitter::default() };
    splitter.push(&end[hole..], &mut line);
    splitter.finish(line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{super::mounted::Mounted, *};

    fn folders() -> (tempfile::TempDir, Folders) {
        let directory = tempfile::tempdir().unwrap();
        let folders = Folders { store: directory.path().join("logs"), spare: directory.path().join("spare") };
        (directory, folders)
    }

    fn slot(replica: u8) -> SlotId {
        SlotId::new("web".parse().unwrap(), replica)
    }

    fn write(folders: &Folders, replica: u8, generation: u64, log: &str, stderr: &str) {
        let opened = folders.open(&slot(replica), Generation(generation)).unwrap();
        OpenOptions::new().append(true).open(opened.logfile).unwrap().write_all(log.as_bytes()).unwrap();
        File::from(opened.stderr).write_all(stderr.as_bytes()).unwrap();
    }

    #[test]
    fn the_last_words_are_the_end_of_stderr() {
        let (_directory, folders) = folders();
        write(&folders, 0, 1, "", &format!("{}\nthe reason", "x".repeat(9000)));
        assert_eq!(folders.last_words(&slot(0), Generation(1)), ["the reason"]);
        assert!(folders.last_words(&slot(0), Generation(2)).is_empty());
    }

    #[test]
    fn a_folder_that_takes_no_file_is_replaced_by_the_spare_and_then_by_nothing() {
        let (directory, folders) = folders();
        fs::write(directory.path().join("logs"), "no folder").unwrap();
        let opened = folders.open(&slot(0), Generation(1)).unwrap();
        assert!(opened.trouble.is_some() && opened.logfile.starts_with(&folders.spare));
        fs::remove_dir_all(&folders.spare).unwrap();
        fs::write(&folders.spare, "no folder").unwrap();
        let opened = folders.open(&slot(0), Generation(2)).unwrap();
        assert_eq!(opened.logfile, Path::new("/dev/null"));
    }

    #[test]
    fn a_file_system_that_takes_nothing_back_is_no_place_for_a_file_that_grows() {
        let (_directory, folders) = folders();
        let Some(_mounted) = Mounted::at(&folders.store, "ramfs", "mode=0700") else { return };
        let opened = folders.open(&slot(0), Generation(1)).unwrap();
        assert_eq!(opened.trouble.unwrap().raw_os_error(), Some(rustix::io::Errno::OPNOTSUPP.raw_os_error()));
        assert!(opened.logfile.starts_with(&folders.spare));
        assert!(
            folders.list(&"web".parse().unwrap()).iter().all(|file| file.path.starts_with(&folders.spare)),
            "nothing is left"
        );
    }

    #[test]
    fn a_disk_that_others_fill_takes_what_room_was_kept_for() {
        let (_directory, folders) = folders();
        let Some(_mounted) = Mounted::at(&folders.store, "tmpfs", "size=256k,mode=0700") else { return };
        let opened = folders.open(&slot(0), Generation(1)).unwrap();
        assert!(opened.trouble.is_none());
        // It ends with an error, when nothing more fits.
        let _ = fs::write(folders.store.join("filler"), vec![0; 1 << 20]);
        let mut log = OpenOptions::new().append(true).open(opened.logfile).unwrap();
        log.write_all(&vec![b'x'; room::AHEAD as usize]).unwrap();
        log.write_all(&[b'x'; 4096]).unwrap_err();

        let next = folders.open(&slot(0), Generation(2)).unwrap();
        assert!(room::is_full(&next.trouble.unwrap()) && next.logfile.starts_with(&folders.spare));
        assert!(room::is_out_of_room(&folders.store));
    }

    #[test]
    fn old_generations_go_when_there_are_too_many_and_running_ones_stay() {
        let (_directory, folders) = folders();
        for generation in 1..=110 {
            write(&folders, 0, generation, "x", "");
        }
        let running = BTreeSet::from([(slot(0), Generation(1))]);
        folders.prune(&"web".parse().unwrap(), &running, u64::MAX);
        let kept = list(&folders.store, &"web".parse().unwrap());
        assert_eq!(kept.len(), OLD_FILES_MAX + 2);
        assert!(kept.iter().any(|file| file.generation == Generation(1)));
        assert!(!kept.iter().any(|file| file.generation == Generation(2)));
    }

    #[test]
    fn the_generation_before_stays_however_little_room_there_is() {
        let (_directory, folders) = folders();
        for generation in 1..=3 {
            write(&folders, 0, generation, "a reason", "");
        }
        folders.prune(&"web".parse().unwrap(), &BTreeSet::from([(slot(0), Generation(3))]), 0);
        let kept = list(&folders.store, &"web".parse().unwrap());
        let kept: BTreeSet<Generation> = kept.iter().map(|file| file.generation).collect();
        assert_eq!(kept, BTreeSet::from([Generation(2), Generation(3)]));
    }

    #[test]
    fn the_last_generation_of_each_slot_is_found_again() {
        let (_directory, folders) = folders();
        write(&folders, 0, 9, "", "");
        write(&folders, 0, 10, "", "");
        write(&folders, 3, 2, "", "");
        fs::write(folders.store.join("web").join("notes.txt"), "").unwrap();
        assert_eq!(folders.generations(), BTreeMap::from([(slot(0), Generation(10)), (slot(3), Generation(2))]));
    }

    #[test]
    fn the_logs_of_long_gone_tunnels_go() {
        let (_directory, folders) = folders();
        for index in 0..FORGOTTEN_MAX + 3 {
            folders.open(&SlotId::new(format!("t{index}").parse().unwrap(), 0), Generation(1)).unwrap();
        }
        let existing = BTreeSet::from(["t0".parse().unwrap()]);
        folders.retain(&existing);
        assert_eq!(tunnels(&folders.store).len(), FORGOTTEN_MAX + 1);
        assert!(folders.store.join("t0").exists());
    }
}
