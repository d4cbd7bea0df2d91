//! Programs as they are run: with what, for how long, and what is left of them.

use std::{fs, path::Path};

use tokio::time::sleep;

use super::*;

fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

async fn printed(script: &str, input: &str) -> String {
    let printed = run(&shell(script), input.as_bytes(), Output::UpTo(65536)).await.unwrap();
    String::from_utf8(printed.to_vec()).unwrap()
}

/// Waits until the process that wrote its number to this file is no more.
async fn until_gone(file: &Path) {
    let pid: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    while rustix::process::test_kill_process(rustix::process::Pid::from_raw(pid).unwrap()).is_ok() && !is_zombie(pid) {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Nobody may reap an orphan in a container without an init.
fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn the_input_is_read_and_the_environment_is_a_path_alone() {
    assert_eq!(printed("cat", "what happened\n").await, "what happened\n");
    assert_eq!(printed("env; pwd", "").await.replace("PWD=/\n", ""), format!("PATH={PATH}\n/\n"));
    assert_eq!(printed("echo fine", &"x".repeat(1_000_000)).await, "fine\n", "input that nobody reads is no failure");
}

#[tokio::test]
async fn what_is_printed_may_be_much_where_nobody_wants_it() {
    let much = "head -c 1000000 /dev/zero";
    assert!(run(&shell(much), b"", Output::Nothing).await.is_ok());
    let failure = run(&shell(much), b"", Output::UpTo(65536)).await.unwrap_err();
    assert!(failure.reason.contains("more than 65536 bytes"), "{failure:?}");
}

#[tokio::test]
async fn a_failure_is_told_with_the_last_complaint() {
    let failure = run(&shell("echo one >&2; printf 'two\\033[1m\\n' >&2; exit 3"), b"x", Output::Nothing).await.unwrap_err();
    assert_eq!((failure.why, failure.reason.as_str()), (Why::Failed, "it exited with status 3: two[1m"));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_end_is_killed() {
    let failure = run(&shell("sleep 1000"), b"", Output::UpTo(65536)).await.unwrap_err();
    assert_eq!((failure.why, failure.reason.as_str()), (Why::TimeOver, "it did not end within 10 s and was killed"));
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed_with_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 1000 >/dev/null 2>&1 & echo $! > '{}'", file.display());
    run(&shell(&script), b"", Output::Nothing).await.unwrap();
    until_gone(&file).await;
}

#[tokio::test]
async fn a_program_that_nobody_waits_for_is_killed_with_all_of_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait", file.display());
    let argv = shell(&script);
    let running = tokio::spawn(async move { run(&argv, b"", Output::Nothing).await.map(drop) });
    while !file.exists() {
        sleep(Duration::from_millis(5)).await;
    }
    running.abort();
    until_gone(&file).await;
}
