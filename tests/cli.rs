//! The program as people and scripts meet it: what it prints, and how it ends.
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "control/backend.rs"]
mod backend;
#[path = "support/host_has.rs"]
mod host_has;
#[path = "support/terminal.rs"]
mod terminal;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use adit::control::api;
use backend::{Host, user};
use host_has::host_has;
use serde_json::{Value, json};
use terminal::Terminal;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
};

/// What came of running the program.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program with its stdin closed, on a thread of its own so that the test can serve meanwhile.
async fn adit(socket: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(arguments).env_clear().env("ADIT_SOCKET", socket).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn offline(arguments: &[&str]) -> Ran {
    adit(Path::new("/nonexistent/adit.sock"), arguments).await
}

#[tokio::test]
async fn a_daemon_that_is_not_there_ends_with_3_and_says_what_to_look_at() {
    let ran = offline(&["status"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    let told_by_status = ran.err.clone();
    let (error, hint) = ran.err.split_once('\n').unwrap();
    assert_eq!(error, "adit: cannot reach the daemon at \"/nonexistent/adit.sock\": No such file or directory (os error 2)");
    // What systemd has depends on the machine.
    assert!(hint.starts_with("hint: its folder does not exist; ") && hint.ends_with("--socket or ADIT_SOCKET\n"), "{hint}");
    let ran = offline(&["doctor", "--offline", "-o", "json", "--config", "/nonexistent/adit.toml"]).await;
    let report: api::DoctorReport = serde_json::from_str(&ran.out).unwrap();
    let check = report.checks.iter().find(|check| check.id == "socket").unwrap();
    let told = format!("adit: {}\nhint: {}\n", check.sentence, check.action.as_ref().unwrap());
    assert_eq!((check.result, told), (api::DoctorResult::Failure, told_by_status), "in the same words");
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_help_with_0() {
    let usage = offline(&["tunnel", "crate"]).await;
    assert_eq!((usage.code, usage.out.as_str()), (2, ""));
    assert!(usage.err.contains("create"), "it names what may be meant: {}", usage.err);
    let help = offline(&["--help"]).await;
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("Exit codes:") && help.out.contains("adit tunnel create web"), "{}", help.out);
}

#[tokio::test]
async fn who_may_not_is_told_with_4() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.become_user(user(2003, "vera"));
    let ran = adit(&host.socket, &["tunnel", "stop", "web", "--yes"]).await;
    assert_eq!(ran.code, 4);
    assert_eq!(
        ran.err,
        "adit: cannot POST /v1/tunnels/{name}/stop: user \"vera\" has only role \"viewer\" there, and role \"operator\" is needed\n\
         hint: \"adit whoami\" shows what you may; an administrator grants more under [access] in the configuration\n"
    );
}

#[tokio::test]
async fn whoever_may_not_ask_the_daemon_for_its_look_looks_alone() {
    let host = Host::start().await;
    host.become_user(user(2003, "vera"));
    let ran = adit(&host.socket, &["doctor", "--offline", "-o", "json", "--config", "/nonexistent/adit.toml"]).await;
    let report: api::DoctorReport = serde_json::from_str(&ran.out).unwrap();
    let check = |id: &str| report.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no {id}: {report:#?}"));
    assert_eq!(check("daemon-checks").result, api::DoctorResult::Note);
    assert!(check("daemon-checks").sentence.contains("operator"));
    // The host is looked at all the same.
    let _ = (check("kernel"), check("binary"));
}

#[tokio::test]
async fn status_shows_everything_and_ends_with_1_when_something_wants_to_be_looked_at() {
    let host = Host::start().await;
    let ran = adit(&host.socket, &["status"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("healthy") && ran.out.contains("no tunnels"), "{}", ran.out);
    host.backend.put("web", json!({ "ingress": [{ "hostname": "app.example.com", "service": "http://localhost:1" }] }));
    let ran = adit(&host.socket, &["status"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("! web: web was seen (seen)") && ran.out.contains("app.example.com"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "no colours where nobody sees them");
}

#[tokio::test]
async fn json_is_the_sockets_own() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let ran = adit(&host.socket, &["tunnel", "list", "-o", "json"]).await;
    let tunnels: Vec<api::Tunnel> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(tunnels, host.client.tunnels().await.unwrap());
    let ran = adit(&host.socket, &["-o", "json", "status"]).await;
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()["daemon"]["version"], "1.2.3");
}

#[tokio::test]
async fn a_tunnel_is_made_shown_changed_and_deleted() {
    let host = Host::start().await;
    let create = ["tunnel", "create", "web", "--hostname", "app.example.com", "--service", "http://localhost:8080", "--wait"];
    let ran = adit(&host.socket, &create).await;
    assert_eq!(ran.code, 0);
    assert!(ran.err.starts_with("web: accepted; the tunnel is being made\nweb is ready after "), "{}", ran.err);
    let ran = adit(&host.socket, &create).await;
    assert!(ran.code == 0 && ran.err.starts_with("web: nothing to change, it was so before\n"), "{ran:?}");
    let ran = adit(&host.socket, &["tunnel", "create", "web", "--replicas", "3"]).await;
    assert_eq!(ran.code, 5, "another definition is a conflict: {ran:?}");
    let ran =
        adit(&host.socket, &["route", "add", "web", "--hostname", "b.example.com", "--service", "http://localhost:1"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = adit(&host.socket, &["tunnel", "update", "web", "--replicas", "2"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = adit(&host.socket, &["tunnel", "show", "web"]).await;
    assert!(ran.out.starts_with("web is ready\n"), "{}", ran.out);
    assert!(ran.out.contains("[tunnels.web]\n") && ran.out.contains("replicas = 2\n"), "{}", ran.out);
    let ran = adit(&host.socket, &["route", "list", "web"]).await;
    let hostnames: Vec<_> = ran.out.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(hostnames, ["app.example.com", "b.example.com"]);
    let ran = adit(&host.socket, &["tunnel", "delete", "web", "--yes", "--wait"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(host.backend.definition_of("web"), None);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_refused_when_nobody_can_be_asked() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.set_plan(&["- tunnel old"]);
    for (arguments, err) in [
        (
            vec!["tunnel", "delete", "web"],
            "adit: cannot delete tunnel \"web\" with 0 routes without consent: nobody is there to be asked\n\
             hint: --yes says that it is meant\n",
        ),
        (
            vec!["tunnel", "stop", "web"],
            "adit: cannot stop tunnel \"web\" without consent: nobody is there to be asked\nhint: --yes says that it is meant\n",
        ),
    ] {
        let ran = adit(&host.socket, &arguments).await;
        assert_eq!((ran.code, ran.err.as_str()), (2, err));
    }
    let ran = adit(&host.socket, &["apply"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(host.backend.audited().is_empty(), "nothing was asked of the daemon");
}

#[tokio::test]
async fn a_mistyped_name_is_answered_with_the_one_that_may_be_meant() {
    let host = Host::start().await;
    host.backend.put("webshop", json!({}));
    let ran = adit(&host.socket, &["status", "webshp"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.ends_with("hint: did you mean \"webshop\"?\n"), "{}", ran.err);
}

#[tokio::test]
async fn a_plan_with_changes_ends_with_2_and_apply_makes_them() {
    let host = Host::start().await;
    let ran = adit(&host.socket, &["plan"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    host.backend.set_plan(&["+ tunnel web", "~ configuration of api"]);
    let ran = adit(&host.socket, &["plan"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (2, "+ tunnel web\n~ configuration of api\n"));
    let ran = adit(&host.socket, &["apply", "--plan", "plan-7"]).await;
    assert_eq!(ran.code, 5, "another plan by now: {ran:?}");
    let ran = adit(&host.socket, &["apply", "--yes"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 steps done\n"));
}

#[tokio::test]
async fn log_lines_are_harmless_and_a_reader_that_goes_away_is_fine() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let ran = adit(&host.socket, &["logs", "web"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("1970-01-01T00:00:00.000Z 0 line 1 [31mred\n"), "{}", ran.out);
    let socket = host.socket.clone();
    let status = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
        command.args(["logs", "-f", "web"]).env_clear().env("ADIT_SOCKET", socket);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap()
    });
    assert_eq!(status.await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_stream_that_the_daemon_ends_is_told_and_waits_for_the_next_one() {
    let host = Host::start().await;
    let socket = host.socket.clone();
    let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(["events", "-f", "-o", "json"]).env_clear().env("ADIT_SOCKET", socket);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let first = tokio::task::spawn_blocking(move || {
        let (mut line, mut out) = (String::new(), std::io::BufReader::new(out));
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        (line, out)
    });
    // A follower whose reader is gone ends.
    let (line, _out) = first.await.unwrap();
    let event: api::Event = serde_json::from_str(&line).unwrap();
    assert_eq!(event.id, 1);
    host.shutdown.cancel();
    let told = tokio::task::spawn_blocking(move || {
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
        let told = lines.map(Result::unwrap).find(|line| line.starts_with("the daemon"));
        assert_eq!(child.try_wait().unwrap(), None, "it goes on");
        child.kill().unwrap();
        child.wait().unwrap();
        told
    });
    assert_eq!(told.await.unwrap().as_deref(), Some("the daemon ended the stream; waiting for the next one"));
}

#[tokio::test]
async fn ctrl_c_ends_the_wait_and_not_the_operation() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.state = api::State::Starting);
    let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(["tunnel", "restart", "web", "--wait"]).env_clear().env("ADIT_SOCKET", &host.socket);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap())).map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("web: starting"));
        let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let told: Vec<String> = lines.collect();
        (child.wait().unwrap().code(), told.join("\n"))
    });
    let (code, told) = told.await.unwrap();
    assert_eq!(code, Some(1), "{told}");
    let operation = host.client.operations(&[]).await.unwrap().remove(0);
    assert!(told.contains(&format!("adit operation wait {}", operation.id)), "{told}");
    assert!(operation.is_running());
}

#[tokio::test]
async fn how_far_it_is_is_drawn_only_where_the_terminal_can_be_drawn_on() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.state = api::State::Starting);
    // Where nothing can be drawn over, each line is one, and begins with what it is about.
    for (term, begins) in [("xterm", "restart: starting"), ("dumb", "web: starting")] {
        let variables = [("ADIT_SOCKET", host.socket.as_path()), ("TERM", Path::new(term))];
        let mut terminal =
            Terminal::start(env!("CARGO_BIN_EXE_adit"), &["tunnel", "restart", "web", "--wait"], &variables, 80, 24);
        until_so(&mut terminal, |terminal| terminal.text().contains("starting")).await;
        assert!(terminal.text().starts_with(begins), "{term}: {}", terminal.text());
    }
}

/// A daemon that tells of an event whenever somebody follows them, and answers everything else with one of these after the other; with
/// an empty one not at all, as when it ends.
async fn scripted(listener: UnixListener, answers: Vec<String>) {
    const EVENT: &str = "event: item\nid: 1\ndata: {\"id\":1,\"at\":\"2026-01-02T03:04:05Z\",\"level\":\"info\",\"kind\":\"x\",\
                         \"subject\":{},\"reason\":null,\"sentence\":\"it is so\"}\n\n";
    let (mut answers, mut followed) = (answers.into_iter(), Vec::new());
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).await.unwrap();
        if asked[..length].starts_with(b"GET /v1/events") {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all(format!("{head}{EVENT}").as_bytes()).await.unwrap();
            followed.push(stream);
        } else if let Some(answer) = answers.next().filter(|answer| !answer.is_empty()) {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_watches_goes_on_when_the_daemon_ends_before_its_stream_does() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let tunnels = serde_json::to_string(&host.client.tunnels().await.unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("adit.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let daemon = tokio::spawn(scripted(listener, vec!["[]".to_owned(), String::new(), tunnels.clone()]));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(["tunnel", "list", "--watch", "-o", "json"]).env_clear().env("ADIT_SOCKET", socket).kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("[]"));
    let next = lines.next_line().await.unwrap().expect("it goes on");
    assert_eq!(serde_json::from_str::<Value>(&next).unwrap(), serde_json::from_str::<Value>(&tunnels).unwrap());
    daemon.abort();
}

#[tokio::test]
async fn who_watches_may_stop_and_go_on_and_has_the_terminal_meanwhile() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let mut terminal =
        Terminal::start(env!("CARGO_BIN_EXE_adit"), &["tunnel", "list", "--watch"], &[("ADIT_SOCKET", &host.socket)], 80, 24);
    until_so(&mut terminal, |terminal| terminal.is_taken() && terminal.text().contains("web")).await;
    let pid = nix::unistd::Pid::from_raw(terminal.pid().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTSTP).unwrap();
    let is_stopped = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ");
    until_so(&mut terminal, |terminal| is_stopped() && terminal.is_as_before()).await;
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    until_so(&mut terminal, |terminal| terminal.is_taken()).await;
    terminal.press("\x03");
    until_so(&mut terminal, |terminal| terminal.ended().is_some() && terminal.is_as_before()).await;
    assert_eq!(terminal.ended().unwrap().code(), Some(0));
}

async fn until_so(terminal: &mut Terminal, is_so: impl Fn(&mut Terminal) -> bool) {
    let coming_true = async {
        while !is_so(terminal) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let came_true = tokio::time::timeout(std::time::Duration::from_secs(30), coming_true).await.is_ok();
    assert!(came_true, "{}", terminal.text());
}

#[tokio::test]
async fn a_wait_that_takes_too_long_says_what_it_waits_for() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.state = api::State::Starting);
    let ran = adit(&host.socket, &["tunnel", "restart", "web", "--wait", "--timeout", "1ms"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("has not ended after 0 s"), "{}", ran.err);
    assert!(ran.err.contains("adit operation wait "), "it goes on: {}", ran.err);
    let ran = adit(&host.socket, &["tunnel", "start", "web", "--wait", "--timeout", "1ms"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("cannot wait longer than 1ms until tunnel \"web\" serves"), "{}", ran.err);
}

#[tokio::test]
async fn the_configuration_is_checked_without_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adit.toml");
    let run = async |text: &str, command: &[&str]| {
        fs::write(&file, text).unwrap();
        let path: PathBuf = file.clone();
        offline(&[command, &["--config", path.to_str().unwrap()]].concat()).await
    };
    let good = "[accounts.default]\napi_token = { file = \"/etc/adit/token\" }\n";
    let ran = run(good, &["config", "check"]).await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "1 file: no mistakes\n"));
    let ran = run("[daemon]\nstat_dir = \"/x\"\nruntime_dir = 7\n", &["config", "check"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("adit.toml:2: ") && ran.out.contains("adit.toml:3: "), "every mistake: {}", ran.out);
    let ran = run(good, &["config", "show"]).await;
    assert!(ran.code == 0 && ran.out.contains("[accounts.default]"), "{ran:?}");
    let ran = offline(&["config", "schema"]).await;
    assert!(serde_json::from_str::<Value>(&ran.out).unwrap().is_object());
}

#[tokio::test]
async fn version_and_completion_need_no_daemon() {
    let ran = offline(&["version"]).await;
    assert!(ran.err.contains("No such file or directory"), "it says why there is no daemon: {}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (0, concat!("adit ", env!("CARGO_PKG_VERSION"), "\n")));
    let ran = offline(&["completion", "bash"]).await;
    assert!(ran.code == 0 && ran.out.contains("_adit"), "{ran:?}");
}

#[tokio::test]
async fn whoami_works_for_somebody_without_a_role() {
    let host = Host::start().await;
    host.become_user(user(2999, "stranger"));
    let ran = adit(&host.socket, &["whoami"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "user    stranger (uid 2999)\ngroups  2999\nrole    none\n"));
}

#[tokio::test]
async fn the_description_of_the_socket_is_printed_without_a_daemon() {
    let ran = offline(&["api", "schema"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(&document, adit::control::openapi());
}

/// What a shell is offered for the last of these words, by the protocol of fish: a value, perhaps a tab and its meaning.
async fn completed(socket: &Path, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(["--", "adit"]).args(words).env_clear().env("ADIT_SOCKET", socket).env("COMPLETE", "fish").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let value = |line: &str| line.split('\t').next().unwrap().to_owned();
    String::from_utf8(output.stdout).unwrap().lines().map(value).collect()
}

#[tokio::test]
async fn a_shell_completes_the_names_that_the_daemon_has() {
    let host = Host::start().await;
    host.backend.put("webshop", json!({ "ingress": [{ "hostname": "shop.example.com", "service": "http://localhost:1" }] }));
    host.backend.put("api", json!({}));
    for words in [&["logs", "web"][..], &["tunnel", "delete", "web"], &["events", "--tunnel", "web"], &["route", "add", "web"]] {
        assert_eq!(completed(&host.socket, words).await, ["webshop"], "{words:?}");
    }
    assert_eq!(completed(&host.socket, &["route", "adopt", ""]).await.first().map(String::as_str), Some("shop.example.com"));
    let by_flag = ["--socket", host.socket.to_str().unwrap(), "status", "ap"];
    assert_eq!(completed(Path::new("/nonexistent"), &by_flag).await, ["api"]);
    let accounts = completed(&host.socket, &["tunnel", "create", "x", "--account", ""]).await;
    let known: Vec<String> = host.client.credentials().await.unwrap().into_iter().map(|credential| credential.account).collect();
    assert_eq!(accounts, known);
}

#[tokio::test]
async fn completion_without_a_daemon_offers_verbs_and_never_hidden_ones() {
    let nowhere = Path::new("/nonexistent/adit.sock");
    let verbs = completed(nowhere, &[""]).await;
    assert!(["status", "tunnel", "man"].iter().all(|verb| verbs.iter().any(|offered| offered == verb)), "{verbs:?}");
    assert!(!verbs.iter().any(|verb| ["sandbox", "daemon-cleanup"].contains(&verb.as_str())), "{verbs:?}");
    assert!(completed(nowhere, &["logs", "web"]).await.is_empty());
    assert_eq!(completed(nowhere, &["events", "--kind", "connector-exi"]).await, ["connector-exited"]);
}

#[tokio::test]
async fn bash_completes_by_the_script_that_is_printed() {
    let bash = Path::new("/bin/bash");
    if !host_has("bash", bash.exists()) {
        return;
    }
    let host = Host::start().await;
    host.backend.put("webshop", json!({}));
    let script = offline(&["completion", "bash"]).await.out;
    let folder = Path::new(env!("CARGO_BIN_EXE_adit")).parent().unwrap();
    let typed = "COMP_WORDS=(adit tunnel stop web); COMP_CWORD=3; COMP_TYPE=9; \
                 _clap_complete_adit adit web stop; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new(bash);
    command.args(["--norc", "-c", &format!("{script}\n{typed}")]).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).env("ADIT_SOCKET", &host.socket);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "webshop", "{output:?}");
}

#[tokio::test]
async fn a_slip_is_an_error_and_not_an_empty_answer() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let ran = adit(&host.socket, &["events", "--since", "someday"]).await;
    assert!(ran.code == 2 && ran.err.contains("yesterday"), "{ran:?}");
    for follow in [&[][..], &["-f"]] {
        let ran = adit(&host.socket, &[&["events", "--kind", "conector-exited"], follow].concat()).await;
        assert!(ran.code == 2 && ran.err.contains("did you mean \"connector-exited\"?"), "{ran:?}");
    }
    let ran = adit(&host.socket, &["tunnel", "adopt", "web", "--id", "nope"]).await;
    assert!(ran.code == 2 && ran.err.contains("UUID"), "{ran:?}");
    let ran = adit(&host.socket, &["man", "tunnel", "crate"]).await;
    assert!(ran.code == 1 && ran.err.contains("did you mean \"adit-tunnel-create\"?"), "{ran:?}");
}

#[tokio::test]
async fn nothing_is_asked_without_a_terminal() {
    let host = Host::start().await;
    let ran = adit(&host.socket, &["tunnel", "create", "--interactive"]).await;
    assert!(ran.code == 2 && ran.err.contains("nobody is there to be asked"), "{ran:?}");
    let ran = adit(&host.socket, &["tunnel", "create"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(host.backend.audited().is_empty());
}

#[tokio::test]
async fn colours_are_forced_or_forbidden_by_a_flag() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let ran = adit(&host.socket, &["tunnel", "list", "--color", "always"]).await;
    assert!(ran.out.contains("\u{1b}[32mready"), "{}", ran.out);
    let ran = adit(&host.socket, &["tunnel", "list", "--color", "never"]).await;
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[tokio::test]
async fn man_complains_about_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let ran = offline(&["man", "--directory", folder.path().to_str().unwrap()]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(offline(&["man", "status"]).await.out.contains(".SH SYNOPSIS"));
    let viewer = Path::new("/usr/bin/man");
    if !host_has("man", viewer.exists()) {
        return;
    }
    let pages = ["man1", "man5"].map(|section| fs::read_dir(folder.path().join(section)).unwrap());
    let pages: Vec<PathBuf> = pages.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 40, "{pages:?}");
    // All of them at once: a formatter for each would take seconds.
    let mut command = Command::new(viewer);
    command.args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]).args(&pages);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("MANWIDTH", "80").env("LC_ALL", "C");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
