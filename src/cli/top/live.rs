//! The loop: takes what happens, has the model changed, does what is to be done, draws.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    model::Model,
    sources::{self, Task},
    update::{Effect, Message, update},
    view,
};
use crate::{
    cli::{Ending, Failure},
    control::Client,
    screen::{Input, Screen, Signal, Signals, inputs, stop_here},
};

/// The shortest time between two frames: a flood of lines is drawn twenty times a second and no more often.
const FRAME: Duration = Duration::from_millis(50);

/// How many messages may wait: whoever sends more waits, and the daemon's streams with them.
const MESSAGES_MAX: usize = 256;

/// The view while it is shown.
pub(super) struct Live {
    client: Client,
    model: Model,
    screen: Screen,
    signals: Signals,
    inputs: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    clock: Interval,
    /// When the next frame is due, if something changed.
    frame_at: Option<Instant>,
    drawn_at: Instant,
    // They end with the view.
    _sources: Vec<Task>,
    log: Option<Task>,
}

impl Live {
    /// Begins with `model`; the screen is taken already.
    pub(super) fn start(client: Client, refresh: Duration, model: Model, screen: Screen) -> Result<Self, Failure> {
        let signals = Signals::new()?;
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let sources = sources::start(&client, refresh, &sender);
        let mut clock = interval(refresh);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = Instant::now();
        Ok(Self {
            client,
            model,
            screen,
            signals,
            inputs: inputs(),
            sender,
            messages,
            clock,
            frame_at: Some(now),
            drawn_at: now,
            _sources: sources,
            log: None,
        })
    }

    /// Shows it until somebody ends it.
    pub(super) async fn run(mut self) -> Result<Ending, Failure> {
        loop {
            let frame_at = self.frame_at;
            let go_on = tokio::select! {
                // Each is cancel-safe: receives, a tick and a deadline lose nothing.
                input = self.inputs.recv() => match input {
                    Some(Input::Key(key)) => self.take(Message::Key(key))?,
                    Some(Input::Resized(columns, lines)) => self.take(Message::Resized(columns, lines))?,
                    None => false,
                },
                signal = self.signals.next() => match signal {
                    Signal::End => false,
                    Signal::Stop => self.stop()?,
                    Signal::Continue => self.take_again()?,
                },
                Some(message) = self.messages.recv() => self.take(message)?,
                _ = self.clock.tick() => self.take(Message::Clock(Timestamp::now()))?,
                () = sleep_until(frame_at.unwrap_or_else(Instant::now)), if frame_at.is_some() => self.draw()?,
            };
            if !go_on {
                return Ok(Ending::Fine);
            }
        }
    }

    /// Takes a message in. `false`: that was the last one.
    fn take(&mut self, message: Message) -> Result<bool, Failure> {
        let effects = update(&mut self.model, message);
        self.frame_at.get_or_insert(self.drawn_at + FRAME);
        for effect in effects {
            match effect {
                Effect::Plan(tunnel) => sources::plan(&self.client, tunnel, &self.sender),
                Effect::Do(verb, tunnel) => sources::act(&self.client, verb, tunnel, &self.sender),
                Effect::FollowLog(tunnel) => {
                    // The former one ends with its handle.
                    self.log = tunnel.map(|tunnel| sources::follow_log(&self.client, tunnel, &self.sender));
                }
                Effect::Stop => return self.stop(),
                Effect::Redraw => return self.take_again(),
                Effect::Quit => return Ok(false),
            }
        }
        Ok(true)
    }

    fn draw(&mut self) -> Result<bool, Failure> {
        let model = &self.model;
        self.screen.draw(|frame| view::draw(frame, model))?;
        (self.frame_at, self.drawn_at) = (None, Instant::now());
        Ok(true)
    }

    /// Gives the terminal back and stops; goes on when somebody continues this process.
    fn stop(&mut self) -> Result<bool, Failure> {
        self.screen.leave();
        stop_here()?;
        self.take_again()
    }

    fn take_again(&mut self) -> Result<bool, Failure> {
        self.screen.take_again()?;
        // The terminal may have been resized meanwhile.
        let (columns, lines) = self.screen.size()?;
        self.model.size = (columns, lines);
        self.frame_at = Some(Instant::now());
        Ok(true)
    }
}
