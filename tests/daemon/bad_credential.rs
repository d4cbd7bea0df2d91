//! API tokens that cannot be used.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use adit::{
    control::api::{CredentialState, State},
    sandbox::world::{Permission, TokenSpec, TokenStatus},
};

use crate::host::Host;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

#[tokio::test]
async fn a_token_file_that_others_can_read_is_refused_until_its_mode_is_right() {
    let host = Host::prepare().await;
    host.configure(ONE_TUNNEL);
    fs::set_permissions(host.path("token"), Permissions::from_mode(0o644)).unwrap();
    host.start().await;

    unusable_because(&host, &["0644", "chmod 600"]).await;
    assert_eq!(host.stage.world.request_count(), 0, "a token that others may know is not used");

    fs::set_permissions(host.path("token"), Permissions::from_mode(0o600)).unwrap();
    host.until_all_serve().await;
}

#[tokio::test]
async fn an_empty_token_file_is_said() {
    let host = Host::prepare().await;
    host.configure(ONE_TUNNEL);
    let token = fs::read_to_string(host.path("token")).unwrap();
    fs::write(host.path("token"), "\n").unwrap();
    host.start().await;

    unusable_because(&host, &["token", "empty"]).await;
    fs::write(host.path("token"), token).unwrap();
    host.until_all_serve().await;
}

#[tokio::test]
async fn an_expired_token_is_said_and_tunnels_run_on() {
    let host = Host::serving(ONE_TUNNEL).await;
    let pids = host.connector_pids();
    let token = host.stage.world.api_token();
    host.stage.world.dashboard().set_token_status(&token, TokenStatus::Expired).unwrap();

    unusable_because(&host, &["token"]).await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.connector_pids(), pids);
    let checked = host.adit(&["credential", "check"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.stdout.contains("expired"), "{checked:?}");

    host.stage.world.dashboard().set_token_status(&token, TokenStatus::Active).unwrap();
    host.client.reload_configuration().await.unwrap();
    host.until("the hold ends", async |host| host.status().await.overview.accounts[0].holds.is_empty()).await;
}

#[tokio::test]
async fn an_under_privileged_token_names_the_permission_that_is_missing() {
    tokio::join!(
        named_when_missing(Permission::DnsWrite, "DNS > Edit"),
        named_when_missing(Permission::TunnelWrite, "Cloudflare Tunnel > Edit"),
        named_when_missing(Permission::ZoneRead, "Zone > Read"),
    );
}

async fn named_when_missing(missing: Permission, name: &str) {
    let host = Host::prepare().await;
    host.configure(ONE_TUNNEL);
    let mut spec = TokenSpec::full(&host.stage.world.account_id());
    // Each of these may do what the missing one may.
    let wider = [Permission::ConnectorsWrite, Permission::CloudflaredWrite, Permission::ZoneWrite];
    spec.permissions.retain(|permission| *permission != missing && !wider.contains(permission));
    let token = host.stage.world.add_token(spec);
    fs::write(host.path("token"), token.expose()).unwrap();
    host.start().await;

    host.until("the permission is named", async |host| {
        let shown = host.adit(&["status"]).await;
        shown.code == Some(1) && shown.stdout.contains(name)
    })
    .await;
    let checked = host.adit(&["credential", "check"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.stdout.contains(name), "{name}: {checked:?}");

    host.stage.world.dashboard().set_token_permissions(&token, Permission::ALL).unwrap();
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
}

#[tokio::test]
async fn an_account_id_that_the_token_cannot_see_is_said() {
    let host = Host::prepare().await;
    let other = host.stage.world.add_account("somebody else's");
    let text = host.configuration(ONE_TUNNEL);
    host.write_configuration(&text.replace("api_token = ", &format!("account_id = \"{other}\"\napi_token = ")));
    host.start().await;

    host.until("the account is named", async |host| {
        let shown = host.adit(&["status"]).await;
        shown.code == Some(1) && shown.stdout.contains(other.as_str())
    })
    .await;
    assert_eq!(host.tunnel("web").await.state, State::Pending);
    let checked = host.adit(&["credential", "check"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(host.snapshot().tunnels.is_empty());
}

/// The account's token is called unusable with these words, and the daemon is well otherwise.
async fn unusable_because(host: &Host, words: &[&str]) {
    let says = |text: &str| words.iter().all(|word| text.contains(word));
    host.until("the token is called unusable", async |host| {
        let credentials = host.client.credentials().await.unwrap();
        let [credential] = credentials.as_slice() else { panic!("{credentials:?}") };
        credential.state == CredentialState::Unusable && credential.reason.as_ref().is_some_and(|reason| says(&reason.sentence))
    })
    .await;
    host.until("it says READY", async |host| host.manager.heard("READY=1")).await;
    let listed = host.adit(&["credential", "list"]).await;
    assert!(listed.code == Some(1) && says(&listed.stdout), "{listed:?}");
    host.until("the status says it too", async |host| {
        let shown = host.adit(&["status"]).await;
        shown.code == Some(1) && says(&shown.stdout)
    })
    .await;
}
