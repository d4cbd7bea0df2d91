//! What an earlier daemon left running: the records, each held against the process that it names.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{
    generation_record::{Content, FOLDER, GenerationRecord, RecordedProcess},
    handle::{Process, is_readable},
    identity, raw,
    spawn::Spawner,
};
use crate::connector::{SlotId, Survivor};

/// What was found.
#[derive(Default)]
pub struct Survivors {
    /// By slot: what the machine is to know of each process, and the process where it is proved to be ours.
    pub found: BTreeMap<SlotId, Vec<(Survivor, Option<Process>)>>,
    /// Records that could not be read, and why. They are left where they are.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Looks for processes of an earlier daemon. Records of processes that are gone are removed. It blocks for as long as reading a
/// few files for each process takes, and must be called within a tokio runtime.
pub fn survivors(spawner: &Spawner, directory: &Path) -> io::Result<Survivors> {
    let mut survivors = Survivors::default();
    let boot_id = identity::boot_id()?;
    for entry in fs::read_dir(directory.join(FOLDER))? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => {}
            Some("new") => {
                // The daemon died while it wrote; the record itself is whole.
                let _ = fs::remove_file(&path);
                continue;
            }
            Some(_) | None => continue,
        }
        let content = match GenerationRecord::read(&path) {
            Ok(content) => content,
            Err(error) => {
                survivors.unreadable.push((path, error));
                continue;
            }
        };
        let Some(slot) = content.slot() else {
            survivors.unreadable.push((path, io::Error::new(io::ErrorKind::InvalidData, "it names no tunnel")));
            continue;
        };
        match identify(&content, &boot_id) {
            Identity::Gone => remove(&path),
            Identity::Unproved { pid } => {
                survivors.found.entry(slot).or_default().push((survivor(&content, pid, false), None));
            }
            Identity::Proved { pid, pidfd, process } => {
                let config = path.with_extension("config");
                let config = config.exists().then_some(config);
                let survivor = survivor(&content, pid, true);
                let record = GenerationRecord::adopt(path, content);
                // The record of a daemon that died between spawning and writing is completed.
                let _ = record.update(|content| content.process = Some(process));
                let process = Process::new(pid, raw::watch(pidfd)?, record, config, Arc::clone(&spawner.out_of_memory));
                survivors.found.entry(slot).or_default().push((survivor, Some(process)));
            }
        }
    }
    Ok(survivors)
}

enum Identity {
    /// The process does not exist any more, or never did.
    Gone,
    /// A process is there that may be the recorded one.
    Unproved { pid: Pid },
    /// It is the recorded one: same boot, same start time, and our instance id in its environment.
    Proved { pid: Pid, pidfd: std::os::fd::OwnedFd, process: RecordedProcess },
}

fn identify(content: &Content, boot_id: &str) -> Identity {
    if content.boot_id != boot_id {
        return Identity::Gone;
    }
    let recorded = content.process.and_then(|process| Pid::from_raw(process.pid.cast_signed()));
    // Without a process in the record the daemon died around the spawn: the instance id tells whether there is one.
    let Some(pid) = recorded.or_else(|| identity::find_instance(&content.instance)) else { return Identity::Gone };
    // Opened first: what is read after that, while the pidfd says that the process lives, is about that process.
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return Identity::Gone };
    let start_time = identity::start_time(pid);
    let ours = identity::has_instance(Path::new(&format!("/proc/{}", pid.as_raw_nonzero())), &content.instance);
    if is_readable(&pidfd) {
        return Identity::Gone;
    }
    let Ok(start_time) = start_time else { return Identity::Unproved { pid } };
    match content.process {
        Some(process) if process.start_time != start_time => Identity::Gone, // the number is another process's
        Some(_) if !ours => Identity::Unproved { pid },
        Some(_) | None => {
            let process = RecordedProcess { pid: pid.as_raw_nonzero().get().unsigned_abs(), start_time };
            Identity::Proved { pid, pidfd, process }
        }
    }
}

fn survivor(content: &Content, pid: Pid, proved: bool) -> Survivor {
    Survivor {
        generation: content.generation,
        facts: content.facts,
        pid: pid.as_raw_nonzero().get().unsigned_abs(),
        metrics: content.metrics,
        connector_id: content.connector_id.clone(),
        draining: content.draining,
        proved,
    }
}

fn remove(record: &Path) {
    // What stays behind is looked at again by the next daemon.
    let _ = fs::remove_file(record);
    let _ = fs::remove_file(record.with_extension("config"));
}
