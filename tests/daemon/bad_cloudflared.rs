//! A cloudflared that is missing, cannot be executed, is too old or ends at once.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use adit::control::api::State;

use crate::host::Host;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

#[tokio::test]
async fn a_missing_cloudflared_is_said_and_nothing_else_suffers() {
    let host = with_cloudflared(None).await;
    waits_because(&host, &["cannot find", "cloudflared"]).await;
    assert_eq!(host.snapshot().records.len(), 1, "what Cloudflare holds is made all the same");
}

#[tokio::test]
async fn a_cloudflared_that_cannot_be_executed_is_said() {
    let host = with_cloudflared(Some(("#!/bin/sh\n", 0o644))).await;
    waits_because(&host, &["cannot execute", "cloudflared"]).await;
}

#[tokio::test]
async fn a_cloudflared_that_is_too_old_is_said_with_its_version() {
    let host = with_cloudflared(Some(("#!/bin/sh\necho 2020.5.1\n", 0o755))).await;
    waits_because(&host, &["2020.5.1"]).await;
}

#[tokio::test]
async fn a_cloudflared_that_ends_at_once_backs_off_with_its_last_words() {
    let script = "#!/bin/sh\n\
                  case \"$*\" in *version*) echo 2026.8.0; exit 0;; esac\n\
                  echo 'it hurts here' >&2\n\
                  exit 3\n";
    let host = with_cloudflared(Some((script, 0o755))).await;
    host.until("it backs off", async |host| {
        let tunnel = host.tunnel("web").await;
        tunnel.state == State::BackingOff && tunnel.connectors[0].restarts_total >= 1
    })
    .await;
    let reason = host.tunnel("web").await.reason.expect("there is a reason");
    assert!(reason.sentence.contains("exit code 3") && reason.sentence.contains("it hurts here"), "{reason:?}");
}

#[tokio::test]
async fn a_cloudflared_that_comes_while_no_daemon_runs_is_used_at_once() {
    let host = with_cloudflared(None).await;
    host.until("the tunnel is blocked", async |host| host.tunnel("web").await.state == State::Blocked).await;
    let file = host.path("run/private/slots/web.0.json");
    let remembered = |file: &_| fs::read_to_string(file).is_ok_and(|text| text.contains("\"blocked\":true"));
    host.until("that is written down", async |_| remembered(&file)).await;
    host.kill();
    fs::copy(host.path("cloudflared"), host.path("other/cloudflared")).unwrap();
    host.start().await;
    host.until_all_serve().await;
}

/// A running daemon whose cloudflared is a file with this text and mode, or missing.
async fn with_cloudflared(file: Option<(&str, u32)>) -> Host {
    let host = Host::prepare().await;
    let path = host.path("other/cloudflared");
    fs::create_dir(host.path("other")).unwrap();
    if let Some((text, mode)) = file {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    let good = format!("binary = \"{}\"", host.path("cloudflared").display());
    let text = host.configuration(ONE_TUNNEL);
    assert!(text.contains(&good), "{text}");
    host.write_configuration(&text.replace(&good, &format!("binary = \"{}\"", path.display())));
    host.start().await;
    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    host.until("the tunnel is provisioned", async |host| host.tunnel("web").await.id.is_some()).await;
    host
}

/// The tunnel does not run, with these words, and serves once a good cloudflared is configured.
async fn waits_because(host: &Host, words: &[&str]) {
    host.until("the tunnel waits", async |host| matches!(host.tunnel("web").await.state, State::BackingOff | State::Blocked))
        .await;
    let reason = host.tunnel("web").await.reason.expect("there is a reason");
    assert!(words.iter().all(|word| reason.sentence.contains(word)), "{words:?}: {reason:?}");
    let shown = host.adit(&["status"]).await;
    assert!(shown.code == Some(1) && shown.stdout.contains(words[0]), "{shown:?}");

    host.configure(ONE_TUNNEL);
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
}
