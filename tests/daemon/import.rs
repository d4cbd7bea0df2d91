//! `adit import` and `adit export`: what ran under cloudflared runs under Adit, or is as it was.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use adit::{control::api::CheckOrigins, id::TunnelId};
use base64::{Engine, engine::general_purpose::STANDARD};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::{
    closed_port::ClosedPort,
    host::{Ended, Host, PATIENCE, serves},
    processes::{PROGRAM, signal},
};

const CANARY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ==";

/// A tunnel that somebody made in the dashboard, with a rule for app.example.com.
async fn with_foreign_tunnel() -> (Host, TunnelId) {
    let host = Host::serving("").await;
    let account = host.stage.world.account_id();
    let dashboard = host.stage.world.dashboard();
    let id = dashboard.create_tunnel(&account, "Home Lab").unwrap();
    let rules = json!([{ "hostname": "app.example.com", "service": host.origin.url() }, { "service": "http_status:404" }]);
    dashboard.put_configuration(&id, json!({ "ingress": rules })).unwrap();
    (host, id)
}

fn write_config(host: &Host, named: &str, credentials_of: &TunnelId) {
    let credentials = json!({ "AccountTag": "0a1b", "TunnelSecret": CANARY, "TunnelID": credentials_of });
    fs::write(host.path("cred.json"), credentials.to_string()).unwrap();
    let file = host.path("cred.json");
    let text = format!(
        "tunnel: {named}\ncredentials-file: {}\nmetrics: localhost:2000\ningress:\n- hostname: app.example.com\n  service: {}\n- service: http_status:404\n",
        file.display(),
        host.origin.url(),
    );
    fs::write(host.path("config.yml"), text).unwrap();
}

