//! A process that is ours: its end, and the signals to it.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_send_signal, waitid},
};
use tokio::io::unix::AsyncFd;

use super::{generation_record::GenerationRecord, out_of_memory::OutOfMemory};
use crate::{connector::Ending, id::ConnectorId};

/// A process that this daemon started, or adopted because its identity is proved.
pub struct Process {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    /// Held while the process is reaped and while its group is signalled: the group's number is certainly ours only before.
    reaping: Mutex<()>,
    record: GenerationRecord,
    /// The configuration that was written for it.
    config: Option<PathBuf>,
    out_of_memory: Arc<OutOfMemory>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// How.
    pub ending: Ending,
    /// The kernel killed something for want of memory since the last time that a process was killed.
    pub out_of_memory: bool,
}

impl Process {
    /// Takes charge of a process.
    pub(super) fn new(
        pid: Pid,
        pidfd: AsyncFd<OwnedFd>,
        record: GenerationRecord,
        config: Option<PathBuf>,
        out_of_memory: Arc<OutOfMemory>,
    ) -> Self {
        Self { pid, pidfd, reaping: Mutex::new(()), record, config, out_of_memory }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for its end and reaps it; whatever is left of its process group is killed before. It may be called again after it
    /// was dropped, but answers once.
    pub async fn end(&self) -> End {
        loop {
            let Ok(mut guard) = self.pidfd.readable().await else {
                // The runtime is going down, and this task with it.
                return std::future::pending().await;
            };
            if let Some(ending) = self.reap() {
                let out_of_memory = ending == Ending::Signal(Signal::KILL.as_raw()) && self.out_of_memory.has_killed();
                return End { ending, out_of_memory };
            }
            guard.clear_ready();
        }
    }

    /// Records that it is to finish its requests, then tells it to. It blocks for as long as writing a small file takes.
    pub fn terminate(&self) {
        // Without the record a next daemon would say it a second time, which kills; but a stop must not depend on a file.
        let _ = self.record.update(|content| content.draining = true);
        self.signal(Signal::TERM);
    }

    /// Kills it and its process group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        let _guard = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever the kernel still lets us wait for is an unreaped child of ours, so its number is nobody else's.
        if self.look(WaitIdOptions::NOWAIT).is_ok() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Records who answered on its metrics address. It blocks for as long as writing a small file takes.
    pub fn learn_connector_id(&self, connector_id: ConnectorId) {
        // Without it a next daemon that cannot prove the identity starts another connector: a harmless replica.
        let _ = self.record.update(|content| content.connector_id = Some(connector_id));
    }

    /// Removes what was written for it. To be called when it has ended. It blocks for as long as that takes.
    pub fn forget(&self) {
        if let Some(config) = &self.config {
            let _ = std::fs::remove_file(config);
        }
        self.record.remove();
    }

    fn signal(&self, signal: Signal) {
        // The one way to fail is that it has ended, which is told elsewhere.
        let _ = pidfd_send_signal(self.pidfd.get_ref(), signal);
    }

    fn reap(&self) -> Option<Ending> {
        let _guard = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        match self.look(WaitIdOptions::NOWAIT) {
            Ok(None) => None,
            Ok(Some(_)) => {
                let _ = kill_process_group(self.pid, Signal::KILL);
                let status = self.look(WaitIdOptions::empty()).ok().flatten();
                Some(status.map_or(Ending::Unknown, |status| ending(&status)))
            }
            // Not our child: it was adopted, and whoever reaps it learns how it ended.
            Err(_) => self.has_ended().then_some(Ending::Unknown),
        }
    }

    fn look(&self, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
        let pidfd = self.pidfd.get_ref().as_fd();
        waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options)
    }

    fn has_ended(&self) -> bool {
        is_readable(self.pidfd.get_ref())
    }
}

/// Whether the process of a pidfd has ended.
pub(super) fn is_readable(pidfd: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn ending(status: &WaitIdStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Unknown,
    }
}
