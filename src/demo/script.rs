//! `adit demo --plain`: a fixed script that breaks and changes things and waits until each has healed.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{
    load::{Load, Tally, visit_once},
    say,
    scene::{Scene, VISITED, find},
};
use crate::{control::api::State, sandbox::switchboard::Command};

/// How many requests the visitors must have sent for the figures to mean something.
const REQUESTS_MIN: u64 = 1_000;

/// Counts what healed.
#[derive(Default)]
struct Score {
    healed: u32,
    tried: u32,
}

/// Plays the script for at least `duration`.
///
/// # Errors
///
/// When the scene cannot be set.
pub(super) async fn play(duration: Duration) -> anyhow::Result<bool> {
    let begun = Instant::now();
    say("starting a sandbox Cloudflare, a daemon and three tunnels");
    let mut scene = Scene::start().await?;
    say(&format!("three tunnels serve after {}", seconds(begun)));
    for (label, text) in scene.places() {
        say(&format!("  {label:>8}  {text}"));
    }
    let load = Load::start(scene.stage.front(), VISITED.map(str::to_owned).to_vec());
    let mut score = Score::default();
    score.note("a route is added to docs over the socket", add_route(&mut scene).await);
    score.note("the service behind app.example.com changes in the file", change_route(&mut scene).await);
    score.note("an operator restarts web", restart(&mut scene).await);
    score.note("a connector of web is killed with SIGKILL", kill_connector(&mut scene, &load).await);
    score.note("the DNS record of docs.example.com is deleted in the dashboard", delete_record(&mut scene).await);
    score.note("a connector of api hangs", hang_connector(&mut scene).await);
    score.note("the API answers 500 for a while", fail_api(&mut scene).await);
    until_enough(&load, begun + duration).await;
    finish(scene, load, &score).await
}

impl Score {
    fn note(&mut self, what: &str, outcome: anyhow::Result<Duration>) {
        self.tried += 1;
        match outcome {
            Ok(healed_after) => {
                self.healed += 1;
                say(&format!("{what}: healed after {:.2} s", healed_after.as_secs_f64()));
            }
            Err(error) => say(&format!("{what}: NOT healed: {error:#}")),
        }
    }
}

async fn add_route(scene: &mut Scene) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let service = find(&scene.client.status().await?, "docs")
        .and_then(|tunnel| tunnel.routes.first().map(|route| route.service.clone()))
        .context("the tunnel docs has no route")?;
    scene.client.add_route("docs", &json!({ "hostname": "help.example.com", "service": service })).await?;
    scene
        .until("help.example.com answers", async |scene| {
            visit_once(scene.stage.front(), "help.example.com").await.is_ok_and(|name| name == "docs")
        })
        .await?;
    Ok(begun.elapsed())
}

async fn change_route(scene: &mut Scene) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    scene.move_app().await?;
    let wanted = scene.app_origin().to_owned();
    scene
        .until("the new origin answers", async |scene| {
            visit_once(scene.stage.front(), "app.example.com").await.is_ok_and(|name| name == wanted)
        })
        .await?;
    Ok(begun.elapsed())
}

async fn restart(scene: &mut Scene) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let before = [scene.connector("web", 0).await?.1, scene.connector("web", 1).await?.1];
    scene.client.restart_tunnel("web").await?;
    scene
        .until("both connectors of web are new and ready", async |scene| {
            let now = [ready_pid(scene, "web", 0).await, ready_pid(scene, "web", 1).await];
            now.iter().zip(before).all(|(now, before)| now.is_some_and(|now| now != before))
        })
        .await?;
    Ok(begun.elapsed())
}

async fn kill_connector(scene: &mut Scene, load: &Load) -> anyhow::Result<Duration> {
    let (_, pid) = scene.connector("web", 0).await?;
    load.crash_begins();
    let begun = Instant::now();
    Scene::kill(pid)?;
    let healed =
        scene.until("its successor is ready", async |scene| ready_pid(scene, "web", 0).await.is_some_and(|now| now != pid)).await;
    let healed_after = begun.elapsed();
    load.crash_is_over();
    healed.map(|()| healed_after)
}

async fn delete_record(scene: &mut Scene) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    scene.stage.world.dashboard().delete_record("docs.example.com").context("cannot delete the record")?;
    ensure!(visit_once(scene.stage.front(), "docs.example.com").await.is_err(), "docs.example.com answers without a record");
    scene
        .until("docs.example.com answers again", async |scene| visit_once(scene.stage.front(), "docs.example.com").await.is_ok())
        .await?;
    Ok(begun.elapsed())
}

async fn hang_connector(scene: &mut Scene) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let (_, pid) = scene.connector("api", 0).await?;
    ensure!(scene.stage.switchboard.command(pid, Command::Hang), "the connector {pid} is not at the switchboard");
    scene.until("its successor is ready", async |scene| ready_pid(scene, "api", 0).await.is_some_and(|now| now != pid)).await?;
    Ok(begun.elapsed())
}

async fn fail_api(scene: &mut Scene) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    scene.set_api_fails(true);
    let noticed = scene
        .until("the status says that the API fails", async |scene| {
            scene
                .client
                .status()
                .await
                .is_ok_and(|status| status.overview.accounts.iter().any(|account| !account.holds.is_empty()))
        })
        .await;
    let serving =
        scene.client.status().await.is_ok_and(|status| status.tunnels.iter().all(|tunnel| tunnel.state == State::Ready));
    scene.set_api_fails(false);
    noticed?;
    ensure!(serving, "a tunnel stopped serving while the API failed");
    scene
        .until("the status says that the API works again", async |scene| {
            scene
                .client
                .status()
                .await
                .is_ok_and(|status| status.overview.accounts.iter().all(|account| account.holds.is_empty()))
        })
        .await?;
    Ok(begun.elapsed())
}

/// Goes on until the time is over and enough requests were sent.
async fn until_enough(load: &Load, end: Instant) {
    sleep_until(end).await;
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let deadline = Instant::now() + Duration::from_secs(30);
    while load.tally().sent < REQUESTS_MIN && Instant::now() < deadline {
        looks.tick().await;
    }
}

async fn finish(scene: Scene, load: Load, score: &Score) -> anyhow::Result<bool> {
    let first_failure = load.first_failure();
    let Tally { sent, planned_failed, crash_failed, at_stake, .. } = load.stop().await;
    scene.stop().await?;
    if let Some(failure) = first_failure {
        say(&format!("the first request that a planned change lost: {failure}"));
    }
    let Score { healed, tried } = score;
    say(&format!(
        "healed {healed} of {tried}, requests {sent} sent, planned-change failed {planned_failed}, crash failed {crash_failed}"
    ));
    let good = healed == tried && planned_failed == 0 && sent >= REQUESTS_MIN && crash_failed <= at_stake;
    Ok(good)
}

async fn ready_pid(scene: &Scene, tunnel: &str, replica: u8) -> Option<u32> {
    let (connector, pid) = scene.connector(tunnel, replica).await.ok()?;
    (connector.state == State::Ready).then_some(pid)
}

fn seconds(since: Instant) -> String {
    format!("{:.2} s", since.elapsed().as_secs_f64())
}
