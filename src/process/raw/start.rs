//! Starting a program with everything set before its first instruction.
//!
//! ```text
//!   start ── clone3: our memory, the caller sleeps ──▶ child: session, descriptors, limits, Landlock ── exec ──▶ program
//!     ▲                                                                          │
//!     └───────────── pid, pidfd, or which step failed and why ◀──────────────────┘
//! ```
//!
//! Nothing is copied, so it costs the same however large the daemon is, and its only exec is the program's own. A failure of any
//! step is known when [`start`] returns.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr::null,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    process::{Pid, WaitId, WaitIdOptions, waitid},
};

pub(in crate::process) use super::child::{Step, Undo};
use super::{
    child::{self, Outcome, PLACES, Plan},
    clone::{Clone3, clone, clone3},
};

#[cfg(test)]
mod tests;

/// What is to be started, and how.
pub(in crate::process) struct Start<'a> {
    /// The file. It may be `/proc/self/fd/N` of a descriptor that is open here, with N above the child's own ones; but no script,
    /// whose interpreter would look for it when the descriptor is gone.
    pub(in crate::process) program: &'a CStr,
    /// The arguments, the program's name for itself first.
    pub(in crate::process) arguments: &'a [CString],
    /// The whole environment, as `NAME=value`.
    pub(in crate::process) environment: &'a [CString],
    /// Its working directory.
    pub(in crate::process) directory: &'a CStr,
    /// Its descriptors 0, 1, 2, 3 and 4. It gets no others.
    pub(in crate::process) descriptors: [BorrowedFd<'a>; PLACES],
    /// The soft and hard limit of its descriptors; as the daemon's if not given.
    pub(in crate::process) open_files: Option<[u64; 2]>,
    /// What of the daemon's own it must not keep.
    pub(in crate::process) undo: Undo,
    /// The Landlock ruleset that holds it.
    pub(in crate::process) ruleset: Option<BorrowedFd<'a>>,
    /// The directory of its cgroup.
    pub(in crate::process) cgroup: Option<BorrowedFd<'a>>,
}

/// What was started.
#[derive(Debug)]
pub(in crate::process) struct Started {
    /// The process: our own child.
    pub(in crate::process) pid: Pid,
    /// Its descriptor.
    pub(in crate::process) pidfd: OwnedFd,
    /// Why it is not in its cgroup, if it was to be in one.
    pub(in crate::process) cgroup_trouble: Option<io::Error>,
    /// Why Landlock does not hold it, if it was to.
    pub(in crate::process) landlock_trouble: Option<io::Error>,
}

/// Which step of a start failed, and why.
#[derive(Debug)]
pub(in crate::process) struct StartError {
    pub(in crate::process) step: Step,
    pub(in crate::process) source: io::Error,
}

/// Starts a program. It blocks until the program's file is executed, for a fraction of a millisecond on a healthy host.
pub(in crate::process) fn start(start: &Start<'_>) -> Result<Started, StartError> {
    start_by(clone3, start)
}

