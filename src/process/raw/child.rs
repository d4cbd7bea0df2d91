//! What a child does between its birth and the first instruction of its program.
//!
//! It runs in the memory of the daemon, on a stack of its own, while other threads of the daemon go on. So it makes system calls
//! and does nothing else: it allocates nothing, takes no lock, cannot panic, and touches no thread-local variable but errno, which
//! is the one of the thread that sleeps until the child has become its program. Everything that it needs was prepared before, in
//! [`Plan`].

use std::ffi::{c_char, c_int, c_long, c_void};

/// How many descriptors a child gets: 0 up to this number.
pub(super) const PLACES: usize = 5;

/// The last signal of Linux, on every architecture that Adit is built for.
pub(super) const SIGNAL_LAST: usize = 64;

/// Kernels before 5.11 cannot mark a range of descriptors. What was inherited without the mark has a low number; everything that
/// Adit opens carries it.
const MARKED_ONE_BY_ONE: usize = 1024;

/// What the child is to do. Its pointers are valid and its descriptors open for as long as the child runs in our memory.
pub(super) struct Plan {
    pub(super) program: *const c_char,
    /// Ends with a null pointer, as does the next.
    pub(super) arguments: *const *const c_char,
    pub(super) environment: *const *const c_char,
    pub(super) directory: *const c_char,
    /// What becomes descriptor 0, 1, 2…; each is numbered above all of these.
    pub(super) descriptors: [c_int; PLACES],
    /// The soft and hard limit of open descriptors, where it is to be set.
    pub(super) open_files: Option<[u64; 2]>,
    /// Of what the daemon has for itself, what a connector must not have.
    pub(super) undo: Undo,
    /// The child is born without the daemon's handlers of signals.
    pub(super) is_born_without_handlers: bool,
    /// A Landlock ruleset, or -1.
    pub(super) ruleset: c_int,
    /// The `cgroup.procs` that the child has to write itself into, or -1.
    pub(super) cgroup_procs: c_int,
    /// Written by the child.
    pub(super) outcome: Outcome,
}

/// What the daemon has for itself and its children inherit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::process) struct Undo {
    /// Signals that it ignores, the lowest bit for the first.
    pub(in crate::process) ignored_signals: u64,
    /// It is protected from the kernel's out-of-memory killer; a connector must go before it.
    pub(in crate::process) out_of_memory_protection: bool,
    /// It runs before others.
    pub(in crate::process) nice: bool,
    /// Its disk accesses come before those of others.
    pub(in crate::process) io_priority: bool,
}

/// How far the child came. Each number is an errno.
#[derive(Clone, Copy, Default)]
pub(super) struct Outcome {
    pub(super) failure: Option<(Step, c_int)>,
    /// Why it is not in its cgroup.
    pub(super) cgroup: Option<c_int>,
    /// Why Landlock does not hold it.
    pub(super) landlock: Option<c_int>,
}

/// A step that every start takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum Step {
    /// To be a process at all.
    Clone,
    /// A session of its own.
    Session,
    /// Its descriptors, and no others.
    Descriptors,
    /// Its working directory.
    Directory,
    /// Its limits.
    Limits,
    /// No way to more privileges.
    Privileges,
    /// To become its program.
    Execute,
}

/// Does what `plan`, a [`Plan`], says. It never returns: the process becomes its program or exits.
pub(super) extern "C" fn run(plan: *mut c_void) -> c_int {
    let plan = plan.cast::<Plan>();
    // SAFETY: whoever cloned us passed a Plan that is valid until we are gone, and sleeps meanwhile, so nobody else touches it.
    unsafe {
        let Err(failure) = become_program(&mut *plan);
        (*plan).outcome.failure = Some(failure);
        loop {
            let _ = call(libc::SYS_exit_group, [127, 0, 0, 0, 0]);
        }
    }
}

/// # Safety
///
/// The pointers of `plan` are valid, and the process is one that may be changed in every way.
unsafe fn become_program(plan: &mut Plan) -> Result<std::convert::Infallible, (Step, c_int)> {
    // SAFETY: each call gets pointers of the plan or to locals that outlive it, and numbers.
    unsafe {
        if plan.cgroup_procs >= 0 {
            let moved = call(libc::SYS_write, [plan.cgroup_procs as usize, c"0".as_ptr() as usize, 1, 0, 0]);
            plan.outcome.cgroup = moved.err();
        }
        default_signals(if plan.is_born_without_handlers { plan.undo.ignored_signals } else { u64::MAX });
        call(libc::SYS_setsid, [0; 5]).map_err(at(Step::Session))?;
        for (place, descriptor) in plan.descriptors.iter().enumerate() {
            call(libc::SYS_dup3, [*descriptor as usize, place, 0, 0, 0]).map_err(at(Step::Descriptors))?;
        }
        end_others_with_exec().map_err(at(Step::Descriptors))?;
        // It cannot fail.
        let _ = call(libc::SYS_umask, [0o077, 0, 0, 0, 0]);
        call(libc::SYS_chdir, [plan.directory as usize, 0, 0, 0, 0]).map_err(at(Step::Directory))?;
        // A core dump would hold the token.
        limit(libc::RLIMIT_CORE as usize, &[0, 0]).map_err(at(Step::Limits))?;
        if let Some(limits) = &plan.open_files {
            limit(libc::RLIMIT_NOFILE as usize, limits).map_err(at(Step::Limits))?;
        }
        undo(plan.undo);
        call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0]).map_err(at(Step::Privileges))?;
        if plan.ruleset >= 0 {
            let boxed = call(libc::SYS_landlock_restrict_self, [plan.ruleset as usize, 0, 0, 0, 0]);
            plan.outcome.landlock = boxed.err();
        }
        // Last, with every handler of the daemon gone.
        mask_no_signal();
        let became = call(libc::SYS_execve, [plan.program as usize, plan.arguments as usize, plan.environment as usize, 0, 0]);
        Err((Step::Execute, became.err().unwrap_or(0)))
    }
}

