//! The live view on a real terminal, over a real daemon.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use crate::{
    host::{Host, PATIENCE},
    processes::{PROGRAM, signal},
    terminal::Terminal,
};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

fn top(host: &Host, columns: u16, lines: u16) -> Terminal {
    let socket = host.path("run/adit.sock");
    Terminal::start(PROGRAM, &["top", "--refresh", "200ms"], &[("ADIT_SOCKET", &socket)], columns, lines)
}

/// Waits until the terminal shows each of `words`.
async fn until_shown(terminal: &Terminal, words: &[&str]) {
    until_text(terminal, &format!("the terminal shows {words:?}"), |text| words.iter().all(|word| text.contains(word))).await;
}

/// Waits until what the terminal shows is as it should be, whether the daemon is there or not.
async fn until_text(terminal: &Terminal, what: &str, holds: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = terminal.text();
        if holds(&text) {
            return;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}, but\n{text}", PATIENCE.as_secs());
        sleep(Duration::from_millis(10)).await;
    }
}

async fn until_ended(host: &Host, terminal: &mut Terminal) -> Option<i32> {
    let terminal = std::cell::RefCell::new(terminal);
    host.found("the view ends", async |_| terminal.borrow_mut().ended()).await.code()
}

#[tokio::test]
async fn the_view_shows_what_happens_and_gives_the_terminal_back() {
    let host = Host::serving(ONE_TUNNEL).await;
    let mut terminal = top(&host, 80, 24);
    until_shown(&terminal, &["tunnels 1", "web      ready", "REQ/S", "is ready after"]).await;
    assert!(terminal.is_taken() && !terminal.is_as_before());

    terminal.press("l");
    until_shown(&terminal, &["log of web", "Registered tunnel connection"]).await;
    terminal.resize(120, 40);
    until_shown(&terminal, &["log of web", "events", "HOSTS", "ROUTES", "app.example.com"]).await;
    terminal.resize(40, 12);
    until_shown(&terminal, &["log of web"]).await;
    // Both at once, and neither is lost.
    terminal.resize(80, 24);
    terminal.press("e");
    until_shown(&terminal, &["TUNNEL", " events "]).await;

    signal(host.connector_pids()[0], Signal::SIGKILL);
    until_shown(&terminal, &["connector web/0 ended by itself"]).await;
    // The table has no room for it beside another reason, such as that QUIC did not get through on a busy machine.
    terminal.press("\r");
    until_shown(&terminal, &["1 in the last hour, the last one for signal"]).await;
    host.until_all_serve().await;

    let before = host.connector("web").await.generation;
    terminal.press("r");
    until_shown(&terminal, &["restart web?", "is replaced (operator)", "y yes"]).await;
    terminal.press("y");
    host.until("the connector is replaced", async |host| host.connector("web").await.generation > before).await;

    terminal.press("q");
    assert_eq!(until_ended(&host, &mut terminal).await, Some(0));
    host.until("the terminal is as before", async |_| terminal.is_as_before()).await;
}

#[tokio::test]
async fn the_view_goes_on_over_a_restart_of_the_daemon() {
    let host = Host::serving(ONE_TUNNEL).await;
    let terminal = top(&host, 80, 24);
    until_shown(&terminal, &["web      ready", "connector web/0 is ready"]).await;
    host.kill();
    until_shown(&terminal, &["waiting for the daemon"]).await;
    host.start().await;
    until_text(&terminal, "the view goes on", |text| {
        !text.contains("waiting for the daemon") && text.contains("process") && text.contains("found again")
    })
    .await;
}

#[tokio::test]
async fn a_signal_ends_the_view_and_gives_the_terminal_back() {
    let host = Host::serving(ONE_TUNNEL).await;
    for kind in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut terminal = top(&host, 80, 24);
        until_shown(&terminal, &["web      ready"]).await;
        signal(terminal.pid(), kind);
        assert_eq!(until_ended(&host, &mut terminal).await, Some(0), "{kind}");
        host.until("the terminal is as before", async |_| terminal.is_as_before()).await;
    }
}

#[tokio::test]
async fn what_has_no_sense_is_said_before_the_terminal_is_taken() {
    let host = Host::serving(ONE_TUNNEL).await;
    for (arguments, code, words) in [
        (&["top"][..], 2, "cannot show the live view without a terminal"),
        (&["top", "-o", "json"], 2, "adit status -o json --watch"),
        (&["top", "--refresh", "1ms"], 2, "it must be at least 200 ms"),
        (&["top", "--tunnel", ""], 2, "a pattern must not be empty"),
    ] {
        let ended = host.adit(arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
    }
}