fn start_by(clone3: Clone3, start: &Start<'_>) -> Result<Started, StartError> {
    let failed = |step| move |source: io::Error| StartError { step, source };
    let (arguments, environment) = (pointers(start.arguments), pointers(start.environment));
    // The places of the child must not cover each other's sources, and the ruleset is needed after they are taken.
    let (mut numbers, mut copies) = ([-1; PLACES + 1], Vec::new());
    for (number, descriptor) in numbers.iter_mut().zip(start.descriptors.into_iter().chain(start.ruleset)) {
        *number = beyond_places(descriptor, &mut copies).map_err(failed(Step::Descriptors))?;
    }
    let [descriptors @ .., ruleset] = numbers;
    let mut plan = Plan {
        program: start.program.as_ptr(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        directory: start.directory.as_ptr(),
        descriptors,
        open_files: start.open_files,
        undo: start.undo,
        is_born_without_handlers: true,
        ruleset,
        cgroup_procs: -1,
        outcome: Outcome::default(),
    };
    let (pid, pidfd, refused) = give_birth(clone3, &mut plan, start.cgroup).map_err(failed(Step::Clone))?;
    if let Some((step, errno)) = plan.outcome.failure {
        // It has ended; nobody else knows of it.
        let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        return Err(StartError { step, source: io::Error::from_raw_os_error(errno) });
    }
    Ok(Started {
        pid,
        pidfd,
        cgroup_trouble: refused.or(plan.outcome.cgroup.map(io::Error::from_raw_os_error)),
        landlock_trouble: plan.outcome.landlock.map(io::Error::from_raw_os_error),
    })
}

/// The descriptors that a child gets are numbered below this one. What it needs besides must not be.
pub(in crate::process) const BEYOND_PLACES: c_int = 10;

/// A number for it that is none of the child's places: its own, or that of a copy.
fn beyond_places(descriptor: BorrowedFd<'_>, copies: &mut Vec<OwnedFd>) -> io::Result<c_int> {
    let number = descriptor.as_raw_fd();
    if number >= BEYOND_PLACES {
        return Ok(number);
    }
    let copy = rustix::io::fcntl_dupfd_cloexec(descriptor, BEYOND_PLACES)?;
    let number = copy.as_raw_fd();
    copies.push(copy);
    Ok(number)
}

/// By the best way that the kernel lets us go. Gives also why the child could not be born in its cgroup.
fn give_birth(clone3: Clone3, plan: &mut Plan, cgroup: Option<BorrowedFd<'_>>) -> io::Result<(Pid, OwnedFd, Option<io::Error>)> {
    let _blocked = Blocked::all();
    let place: *mut c_void = (&raw mut *plan).cast();
    // SAFETY: `run` makes system calls only and never returns; the plan and all that it points to outlive the call, which lasts
    // until the child is its program or gone; every signal is blocked.
    let by_clone3 = |cgroup: Option<BorrowedFd<'_>>| unsafe { clone3(cgroup.map(|it| it.as_raw_fd()), child::run, place) };
    let (refusal, in_cgroup) = match by_clone3(cgroup) {
        Ok((pid, pidfd)) => return Ok((pid, pidfd, None)),
        Err(error) => (error, cgroup.is_some()),
    };
    if !is_no_such_call(&refusal) {
        if !in_cgroup {
            return Err(refusal);
        }
        // Whatever is wrong with its cgroup, a connector is better off outside than not running.
        return by_clone3(None).map(|(pid, pidfd)| (pid, pidfd, Some(refusal)));
    }
    let procs = cgroup.map(|cgroup| openat(cgroup, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()));
    let (procs, trouble) = match procs {
        Some(Ok(procs)) => (Some(procs), None),
        Some(Err(errno)) => (None, Some(io::Error::from(errno))),
        None => (None, None),
    };
    plan.cgroup_procs = procs.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    plan.is_born_without_handlers = false;
    // SAFETY: as above.
    let (pid, pidfd) = unsafe { clone(child::run, (&raw mut *plan).cast()) }?;
    Ok((pid, pidfd, trouble))
}

/// Whether the kernel does not have a call, or not all of it, or a filter keeps it from us.
fn is_no_such_call(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EINVAL))
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([null()]).collect()
}

/// While it lives, no signal reaches the calling thread: a handler of the daemon that ran in the child would change the daemon.
struct Blocked(u64);

impl Blocked {
    fn all() -> Self {
        let (all, mut before) = (u64::MAX, 0_u64);
        // By the system call itself: the C library would leave out two signals that it uses among its threads.
        // SAFETY: both masks outlive the call, which cannot fail with them.
        unsafe { mask(&raw const all, &raw mut before) };
        Self(before)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { mask(&raw const self.0, std::ptr::null_mut()) };
    }
}

/// # Safety
///
/// `new` is valid, `old` is valid or null.
unsafe fn mask(new: *const u64, old: *mut u64) {
    // SAFETY: the caller vouches for the pointers.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, new, old, size_of::<u64>()) };
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.step {
            Step::Clone => "cannot start a process",
            Step::Session => "cannot give the process a session of its own",
            Step::Descriptors => "cannot give the process its descriptors",
            Step::Directory => "cannot enter the private folder",
            Step::Limits => "cannot limit the process",
            Step::Privileges => "cannot take the way to more privileges from the process",
            Step::Execute => "cannot execute it",
        })
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
