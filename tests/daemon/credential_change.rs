//! API tokens that change while the daemon runs.

use std::{fs, os::unix::fs::OpenOptionsExt, time::Duration};

use adit::{
    control::api::CredentialState,
    sandbox::world::{Plan, TokenSpec, TokenStatus},
    secret::Secret,
};
use jiff::Timestamp;

use crate::host::Host;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

/// Puts another token into the file as a careful program does.
fn replace(host: &Host, token: &Secret) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(host.path("token.new")).unwrap();
    std::io::Write::write_all(&mut file, token.expose().as_bytes()).unwrap();
    fs::rename(host.path("token.new"), host.path("token")).unwrap();
}

async fn times_read(host: &Host) -> usize {
    host.client.events(&[]).await.unwrap().iter().filter(|event| event.kind == "credential-read").count()
}

#[tokio::test]
async fn another_token_in_the_file_is_used_at_once_without_a_refusal_or_a_reload() {
    let host = Host::serving(ONE_TUNNEL).await;
    assert_eq!(times_read(&host).await, 1);
    let world = &host.stage.world;
    let next = world.add_token(TokenSpec::full(&world.account_id()));
    replace(&host, &next);
    host.until("it was read", async |host| times_read(host).await == 2).await;
    // The former one could be revoked now.
    world.dashboard().set_token_status(&world.api_token(), TokenStatus::Disabled).unwrap();
    host.pass().await;
    let status = host.status().await;
    assert!(status.overview.accounts[0].holds.is_empty(), "{status:?}");
    assert_eq!(host.client.credentials().await.unwrap()[0].state, CredentialState::Usable);
}

#[tokio::test]
async fn a_file_that_is_touched_and_holds_the_same_token_changes_nothing() {
    let host = Host::serving(ONE_TUNNEL).await;
    for _ in 0..3 {
        replace(&host, &host.stage.world.api_token());
    }
    host.until_synced(2).await;
    assert_eq!(times_read(&host).await, 1);
}

#[tokio::test]
async fn a_file_that_comes_back_with_the_same_token_is_as_good_as_before() {
    let host = Host::serving(ONE_TUNNEL).await;
    let is = async |host: &Host, state| host.client.credentials().await.unwrap()[0].state == state;
    fs::remove_file(host.path("token")).unwrap();
    host.until("it is missed", async |host| is(host, CredentialState::Unusable).await).await;
    host.pass().await;
    assert!(is(&host, CredentialState::Unusable).await, "that the token before it works does not hide it");
    replace(&host, &host.stage.world.api_token());
    host.until("whoever heard that it failed hears that it does no more", async |host| times_read(host).await == 2).await;
    assert!(is(&host, CredentialState::Usable).await);
}

#[tokio::test]
async fn a_token_of_another_account_changes_nothing_and_says_so() {
    let host = Host::serving(ONE_TUNNEL).await;
    let world = &host.stage.world;
    let other = world.add_account("other");
    world.add_zone(&other, "other.example", Plan::Free);
    let before = host.snapshot();
    replace(&host, &world.add_token(TokenSpec::full(&other)));
    host.until("it is said", async |host| {
        host.status().await.overview.accounts[0].holds.iter().any(|hold| hold.code == "account-changed")
    })
    .await;
    assert_eq!(host.snapshot(), before);
    assert!(host.visit("app.example.com").await.reached("here"));
    replace(&host, &world.api_token());
    host.until("the hold ends", async |host| host.status().await.overview.accounts[0].holds.is_empty()).await;
}

#[tokio::test]
async fn a_token_that_expires_soon_is_told_with_what_to_do() {
    let host = Host::serving(ONE_TUNNEL).await;
    let world = &host.stage.world;
    let soon = Timestamp::now() + Duration::from_secs(3 * 24 * 3_600);
    replace(&host, &world.add_token(TokenSpec { expires: Some(soon), ..TokenSpec::full(&world.account_id()) }));
    host.until("it was read", async |host| times_read(host).await == 2).await;
    let checked = host.adit(&["credential", "check"]).await;
    assert!(
        checked.code == Some(0) && checked.stdout.contains("it expires on") && checked.stdout.contains("cfut_"),
        "{checked:?}"
    );

    let shown = &host.client.credentials().await.unwrap()[0];
    assert_eq!((shown.state, shown.kind.as_deref()), (CredentialState::Usable, Some("user")));
    assert_eq!(shown.expires_at.map(Timestamp::as_second), Some(soon.as_second()));
    assert_eq!(shown.reason.as_ref().unwrap().code, "expires-soon");
    let told = host.client.events(&[]).await.unwrap();
    assert_eq!(told.iter().filter(|event| event.kind == "credential-expires").count(), 1);
    host.adit(&["credential", "check"]).await;
    let told = host.client.events(&[]).await.unwrap();
    assert_eq!(told.iter().filter(|event| event.kind == "credential-expires").count(), 1, "it is told once");
    let metrics = host.metrics().await;
    assert!(
        metrics.contains(&format!("adit_credential_expires_timestamp_seconds{{account=\"sandbox\"}} {}", soon.as_second())),
        "{metrics}"
    );
}
