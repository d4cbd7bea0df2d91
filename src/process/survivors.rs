//! What an earlier daemon left running: proved to be ours, or watched and left alone.

mod census;
mod rebuilt;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub(super) use self::census::{Census, Found};

use super::{
    cgroup::Subtree,
    generation_record::{GenerationRecord, RecordedProcess},
    handle::{Onlooker, Process},
    identity::{Owner, Sighting},
    raw,
    spawn::Spawner,
};
use crate::{
    connector::{SlotId, Survivor},
    failpoint::{self, Point},
    name::TunnelName,
};

/// How long a leaf of a connector that is gone may take to be empty. Killed processes take a millisecond, and most leaves are empty
/// already.
const DESERTED_TIME_MAX: Duration = Duration::from_millis(20);

/// What was found.
#[derive(Default)]
pub struct Survivors {
    /// By slot: what the machine is to know of each process, and the process itself.
    pub found: BTreeMap<SlotId, Vec<(Survivor, Watched)>>,
    /// Of these, processes whose records were lost.
    pub unrecorded: Vec<u32>,
    /// Records that could not be read, and why. They are left where they are.
    pub unreadable: Vec<(PathBuf, io::Error)>,
    /// Processes that look like connectors and cannot be told which, and why. They are left alone.
    pub strange: Vec<(u32, String)>,
}

/// A process that was found.
pub enum Watched {
    /// It is proved to be ours.
    Ours(Box<Process>),
    /// It is not.
    Unproved(Onlooker),
}

/// Looks for processes of an earlier daemon. Records and leaves of processes that are gone are removed. It blocks for as long as
/// reading a few files for each process takes, and must be called within a tokio runtime.
///
/// # Errors
///
/// When `/proc` or the records' folder cannot be read, or a process cannot be watched.
pub fn survivors(spawner: &Spawner) -> io::Result<Survivors> {
    failpoint::hit(Point::AdoptionBegun);
    let Census { found, void, unfinished, unreadable, strange, deserted } = Census::take(&spawner.owner)?;
    // What stays behind is looked at again by the next daemon.
    for record in void {
        let _ = fs::remove_file(&record);
        let _ = fs::remove_file(record.with_extension("config"));
        failpoint::hit(Point::SurvivorGone);
    }
    for path in unfinished {
        let _ = fs::remove_file(path);
        failpoint::hit(Point::LeftoverRemoved);
    }
    for leaf in deserted {
        // What is left of it is looked at again by the next daemon.
        let _ = leaf.kill();
        let _ = leaf.remove(DESERTED_TIME_MAX);
    }
    let mut survivors = Survivors { unreadable, strange, ..Survivors::default() };
    for found in found {
        failpoint::hit(Point::SurvivorRead);
        let slot = found.slot.clone();
        let survivor = survivor(&found);
        if !found.is_recorded {
            survivors.unrecorded.push(survivor.pid);
        }
        let process = if found.is_proved {
            Watched::Ours(Box::new(adopt(spawner, found)?))
        } else {
            Watched::Unproved(Onlooker::new(raw::watch(found.sighting.pidfd)?))
        };
        survivors.found.entry(slot).or_default().push((survivor, process));
    }
    Ok(survivors)
}

/// The names of the slots in which an earlier daemon with this private folder left a connector running that can be proved to be its
/// own. It changes nothing, blocks, and needs no runtime.
///
/// # Errors
///
/// When `/proc` or the records' folder cannot be read.
pub fn surviving_slots(private: &Path) -> io::Result<BTreeSet<TunnelName>> {
    let census = Census::take(&Owner::of(private, Subtree::delegated()?)?)?;
    Ok(census.found.into_iter().filter(|found| found.is_proved).map(|found| found.slot.tunnel).collect())
}

fn adopt(spawner: &Spawner, found: Found) -> io::Result<Process> {
    let Found { content, path, is_recorded, sighting, leaf, .. } = found;
    let Sighting { pid, pidfd, seen } = sighting;
    failpoint::hit(Point::SurvivorProved);
    let config = Some(path.with_extension("config")).filter(|config| config.exists());
    let record = if is_recorded { GenerationRecord::adopt(path, content) } else { GenerationRecord::restore(path, content) };
    // The record of a daemon that died between spawning and writing is completed. One that cannot be is completed by the next.
    let _ = record.update(|content| {
        content.process = Some(RecordedProcess { pid: seen.pid, start_time: seen.start_time, inode: seen.inode });
        content.leaf = leaf.as_ref().map(|leaf| leaf.path().to_owned());
    });
    failpoint::hit(Point::SurvivorRecorded);
    Ok(Process::new(pid, raw::watch(pidfd)?, record, config, leaf, Arc::clone(&spawner.out_of_memory)))
}

fn survivor(found: &Found) -> Survivor {
    let Found { content, sighting, is_proved, .. } = found;
    Survivor {
        generation: content.generation,
        facts: content.facts,
        pid: sighting.seen.pid,
        metrics: content.metrics,
        connector_id: content.connector_id.clone(),
        last_known: content.last_known,
        told: content.told(),
        proved: *is_proved,
    }
}

#[cfg(test)]
mod tests;
