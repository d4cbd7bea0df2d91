//! Who outside is told of events: the command, the webhook, and what becomes of those that cannot be told.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use ring::hmac;
use serde_json::Value;

use crate::{
    hook_receiver::{HookReceiver, Received},
    host::Host,
    processes::Process,
};

const SECRET: &str = "canary-0123456789abcdef";

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

/// A script as the command of hooks; it finds the host's directory in `$0`.
fn command(host: &Host, events: &str, script: &str) -> String {
    let directory = host.path("");
    format!("[hooks]\nevents = [{events}]\non_event = ['/bin/sh', '-c', '''{script}''', '{}']\n{ONE_TUNNEL}", directory.display())
}

/// The webhook of `receiver`, with a secret in a file.
fn webhook(host: &Host, events: &str, receiver: &HookReceiver) -> String {
    let file = host.path("hook-secret");
    fs::write(&file, SECRET).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    format!(
        "[hooks]\nevents = [{events}]\n[hooks.webhook]\nurl = '{}'\nsecret = {{ file = '{}' }}\n{ONE_TUNNEL}",
        receiver.url(),
        file.display()
    )
}

/// The lines of a file in the host's directory, as JSON.
fn lines(host: &Host, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(host.path(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds of all events of the feed that are about hooks, with their reasons.
async fn of_hooks(host: &Host) -> Vec<String> {
    let shown = host.adit(&["events", "-n", "1000", "-o", "json"]).await;
    let entries: Vec<Value> = serde_json::from_str(&shown.stdout).unwrap();
    let word = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let ours = entries.iter().filter(|entry| word(entry, "kind").starts_with("hook-"));
    ours.map(|entry| format!("{} {}", word(entry, "kind"), word(entry, "reason"))).collect()
}

#[tokio::test]
async fn a_command_gets_each_event_on_its_stdin_and_nothing_of_the_daemon() {
    let host = Host::prepare().await;
    host.configure(&command(
        &host,
        "'daemon-started', 'connector-exited'",
        "cat >> \"$0/told\"; env > \"$0/environment\"; exec >&-",
    ));
    host.start_with(&[("ADIT_TEST_CANARY", &host.path("token"))]).await;
    host.until("the start is told", async |host| lines(host, "told").len() == 1).await;
    host.until_all_serve().await;
    let pid = host.connector("web").await.pid.unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL).unwrap();
    host.until("the exit is told", async |host| lines(host, "told").len() == 2).await;

    let told = lines(&host, "told");
    let kinds: Vec<&str> = told.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["daemon-started", "connector-exited"]);
    assert_eq!((told[1]["tunnel"].as_str(), told[1]["level"].as_str()), (Some("web"), Some("warn")));
    assert_eq!((told[1]["reason"].as_str(), told[1]["install"].as_str().map(str::len)), (Some("signal"), Some(8)));
    assert!(told[1]["id"].is_u64() && !told[1]["host"].as_str().unwrap().is_empty(), "{told:?}");
    let environment = fs::read_to_string(host.path("environment")).unwrap();
    let names: Vec<&str> = environment.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.iter().all(|name| ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)), "{environment}");
    assert!(of_hooks(&host).await.is_empty());
}

#[tokio::test]
async fn a_command_that_fails_is_told_once_until_it_is_well_and_never_to_itself() {
    let host = Host::prepare().await;
    let script = "cat >> \"$0/told\"; test ! -e \"$0/broken\" || { echo no mailbox >&2; exit 7; }";
    host.configure(&command(&host, "'*'", script));
    fs::write(host.path("broken"), "").unwrap();
    host.start().await;
    host.until("the failure is told", async |host| of_hooks(host).await == ["hook-failed command"]).await;
    host.until_all_serve().await;
    fs::remove_file(host.path("broken")).unwrap();
    host.client.reload_configuration().await.unwrap();
    let well = ["hook-failed command", "hook-recovered command"];
    host.until("it is well again", async |host| of_hooks(host).await == well).await;

    let told = lines(&host, "told");
    assert!(told.iter().all(|event| !event["kind"].as_str().unwrap().starts_with("hook-")), "{told:?}");
    assert!(host.log().contains("it exited with status 7: no mailbox"));
    let metrics = host.metrics().await;
    assert!(metrics.contains("adit_hook_dropped_total{hook=\"command\"} 0"), "{metrics}");
    assert!(!metrics.contains("adit_hook_deliveries_total{hook=\"command\",result=\"failed\"} 0"), "{metrics}");
}

#[tokio::test]
async fn a_reload_changes_who_is_told_and_a_command_ends_with_its_configuration() {
    let host = Host::prepare().await;
    host.configure(&command(&host, "'daemon-started'", "echo $$ > \"$0/pid\"; sleep 1000; true"));
    host.start().await;
    let pid = || fs::read_to_string(host.path("pid")).ok()?.trim().parse().ok();
    host.until("the command runs", async |_| pid().is_some()).await;
    let is_there = |pid: u32| Process::find(pid).is_some();
    assert!(is_there(pid().unwrap()));
    host.configure(&command(&host, "'config-accepted'", "cat >> \"$0/told\""));
    host.client.reload_configuration().await.unwrap();
    host.until("the first command is gone", async |_| !is_there(pid().unwrap())).await;
    host.client.reload_configuration().await.unwrap();
    host.until("the second one is told", async |host| !lines(host, "told").is_empty()).await;
    host.configure(ONE_TUNNEL);
    host.client.reload_configuration().await.unwrap();
    host.until("nothing is kept of a hook that is no more", async |host| !host.path("state/hooks/command.toml").exists()).await;
}

