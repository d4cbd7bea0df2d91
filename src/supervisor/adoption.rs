//! Taking over what an earlier daemon left running.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    memory::Memories,
    programs::Programs,
    task::{Parts, Report, Reported, Task, now},
};
use crate::{
    boot,
    connector::{Exit, Generation, SlotId, Survivor, Transport},
    failpoint::{self, Point},
    process::{Onlooker, Subtree, Survivors, Watched, survivors},
};

/// The cgroups that connectors are put into: those below `named`, or those that the service manager gave to the daemon, which is
/// moved into one of them. `None` where there are none.
pub(super) fn subtree(named: Option<&Path>) -> Option<Subtree> {
    let subtree = match named {
        Some(directory) => Subtree::at(directory).map(Some),
        None => Subtree::delegated().and_then(|mut subtree| {
            subtree.as_mut().map_or(Ok(()), Subtree::settle)?;
            Ok(subtree)
        }),
    };
    match subtree {
        Ok(subtree) => subtree,
        Err(error) => {
            // Records and instance ids prove the identity of connectors too.
            tracing::info!(%error, "Cannot use the cgroups that were given to the daemon; connectors get none of their own");
            None
        }
    }
}

impl Task {
    /// Finds what runs and puts it into its slots. `private` is the private folder of the runtime directory; programs
    /// without a folder are looked for in `program_folders`.
    pub(super) async fn adopt(parts: Parts, private: PathBuf, program_folders: Vec<PathBuf>) -> io::Result<Self> {
        let (spawner, output) = (Arc::clone(&parts.spawner), parts.output.clone());
        let retry = parts.settings.successor_retry;
        let search = move || {
            let found = survivors(&spawner)?;
            let (memories, program) = Memories::open(&private, boot::id()?, now())?;
            let running: Vec<Survivor> = found.found.values().flatten().map(|(survivor, _)| survivor.clone()).collect();
            let programs = Programs::start(program_folders, program, &running, retry)?;
            Ok::<_, io::Error>((found, running, output.generations(), memories, programs))
        };
        let (found, running, generations, memories, programs) =
            tokio::task::spawn_blocking(search).await.map_err(io::Error::other)??;
        let mut task = Self::new(parts, programs, memories)?;
        task.generations = generations;
        failpoint::hit(Point::SurvivorsFound);
        let Survivors { found, unrecorded, unreadable, strange } = found;
        for pid in unrecorded {
            tracing::warn!(pid, "Found a connector whose record was lost");
        }
        for (path, error) in unreadable {
            tracing::warn!(path = %path.display(), %error, "Cannot read a generation record, and no process was found for it");
        }
        for (pid, why) in strange {
            tracing::warn!(pid, why, "A process looks like a connector of this daemon; it is left alone");
        }
        // What an earlier daemon found out about QUIC shows in how its connectors were started.
        let proved = || running.iter().filter(|survivor| survivor.proved);
        let fell_back = proved().any(|survivor| survivor.facts.transport == Transport::Http2);
        let is_alone =
            proved().any(|survivor| survivor.facts.transport == Transport::AsConfigured && survivor.last_known.connections > 0);
        if fell_back {
            task.transport.handle_blocked(is_alone, &mut task.rng, now());
        }
        for (slot, processes) in found {
            task.adopt_slot(slot, processes);
            failpoint::hit(Point::SlotAdopted);
        }
        failpoint::hit(Point::AdoptionDone);
        Ok(task)
    }

    fn adopt_slot(&mut self, slot: SlotId, processes: Vec<(Survivor, Watched)>) {
        let id = Arc::new(slot);
        self.ensure_slot(&id);
        let mut survivors = Vec::new();
        for (survivor, process) in processes {
            // Whoever it is: what it writes is to be shown and kept within its bounds, which touches no process.
            self.parts.output.follow(&id, survivor.generation);
            match process {
                Watched::Ours(process) => {
                    self.watch(&id, survivor.generation, *process);
                    if survivor.connector_id.is_some() {
                        self.recall(&id, survivor.generation, survivor.last_known);
                    }
                }
                Watched::Unproved(process) => self.look_on(&id, survivor.generation, process),
            }
            survivors.push(survivor);
        }
        if let Some(entry) = self.slots.get_mut(&id) {
            // What is remembered comes before anything is kept of it: a daemon that is killed in between must not forget it.
            entry.slot.handle_survivors(survivors, now());
        }
        self.remind(&id);
        self.with_slot(&id, |_| {});
    }

    /// Learns of the end of a process that nothing else may be done to.
    fn look_on(&self, id: &Arc<SlotId>, generation: Generation, process: Onlooker) {
        let (slot, reports) = (Arc::clone(id), self.report_sender.clone());
        tokio::spawn(async move {
            let exit = Exit { ending: process.end().await, out_of_memory: false, last_lines: Vec::new() };
            // Fails when the task is over.
            let _ = reports.send(Report { slot, generation, what: Reported::Ended(exit) }).await;
        });
    }
}
