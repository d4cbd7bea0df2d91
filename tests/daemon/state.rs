//! State and configuration that a daemon finds at its start: damaged, from another machine, bad, gone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    host::{Host, serves},
    host_has,
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

#[tokio::test]
async fn a_record_that_cannot_be_trusted_holds_its_own_tunnel_and_is_left_as_it_is() {
    tokio::join!(
        held_and_left("torn", |good| good[..good.len() / 2].to_owned()),
        held_and_left("without a version", |_| "owner = \"somebody else\"\n".to_owned()),
        held_and_left("of a newer release", |good| good.replace("version = 1\n", "version = 99\n")),
        held_and_left("of another tunnel", |good| good.replace("name = \"web\"", "name = \"shop\"")),
    );
}

async fn held_and_left(word: &str, damage: impl Fn(&str) -> String) {
    let host = Host::serving(TWO_TUNNELS).await;
    let there = host.snapshot();
    let file = host.path("state/records/web.toml");
    assert_eq!(host.terminate().await, Some(0));
    let good = fs::read_to_string(&file).unwrap();
    let damaged = damage(&good);
    assert_ne!(damaged, good);
    fs::write(&file, &damaged).unwrap();

    host.start().await;
    host.until("the other tunnel serves and this one is on hold", async |host| {
        let status = host.status().await;
        let tunnel = |name: &str| status.tunnels.iter().find(|tunnel| tunnel.name == name).cloned();
        tunnel("api").is_some_and(|api| serves(&api))
            && tunnel("web").is_some_and(|web| web.holds.iter().any(|hold| hold.code == "record-unreadable"))
    })
    .await;
    host.pass().await;
    assert!(host.visit("api.example.com").await.reached("here"), "{word}");
    assert_eq!(host.snapshot(), there, "{word}");
    assert_eq!(fs::read_to_string(&file).unwrap(), damaged, "{word}");
    let shown = host.adit(&["status"]).await;
    assert!(shown.code == Some(1) && shown.stdout.contains("web.toml"), "{word}: {shown:?}");

    assert_eq!(host.terminate().await, Some(0));
    fs::write(&file, good).unwrap();
    host.start().await;
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"), "{word}");
    assert_eq!(host.snapshot(), there, "{word}");
}

#[tokio::test]
async fn state_from_another_machine_starts_nothing_and_changes_nothing() {
    let host = Host::serving(TWO_TUNNELS).await;
    assert_eq!(host.terminate().await, Some(0));
    let there = host.snapshot();
    let file = host.path("state/install.toml");
    let install = fs::read_to_string(&file).unwrap();
    let machine = install.lines().find(|line| line.starts_with("machine = "));
    host_has("machine id", machine.is_some());
    let Some(machine) = machine else { return };
    let moved = install.replace(machine, "machine = \"00000000000000000000000000000000\"");
    fs::write(&file, &moved).unwrap();
    let records = contents(&host.path("state/records"));

    host.start().await;
    host.until("it is said why nothing runs", async |host| {
        let reasons = host.status().await.overview.health.reasons;
        reasons.iter().any(|reason| reason.sentence.contains("another machine"))
    })
    .await;
    host.configure(&format!(
        "{TWO_TUNNELS}[tunnels.more]\ningress = [{{ hostname = \"more.example.com\", service = \"ORIGIN\" }}]"
    ));
    let _ = host.client.reload_configuration().await;
    let _ = host.client.apply(None).await;

    assert!(host.connectors().is_empty());
    assert_eq!(host.snapshot(), there);
    assert_eq!(contents(&host.path("state/records")), records);
    assert_eq!(fs::read_to_string(&file).unwrap(), moved);
    assert_eq!(host.adit(&["status"]).await.code, Some(1));
}

