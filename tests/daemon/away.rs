//! What others notice of a daemon that goes away and comes back, and what can be asked before it does.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime},
};

use adit::control::api::Event;
use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    host::Host,
    host_has,
    processes::{self, PROGRAM},
};

const TUNNEL: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]
"#;

fn follow(host: &Host, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env("ADIT_SOCKET", host.path("run/adit.sock")).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// How long the next line may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads lines up to the first that has `words`, and gives them all.
async fn up_to(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) -> Vec<String> {
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.contains(words)) {
        let next = timeout(PATIENCE, lines.next_line()).await;
        let next = next.unwrap_or_else(|_| panic!("no line with {words:?} comes after {seen:#?}"));
        seen.push(next.unwrap().expect("the stream goes on"));
    }
    seen
}

#[tokio::test]
async fn followers_go_on_over_a_crash_and_a_restart_without_a_line_lost_or_repeated() {
    let host = Host::serving(TUNNEL).await;
    let (_events, mut events) = follow(&host, &["events", "-f", "-o", "json"]);
    let (_logs, mut logs) = follow(&host, &["logs", "-f", "web"]);
    let mut told = up_to(&mut events, "is ready").await;
    let mut written = up_to(&mut logs, "Registered tunnel connection").await;

    host.kill();
    host.start().await;
    processes::signal(host.daemon_pid(), Signal::SIGUSR1);
    assert_eq!(host.ended().await, Some(0));
    host.start().await;
    host.until_all_serve().await;
    host.client.stop_tunnel("web").await.unwrap();

    told.extend(up_to(&mut events, "web/0 has stopped").await);
    written.extend(up_to(&mut logs, "graceful shutdown").await);
    let told: Vec<Event> = told.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.is_sorted_by(|one, next| one.id < next.id), "no event comes twice");
    let last = told.last().unwrap().id;
    let mut kept = host.client.events(&[("limit", "10000".to_owned())]).await.unwrap();
    kept.retain(|event| event.id <= last);
    assert_eq!(told, kept, "and none is left out");
    let mut lines = host.client.logs("web", &[("lines", "10000".to_owned())]).await.unwrap();
    lines.truncate(lines.iter().position(|line| line.text.contains("graceful shutdown")).unwrap() + 1);
    let ends = |line: &str, text: &str| line.ends_with(&format!(" 0 {text}"));
    assert_eq!(written.len(), lines.len(), "{written:#?}\n{lines:#?}");
    assert!(written.iter().zip(&lines).all(|(written, line)| ends(written, &line.text)), "{written:#?}\n{lines:#?}");
}

/// Everything below a folder, with the time at which it was changed.
fn everything(folder: &Path) -> Vec<(String, SystemTime)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        all.push((entry.path().display().to_string(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            all.extend(everything(&entry.path()));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_check_beside_a_running_daemon_finds_it_fit_and_changes_nothing() {
    let host = Host::serving(TUNNEL).await;
    let config = host.path("adit.toml").display().to_string();
    let check = ["daemon", "--check", "--config", &config];
    // Nothing of the daemon's own may happen between the two looks.
    processes::signal(host.daemon_pid(), Signal::SIGSTOP);
    let folders = [host.path("state/records"), host.path("state/accepted"), host.path("run")];
    let before: Vec<_> = folders.iter().map(|folder| everything(folder)).collect();

    let checked = host.adit(&check).await;

    assert_eq!((checked.code, checked.stdout.as_str()), (Some(0), ""), "{checked:?}");
    assert!(checked.stderr.ends_with("would start here: 1 tunnel, 1 running connector to adopt\n"), "{checked:?}");
    assert_eq!(folders.iter().map(|folder| everything(folder)).collect::<Vec<_>>(), before);
    processes::signal(host.daemon_pid(), Signal::SIGCONT);
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_check_says_everything_that_is_in_the_way_at_once() {
    let host = Host::serving(TUNNEL).await;
    host.kill();
    let record = fs::read_dir(host.path("run/private/generations")).unwrap().next().unwrap().unwrap().path();
    fs::write(&record, "{\"version\":99}").unwrap();
    let install = fs::read_to_string(host.path("state/install.toml")).unwrap();
    fs::write(host.path("state/install.toml"), install.replace("version = 1", "version = 99")).unwrap();
    let tokenless = host.configuration(TUNNEL);
    let token = tokenless.lines().find(|line| line.starts_with("api_token")).unwrap();
    host.write_configuration(&tokenless.replace(token, "api_token = { file = \"/nonexistent/token\" }"));
    let config = host.path("adit.toml").display().to_string();

    let checked = host.adit(&["daemon", "--check", "--config", &config]).await;

    assert_eq!(checked.code, Some(1), "{checked:?}");
    for words in ["cannot adopt the connector of record", "a newer release of adit wrote it", "/nonexistent/token"] {
        assert!(checked.stdout.contains(words), "{words}: {checked:?}");
    }
    assert!(checked.stderr.ends_with("should not be started here: 3 problems\n"), "{checked:?}");

    host.write_configuration("nonsense = 1\n");
    fs::remove_dir_all(host.path("state/accepted")).unwrap();
    let checked = host.adit(&["daemon", "--check", "--config", &config, "-o", "json"]).await;
    let found: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert!(checked.code == Some(1) && found["problems"].to_string().contains("nonsense"), "{checked:?}");
}

#[tokio::test]
async fn a_socket_that_somebody_removes_is_put_back() {
    let host = Host::serving(TUNNEL).await;
    for name in ["run/adit.sock", "metrics.sock"] {
        fs::remove_file(host.path(name)).unwrap();
        host.until("it is there again", async |host| host.path(name).exists()).await;
    }
    assert_eq!(host.adit(&["status"]).await.code, Some(0));
    assert_eq!(host.terminate().await, Some(0));
    assert!(!host.path("run/adit.sock").exists() && !host.path("metrics.sock").exists(), "a stop takes them away");
}

#[tokio::test]
async fn a_reload_moves_the_metrics() {
    let host = Host::serving(TUNNEL).await;
    let text = host.configuration(TUNNEL);
    host.write_configuration(&text.replace("metrics.sock", "other.sock"));
    assert_eq!(host.adit(&["config", "reload"]).await.code, Some(0));
    let moved = async |host: &Host| host.path("other.sock").exists() && !host.path("metrics.sock").exists();
    host.until("the metrics are elsewhere", moved).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    host.write_configuration(&text.replace(&format!("unix:{}", host.path("metrics.sock").display()), &address));
    processes::signal(host.daemon_pid(), Signal::SIGHUP);
    host.until("that is not possible", async |host| host.log().contains("they stay where they are")).await;
    assert!(host.path("other.sock").exists());
}

#[tokio::test]
async fn a_check_by_root_sees_what_the_daemons_user_sees() {
    // Only root can be asked, and only where another user has the state directory.
    if !host_has("rights of root", nix::unistd::geteuid().is_root()) {
        return;
    }
    let host = Host::serving(TUNNEL).await;
    host.kill();
    let nobody = 65_534;
    fs::set_permissions(host.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    chown(host.path("state"), Some(nobody), Some(nobody)).unwrap();
    fs::set_permissions(host.path("adit.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let config = host.path("adit.toml").display().to_string();

    let checked = host.adit(&["daemon", "--check", "--config", &config]).await;

    assert_eq!(checked.code, Some(1), "{checked:?}");
    let denied = format!("cannot read {config:?}: Permission denied");
    assert!(checked.stdout.contains(&denied), "{checked:?}");
}
