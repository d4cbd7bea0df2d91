//! `adit demo`, ended before it is over, and on terminals that are not like most.

use std::{path::Path, process::Stdio, time::Duration};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{sleep, timeout},
};

use crate::{
    host::PATIENCE,
    processes::{self, PROGRAM, Process, signal},
    terminal::Terminal,
};

/// The script, with a folder for everything that it makes.
fn script(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["demo", "--plain", "--for", "1h"]).env_clear().env("TMPDIR", folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let coming_true = async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, coming_true).await.is_ok(), "not within {} s: {what}", PATIENCE.as_secs());
}

/// Waits until nothing is left of a demo: no process and no file.
async fn until_gone(folder: &Path) {
    until("no process is left", || processes::of_host(folder).is_empty()).await;
    until("no file is left", || folder.read_dir().unwrap().next().is_none()).await;
}

#[tokio::test]
async fn a_demo_that_a_signal_ends_leaves_nothing_behind() {
    for kind in [Signal::SIGINT, Signal::SIGHUP] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = script(folder.path()).spawn().unwrap();
        let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
        let serves = async { while !lines.next_line().await.unwrap().expect("it goes on").contains("three tunnels serve") {} };
        timeout(PATIENCE, serves).await.unwrap();
        assert!(processes::of_host(folder.path()).iter().any(Process::is_connector));

        signal(demo.id().unwrap(), kind);

        let ended = timeout(PATIENCE, demo.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(1), "{kind}: not everything was played");
        until_gone(folder.path()).await;
    }
}

#[tokio::test]
async fn a_demo_whose_reader_goes_away_still_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = script(folder.path()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("starting"));
    drop(lines);
    // All three have connectors, so that the script said that they serve, or is about to.
    let connectors = || processes::of_host(folder.path()).iter().filter(|process| process.is_connector()).count();
    until("the connectors run", || connectors() >= 5).await;

    signal(demo.id().unwrap(), Signal::SIGTERM);

    assert_eq!(timeout(PATIENCE, demo.wait()).await.unwrap().unwrap().code(), Some(1));
    until_gone(folder.path()).await;
}

#[tokio::test]
async fn the_live_demo_shows_what_the_terminal_can_and_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("TMPDIR", folder.path()), ("LANG", Path::new("C"))];
    let mut terminal = Terminal::start(PROGRAM, &["demo"], &variables, 120, 40);
    until("it is shown", || terminal.is_taken() && terminal.text().contains("q quit")).await;
    let text = terminal.text();
    let (_, drawn) = text.split_once("adit demo: ").expect("the view has a head");
    assert!(drawn.contains(" tunnels ") && drawn.is_ascii(), "{text}");

    signal(terminal.pid(), Signal::SIGTERM);

    until("it ends", || terminal.ended().is_some()).await;
    until("the terminal is as before", || terminal.is_as_before()).await;
    until_gone(folder.path()).await;
}

#[tokio::test]
async fn a_live_demo_needs_a_terminal_that_can_be_drawn_on() {
    let without = Command::new(PROGRAM).arg("demo").env_clear().stdin(Stdio::null()).output().await.unwrap();
    let told = String::from_utf8(without.stderr).unwrap();
    assert!(without.status.code() == Some(2) && told.contains("adit demo --plain"), "{told}");
    let mut terminal = Terminal::start(PROGRAM, &["demo"], &[("TERM", Path::new("dumb"))], 120, 40);
    until("it ends", || terminal.ended().is_some()).await;
    assert_eq!(terminal.ended().unwrap().code(), Some(2));
}
