//! A process that is ours: its end, and the signals to it.

mod onlooker;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_send_signal, waitid},
};
use tokio::{
    io::unix::AsyncFd,
    time::{Instant, timeout_at},
};

use super::{
    cgroup::Leaf,
    generation_record::GenerationRecord,
    out_of_memory::OutOfMemory,
    raw::{ExitInformation, exit_information},
};
pub use onlooker::Onlooker;

use crate::{
    connector::{Ending, LastKnown},
    failpoint::{self, Point},
    id::ConnectorId,
};

/// How long it may take from the end of an adopted process until whoever inherited it has reaped it, which is when the kernel says
/// how it ended. PID 1 does so at once; one that does not must not hold up the restart.
const REAP_TIME_MAX: Duration = Duration::from_millis(200);

/// How long a leaf may take to be empty once its connector has ended and everything in it was killed.
const LEAF_TIME_MAX: Duration = Duration::from_secs(2);

/// A process that this daemon started, or adopted because its identity is proved.
pub struct Process {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    /// Held while the process is reaped and while its group is signalled: the group's number is certainly ours only before.
    reaping: Mutex<()>,
    record: GenerationRecord,
    /// The configuration that was written for it.
    config: Option<PathBuf>,
    /// The cgroup of its own that it is in with all that it started.
    leaf: Option<Leaf>,
    /// This daemon has sent it SIGKILL.
    is_killed: AtomicBool,
    out_of_memory: Arc<OutOfMemory>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// How.
    pub ending: Ending,
    /// It was killed, not by Adit, and the kernel has just killed something for want of memory.
    pub out_of_memory: bool,
}

impl Process {
    /// Takes charge of a process.
    pub(super) fn new(
        pid: Pid,
        pidfd: AsyncFd<OwnedFd>,
        record: GenerationRecord,
        config: Option<PathBuf>,
        leaf: Option<Leaf>,
        out_of_memory: Arc<OutOfMemory>,
    ) -> Self {
        let is_killed = AtomicBool::new(false);
        Self { pid, pidfd, reaping: Mutex::new(()), record, config, leaf, is_killed, out_of_memory }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for the first sign that it has ended. It may be called again after it was dropped, and comes to nothing when that was no
    /// end.
    pub async fn ended(&self) {
        // An error is the runtime going down.
        let _ = self.pidfd.readable().await;
    }

    /// Waits for its end and reaps it; whatever is left of its group is killed before. It may be called again after it was dropped,
    /// but answers once.
    pub async fn end(&self) -> End {
        loop {
            let Ok(mut guard) = self.pidfd.readable().await else {
                // The runtime is going down, and this task with it.
                return std::future::pending().await;
            };
            guard.clear_ready();
            let ending = match self.reap() {
                Reaped::Lives => continue,
                Reaped::Ended(ending) => ending,
                Reaped::ByAnother => told_ending(&self.pidfd).await,
            };
            failpoint::hit(Point::ProcessReaped);
            let is_kill = ending == Ending::Signal(Signal::KILL.as_raw());
            let out_of_memory = is_kill && !self.is_killed.load(Ordering::Relaxed) && self.out_of_memory.explains_a_kill();
            return End { ending, out_of_memory };
        }
    }

    /// Records that it is to finish its requests, then tells it to. Whether a daemon that ended in between told it, the next one finds
    /// out by asking the process. It blocks for as long as writing a small file takes.
    pub fn terminate(&self) {
        // Without the record a next daemon would say it a second time, which kills; but a stop must not depend on a file.
        let _ = self.record.update(|content| content.draining = true);
        failpoint::hit(Point::TerminationRecorded);
        self.signal(Signal::TERM);
        failpoint::hit(Point::TerminationSignalled);
    }

    /// Kills it and its group.
    pub fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
        self.signal(Signal::KILL);
        if self.kill_leaf() {
            return;
        }
        let _guard = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever the kernel still lets us wait for is an unreaped child of ours, so its number is nobody else's.
        if self.look(WaitIdOptions::NOWAIT).is_ok() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Records who answered on its metrics address, and what it said. It blocks for as long as writing a small file takes.
    pub fn learn(&self, connector_id: ConnectorId, last_known: LastKnown) {
        // Without it a next daemon that cannot prove the identity starts another connector: a harmless replica.
        let _ = self.record.update(|content| {
            content.connector_id = Some(connector_id);
            content.last_known = last_known;
        });
        failpoint::hit(Point::ConnectorLearnt);
    }

    /// The processor time that it has used since its start.
    pub fn processor_time(&self) -> io::Result<Duration> {
        super::identity::processor_time(self.pid)
    }

    /// Removes what was written for it. To be called when it has ended. It blocks for as long as that takes.
    pub fn forget(&self) {
        if let Some(config) = &self.config {
            let _ = std::fs::remove_file(config);
        }
        failpoint::hit(Point::ConfigurationRemoved);
        self.record.remove();
        if let Some(leaf) = &self.leaf {
            // One that cannot be removed is swept by the next daemon.
            let _ = leaf.remove(LEAF_TIME_MAX);
        }
        failpoint::hit(Point::GenerationForgotten);
    }

    /// Kills all that is in its leaf; `false` where it has none.
    fn kill_leaf(&self) -> bool {
        self.leaf.as_ref().is_some_and(|leaf| leaf.kill().is_ok())
    }

    fn signal(&self, signal: Signal) {
        // The one way to fail is that it has ended, which is told elsewhere.
        let _ = pidfd_send_signal(self.pidfd.get_ref(), signal);
    }

    fn reap(&self) -> Reaped {
        let _guard = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        match self.look(WaitIdOptions::NOWAIT) {
            Ok(None) => Reaped::Lives,
            Ok(Some(_)) => {
                if !self.kill_leaf() {
                    let _ = kill_process_group(self.pid, Signal::KILL);
                }
                let status = self.look(WaitIdOptions::empty()).ok().flatten();
                Reaped::Ended(status.map_or(Ending::Unknown, |status| ending(&status)))
            }
            // Not our child: it was adopted.
            Err(_) if is_readable(self.pidfd.get_ref()) => {
                self.kill_leaf();
                Reaped::ByAnother
            }
            Err(_) => Reaped::Lives,
        }
    }

    fn look(&self, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
        let pidfd = self.pidfd.get_ref().as_fd();
        waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options)
    }
}

