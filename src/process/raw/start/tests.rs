use std::{
    fs::File,
    io::{Read, Seek},
};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{super::clone::Entry, *};

/// What a program that was started wrote, and how its start and its end went.
struct Ran {
    started: Started,
    said: String,
    code: Option<i32>,
}

/// Runs a line of shell with this `clone3`.
fn run(clone3: Clone3, line: &str, cgroup: Option<BorrowedFd<'_>>) -> Result<Ran, StartError> {
    let arguments = [c"sh", c"-c"].map(CString::from).into_iter().chain([CString::new(line).unwrap()]).collect::<Vec<_>>();
    run_program(clone3, c"/bin/sh", &arguments, c"/", cgroup)
}

fn run_program(
    clone3: Clone3,
    program: &CStr,
    arguments: &[CString],
    directory: &CStr,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Ran, StartError> {
    let nothing = File::open("/dev/null").unwrap();
    let mut output = File::from(memfd_create("output", MemfdFlags::CLOEXEC).unwrap());
    let (nothing, said) = (nothing.as_fd(), output.as_fd());
    let started = start_by(
        clone3,
        &Start {
            program,
            arguments,
            environment: &[c"A=b".into()],
            directory,
            descriptors: [nothing, said, said, nothing, nothing],
            open_files: None,
            undo: Undo::default(),
            ruleset: None,
            cgroup,
        },
    )?;
    let status = waitid(WaitId::PidFd(started.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    let mut said = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut said).unwrap();
    Ok(Ran { started, said, code: status.exit_status() })
}

/// As where a filter of system calls hides it.
unsafe fn no_clone3(_: Option<c_int>, _: Entry, _: *mut c_void) -> io::Result<(Pid, OwnedFd)> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

#[test]
fn a_program_runs_with_what_it_was_given_by_either_call() {
    for clone3 in [clone3 as Clone3, no_clone3] {
        let ran = run(clone3, "echo $$ $A $(pwd); exit 7", None).unwrap();
        assert_eq!(ran.said, format!("{} b /\n", ran.started.pid));
        assert_eq!(ran.code, Some(7));
        assert!(ran.started.cgroup_trouble.is_none() && ran.started.landlock_trouble.is_none());
    }
}

#[test]
fn each_failure_names_its_step_and_its_reason_by_either_call() {
    for clone3 in [clone3 as Clone3, no_clone3] {
        let Err(error) = run_program(clone3, c"/no/such/program", &[c"x".into()], c"/", None) else { panic!("it was started") };
        assert_eq!((error.step, error.source.raw_os_error()), (Step::Execute, Some(libc::ENOENT)));
        let Err(error) = run_program(clone3, c"/etc", &[c"x".into()], c"/", None) else { panic!("it was started") };
        assert_eq!((error.step, error.source.raw_os_error()), (Step::Execute, Some(libc::EACCES)));
        let Err(error) = run_program(clone3, c"/bin/sh", &[c"x".into()], c"/no/such/folder", None) else {
            panic!("it was started")
        };
        assert_eq!((error.step, error.source.raw_os_error()), (Step::Directory, Some(libc::ENOENT)));
    }
}

#[test]
fn a_program_may_be_one_of_the_open_descriptors() {
    let program = rustix::fs::open("/bin/cat", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let program = rustix::io::fcntl_dupfd_cloexec(&program, BEYOND_PLACES).unwrap();
    let path = CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).unwrap();
    let arguments = [c"cloudflared".into(), c"/proc/self/cmdline".into()];
    let ran = run_program(clone3, &path, &arguments, c"/", None).unwrap();
    assert_eq!(ran.said, "cloudflared\0/proc/self/cmdline\0");
}

#[test]
fn a_cgroup_that_the_kernel_refuses_stops_no_start_and_is_told() {
    let no_cgroup = File::open("/").unwrap();
    let ran = run(clone3, "echo runs", Some(no_cgroup.as_fd())).unwrap();
    assert_eq!(ran.said, "runs\n");
    assert!(ran.started.cgroup_trouble.is_some());
}

#[test]
fn without_clone3_the_child_moves_itself_into_its_cgroup() {
    // A folder in place of a cgroup shows what would be written there.
    let folder = tempfile::tempdir().unwrap();
    let directory = File::open(folder.path()).unwrap();
    let ran = run(no_clone3, "echo runs", Some(directory.as_fd())).unwrap();
    assert!(ran.said == "runs\n" && ran.started.cgroup_trouble.is_some(), "there is no such file");
    std::fs::write(folder.path().join("cgroup.procs"), "").unwrap();
    let ran = run(no_clone3, "echo runs", Some(directory.as_fd())).unwrap();
    assert!(ran.said == "runs\n" && ran.started.cgroup_trouble.is_none());
    assert_eq!(std::fs::read_to_string(folder.path().join("cgroup.procs")).unwrap(), "0");
}

#[test]
fn the_thread_that_starts_keeps_its_signals() {
    let before = nix::sys::signal::SigSet::thread_get_mask().unwrap();
    run(clone3, "true", None).unwrap();
    assert_eq!(nix::sys::signal::SigSet::thread_get_mask().unwrap(), before);
}

#[test]
fn many_threads_start_at_once() {
    let threads: Vec<_> =
        (0..8).map(|_| std::thread::spawn(|| (0..10).all(|_| run(clone3, "exit 3", None).unwrap().code == Some(3)))).collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}
