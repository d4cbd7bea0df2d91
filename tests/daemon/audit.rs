//! The audit log: what is kept, and how it is read.

use std::{fs, os::unix::fs::PermissionsExt};

use adit::control::api::{AuditEntry, Followed};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::UnixStream};

use crate::{host::Host, processes};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

/// The whole log.
async fn entries(host: &Host) -> Vec<AuditEntry> {
    host.client.audited(&[]).await.unwrap()
}

/// `who verb tunnel result` of each.
fn told(entries: &[AuditEntry]) -> Vec<String> {
    let tell =
        |entry: &AuditEntry| format!("{} {} {} {}", entry.who, entry.verb, entry.tunnel.as_deref().unwrap_or("-"), entry.result);
    entries.iter().map(tell).collect()
}

fn hang_up(host: &Host) {
    processes::signal(host.daemon_pid(), Signal::SIGHUP);
}

#[tokio::test]
async fn what_the_files_change_is_kept_whoever_had_them_read() {
    let host = Host::serving(ONE_TUNNEL).await;
    let first = entries(&host).await;
    assert_eq!(told(&first), ["start reload - done", "start create web done"]);
    assert!(first[1].object.as_deref().unwrap().starts_with("file:"), "{:?}", first[1]);

    host.configure(&ONE_TUNNEL.replace("ingress", "ingres"));
    hang_up(&host);
    host.until("the signal's reload is refused", async |host| entries(host).await.len() > 2).await;
    host.configure(&ONE_TUNNEL.replace("[tunnels.web]\n", "[tunnels.web]\nreplicas = 2\n"));
    hang_up(&host);
    host.until("the signal's reload is done", async |host| entries(host).await.len() > 3).await;
    host.configure("");
    host.client.reload_configuration().await.unwrap();

    let all = entries(&host).await;
    let told = told(&all[2..]);
    assert_eq!(told[..3], ["signal reload - invalid", "signal reload - done", "signal update web done"]);
    let own = host.client.who_am_i().await.unwrap();
    let who = own.user.unwrap_or_else(|| own.uid.to_string());
    assert_eq!(told[3..], [format!("{who} delete web done"), format!("{who} reload - done")]);
    assert_eq!((&all[4].before, &all[5].before), (&first[1].after, &all[4].after), "each goes on from the one before");
    assert_eq!((&all[3].before, &all[6].before), (&first[0].after, &all[3].after), "so does the configuration");
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "{all:?}");
}

#[tokio::test]
async fn the_log_goes_on_over_a_restart_and_is_for_nobody_else_to_read() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.client.stop_tunnel("web").await.unwrap();
    let before = entries(&host).await;
    host.kill();
    let path = host.path("state/audit.jsonl");
    let mut torn = fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"id\":1,\"at\":\"20");
    fs::write(&path, torn).unwrap();
    host.start().await;
    host.client.start_tunnel("web").await.unwrap();
    let after = entries(&host).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.last().unwrap().id > before.last().unwrap().id);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn entries_are_followed_as_they_come_from_where_a_reader_was() {
    let host = Host::serving(ONE_TUNNEL).await;
    let last = entries(&host).await.last().unwrap().id;
    let mut stream = host.client.follow_audited(&[("since", last.to_string()), ("tunnel", "web".to_owned())]).await.unwrap();
    host.client.stop_tunnel("web").await.unwrap();
    host.client.reload_configuration().await.unwrap();
    host.client.start_tunnel("web").await.unwrap();
    let mut verbs = Vec::new();
    while verbs.len() < 2 {
        if let Followed::Item(entry) = stream.next().await.unwrap().expect("the stream goes on") {
            verbs.push(entry.verb);
        }
    }
    assert_eq!(verbs, ["stop", "start"]);
}

#[tokio::test]
async fn a_change_whose_client_went_away_is_made_and_kept() {
    let host = Host::serving("").await;
    let definition = json!({ "name": "web", "definition": { "ingress": [] } }).to_string();
    let request = format!("POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\ncontent-length: {}\r\n\r\n{definition}", definition.len());
    for _ in 0..20 {
        let mut stream = UnixStream::connect(host.path("run/adit.sock")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    // Whoever went before the request was read never asked; what was begun has its entry.
    host.until("the tunnel is made and kept", async |host| {
        let kept = told(&entries(host).await).iter().any(|entry| entry.ends_with("create web done"));
        kept && host.client.tunnel("web").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_no_change_and_is_told() {
    let host = Host::serving(ONE_TUNNEL).await;
    let path = host.path("state/audit.jsonl");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    host.client.stop_tunnel("web").await.unwrap();
    host.until("the event tells it", async |host| {
        let events = host.client.events(&[]).await.unwrap();
        events.iter().any(|event| event.kind == "audit-not-written")
    })
    .await;
    assert!(host.log().contains("cannot write the audit log"), "the log has the entry");
    fs::remove_dir(&path).unwrap();
    host.client.start_tunnel("web").await.unwrap();
    let told = told(&entries(&host).await);
    assert!(told.len() == 1 && told[0].ends_with("start web done"), "{told:?}");
}
