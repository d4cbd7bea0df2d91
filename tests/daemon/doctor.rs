//! A look at the host and the daemon. What a machine that runs the tests is like in other ways decides nothing here.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use adit::{
    control::api::{
        DoctorReport,
        DoctorResult::{self, Failure, Ok as Fine, Unknown, Warning},
    },
    sandbox::{
        faults::{Fault, Matching, Times},
        world::TokenStatus,
    },
};

use crate::host::Host;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

#[tokio::test]
async fn what_is_in_order_is_ok_and_says_what_was_measured() {
    let host = Host::serving(ONE_TUNNEL).await;
    let report = look(&host, &[]).await;
    for id in ["socket", "config-in-force", "config-files", "health", "privacy", "binary", "edge-dns", "edge-tcp", "token"] {
        assert_eq!(result(&report, id), Some(Fine), "{id}: {report:#?}");
    }
    for id in ["token-rights", "api", "budget", "clock-offset"] {
        let check = report.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("{id}: {report:#?}"));
        assert_eq!((check.result, check.subject.as_deref()), (Fine, Some("sandbox")), "{check:?}");
    }
    for id in ["kernel", "landlock", "udp-buffers", "clock", "open-files", "inotify", "local-ports", "room", "systemd", "unit"] {
        assert!(result(&report, id).is_some(), "{id}: {report:#?}");
    }
    assert!(report.api_calls > 0, "trying the token takes calls, and it says so");
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains(fs::read_to_string(host.path("token")).unwrap().trim()), "{text}");
}

#[tokio::test]
async fn offline_nobody_outside_is_asked() {
    let host = Host::prepare().await;
    let text = host.configuration(ONE_TUNNEL);
    host.write_configuration(&text.replace("sync_interval = \"1s\"", "sync_interval = \"1h\""));
    host.start().await;
    host.until_all_serve().await;
    let before = host.stage.world.request_count();
    let report = look(&host, &["--offline"]).await;
    assert_eq!((report.api_calls, host.stage.world.request_count()), (0, before));
    assert_eq!((result(&report, "token-rights"), result(&report, "edge-tcp")), (None, None));
    assert_eq!(result(&report, "binary"), Some(Fine));
}

#[tokio::test]
async fn each_thing_that_is_broken_is_told_with_what_to_do() {
    let host = Host::serving(ONE_TUNNEL).await;
    fs::set_permissions(host.path("state"), Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(host.path("cloudflared")).unwrap();
    host.stage.world.dashboard().set_token_status(&host.stage.world.api_token(), TokenStatus::Disabled).unwrap();
    let good = fs::read_to_string(host.path("adit.toml")).unwrap();
    host.write_configuration(&format!("{good}\nnonsense = 1\n"));
    host.client.reload_configuration().await.unwrap_err();
    host.until("the refusal is known", async |host| !host.status().await.overview.accounts[0].holds.is_empty()).await;

    let report = look(&host, &[]).await;
    for (id, expected) in [
        ("privacy", Failure),
        ("binary", Failure),
        ("token", Failure),
        ("token-rights", Failure),
        ("config-in-force", Warning),
        ("config-files", Failure),
    ] {
        assert_eq!(result(&report, id), Some(expected), "{id}: {report:#?}");
    }
    assert!(report.checks.iter().filter(|check| check.result.wants_attention()).all(|check| check.action.is_some()));
    assert_eq!(report.result, Failure);
    let shown = host.adit(&["doctor", "--config", host.path("adit.toml").to_str().unwrap()]).await;
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stdout.contains("chmod 700") && !shown.stdout.contains("  ok "), "{shown:?}");
}

#[tokio::test]
async fn without_a_daemon_the_caller_looks_and_the_socket_is_the_failure() {
    let host = Host::prepare().await;
    host.configure(ONE_TUNNEL);
    let report = look(&host, &[]).await;
    assert_eq!(result(&report, "socket"), Some(Failure), "{report:#?}");
    for id in ["config-files", "binary", "edge-tcp"] {
        assert_eq!(result(&report, id), Some(Fine), "{id}: {report:#?}");
    }
    assert!(result(&report, "kernel").is_some() && result(&report, "token").is_none());
    let nowhere = host.adit(&["doctor", "--offline", "-o", "json", "--config", "/nowhere/adit.toml"]).await;
    let report: DoctorReport = serde_json::from_str(&nowhere.stdout).unwrap();
    assert_eq!((nowhere.code, result(&report, "config-files")), (Some(1), Some(Unknown)), "{report:#?}");
}

#[tokio::test]
async fn an_api_that_never_answers_keeps_nobody_waiting_for_long() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.stage.world.faults().add(Fault::Hang, Matching::everything(), Times::UntilCleared);
    let report = look(&host, &[]).await;
    assert_eq!((result(&report, "token-rights"), result(&report, "api")), (Some(Unknown), Some(Failure)), "{report:#?}");
}

/// What `adit doctor` says as JSON. It ends with 1 exactly when something wants to be looked at.
async fn look(host: &Host, arguments: &[&str]) -> DoctorReport {
    let files = host.path("adit.toml");
    let ended = host.adit(&[&["doctor", "-o", "json", "--config", files.to_str().unwrap()], arguments].concat()).await;
    let report: DoctorReport = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let wants_attention = report.checks.iter().any(|check| check.result.wants_attention());
    assert_eq!(ended.code, Some(i32::from(wants_attention)), "{report:#?}");
    report
}

/// The worst result of the checks with this id.
fn result(report: &DoctorReport, id: &str) -> Option<DoctorResult> {
    let checks = report.checks.iter().filter(|check| check.id == id);
    checks.map(|check| check.result).max_by_key(|result| result.badness())
}
