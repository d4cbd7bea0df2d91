//! What is shown once, or with `--watch` again whenever it changes.
//!
//! ```text
//!  event stream ── something happened ─▶ a moment's pause (the rest of the burst) ─▶ ask ─▶ draw
//!  every second (terminal only): the same answer with its ages of now      every half minute: ask, for what no event tells
//! ```

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};

use super::{
    Context, Ending, Failure, Output,
    follow::{NEXT_DAEMON_TIME_MAX, may_pass, when_it_is_back},
    render::{Look, json_line, stamp},
};
use crate::{
    control::{
        Client, Follow, Trouble,
        api::{Event, Followed},
    },
    screen::{self, Ends, Page, Signals, stop_here},
};

/// Whether something is shown once or goes on.
#[derive(Debug, Clone, Args)]
pub(super) struct Watch {
    /// Show it again whenever something happens, until Ctrl-C. On a terminal it is drawn in place; into a file or a pipe every state
    /// is printed below a line with its time, and as JSON in a line of its own.
    #[arg(short, long)]
    watch: bool,
}

/// Something of the daemon's that can be shown.
pub(super) trait Picture {
    /// What the daemon answers.
    type Value: serde::Serialize + PartialEq;

    /// Asks for it.
    async fn ask(&self, client: &Client) -> Result<Self::Value, Trouble>;

    /// What a person sees of it.
    fn render(&self, value: &Self::Value, now: Timestamp, look: Look) -> String;

    /// How the command ends that shows it once.
    fn ending(&self, value: &Self::Value) -> Ending;
}

/// Shows it once, or as long as somebody watches.
pub(super) async fn show(picture: &impl Picture, watch: &Watch, context: &mut Context<'_>) -> Result<Ending, Failure> {
    if watch.watch {
        return live(picture, context).await;
    }
    let value = picture.ask(&context.client).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&value)?,
        Output::Table => {
            let text = picture.render(&value, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(picture.ending(&value))
}

/// How long is waited for the rest of what happens at once: it is the least time between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// How often is asked although nothing happened: for what Cloudflare says of a tunnel, of which no event tells.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// How often ages are shown anew on a terminal. The daemon is not asked for it.
const TICK: Duration = Duration::from_secs(1);

/// Shows it until a signal ends that, which is what a person does who has seen enough.
async fn live(picture: &impl Picture, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut ends = Ends::new()?;
    // Dropping it anywhere is fine: it has no effect but what it drew, and its screen gives itself back.
    tokio::select! {
        result = keep_showing(picture, context) => result,
        () = ends.next() => Ok(Ending::Fine),
    }
}

async fn keep_showing<P: Picture>(picture: &P, context: &mut Context<'_>) -> Result<Ending, Failure> {
    // Watching begins before the first answer is asked for, so that nothing comes between them.
    let (mut stream, mut value) = begin(picture, &context.client).await?;
    let mut canvas = Canvas::new(context)?;
    let mut alarms = Alarms::new(canvas.page.is_some())?;
    canvas.draw(picture, &value, "", context)?;
    loop {
        let mut is_away = false;
        match alarms.next(&mut stream).await {
            Wake::Age => context.terminal.measure(),
            Wake::Stop => {
                canvas.stop()?;
                context.terminal.measure();
            }
            Wake::Ask => match picture.ask(&context.client).await {
                Ok(seen) => value = seen,
                Err(trouble) if may_pass(&trouble) => is_away = true,
                Err(trouble) => return Err(trouble.into()),
            },
            Wake::Ended => is_away = true,
        }
        if is_away {
            canvas.draw(picture, &value, " · the daemon is away, waiting for the next one", context)?;
            let give_up_at = Instant::now() + NEXT_DAEMON_TIME_MAX;
            (stream, value) = when_it_is_back(give_up_at, async || begin(picture, &context.client).await).await?;
        }
        canvas.draw(picture, &value, "", context)?;
    }
}

/// Why something is drawn.
enum Wake {
    /// Only its age changed, or the size of the screen.
    Age,
    /// Ctrl-Z.
    Stop,
    /// Something may have changed.
    Ask,
    /// The daemon ended the stream.
    Ended,
}

/// What wakes a watcher.
struct Alarms {
    resized: Signal,
    signals: Signals,
    tick: Option<Interval>,
    ask_again: Interval,
}

impl Alarms {
    fn new(ages: bool) -> Result<Self, Failure> {
        let every = |period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval.reset();
            interval
        };
        let resized = signal(SignalKind::window_change())?;
        Ok(Self { resized, signals: Signals::new()?, tick: ages.then(|| every(TICK)), ask_again: every(ASK_AGAIN) })
    }

    async fn next(&mut self, stream: &mut Follow<Event>) -> Wake {
        let tick = async {
            match &mut self.tick {
                Some(tick) => tick.tick().await,
                None => std::future::pending().await,
            }
        };
        // Cancel-safe: a part of a message that came is kept in the stream, ticks and signals until they are received.
        tokio::select! {
            next = stream.next() => match happened(next) {
                true => self.rest_of_the_burst(stream).await,
                false => Wake::Ended,
            },
            _ = self.ask_again.tick() => Wake::Ask,
            _ = self.resized.recv() => Wake::Age,
            signal = self.signals.next() => match signal {
                screen::Signal::Stop => Wake::Stop,
                // Who waits for the end hears it as well.
                screen::Signal::Continue | screen::Signal::End => Wake::Age,
            },
            _ = tick => Wake::Age,
        }
    }

    async fn rest_of_the_burst(&mut self, stream: &mut Follow<Event>) -> Wake {
        self.ask_again.reset();
        let end = Instant::now() + PAUSE;
        while let Ok(next) = timeout(end.saturating_duration_since(Instant::now()), stream.next()).await {
            if !happened(next) {
                return Wake::Ended;
            }
        }
        Wake::Ask
    }
}