/// `adit` with a systemctl of the test's own before all others on PATH; it writes down what it is asked for.
fn with_service(host: &Host, unit: &str, arguments: &[&str]) -> tokio::process::Command {
    let folder = host.path("bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(host.path("unit"), unit).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {log}\ncase $1 in cat) while IFS= read -r line; do printf '%s\\n' \"$line\"; done < {unit} ;; esac\n",
        log = host.path("systemctl.log").display(),
        unit = host.path("unit").display(),
    );
    fs::write(folder.join("systemctl"), script).unwrap();
    fs::set_permissions(folder.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(arguments).env_clear().env("ADIT_SOCKET", host.path("run/adit.sock")).env("PATH", &folder);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn adit_with_service(host: &Host, unit: &str, arguments: &[&str]) -> Ended {
    let output = timeout(PATIENCE, with_service(host, unit, arguments).output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn systemctl_calls(host: &Host) -> String {
    fs::read_to_string(host.path("systemctl.log")).unwrap_or_default()
}

fn unit(id: &TunnelId, account: &str) -> String {
    let token = STANDARD.encode(json!({ "a": account, "t": id, "s": CANARY }).to_string());
    format!("[Service]\nExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token {token}\n")
}

#[tokio::test]
async fn the_daemon_tries_each_origin_and_changes_nothing_by_it() {
    let host = Host::serving("").await;
    let closed = ClosedPort::take();
    let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let services = vec![
        format!("http://{}", open.local_addr().unwrap()),
        format!("http://{}", closed.address()),
        "unix:/nowhere/to.sock".to_owned(),
        "http_status:404".to_owned(),
    ];
    let checks = host.client.check_origins(&CheckOrigins { services }).await.unwrap();
    assert_eq!(checks.iter().map(|check| check.reachable).collect::<Vec<_>>(), [Some(true), Some(false), Some(false), None]);
    assert!(checks[1].answer.contains("for the daemon's user"), "{checks:?}");
    for services in [vec!["nonsense".to_owned()], vec!["http_status:404".to_owned(); 51]] {
        assert!(host.client.check_origins(&CheckOrigins { services }).await.is_err());
    }
}

#[tokio::test]
async fn a_configuration_file_is_shown_first_and_then_taken_over() {
    let (host, id) = with_foreign_tunnel().await;
    write_config(&host, id.as_str(), &id);
    let config = host.path("config.yml");
    let config = config.to_str().unwrap();
    let before = host.snapshot();

    let shown = host.adit(&["import", config, "--dry-run"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("[tunnels.home-lab]"), "{shown:?}");
    assert!(shown.stderr.contains("reachable") && shown.stderr.contains("nothing was changed"), "{shown:?}");
    assert_eq!(host.snapshot(), before);
    let unasked = host.adit(&["import", config]).await;
    assert_eq!(unasked.code, Some(2), "nobody is there to be asked: {unasked:?}");
    assert_eq!(host.snapshot(), before);

    let imported = host.adit(&["import", config, "--yes"]).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    host.until("it serves", async |host| serves(&host.tunnel("home-lab").await)).await;
    assert_eq!(host.adit(&["plan"]).await.code, Some(0), "nothing is left to change");
    assert!(host.snapshot().records.is_empty(), "no hostname was published");
    for ended in [&shown, &unasked, &imported] {
        assert!(!format!("{ended:?}").contains(CANARY));
    }
    assert!(!host.log().contains(CANARY));

    let exported = host.adit(&["export"]).await;
    assert!(exported.stdout.contains("[tunnels.home-lab]") && exported.stdout.contains("app.example.com"), "{exported:?}");
}

#[tokio::test]
async fn the_old_service_is_stopped_only_when_ours_serves() {
    let (host, id) = with_foreign_tunnel().await;
    let account = host.stage.world.account_id();
    let arguments = ["import", "--service", "--name", "home", "--yes"];
    let imported = adit_with_service(&host, &unit(&id, account.as_str()), &arguments).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    host.until("it serves", async |host| serves(&host.tunnel("home").await)).await;
    let calls = systemctl_calls(&host);
    if nix::unistd::geteuid().is_root() {
        assert!(calls.contains("disable --now -- cloudflared.service"), "{calls}");
    } else {
        assert!(imported.stderr.contains("systemctl disable --now cloudflared.service"), "{imported:?}");
    }
    assert!(!format!("{imported:?}").contains(CANARY));
}

#[tokio::test]
async fn a_connector_that_never_serves_puts_everything_back() {
    let (host, id) = with_foreign_tunnel().await;
    let switches = adit::sandbox::switchboard::Switches { never_ready: true, ..crate::host::brisk() };
    host.stage.switchboard.set(None, switches);
    let account = host.stage.world.account_id();
    let arguments = ["import", "--service", "--name", "home", "--yes", "--timeout", "2s"];
    let failed = adit_with_service(&host, &unit(&id, account.as_str()), &arguments).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("does not serve"), "{failed:?}");
    assert!(!systemctl_calls(&host).contains("disable"), "the old service was never touched");
    assert!(host.client.tunnel("home").await.is_err(), "it is forgotten");
    assert!(!host.snapshot().tunnels.values().any(|tunnel| tunnel.deleted), "nothing was deleted at Cloudflare");
}

#[tokio::test]
async fn an_interruption_puts_everything_back() {
    let (host, id) = with_foreign_tunnel().await;
    let switches = adit::sandbox::switchboard::Switches { never_ready: true, ..crate::host::brisk() };
    host.stage.switchboard.set(None, switches);
    let account = host.stage.world.account_id();
    let arguments = ["import", "--service", "--name", "home", "--yes", "--timeout", "1h"];
    let mut command = with_service(&host, &unit(&id, account.as_str()), &arguments);
    let mut import = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut told = BufReader::new(import.stderr.take().unwrap()).lines();
    let begun = async { while !told.next_line().await.unwrap().expect("it goes on").contains("home: adopted") {} };
    timeout(PATIENCE, begun).await.unwrap();
    signal(import.id().unwrap(), Signal::SIGINT);
    let mut rest = Vec::new();
    while let Some(line) = timeout(PATIENCE, told.next_line()).await.unwrap().unwrap() {
        rest.push(line);
    }
    assert_eq!(import.wait().await.unwrap().code(), Some(1), "{rest:?}");
    let words = ["everything is put back", "home: forgotten", "adit: interrupted"];
    assert!(words.iter().all(|words| rest.iter().any(|line| line.contains(words))), "{rest:?}");
    assert!(host.client.tunnel("home").await.is_err(), "it is forgotten");
    assert!(!host.snapshot().tunnels.values().any(|tunnel| tunnel.deleted), "nothing was deleted at Cloudflare");
}

#[tokio::test]
async fn files_that_do_not_fit_together_or_cannot_be_read_change_nothing() {
    let (host, id) = with_foreign_tunnel().await;
    let before = host.snapshot();
    let other: TunnelId = "99999999-2222-3333-4444-555555555555".parse().unwrap();
    let config = host.path("config.yml");
    let config = config.to_str().unwrap();

    write_config(&host, id.as_str(), &other);
    let mixed = host.adit(&["import", config, "--yes"]).await;
    assert!(mixed.code == Some(1) && mixed.stderr.contains("its credentials are of tunnel"), "{mixed:?}");
    write_config(&host, other.as_str(), &other);
    let unknown = host.adit(&["import", config, "--yes"]).await;
    assert!(unknown.code != Some(0), "no such tunnel in the account: {unknown:?}");
    fs::write(host.path("cred.json"), format!("{{\"TunnelSecret\": \"{CANARY}\"}}")).unwrap();
    let broken = host.adit(&["import", config, "--yes"]).await;
    assert!(broken.code == Some(1) && broken.stderr.contains("cannot read"), "{broken:?}");
    fs::remove_file(host.path("cred.json")).unwrap();
    let missing = host.adit(&["import", config, "--yes"]).await;
    assert!(missing.code == Some(1) && missing.stderr.contains("cred.json"), "{missing:?}");
    fs::write(host.path("config.yml"), "tunnel: [").unwrap();
    let yaml = host.adit(&["import", config, "--yes"]).await;
    assert!(yaml.code == Some(1) && yaml.stderr.contains("line "), "{yaml:?}");
    for ended in [mixed, unknown, broken, missing, yaml] {
        assert!(!format!("{ended:?}").contains(CANARY), "{ended:?}");
    }
    assert_eq!(host.snapshot(), before);
}

#[tokio::test]
async fn a_tunnel_with_a_local_configuration_runs_the_rules_of_its_file() {
    let host = Host::serving("").await;
    // What is forgotten is a tunnel of nobody's that stays at Cloudflare.
    host.client.create_tunnel("old", json!({ "configuration": "local" })).await.unwrap();
    host.until("it serves", async |host| serves(&host.tunnel("old").await)).await;
    host.client.forget_tunnel("old").await.unwrap();
    let id = host.snapshot().tunnels.into_keys().next().unwrap();

    write_config(&host, id.as_str(), &id);
    let config = host.path("config.yml");
    let imported = host.adit(&["import", config.to_str().unwrap(), "--name", "lab", "--yes"]).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(imported.stdout.contains("configuration = \"local\""), "{imported:?}");
    assert!(imported.stderr.contains("left out: line 3: metrics"), "{imported:?}");
    host.until("it serves", async |host| serves(&host.tunnel("lab").await)).await;
    assert_eq!(host.adit(&["plan"]).await.code, Some(0), "nothing is left to change");
    assert_eq!(host.snapshot().tunnels.len(), 1);
}
