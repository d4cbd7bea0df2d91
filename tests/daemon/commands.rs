//! The program as its own client: every command, in words and in JSON, with its exit code.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{host::Host, processes::PROGRAM};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

#[tokio::test]
async fn every_command_that_reads_answers_in_words_and_in_json() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.until("everything is calm", async |host| host.adit(&["status"]).await.code == Some(0)).await;
    for (arguments, words) in [
        (&["status"][..], &["web", "ready", "app.example.com"][..]),
        (&["status", "web"], &["web", "ready", "app.example.com"]),
        (&["tunnel", "list"], &["web", "ready", "sandbox", "adit.toml"]),
        (&["tunnel", "show", "web"], &["web", "app.example.com", "[tunnels.web]"]),
        (&["route", "list"], &["app.example.com", "web", "live"]),
        (&["plan"], &["nothing to change"]),
        (&["logs", "web"], &["Registered tunnel connection"]),
        (&["events"], &["web/0", "is ready"]),
        (&["config", "show"], &["[tunnels.web]"]),
        (&["credential", "list"], &["sandbox", "usable", "token"]),
        (&["credential", "check"], &["sandbox", "passed"]),
        (&["whoami"], &["uid", "admin"]),
        (&["version"], &[env!("CARGO_PKG_VERSION")]),
    ] {
        let shown = host.adit(arguments).await;
        assert_eq!(shown.code, Some(0), "{arguments:?}: {shown:?}");
        assert!(words.iter().all(|word| shown.stdout.contains(word)), "{arguments:?} lacks {words:?}:\n{}", shown.stdout);
        assert!(!shown.stdout.contains('\x1b'), "no colours without a terminal: {shown:?}");

        let data = host.adit(&[arguments, &["-o", "json"]].concat()).await;
        assert_eq!(data.code, Some(0), "{arguments:?}: {data:?}");
        let value: Value = serde_json::from_str(&data.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {data:?}"));
        assert!(value.is_object() || value.is_array(), "{arguments:?}: {value}");
    }
}