fn happened(next: Result<Option<Followed<Event>>, Trouble>) -> bool {
    matches!(next, Ok(Some(_)))
}

/// Begins to watch, and asks for the first time.
async fn begin<P: Picture>(picture: &P, client: &Client) -> Result<(Follow<Event>, P::Value), Trouble> {
    // Of what happened before nothing is wanted; one is the least that can be asked for.
    let stream = client.follow_events(&[("limit", "1".to_owned())]).await?;
    Ok((stream, picture.ask(client).await?))
}

/// Where it is drawn, and what was drawn there last.
struct Canvas {
    page: Option<Page>,
    last: String,
}

impl Canvas {
    fn new(context: &Context<'_>) -> Result<Self, Failure> {
        let draws = context.output == Output::Table && context.terminal.can_redraw();
        Ok(Self { page: draws.then(Page::open).transpose()?, last: String::new() })
    }

    /// Stops this process until somebody continues it, without keeping the screen meanwhile.
    fn stop(&self) -> Result<(), Failure> {
        match &self.page {
            Some(page) => Ok(page.stop()?),
            None => Ok(stop_here()?),
        }
    }

    fn draw<P: Picture>(&mut self, picture: &P, value: &P::Value, note: &str, context: &mut Context<'_>) -> Result<(), Failure> {
        let now = context.terminal.now();
        let look = context.terminal.look;
        let text = match context.output {
            Output::Json => json_line(value),
            Output::Table => picture.render(value, now, look),
        };
        if let Some(page) = &self.page {
            let foot = format!("{}{note} · Ctrl-C ends", stamp(now));
            return Ok(page.draw(&text, &foot, context.terminal.height())?);
        }
        // The same again would say nothing.
        if text == self.last {
            return Ok(());
        }
        match context.output {
            Output::Json => context.terminal.print(&text)?,
            Output::Table => context.terminal.print(&format!("--- {}\n{text}", stamp(now)))?,
        }
        self.last = text;
        Ok(())
    }
}