#[tokio::test]
async fn files_that_are_bad_at_the_start_leave_the_last_accepted_configuration_in_force() {
    let host = Host::serving(TWO_TUNNELS).await;
    let there = host.snapshot();
    let good = host.configuration(TWO_TUNNELS);
    // What else is wrong in the files does not hide where the state is.
    for bad in [good.replace("ingress", "ingres"), format!("{good}\n[tunnels.web\n")] {
        assert_eq!(host.terminate().await, Some(0));
        host.write_configuration(&bad);
        host.start().await;

        host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
        host.until_all_serve().await;
        assert!(host.visit("app.example.com").await.reached("here"));
        let status = host.status().await;
        assert!(!status.overview.daemon.config_problems.is_empty());
        assert_eq!(status.tunnels.len(), 2);
        let shown = host.adit(&["status"]).await;
        assert!(shown.code == Some(1) && shown.stdout.contains("adit.toml"), "{shown:?}");
        assert_eq!(host.snapshot(), there);
    }
    host.write_configuration(&good);
    host.client.reload_configuration().await.unwrap();
    assert_eq!(host.status().await.overview.daemon.config_problems, Vec::<String>::new());
}

#[tokio::test]
async fn files_that_are_gone_are_no_reason_to_stop_when_the_unit_names_the_state() {
    let host = Host::serving(TWO_TUNNELS).await;
    assert_eq!(host.terminate().await, Some(0));
    fs::remove_file(host.path("adit.toml")).unwrap();

    host.start_with(&[("STATE_DIRECTORY", &host.path("state"))]).await;
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn connectors_that_run_go_on_without_any_configuration_that_can_be_used() {
    let host = Host::serving(TWO_TUNNELS).await;
    let (there, pids) = (host.snapshot(), host.connector_pids());
    let good = host.configuration(TWO_TUNNELS);
    host.kill();
    fs::remove_dir_all(host.path("state/accepted")).unwrap();
    host.write_configuration(&good.replace("ingress", "ingres"));

    host.start().await;
    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    let status = host.status().await;
    assert!(!status.overview.daemon.config_problems.is_empty());
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!((host.connector_pids(), host.snapshot()), (pids.clone(), there.clone()));
    let shown = host.adit(&["status"]).await;
    assert!(shown.code == Some(1) && shown.stdout.contains("adit.toml"), "{shown:?}");

    host.write_configuration(&good);
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
    assert_eq!((host.connector_pids(), host.snapshot()), (pids, there));
    assert_eq!(host.status().await.overview.daemon.config_problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_renamed_tunnel_that_runs_without_any_configuration_is_called_by_its_name() {
    let web = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";
    let host = Host::serving(web).await;
    let pids = host.connector_pids();
    let shop = host.configuration(&web.replace("[tunnels.web]", "[tunnels.shop]\nrenamed_from = \"web\""));
    host.write_configuration(&shop);
    host.client.reload_configuration().await.unwrap();
    let is_renamed = async |host: &Host| host.client.tunnel("shop").await.is_ok_and(|shop| serves(&shop.tunnel));
    host.until("it serves under its other name", is_renamed).await;
    host.kill();
    fs::remove_dir_all(host.path("state/accepted")).unwrap();
    host.write_configuration(&shop.replace("ingress", "ingres"));

    host.start().await;
    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    let shown = host.adit(&["status"]).await;
    assert!(shown.stdout.contains("definition of shop") && !shown.stdout.contains("definition of web"), "{shown:?}");
    assert_eq!(host.connector_pids(), pids);
}

#[tokio::test]
async fn without_any_configuration_that_was_ever_accepted_the_daemon_ends_with_78() {
    let host = Host::prepare().await;
    host.configure("[tunnels.web]\nreplica = 1");
    let ended = host.start_in_vain().await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("adit.toml:") && ended.stderr.contains("replicas"), "{ended:?}");

    fs::remove_file(host.path("adit.toml")).unwrap();
    let ended = host.start_in_vain_with(&[("STATE_DIRECTORY", &host.path("state"))]).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("adit.toml"), "{ended:?}");
    assert!(!host.manager.heard("READY=1"));
}

/// Every file of a folder with its content.
fn contents(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}
