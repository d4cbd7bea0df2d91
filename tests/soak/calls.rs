//! Whether the daemon keeps to its share of the API.

use std::time::Duration;

use adit::sandbox::world::World;
use tokio::time::Instant;

/// The sustained rate and the burst of the default budget.
const PER_SECOND: f64 = 3.0;
const BURST: f64 = 30.0;

/// What Cloudflare grants, and in which time.
const GRANTED: usize = 1_200;
const WINDOW: Duration = Duration::from_secs(300);

/// Calls may be seen closer together than they were sent, by what the machine took to answer the first of them.
const JITTER: Duration = Duration::from_secs(2);

/// How long calls that were under way may still come in when the daemon was told to send none.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// The calls, as the sandbox saw them.
#[derive(Default)]
pub(crate) struct Calls {
    at: Vec<Instant>,
    read: u64,
    /// When the credential was told to be quiet, and until when.
    pauses: Vec<(Instant, Instant)>,
    violations: Vec<String>,
}

impl Calls {
    /// Takes in what came since the last time.
    pub(crate) fn read(&mut self, world: &World, retry_after: Duration) {
        let requests = world.requests();
        let fresh = (world.request_count() - self.read) as usize;
        for request in &requests[requests.len().saturating_sub(fresh)..] {
            if let Some((since, until)) =
                self.pauses.last().filter(|(since, until)| *since + UNDER_WAY < request.at && request.at < *until)
            {
                let (after, pause) = (request.at - *since, *until - *since);
                self.violations.push(format!("a call {after:.1?} after a 429 that wanted {pause:.1?} of quiet"));
            }
            if request.status == Some(429) {
                self.pauses.push((request.at, request.at + retry_after.saturating_sub(JITTER / 4)));
            }
            self.at.push(request.at);
        }
        self.read += fresh as u64;
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.at.len()
    }

    /// The most in any time of this length.
    pub(crate) fn most_within(&self, window: Duration) -> usize {
        let (mut first, mut most) = (0, 0);
        for (last, at) in self.at.iter().enumerate() {
            while self.at[first] + window < *at {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    /// What was more than it may be.
    pub(crate) fn too_many(&self) -> Vec<String> {
        let mut wrong = self.violations.clone();
        for window in [Duration::from_secs(10), Duration::from_secs(60), WINDOW] {
            let most = self.most_within(window);
            let allowed = PER_SECOND * (window + JITTER).as_secs_f64() + BURST;
            if most as f64 > allowed {
                wrong.push(format!("{most} calls within {} s, {allowed:.0} are in the budget", window.as_secs()));
            }
        }
        if self.most_within(WINDOW) > GRANTED {
            wrong.push("more calls than Cloudflare grants".to_owned());
        }
        wrong
    }
}
