//! A child that borrows our memory until it has become its program.

use std::{
    cell::OnceCell,
    ffi::{c_int, c_void},
    io,
    os::fd::{FromRawFd, OwnedFd},
    ptr::null_mut,
};

use rustix::process::Pid;

/// What a child runs. It must not return.
pub(super) type Entry = extern "C" fn(*mut c_void) -> c_int;

/// [`clone3`], or what a test puts in its place.
pub(super) type Clone3 = unsafe fn(Option<c_int>, Entry, *mut c_void) -> io::Result<(Pid, OwnedFd)>;

/// The stack of a child, in bytes: a few frames with no buffers take a fraction of it.
const STACK: usize = 64 * 1024;
/// Below the stack lies memory that nobody may touch: a child that used too much would end, and not write into the daemon's heap.
/// It is a multiple of every page size.
const GUARD: usize = 64 * 1024;

/// Linux's `struct clone_args`, as of 5.7. An older kernel takes it as long as what it does not know is zero.
#[repr(C)]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The child starts with no handler of a signal; what is ignored stays so (Linux 5.5).
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// The child starts in the cgroup whose directory is passed (Linux 5.7).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts a child with `clone3(2)` that runs `entry(argument)` without the daemon's handlers of signals, in the directory's cgroup if
/// one is given, and sleeps until it has executed its program or ended.
///
/// # Safety
///
/// `entry` makes system calls only, never returns, and may use `argument`. Every signal is blocked in the calling thread.
pub(super) unsafe fn clone3(cgroup: Option<c_int>, entry: Entry, argument: *mut c_void) -> io::Result<(Pid, OwnedFd)> {
    let bottom = stack()?;
    let mut pidfd: c_int = -1;
    let mut arguments = Arguments {
        flags: (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64 | CLONE_CLEAR_SIGHAND,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: bottom as u64,
        stack_size: STACK as u64,
        ..Arguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup as u64;
    }
    // SAFETY: the arguments are valid, the stack is the child's alone, and the caller vouches for the entry.
    let result = unsafe { enter(&raw mut arguments, entry, argument) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(c_int::try_from(-result).unwrap_or(libc::EINVAL)));
    }
    // SAFETY: the kernel has put a descriptor there that nobody else knows.
    Ok(unsafe { born(result as c_int, pidfd) })
}

/// As [`clone3`], by the older `clone(2)`, which knows no cgroups and leaves the handlers to the child. It is there where the newer
/// one is refused: by an older kernel, or by a filter of system calls that has to look at the flags and cannot see those of `clone3`
/// (systemd's `RestrictNamespaces=`, older container engines).
///
/// # Safety
///
/// As for [`clone3`].
pub(super) unsafe fn clone(entry: Entry, argument: *mut c_void) -> io::Result<(Pid, OwnedFd)> {
    let top = stack()?.wrapping_byte_add(STACK);
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack is the child's alone and grows down from its top; the caller vouches for the entry. With CLONE_PIDFD the
    // fifth argument is where the kernel puts the descriptor.
    let result = unsafe { libc::clone(entry, top, flags, argument, &raw mut pidfd) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    Ok(unsafe { born(result, pidfd) })
}

/// # Safety
///
/// `pidfd` is an open descriptor that nobody else owns.
unsafe fn born(pid: c_int, pidfd: c_int) -> (Pid, OwnedFd) {
    // SAFETY: the caller vouches for it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    (Pid::from_raw(pid).expect("the kernel numbers processes from 1"), pidfd)
}

/// The system call, and in the child `entry(argument)` on the stack that the arguments name. It cannot be called as a function:
/// the child would return from it over the frames of its parent.
///
/// # Safety
///
/// As for [`clone3`], and `arguments` are valid.
#[cfg(target_arch = "x86_64")]
unsafe fn enter(arguments: *mut Arguments, entry: Entry, argument: *mut c_void) -> isize {
    let result: isize;
    // SAFETY: the parent gets its registers back as they were, but for the three that the kernel changes. The child, whose stack
    // is aligned as the call needs it, never leaves the assembly.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") entry,
            in("r13") argument,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// The system call, and in the child `entry(argument)` on the stack that the arguments name. It cannot be called as a function:
/// the child would return from it over the frames of its parent.
///
/// # Safety
///
/// As for [`clone3`], and `arguments` are valid.
#[cfg(target_arch = "aarch64")]
unsafe fn enter(arguments: *mut Arguments, entry: Entry, argument: *mut c_void) -> isize {
    let result: isize;
    // SAFETY: the parent gets its registers back as they were, but for the one with the result. The child, whose stack is aligned
    // as the call needs it, never leaves the assembly.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x21",
            "blr x20",
            "brk #1",
            "2:",
            inout("x0") arguments => result,
            in("x1") size_of::<Arguments>(),
            in("x8") libc::SYS_clone3,
            in("x20") entry,
            in("x21") argument,
        );
    }
    result
}

/// Where there is no assembly for it, it is as if the kernel had no such call.
///
/// # Safety
///
/// None is needed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn enter(_arguments: *mut Arguments, _entry: Entry, _argument: *mut c_void) -> isize {
    -(libc::ENOSYS as isize)
}

thread_local! {
    static STACK_OF_CHILD: OnceCell<Stack> = const { OnceCell::new() };
}

/// Where the stack for a child of this thread ends; it grows down towards it. It is one for all of them, as the thread sleeps while
/// a child uses it.
fn stack() -> io::Result<*mut c_void> {
    STACK_OF_CHILD.with(|kept| match kept.get() {
        Some(stack) => Ok(stack.bottom()),
        None => Ok(Stack::new().map(|stack| kept.get_or_init(|| stack))?.bottom()),
    })
}

/// Memory for a child's stack.
struct Stack(*mut c_void);

impl Stack {
    fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: new memory, at an address that the kernel chooses.
        let memory = unsafe { libc::mmap(null_mut(), GUARD + STACK, libc::PROT_NONE, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(memory);
        // SAFETY: it lies within the memory that was just mapped and that nobody uses yet.
        let opened = unsafe { libc::mprotect(stack.bottom(), STACK, libc::PROT_READ | libc::PROT_WRITE) };
        if opened == 0 { Ok(stack) } else { Err(io::Error::last_os_error()) }
    }

    /// It is aligned to a page.
    fn bottom(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`. It goes with its thread, which has no child any more that is not its program yet.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}