#[tokio::test]
async fn a_webhook_gets_signed_deliveries_that_keep_their_id_until_they_are_taken() {
    let (host, receiver) = (Host::prepare().await, HookReceiver::start().await);
    receiver.answer("503 Service Unavailable");
    host.configure(&webhook(&host, "'daemon-*', 'config-*'", &receiver));
    host.start().await;
    host.until("it is tried", async |_| !receiver.received().is_empty()).await;
    receiver.answer("204 No Content");
    host.until("it is tried again", async |_| receiver.received().len() == 2).await;

    let received = receiver.received();
    let header = |index: usize, name: &str| received[index].headers[name].clone();
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(header(0, "adit-delivery"), header(1, "adit-delivery"));
    assert_eq!((header(0, "adit-try"), header(1, "adit-try")), ("1".to_owned(), "2".to_owned()));
    assert_eq!(header(1, "content-type"), "application/json");
    for (index, Received { body, .. }) in received.iter().enumerate() {
        let signature = header(index, "adit-signature");
        let (time, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let expected = hmac::sign(&key, format!("{time}.{body}").as_bytes());
        assert_eq!(tag, expected.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    let told = received[1].json();
    assert_eq!(told["delivery"].as_str(), Some(header(1, "adit-delivery").as_str()));
    assert_eq!((told["missed"].as_u64(), told["events"][0]["count"].as_u64()), (Some(0), Some(1)));
    assert!(received[1].kinds().contains(&"daemon-started".to_owned()), "{told}");
    assert!(of_hooks(&host).await.is_empty(), "one hiccup is no outage");
}

#[tokio::test]
async fn a_refused_webhook_is_told_once_and_what_it_hides_is_not() {
    let (host, receiver) = (Host::prepare().await, HookReceiver::start().await);
    receiver.answer(&format!("302 Found\r\nlocation: {}", receiver.url()));
    host.configure(&webhook(&host, "'daemon-*', 'config-*', 'connector-ready'", &receiver));
    host.start().await;
    host.until("the refusal is told", async |host| of_hooks(host).await == ["hook-failed webhook"]).await;
    assert!(host.log().contains("it answers 302, a redirect, and those are not followed"));
    receiver.answer("200 OK");
    host.client.reload_configuration().await.unwrap();
    let well = ["hook-failed webhook", "hook-recovered webhook"];
    host.until("it is well again", async |host| of_hooks(host).await == well).await;

    assert!(receiver.received().iter().any(|received| received.json()["missed"].as_u64() > Some(0)));
    let log = host.log();
    assert!(!log.contains("hidden-path") && !log.contains(SECRET), "{log}");
    let shown = host.adit(&["config", "show", "-o", "json"]).await;
    assert!(shown.stdout.contains("hook-secret") && !shown.stdout.contains(SECRET), "{shown:?}");
    let secrets = [SECRET.to_owned(), host.stage.world.api_token().expose().to_owned()];
    for received in receiver.received() {
        let text = format!("{received:?}");
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

#[tokio::test]
async fn what_was_not_told_is_told_by_the_next_daemon() {
    let (host, receiver) = (Host::prepare().await, HookReceiver::start().await);
    receiver.answer("503 Service Unavailable\r\nretry-after: 600");
    host.configure(&webhook(&host, "'daemon-started'", &receiver));
    host.start().await;
    host.until("it is tried", async |_| receiver.received().len() == 1).await;
    host.kill();
    receiver.answer("204 No Content");
    host.start().await;
    host.until("both starts are told", async |_| receiver.received().len() == 2).await;
    let told = receiver.received()[1].json();
    assert_eq!(told["events"][0]["count"].as_u64(), Some(2), "{told}");
    host.until("it is kept how far that is", async |host| {
        let kept = fs::read_to_string(host.path("state/hooks/webhook.toml")).unwrap_or_default();
        kept.contains(&told["events"][0]["id"].to_string())
    })
    .await;
}

#[tokio::test]
async fn a_webhook_without_a_usable_secret_sends_nothing() {
    let (host, receiver) = (Host::prepare().await, HookReceiver::start().await);
    host.configure(&webhook(&host, "'daemon-*'", &receiver));
    fs::set_permissions(host.path("hook-secret"), Permissions::from_mode(0o644)).unwrap();
    host.start().await;
    host.until("why is told", async |host| of_hooks(host).await == ["hook-failed webhook"]).await;
    assert!(host.log().contains("cannot read the signing secret from the file"), "{}", host.log());
    assert!(receiver.received().is_empty());
    fs::set_permissions(host.path("hook-secret"), Permissions::from_mode(0o600)).unwrap();
    host.until("it is told", async |_| !receiver.received().is_empty()).await;
}
