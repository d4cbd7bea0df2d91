//! The live view: draws the scene, takes keys, lets the user break things and watch them heal.

use std::time::Duration;

use anyhow::Context;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{
    load::Load,
    say,
    scene::{Scene, VISITED, all_serve},
    view::{Shown, draw},
};
use crate::{
    control::api::Status,
    sandbox::switchboard::Command,
    screen::{Ability, Input, Screen, inputs},
};

/// How often the screen is drawn anew.
const FRAME: Duration = Duration::from_millis(200);

/// How many events the screen may show.
const EVENTS_MAX: u16 = 100;

/// Shows the scene until `q` is pressed or `duration` is over.
///
/// # Errors
///
/// Without a terminal, or when the scene cannot be set.
pub(super) async fn show(duration: Option<Duration>, ability: Ability) -> anyhow::Result<bool> {
    say("starting a sandbox Cloudflare, a daemon and three tunnels …");
    let mut scene = Scene::start().await?;
    let load = Load::start(scene.stage.front(), VISITED.map(str::to_owned).to_vec());
    let mut screen = Screen::open(ability).context("cannot use the terminal")?;
    let shown = Live { scene: &mut scene, load: &load, note: String::new(), crash: None }.run(&mut screen, duration).await;
    drop(screen);
    let tally = load.stop().await;
    say("draining every connector …");
    scene.stop().await?;
    say(&format!(
        "requests {} sent, planned-change failed {}, crash failed {}",
        tally.sent, tally.planned_failed, tally.crash_failed
    ));
    shown.map(|()| true)
}

struct Live<'a> {
    scene: &'a mut Scene,
    load: &'a Load,
    note: String,
    /// When a crash that was asked for began, until everything serves again.
    crash: Option<Instant>,
}

impl Live<'_> {
    async fn run(&mut self, screen: &mut Screen, duration: Option<Duration>) -> anyhow::Result<()> {
        let mut inputs = inputs();
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = duration.map(|duration| Instant::now() + duration);
        loop {
            tokio::select! {
                // Each is cancel-safe: a receive, a tick and a deadline lose nothing.
                input = inputs.recv() => match input {
                    Some(Input::Key(key)) => match character(key) {
                        Some('q') => return Ok(()),
                        Some(key) => self.press(key).await,
                        None => {}
                    },
                    // The next frame is drawn in the new size.
                    Some(Input::Resized(..)) => {}
                    None => return Ok(()),
                },
                _ = frames.tick() => self.draw(screen).await?,
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
            }
        }
    }

    async fn draw(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        let status = self.scene.client.status().await.map_err(|error| error.to_string());
        let events = self.scene.client.events(&[("limit", EVENTS_MAX.to_string())]).await.unwrap_or_default();
        self.note_the_end_of_a_crash(status.as_ref().ok());
        let places = self.scene.places();
        let shown = Shown {
            status: status.as_ref().map_err(String::as_str),
            events: &events,
            tally: self.load.tally(),
            places: &places,
            note: &self.note,
            api_fails: self.scene.api_fails(),
        };
        screen.draw(|frame| draw(frame, &shown)).context("cannot draw")?;
        Ok(())
    }

    fn note_the_end_of_a_crash(&mut self, status: Option<&Status>) {
        if status.is_some_and(all_serve)
            && let Some(begun) = self.crash.take_if(|begun| begun.elapsed() > FRAME)
        {
            self.load.crash_is_over();
            self.note = format!("everything serves again after {:.1} s", begun.elapsed().as_secs_f64());
        }
    }

    /// Does what a key says; what went wrong is the note.
    async fn press(&mut self, key: char) {
        let done = match key {
            'k' => self.kill().await,
            'h' => self.hang().await,
            'd' => self.delete_record(),
            'r' => self
                .scene
                .client
                .restart_tunnel("web")
                .await
                .map(|_| "web restarts, its successor first".to_owned())
                .map_err(Into::into),
            'c' => self.scene.move_app().await.map(|()| format!("app.example.com leads to \"{}\" now", self.scene.app_origin())),
            'a' => {
                self.scene.set_api_fails(!self.scene.api_fails());
                Ok(if self.scene.api_fails() { "the API answers 500" } else { "the API works again" }.to_owned())
            }
            _ => return,
        };
        self.note = done.unwrap_or_else(|error| format!("{error:#}"));
    }

    async fn kill(&mut self) -> anyhow::Result<String> {
        let (_, pid) = self.scene.connector("web", 0).await?;
        if self.crash.is_none() {
            self.load.crash_begins();
            self.crash = Some(Instant::now());
        }
        Scene::kill(pid)?;
        Ok(format!("killed the process {pid}"))
    }

    async fn hang(&mut self) -> anyhow::Result<String> {
        let (_, pid) = self.scene.connector("api", 0).await?;
        self.scene.stage.switchboard.command(pid, Command::Hang);
        Ok(format!("the process {pid} stops answering; three missed probes tell"))
    }

    fn delete_record(&mut self) -> anyhow::Result<String> {
        self.scene.stage.world.dashboard().delete_record("docs.example.com").context("cannot delete the record")?;
        Ok("somebody deleted docs.example.com in the dashboard".to_owned())
    }
}

/// The character of a key, if it has one. Ctrl-C is `q`.
fn character(key: KeyEvent) -> Option<char> {
    let KeyCode::Char(character) = key.code else { return None };
    Some(if key.modifiers.contains(KeyModifiers::CONTROL) && character == 'c' { 'q' } else { character })
}