/// Each of these signals does what it does by default. SIGHUP, of which cloudflared would die at once, is ignored in any case.
unsafe fn default_signals(signals: u64) {
    for signal in 1..=SIGNAL_LAST {
        let handler = match signal == libc::SIGHUP as usize {
            true => libc::SIG_IGN,
            false if signals >> (signal - 1) & 1 == 1 => libc::SIG_DFL,
            false => continue,
        };
        // The kernel's own structure begins with the handler; flags, restorer and mask may be zero.
        let action: [usize; 4] = [handler, 0, 0, 0];
        // SAFETY: the action outlives the call. Of KILL and STOP, which nobody can change, it is refused.
        let _ = unsafe { call(libc::SYS_rt_sigaction, [signal, action.as_ptr() as usize, 0, size_of::<u64>(), 0]) };
    }
}

unsafe fn mask_no_signal() {
    let nothing: u64 = 0;
    let mask = &raw const nothing as usize;
    // SAFETY: the mask outlives the call, which cannot fail with it.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, mask, 0, size_of::<u64>(), 0]) };
}

/// Lets every descriptor but the child's own end with the exec. They are marked and not closed: the program may be one of them.
unsafe fn end_others_with_exec() -> Result<(), c_int> {
    let last = u32::MAX as usize;
    // SAFETY: no memory is passed.
    unsafe {
        match call(libc::SYS_close_range, [PLACES, last, libc::CLOSE_RANGE_CLOEXEC as usize, 0, 0]) {
            Err(libc::EINVAL | libc::ENOSYS) => {
                for descriptor in PLACES..MARKED_ONE_BY_ONE {
                    // Fails for those that are not open.
                    let _ = call(libc::SYS_fcntl, [descriptor, libc::F_SETFD as usize, libc::FD_CLOEXEC as usize, 0, 0]);
                }
                Ok(())
            }
            result => result.map(drop),
        }
    }
}

unsafe fn limit(what: usize, limits: &[u64; 2]) -> Result<(), c_int> {
    // SAFETY: the limits outlive the call.
    unsafe { call(libc::SYS_prlimit64, [0, what, limits.as_ptr() as usize, 0, 0]).map(drop) }
}

/// Gives up what the daemon has for itself. To give up needs no right; where it is refused all the same the connector runs on.
unsafe fn undo(undo: Undo) {
    const OUT_OF_MEMORY: &std::ffi::CStr = c"/proc/self/oom_score_adj";
    // SAFETY: the paths and texts are constants.
    unsafe {
        if undo.out_of_memory_protection {
            let here = libc::AT_FDCWD as usize;
            let opened = call(libc::SYS_openat, [here, OUT_OF_MEMORY.as_ptr() as usize, libc::O_WRONLY as usize, 0, 0]);
            if let Ok(file) = opened {
                let _ = call(libc::SYS_write, [file, c"0".as_ptr() as usize, 1, 0, 0]);
                let _ = call(libc::SYS_close, [file, 0, 0, 0, 0]);
            }
        }
        if undo.nice {
            let _ = call(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, 0, 0, 0]);
        }
        if undo.io_priority {
            /// `IOPRIO_WHO_PROCESS`; the class 0 is the one that follows from the niceness.
            const PROCESS: usize = 1;
            let _ = call(libc::SYS_ioprio_set, [PROCESS, 0, 0, 0, 0]);
        }
    }
}

fn at(step: Step) -> impl Fn(c_int) -> (Step, c_int) {
    move |errno| (step, errno)
}

/// One system call; the error is its errno.
///
/// # Safety
///
/// The arguments are what the call needs, and it does nothing that the child must not do.
unsafe fn call(number: c_long, arguments: [usize; 5]) -> Result<usize, c_int> {
    let [first, second, third, fourth, fifth] = arguments;
    // SAFETY: the caller vouches for the arguments. Errno is the sleeping thread's, which reads it only after its next call.
    unsafe {
        let result = libc::syscall(number, first, second, third, fourth, fifth);
        if result == -1 { Err(*libc::__errno_location()) } else { Ok(result.cast_unsigned() as usize) }
    }
}
