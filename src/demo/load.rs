//! Visitors: a steady stream of requests through the public front, counted so that a lost one cannot hide.
//!
//! A request that fails is put down to a crash only if a crash was going on at some time while it was under way; every other
//! failure counts against the planned changes. No request is ever sent twice.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1::SendRequest, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// How many visitors ask at the same time.
const VISITORS: usize = 12;

/// How long each waits between two questions: with [`VISITORS`] that is 150 requests a second at most.
const PAUSE: Duration = Duration::from_millis(80);

/// Every this many requests a visitor asks for something slow, so that there is always something under way.
const SLOW_EVERY: u64 = 4;

/// How long the slow ones take at the origin, in milliseconds.
const SLOW_MS: u64 = 150;

/// How long a visitor waits for an answer before the request counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of the requests so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Failed while no crash was going on.
    pub planned_failed: u64,
    /// Failed while a crash was going on.
    pub crash_failed: u64,
    /// Sent and not answered yet.
    pub in_flight: u64,
    /// How many were under way at the kills, summed up: more than these no crash may cost.
    pub at_stake: u64,
}

/// The stream of requests. It ends when [`Load::stop`] is called.
pub(super) struct Load {
    shared: Arc<Shared>,
    visitors: JoinSet<()>,
}

struct Shared {
    front: SocketAddr,
    hosts: Vec<String>,
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    /// How many crashes began so far, and how many of them are over.
    crashes_begun: u64,
    crashes_over: u64,
    first_failure: Option<String>,
}

impl Load {
    /// Starts asking for each of `hosts` in turn at `front`.
    pub(super) fn start(front: SocketAddr, hosts: Vec<String>) -> Self {
        let shared = Arc::new(Shared { front, hosts, stop: AtomicBool::new(false), state: Mutex::default() });
        let mut visitors = JoinSet::new();
        for visitor in 0..VISITORS {
            visitors.spawn(visit(shared.clone(), visitor));
        }
        Self { shared, visitors }
    }

    /// What became of the requests so far.
    pub(super) fn tally(&self) -> Tally {
        self.shared.state().tally
    }

    /// How the first request that failed without a crash failed.
    pub(super) fn first_failure(&self) -> Option<String> {
        self.shared.state().first_failure.clone()
    }

    /// A crash begins now: what is under way may be lost.
    pub(super) fn crash_begins(&self) {
        let mut state = self.shared.state();
        state.crashes_begun += 1;
        state.tally.at_stake += state.tally.in_flight;
    }

    /// The crash is over: from here on nothing may be lost.
    pub(super) fn crash_is_over(&self) {
        self.shared.state().crashes_over += 1;
    }

    /// Lets every request that is under way end, and ends.
    pub(super) async fn stop(mut self) -> Tally {
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.visitors.join_next().await.is_some() {}
        self.shared.state().tally
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request goes out; the answer is how many crashes were over at that time.
    fn sent(&self) -> u64 {
        let mut state = self.state();
        state.tally.sent += 1;
        state.tally.in_flight += 1;
        state.crashes_over
    }

    fn ended(&self, crashes_over_when_sent: u64, outcome: Result<(), String>) {
        let mut state = self.state();
        state.tally.in_flight -= 1;
        let Err(failure) = outcome else { return };
        if state.crashes_begun > crashes_over_when_sent {
            state.tally.crash_failed += 1;
        } else {
            state.tally.planned_failed += 1;
            state.first_failure.get_or_insert(failure);
        }
    }
}

/// Asks `host` once, outside of the stream and its counts, and gives the name of the origin that answered.
pub(super) async fn visit_once(front: SocketAddr, host: &str) -> Result<String, String> {
    let mut connection = None;
    let asked = ask(&mut connection, front, host, "/");
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

async fn visit(shared: Arc<Shared>, visitor: usize) {
    let mut pauses = interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    let mut turn = visitor as u64;
    while !shared.stop.load(Ordering::Relaxed) {
        pauses.tick().await;
        turn += 1;
        let index = usize::try_from(turn).unwrap_or(0) % shared.hosts.len();
        let path = if turn.is_multiple_of(SLOW_EVERY) { format!("/?ms={SLOW_MS}") } else { "/".to_owned() };
        let crashes_over = shared.sent();
        let asked = timeout(PATIENCE, ask(&mut connection, shared.front, &shared.hosts[index], &path));
        let outcome = asked
            .await
            .map(|answered| answered.map(drop))
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        if outcome.is_err() {
            connection = None;
        }
        shared.ended(crashes_over, outcome);
    }
}

type Connection = Option<SendRequest<Empty<Bytes>>>;

/// One request, never repeated: the body of an answer that is a success, and what went wrong of any other.
async fn ask(connection: &mut Connection, front: SocketAddr, host: &str, path: &str) -> Result<String, String> {
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        *connection = Some(connect(front).await.map_err(|error| format!("cannot reach the front: {error}"))?);
    }
    let sender = connection.as_mut().expect("it was just made");
    let request = Request::get(path).header(HOST, host).body(Empty::new()).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| format!("{host}: {error}"))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| format!("{host}: body cut off: {error}"))?;
    let text = String::from_utf8_lossy(&body.to_bytes()).trim().to_owned();
    if status.is_success() { Ok(text) } else { Err(format!("{host}: {status} {text}")) }
}

async fn connect(front: SocketAddr) -> anyhow::Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(front).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared { front: ([127, 0, 0, 1], 0).into(), hosts: Vec::new(), stop: AtomicBool::new(false), state: Mutex::default() }
    }

    fn load() -> Load {
        Load { shared: Arc::new(shared()), visitors: JoinSet::new() }
    }

    #[test]
    fn a_failure_outside_every_crash_counts_against_planned_changes() {
        let load = load();
        load.crash_begins();
        load.crash_is_over();
        let sent = load.shared.sent();
        load.shared.ended(sent, Err("503".to_owned()));
        assert_eq!(load.tally(), Tally { sent: 1, planned_failed: 1, ..Tally::default() });
        assert_eq!(load.first_failure().as_deref(), Some("503"));
    }

    #[test]
    fn a_failure_of_a_request_that_a_crash_met_counts_as_crash() {
        let load = load();
        let before = load.shared.sent();
        load.crash_begins();
        let during = load.shared.sent();
        load.shared.ended(before, Err("502".to_owned()));
        load.crash_is_over();
        load.shared.ended(during, Err("502".to_owned()));
        assert_eq!(load.tally(), Tally { sent: 2, crash_failed: 2, at_stake: 1, ..Tally::default() });
    }
}
