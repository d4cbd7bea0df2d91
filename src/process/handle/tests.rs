//! How processes end that are another's children, as an adopted one is.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{PidfdFlags, kill_process, pidfd_open},
    thread::gettid,
};
use tokio::task::spawn_blocking;

use super::*;
use crate::{
    connector::Generation,
    process::{
        generation_record::Content,
        raw,
        testing::{House, metrics, slot, until},
    },
};

/// A process that is the child of a shell, which reaps it.
struct Adopted {
    process: Process,
    parent: Child,
    _house: House,
}

impl Drop for Adopted {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

impl Adopted {
    /// The shell's child runs `script`.
    fn new(script: &str) -> Self {
        let house = House::new(None);
        // A shell's own child is reaped as soon as it ends; the shell itself goes on until its input ends.
        let whole = format!("sh -c '{script}' <&3 & echo $!; wait $!; read x");
        let mut parent = Command::new("sh")
            .args(["-c", &format!("exec 3<&0; {whole}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        let pidfd = raw::watch(pidfd_open(pid, PidfdFlags::empty()).unwrap()).unwrap();
        let facts = crate::connector::testing::launch().facts();
        let content = Content::new(&slot(), Generation(1), "boot".into(), "instance".into(), facts, metrics());
        let record = GenerationRecord::adopt(house.record_path(1), content);
        let process = Process::new(pid, pidfd, record, None, None, Arc::new(OutOfMemory::new()));
        Self { process, parent, _house: house }
    }
}

/// Whether this kernel says how a process ended that was reaped.
fn kernel_says() -> bool {
    let mut child = Command::new("true").spawn().unwrap();
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    child.wait().unwrap();
    exit_information(&pidfd) == ExitInformation::Status(0)
}

#[tokio::test]
async fn the_end_of_an_adopted_process_is_noticed_and_told_where_the_kernel_keeps_it() {
    for (script, ending) in [("exit 42", Ending::Code(42)), ("kill -SEGV $$", Ending::Signal(11))] {
        let adopted = Adopted::new(&format!("read x; {script}"));
        let mut input = adopted.parent.stdin.as_ref().unwrap();
        input.write_all(b"\n").unwrap();
        let expected = if kernel_says() { ending } else { Ending::Unknown };
        assert_eq!(adopted.process.end().await, End { ending: expected, out_of_memory: false }, "{script}");
    }
}

#[tokio::test]
async fn one_that_nobody_reaps_holds_nothing_up() {
    let adopted = Adopted::new("read x");
    // A stopped shell reaps nothing.
    kill_process(Pid::from_child(&adopted.parent), Signal::STOP).unwrap();
    adopted.process.kill();
    assert_eq!(adopted.process.end().await.ending, Ending::Unknown);
    kill_process(Pid::from_child(&adopted.parent), Signal::CONT).unwrap();
}

#[tokio::test]
async fn one_that_has_ended_costs_nothing_any_more() {
    let adopted = Adopted::new("read x");
    adopted.process.kill();
    let end = adopted.process.end().await;
    assert!(!end.out_of_memory, "Adit killed it itself");
    // The test's only thread would be busy with nothing else.
    let thread = format!("/proc/self/task/{}/stat", gettid().as_raw_nonzero());
    let is_asleep = move || fs::read_to_string(&thread).unwrap().rsplit_once(") ").unwrap().1.starts_with('S');
    spawn_blocking(move || until("the thread sleeps", is_asleep)).await.unwrap();
    assert_eq!(adopted.process.end().await.ending, end.ending, "whoever asks again hears the same");
}

#[test]
fn a_status_is_read_as_wait_gives_it() {
    for (status, ending) in [
        (0, Ending::Code(0)),
        (42 << 8, Ending::Code(42)),
        (9, Ending::Signal(9)),
        (11 | 0x80, Ending::Signal(11)),
        (0x137f, Ending::Unknown),
    ] {
        assert_eq!(ending_of(status), ending, "{status:#x}");
    }
}