enum Reaped {
    Lives,
    Ended(Ending),
    /// It has ended, and whoever it was left to learns how.
    ByAnother,
}

/// Whether the process of a pidfd has ended.
pub(super) fn is_readable(pidfd: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// How a process ended that is another's to reap: the kernel says it once that is done. To be called when it has ended.
pub(super) async fn told_ending(pidfd: &AsyncFd<OwnedFd>) -> Ending {
    let deadline = Instant::now() + REAP_TIME_MAX;
    loop {
        // Looked at first: what is said after a hang-up was seen is final.
        let is_reaped = has_hung_up(pidfd.get_ref());
        match exit_information(pidfd.get_ref()) {
            ExitInformation::Status(status) => return ending_of(status),
            ExitInformation::Unavailable => return Ending::Unknown,
            ExitInformation::NotYet if is_reaped => return Ending::Unknown,
            ExitInformation::NotYet => {}
        }
        // The hang-up is told like the end was.
        match timeout_at(deadline, pidfd.readable()).await {
            Ok(Ok(mut guard)) => guard.clear_ready(),
            Ok(Err(_)) | Err(_) => return Ending::Unknown,
        }
    }
}

/// Whether the process of a pidfd has been reaped. Before Linux 6.9 it never has.
fn has_hung_up(pidfd: &OwnedFd) -> bool {
    // A hang-up is told whether asked for or not.
    poll(&mut [PollFd::new(pidfd, PollFlags::empty())], Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// The meaning of a status as `wait` gives it.
fn ending_of(status: i32) -> Ending {
    if libc::WIFEXITED(status) {
        Ending::Code(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Ending::Signal(libc::WTERMSIG(status))
    } else {
        Ending::Unknown
    }
}

fn ending(status: &WaitIdStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Unknown,
    }
}

#[cfg(test)]
mod tests;
