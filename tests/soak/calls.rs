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
    /// When the daemon stood still last, and since when it goes on.
    stood_still: Option<(Instant, Instant)>,
}

impl Calls {
    /// The daemon stood still from then on, and goes on now.
    pub(crate) fn goes_on(&mut self, stopped_at: Instant) {
        self.stood_still = Some((stopped_at, Instant::now()));
    }

    /// A daemon begins that its predecessor could not tell how long to be quiet.
    pub(crate) fn forget_pauses(&mut self) {
        self.pauses.clear();
    }

    /// Takes in what came since the last time, and says what was wrong with it.
    pub(crate) fn read(&mut self, world: &World, retry_after: Duration) -> Vec<String> {
        let mut violations = Vec::new();
        let requests = world.requests();
        let fresh = (world.request_count() - self.read) as usize;
        for request in &requests[requests.len().saturating_sub(fresh)..] {
            let pause = self.pauses.last().filter(|(since, until)| *since + UNDER_WAY < request.at && request.at < *until);
            if let Some((since, until)) = pause
                && !self.was_under_way(request.at)
            {
                let (after, pause) = (request.at - *since, *until - *since);
                violations.push(format!("a call {after:.1?} after a 429 that wanted {pause:.1?} of quiet"));
            }
            if request.status == Some(429) {
                self.pauses.push((request.at, request.at + retry_after.saturating_sub(JITTER / 4)));
            }
            self.at.push(request.at);
        }
        self.read += fresh as u64;
        violations
    }

    /// Whether a call may have been under way when the daemon stood still, and the answer that asked for quiet not yet been read.
    fn was_under_way(&self, at: Instant) -> bool {
        self.stood_still.is_some_and(|(stopped_at, goes_on_at)| stopped_at <= at && at < goes_on_at + UNDER_WAY)
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
        let mut wrong = Vec::new();
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
