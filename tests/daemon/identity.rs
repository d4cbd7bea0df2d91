//! State that comes from another machine: nothing runs or is written until an administrator says what happened.

use std::fs;

use crate::{host::Host, host_has};

const WEB: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

/// A host whose state is that of another machine; `None` where machines have no id.
async fn cloned() -> Option<Host> {
    let host = Host::serving(WEB).await;
    assert_eq!(host.terminate().await, Some(0));
    let file = host.path("state/install.toml");
    let install = fs::read_to_string(&file).unwrap();
    let machine = install.lines().find(|line| line.starts_with("machine = "));
    host_has("machine id", machine.is_some());
    fs::write(&file, install.replace(machine?, "machine = \"00000000000000000000000000000000\"")).unwrap();
    host.start().await;
    Some(host)
}

#[tokio::test]
async fn a_restored_backup_is_taken_over_while_the_daemon_runs() {
    let Some(host) = cloned().await else { return };
    let there = host.snapshot();
    let shown = host.adit(&["identity"]).await;
    assert_eq!(shown.code, Some(5), "{shown:?}");
    assert!(shown.stdout.contains("take-over") && shown.stdout.contains("another machine"), "{shown:?}");
    assert_eq!(host.adit(&["identity", "take-over"]).await.code, Some(2), "nobody is there to be asked");
    assert!(host.connectors().is_empty());
    for held in
        [&["apply", "--yes"][..], &["tunnel", "create", "api", "--hostname", "api.example.com", "--service", "http_status:204"]]
    {
        let held = host.adit(held).await;
        assert_eq!(held.code, Some(5), "{held:?}");
        assert!(held.stderr.contains("adit identity take-over"), "{held:?}");
    }

    let taken = host.adit(&["identity", "take-over", "--yes"]).await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.snapshot(), there);
    let again = host.adit(&["identity", "take-over", "--yes"]).await;
    assert_eq!(again.code, Some(5), "{again:?}");
    host.until("the audit log has it", async |host| {
        fs::read_to_string(host.path("state/audit.jsonl")).unwrap_or_default().contains("identity take-over")
    })
    .await;
}

#[tokio::test]
async fn a_clone_begins_anew_and_what_the_original_holds_is_a_conflict() {
    let Some(host) = cloned().await else { return };
    let there = host.snapshot();
    let begun = host.adit(&["identity", "new", "--yes"]).await;
    assert_eq!(begun.code, Some(0), "{begun:?}");
    host.until("a tunnel of its own is made", async |host| {
        host.snapshot().tunnels.values().filter(|tunnel| !tunnel.deleted).count() == 2
    })
    .await;
    host.until("the hostname of the original is a conflict", async |host| {
        host.route("app.example.com").await.state == adit::control::api::RouteState::Conflict
    })
    .await;
    let after = host.snapshot();
    assert_eq!(after.records, there.records);
    for (id, tunnel) in &there.tunnels {
        assert_eq!(after.tunnels[id].configuration, tunnel.configuration);
    }
    assert_eq!(fs::read_dir(host.path("state/set-aside")).unwrap().count(), 1);
}
