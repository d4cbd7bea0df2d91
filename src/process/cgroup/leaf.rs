//! The cgroup of one connector: whatever is in it was started by that connector.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, openat},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{name, place::Place};
use crate::{
    connector::{Generation, SlotId},
    process::identity,
};

/// How often a group is frozen, killed and looked at again where the kernel cannot kill it in one go. What a process forked before
/// it was frozen is found in the next round, and one round finds all of them.
const ROUNDS_MAX: usize = 8;

/// A `cgroup.events` is a few lines of a word and a number, in bytes.
const EVENTS_LENGTH_MAX: usize = 256;

/// How soon a removal is tried again when the kernel tells no change.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// A connector's cgroup.
pub(in crate::process) struct Leaf {
    place: Place,
    directory: OwnedFd,
    slot: SlotId,
    generation: Generation,
}

impl Leaf {
    /// Opens the leaf of this name in `unit`; `None` when it is none of ours by its name.
    pub(super) fn open(unit: &Place, name: &str) -> io::Result<Option<Self>> {
        let Some((slot, generation)) = name::parse(name) else { return Ok(None) };
        let place = unit.child(name);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&place.directory, flags, Mode::empty())?;
        Ok(Some(Self { place, directory, slot, generation }))
    }

    /// The slot whose connector it is for.
    pub(in crate::process) fn slot(&self) -> &SlotId {
        &self.slot
    }

    /// The generation that it is for.
    pub(in crate::process) fn generation(&self) -> Generation {
        self.generation
    }

    /// As `/proc/PID/cgroup` names it.
    pub(in crate::process) fn path(&self) -> &str {
        &self.place.path
    }

    /// Puts a process into it.
    #[cfg(test)]
    pub(in crate::process) fn add(&self, pid: Pid) -> io::Result<()> {
        self.write("cgroup.procs", &pid.as_raw_nonzero().to_string())
    }

    /// The processes in it. Those of other pid namespaces have no number here and are left out.
    pub(in crate::process) fn processes(&self) -> io::Result<Vec<u32>> {
        Ok(self.read("cgroup.procs")?.lines().filter_map(|line| line.parse().ok().filter(|number| *number > 0)).collect())
    }

    /// Kills everything in it, whatever it forks meanwhile. It does not wait for the end.
    pub(in crate::process) fn kill(&self) -> io::Result<()> {
        match self.write("cgroup.kill", "1") {
            // Linux before 5.14 has no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.kill_frozen(),
            result => result,
        }
    }

    /// Freezes the group, so that nothing escapes by forking, kills what is in it, and looks again.
    pub(super) fn kill_frozen(&self) -> io::Result<()> {
        for _ in 0..ROUNDS_MAX {
            self.write("cgroup.freeze", "1")?;
            let killed = self.processes().map(|pids| pids.into_iter().filter(|pid| self.kill_member(*pid)).count());
            // SIGKILL ends a frozen process too, but the group must not stay frozen for whoever was on the way in.
            self.write("cgroup.freeze", "0")?;
            if killed? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Kills one process if it is still in the group, and says so.
    fn kill_member(&self, number: u32) -> bool {
        // Opened first, so that what is read next is about the process that is signalled.
        let Some(pid) = Pid::from_raw(number.cast_signed()) else { return false };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        let member = identity::cgroup(pid).is_ok_and(|path| path == self.place.path);
        member && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
    }

    /// Removes it, when it is empty or becomes so within `time_max`.
    ///
    /// # Errors
    ///
    /// When something is in it all the same.
    pub(in crate::process) fn remove(&self, time_max: Duration) -> io::Result<()> {
        let deadline = now() + time_max;
        loop {
            match rustix::fs::rmdir(&self.place.directory) {
                // Somebody was quicker.
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::BUSY) if now() < deadline => self.wait_for_change(deadline)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until the last process has gone. A last process that is not quite gone, or a group made within, is not told by the
    /// kernel; so this returns soon in any case.
    fn wait_for_change(&self, deadline: Instant) -> io::Result<()> {
        let events = match self.open_file("cgroup.events", OFlags::RDONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        // What changes after a read wakes whoever polls. A group that went meanwhile is missed by the next removal.
        let _ = rustix::io::pread(&events, &mut [0; EVENTS_LENGTH_MAX], 0);
        let wait = deadline.saturating_duration_since(now()).min(RETRY_AFTER);
        let timeout = Timespec::try_from(wait).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&timeout)) {
            // A signal to the daemon, or the change.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
        Ok(openat(self.as_fd(), name, flags | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn read(&self, name: &str) -> io::Result<String> {
        io::read_to_string(std::fs::File::from(self.open_file(name, OFlags::RDONLY)?))
    }

    fn write(&self, name: &str, value: &str) -> io::Result<()> {
        let file = self.open_file(name, OFlags::WRONLY)?;
        Ok(rustix::io::write(file, value.as_bytes()).map(drop)?)
    }
}

impl AsFd for Leaf {
    /// The directory, as `clone3` with `CLONE_INTO_CGROUP` takes it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Leaf").field(&self.place.path).finish()
    }
}

#[expect(clippy::disallowed_methods, reason = "the kernel is waited for, and it knows no virtual clock")]
fn now() -> Instant {
    Instant::now()
}
