//! The processes of the slots: their ends are reported, and what they answer is kept for the next daemon.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::task::{Report, Reported, Task};
use crate::{
    connector::{Ending, Exit, Generation, LastKnown, Probe, SlotId, VersionReading},
    output::Output,
    probe::Line,
    process::Process,
};

/// Reading a process's last words takes no longer; a disk that hangs must not hold up its restart.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_secs(1);

/// A process of a slot.
pub(super) struct Child {
    pub(super) generation: Generation,
    pub(super) process: Arc<Process>,
    /// What its record says of it.
    last_known: Option<LastKnown>,
    /// The connection over which it is asked while it is well.
    pub(super) line: Option<Line>,
}

impl Task {
    /// Takes charge of a process: its end will be reported. Gives its id.
    pub(super) fn watch(&mut self, id: &Arc<SlotId>, generation: Generation, process: Process) -> u32 {
        let process = Arc::new(process);
        let pid = process.pid();
        self.pids.insert(pid, (Arc::clone(id), generation));
        if let Some(entry) = self.slots.get_mut(id) {
            // Mostly it stays the only one.
            entry.children.reserve_exact(1);
            entry.children.push(Child { generation, process: Arc::clone(&process), last_known: None, line: None });
        }
        let (slot, reports, output) = (Arc::clone(id), self.report_sender.clone(), self.parts.output.clone());
        let starter = self.parts.starter.caller();
        tokio::spawn(async move {
            process.ended().await;
            starter.call();
            let end = process.end().await;
            let last_lines = match end.ending {
                Ending::Code(_) => last_words(output, Arc::clone(&slot), generation).await,
                // A signal says all, and whoever was killed is to be replaced at once.
                Ending::Signal(_) | Ending::Unknown => Vec::new(),
            };
            let exit = Exit { ending: end.ending, out_of_memory: end.out_of_memory, last_lines };
            // Fails when the task is over.
            let _ = reports.send(Report { slot, generation, what: Reported::Ended(exit) }).await;
        });
        pid
    }

    pub(super) fn process(&self, id: &Arc<SlotId>, generation: Generation) -> Option<Arc<Process>> {
        let child = self.slots.get(id)?.children.iter().find(|child| child.generation == generation)?;
        Some(Arc::clone(&child.process))
    }

    pub(super) fn take_child(&mut self, id: &Arc<SlotId>, generation: Generation) -> Option<Arc<Process>> {
        let entry = self.slots.get_mut(id)?;
        let index = entry.children.iter().position(|child| child.generation == generation)?;
        let process = entry.children.swap_remove(index).process;
        // It was reaped: its id may be another's already.
        if self.pids.get(&process.pid()).is_some_and(|(slot, of)| slot == id && *of == generation) {
            self.pids.remove(&process.pid());
        }
        Some(process)
    }

    /// What the record of an adopted process says of it.
    pub(super) fn recall(&mut self, id: &Arc<SlotId>, generation: Generation, last_known: LastKnown) {
        let Some(entry) = self.slots.get_mut(id) else { return };
        if let Some(child) = entry.children.iter_mut().find(|child| child.generation == generation) {
            child.last_known = Some(last_known);
        }
    }

    /// Keeps in the record of a process who answered on its address and what it said, so that the next daemon knows.
    pub(super) fn learn(&mut self, id: &Arc<SlotId>, generation: Generation, probe: &Probe) {
        let Probe::Answered(answer) = probe else { return };
        let Some(entry) = self.slots.get_mut(id) else { return };
        let Some(child) = entry.children.iter_mut().find(|child| child.generation == generation) else { return };
        let version = match answer.version {
            VersionReading::Unread => child.last_known.and_then(|known| known.version),
            VersionReading::Missing => None,
            VersionReading::Version(version) => Some(version),
        };
        let last_known = LastKnown { connections: answer.connections, version };
        if child.last_known.replace(last_known) != Some(last_known) {
            let (process, connector_id) = (Arc::clone(&child.process), answer.connector_id.clone());
            tokio::task::spawn_blocking(move || process.learn(connector_id, last_known));
        }
    }
}

async fn last_words(output: Output, slot: Arc<SlotId>, generation: Generation) -> Vec<String> {
    let read = tokio::task::spawn_blocking(move || output.last_words(&slot, generation));
    // An exit without its last words is still an exit.
    timeout(LAST_WORDS_TIME_MAX, read).await.ok().and_then(Result::ok).unwrap_or_default()
}