#[tokio::test]
async fn a_plan_ends_with_two_when_something_would_change_and_changes_nothing() {
    let host = Host::serving(ONE_TUNNEL).await;
    assert_eq!(host.adit(&["plan"]).await.code, Some(0));
    let there = host.snapshot();

    // The plan looks at the files as they are on disk, the daemon only when it is told to.
    host.configure(&format!("{ONE_TUNNEL}[tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]"));
    let planned = host.adit(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    assert!(planned.stdout.contains("+ ") && planned.stdout.contains("api.example.com"), "{planned:?}");
    assert!(planned.stdout.contains("to add"), "{planned:?}");
    let again = host.adit(&["plan", "-o", "json"]).await;
    let hash = |text: &str| serde_json::from_str::<Value>(text).unwrap()["hash"].clone();
    assert_eq!(hash(&again.stdout), hash(&host.adit(&["plan", "-o", "json"]).await.stdout), "the same plan has the same hash");
    assert_eq!(host.snapshot(), there);
    assert_eq!(host.connectors().len(), 1);
}

#[tokio::test]
async fn exactly_the_plan_that_was_looked_at_is_applied_or_nothing() {
    let host = Host::serving(ONE_TUNNEL).await;
    let there = host.snapshot();
    host.configure(&format!("{ONE_TUNNEL}[tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]"));

    let stale = host.adit(&["apply", "--plan", "0000000000000000"]).await;
    assert_eq!(stale.code, Some(5), "{stale:?}");
    host.until_synced(1).await;
    assert_eq!(host.snapshot(), there, "nothing is done");

    let planned = host.adit(&["plan", "-o", "json"]).await.stdout;
    let hash = serde_json::from_str::<Value>(&planned).unwrap()["hash"].as_str().unwrap().to_owned();
    let applied = host.adit(&["apply", "--plan", &hash]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    host.until_all_serve().await;
    assert!(host.visit("api.example.com").await.reached("here"));
}

#[tokio::test]
async fn exit_codes_tell_wrong_usage_from_an_absent_daemon() {
    let host = Host::prepare().await;
    let absent = host.adit(&["status"]).await;
    assert_eq!(absent.code, Some(3), "{absent:?}");
    assert!(absent.stderr.contains("adit.sock"), "{absent:?}");
    assert_eq!(host.adit(&["status", "--nonsense"]).await.code, Some(2));
    assert_eq!(host.adit(&["tunnel", "create", "web", "--hostname", "app.example.com"]).await.code, Some(2));

    host.configure("");
    host.start().await;
    assert_eq!(host.adit(&["tunnel", "show", "nobody"]).await.code, Some(1));
    let unasked = host.adit(&["tunnel", "stop", "nobody"]).await;
    assert_ne!(unasked.code, Some(0), "nobody can be asked, so nothing is stopped: {unasked:?}");
}

#[tokio::test]
async fn routes_are_added_to_and_removed_from_a_tunnel_made_over_the_socket() {
    let host = Host::serving("").await;
    let service = host.origin.url();
    let wait = ["--wait", "--timeout", "15s"];
    let route = |verb, hostname| ["route", verb, "web", "--hostname", hostname];
    let created = host
        .adit(&[&["tunnel", "create", "web", "--hostname", "app.example.com", "--service", &service][..], &wait].concat())
        .await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let again = host.adit(&["tunnel", "create", "web", "--hostname", "app.example.com", "--service", &service]).await;
    assert_eq!(again.code, Some(0), "the same again is fine: {again:?}");
    let other = host.adit(&["tunnel", "create", "web", "--hostname", "other.example.com", "--service", &service]).await;
    assert_eq!(other.code, Some(5), "another one of that name is not: {other:?}");

    let added = host.adit(&[&route("add", "more.example.com")[..], &["--service", &service], &wait].concat()).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(host.visit("more.example.com").await.reached("here"));

    let removed = host.adit(&[&route("remove", "app.example.com")[..], &["--yes"]].concat()).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    host.until("its record is gone", async |host| host.snapshot().records_named("app.example.com").is_empty()).await;
    host.until_all_serve().await;
    assert!(host.visit("more.example.com").await.reached("here"));
    assert_eq!(host.client.routes().await.unwrap().len(), 1);

    let updated = host.adit(&[&["tunnel", "update", "web", "--replicas", "2"][..], &wait].concat()).await;
    assert_eq!(updated.code, Some(0), "{updated:?}");
    assert_eq!(host.connectors().len(), 2);
}

#[tokio::test]
async fn events_and_logs_can_be_followed() {
    let host = Host::serving("").await;
    let follow = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(PROGRAM);
        command.args(arguments).env_clear().env("ADIT_SOCKET", host.path("run/adit.sock"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    };
    let (_events, mut events) = follow(&["events", "-f"]);
    let definition = json!({ "ingress": [{ "hostname": "app.example.com", "service": host.origin.url() }] });
    host.client.create_tunnel("web", definition).await.unwrap();
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.contains("web/0 is ready")) {
        seen.push(events.next_line().await.unwrap().expect("the stream goes on"));
    }

    let (_logs, mut logs) = follow(&["logs", "-f", "web"]);
    while !logs.next_line().await.unwrap().expect("the stream goes on").contains("Registered tunnel connection") {}

    host.client.stop_tunnel("web").await.unwrap();
    while !logs.next_line().await.unwrap().expect("the stream goes on").contains("graceful shutdown") {}
    while !events.next_line().await.unwrap().expect("the stream goes on").contains("web/0 has stopped") {}
}

#[tokio::test]
async fn the_audit_log_says_who_changed_what() {
    let host = Host::serving("").await;
    let definition = json!({ "ingress": [{ "hostname": "app.example.com", "service": host.origin.url() }] });
    host.client.create_tunnel("web", definition).await.unwrap();
    host.client.delete_tunnel("web").await.unwrap();
    assert_eq!(host.adit(&["tunnel", "stop", "nobody", "--yes"]).await.code, Some(1));

    let read = host.adit(&["audit", "-o", "json"]).await;
    let entries: Vec<Value> = serde_json::from_str(&read.stdout).unwrap();
    let by_us: Vec<&Value> = entries.iter().filter(|entry| entry["uid"] == nix::unistd::getuid().as_raw()).collect();
    let told = |entry: &&Value| ["verb", "tunnel", "result", "role"].map(|key| entry[key].as_str().unwrap_or("-").to_owned());
    let told: Vec<_> = by_us.iter().map(told).collect();
    assert_eq!(
        told,
        [["create", "web", "done", "admin"], ["delete", "web", "done", "admin"], ["stop", "nobody", "not_found", "admin"]]
            .map(|words| words.map(str::to_owned))
    );
    let [created, deleted, refused] = by_us[..] else { panic!("{by_us:?}") };
    assert!(created["before"].is_null() && created["after"].is_string(), "{created}");
    assert_eq!(deleted["before"], created["after"], "what was made is what was deleted");
    assert!(refused["reason"].as_str().unwrap().contains("no tunnel has that name"), "{refused}");
    let refusals = host.adit(&["audit", "--refused", "--since", "1d", "-n", "1"]).await;
    assert!(refusals.stdout.contains("stop") && !refusals.stdout.contains("create"), "{refusals:?}");
    let none = host.adit(&["audit", "--who", "nobody-of-that-name"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""), "{none:?}");
}

#[tokio::test]
async fn what_was_waited_for_has_come_true() {
    let host = Host::serving("").await;
    let service = host.origin.url();
    let wait = ["--wait", "--timeout", "15s"];
    let made = host
        .adit(&[&["tunnel", "create", "web", "--hostname", "app.example.com", "--service", &service][..], &wait].concat())
        .await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let updated = host.adit(&[&["tunnel", "update", "web", "--set", "protocol=http2"][..], &wait].concat()).await;
    assert_eq!(updated.code, Some(0), "{updated:?}");
    let shown = host.tunnel("web").await.connectors.remove(0).pid.unwrap();
    let connector = crate::processes::Process::find(shown).unwrap();
    assert!(connector.arguments.iter().any(|argument| argument.contains("http2")), "{connector:?}");
}

#[tokio::test]
async fn who_watches_sees_every_change_and_ends_by_an_interrupt() {
    let host = Host::serving(ONE_TUNNEL).await;
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(["tunnel", "list", "--watch", "-o", "json"]).env_clear().env("ADIT_SOCKET", host.path("run/adit.sock"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(first[0]["name"], "web");

    assert_eq!(host.adit(&["tunnel", "stop", "web", "--yes", "--wait"]).await.code, Some(0));

    let stopped = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let seen: Value = serde_json::from_str(&line).unwrap();
            if seen[0]["state"] == "stopped" {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(crate::host::PATIENCE, stopped).await.unwrap());
    let process = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_name_that_nothing_has_is_an_error() {
    let host = Host::serving(ONE_TUNNEL).await;
    for arguments in [
        &["events", "--tunnel", "webb"][..],
        &["logs", "webb"],
        &["route", "list", "webb"],
        &["events", "-f", "--tunnel", "webb"],
    ] {
        let ran = host.adit(arguments).await;
        assert_eq!(ran.code, Some(1), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("did you mean \"web\"?"), "{arguments:?}: {ran:?}");
    }
    let ran = host.adit(&["credential", "check", "sandbx"]).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("did you mean \"sandbox\"?"), "{ran:?}");
    let ran = host.adit(&["logs", "web", "--replica", "9"]).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("it has 0"), "{ran:?}");
}

#[tokio::test]
async fn a_plan_with_more_replicas_names_the_connectors_that_are_started() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.configure(&ONE_TUNNEL.replace("[tunnels.web]", "[tunnels.web]\nreplicas = 2"));
    let planned = host.adit(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    assert!(planned.stdout.contains("+ connector web/1 is started"), "{planned:?}");
}
