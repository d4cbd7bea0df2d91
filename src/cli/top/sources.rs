//! Where the view's messages come from: one task each, which goes on over a restart of the daemon.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    model::{EVENTS_MAX, Verb},
    restarts::PERIOD,
    update::Message,
};
use crate::{
    cli::{Failure, follow::may_pass},
    control::{Client, Trouble, api::Followed},
};

/// How long to wait between two attempts to open a stream.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How many events are read at first, and after a break: the most that the daemon gives.
const EVENTS_READ: &str = "10000";

/// How long what the caller may is taken as known: it changes with the configuration.
const RIGHTS_AGE_MAX: Duration = Duration::from_secs(10);

/// How many lines of a log are read at first.
const LINES_READ: &str = "200";

/// A task that ends with whoever holds this.
pub(super) type Task = AbortOnDropHandle<()>;

type Messages = mpsc::Sender<Message>;

/// Begins everything that the view always needs.
pub(super) fn start(client: &Client, refresh: Duration, messages: &Messages) -> Vec<Task> {
    vec![
        task(statuses(client.clone(), refresh, messages.clone())),
        task(traffic(client.clone(), refresh, messages.clone())),
        task(events(client.clone(), messages.clone())),
    ]
}

/// Follows the log of a tunnel.
pub(super) fn follow_log(client: &Client, tunnel: String, messages: &Messages) -> Task {
    task(lines(client.clone(), tunnel, messages.clone()))
}

/// Asks what a change would cut.
pub(super) fn plan(client: &Client, tunnel: String, messages: &Messages) {
    let (client, messages) = (client.clone(), messages.clone());
    tokio::spawn(async move {
        let planned = client.plan_restart(&tunnel).await;
        let planned = planned.map(|plan| plan.replaces).map_err(first_line);
        let _ = messages.send(Message::Planned(tunnel, planned)).await;
    });
}

/// Asks the daemon for a change.
pub(super) fn act(client: &Client, verb: Verb, tunnel: String, messages: &Messages) {
    let (client, messages) = (client.clone(), messages.clone());
    tokio::spawn(async move {
        let changed = match verb {
            Verb::Restart => client.restart_tunnel(&tunnel).await,
            Verb::Stop => client.stop_tunnel(&tunnel).await,
            Verb::Start => client.start_tunnel(&tunnel).await,
        };
        let result = changed.map(|changed| changed.change).map_err(report);
        let _ = messages.send(Message::Done(verb, tunnel, result)).await;
    });
}

fn task(work: impl Future<Output = ()> + Send + 'static) -> Task {
    AbortOnDropHandle::new(tokio::spawn(work))
}

// A view that is gone takes no messages; its tasks are ended then, so that no result of `send` matters below.

async fn statuses(client: Client, refresh: Duration, messages: Messages) {
    let mut ticks = interval(refresh);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known_at: Option<Instant> = None;
    loop {
        ticks.tick().await;
        let message = match client.status().await {
            Ok(status) => Message::Status(Box::new(status)),
            Err(trouble) => {
                known_at = None;
                Message::Lost(first_line(trouble))
            }
        };
        let is_there = matches!(message, Message::Status(_));
        let _ = messages.send(message).await;
        if is_there
            && known_at.is_none_or(|at| at.elapsed() >= RIGHTS_AGE_MAX)
            && let Ok(who) = client.who_am_i().await
        {
            known_at = Some(Instant::now());
            let _ = messages.send(Message::Who(who)).await;
        }
    }
}

async fn traffic(client: Client, refresh: Duration, messages: Messages) {
    let mut ticks = interval(refresh);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // That the daemon does not answer is told by the status.
        let readings = client.traffic().await.unwrap_or_default();
        let _ = messages.send(Message::Traffic(readings)).await;
    }
}

async fn events(client: Client, messages: Messages) {
    let mut last = None;
    loop {
        let query = match last {
            Some(last) => [("limit", EVENTS_READ.to_owned()), ("since", u64::to_string(&last))],
            None => [("limit", EVENTS_READ.to_owned()), ("from", (Timestamp::now() - PERIOD).to_string())],
        };
        if let Ok(mut stream) = client.follow_events(&query).await {
            while let Ok(Some(event)) = stream.next().await {
                if let Followed::Item(event) = &event {
                    last = Some(event.id);
                }
                let _ = messages.send(Message::Event(event)).await;
            }
        }
        sleep(RETRY_AFTER).await;
    }
}

async fn lines(client: Client, tunnel: String, messages: Messages) {
    let mut last = None;
    loop {
        let since = last.map(|last| ("since", u64::to_string(&last)));
        let query: Vec<_> = [("lines", LINES_READ.to_owned())].into_iter().chain(since).collect();
        match client.follow_logs(&tunnel, &query).await {
            Ok(mut stream) => {
                while let Ok(Some(line)) = stream.next().await {
                    if let Followed::Item(line) = &line {
                        last = Some(line.id);
                    }
                    let _ = messages.send(Message::Line(tunnel.clone(), line)).await;
                }
            }
            Err(trouble) => {
                let is_final = !may_pass(&trouble);
                let _ = messages.send(Message::NoLog(tunnel.clone(), first_line(trouble))).await;
                if is_final {
                    return;
                }
            }
        }
        sleep(RETRY_AFTER).await;
    }
}

/// What the daemon said, with every problem and with what would help.
fn report(trouble: Trouble) -> Vec<String> {
    let report = Failure::from(trouble).report();
    report.trim_start_matches("adit: ").lines().map(str::to_owned).collect()
}

fn first_line(trouble: Trouble) -> String {
    report(trouble).into_iter().next().unwrap_or_default()
}

// The view keeps fewer events than are read: the rest are for the restarts of the last hour.
const _: () = assert!(EVENTS_MAX < 10_000);
