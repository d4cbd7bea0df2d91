//! When to ask Cloudflare's edge whether it can be reached, and what it said last.
//!
//! It is asked only while some connector has no connection: a host on which all is well sends nothing. The answer only ever
//! releases; a network that lets no TCP through to the edge looks like one whose edge is silent, and must not be held by that.

use std::time::{Duration, Instant};

use rand::{RngExt, rngs::SmallRng};

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeAnswer {
    /// At least one address took a connection.
    Answers,
    /// None did in time; the text says of each why.
    Silent(String),
}

/// The longest wait before the first question, so that the start of a connector on a good network asks none.
const FIRST: Duration = Duration::from_secs(1);
/// Each wait is longer than the last by this factor.
const GROWTH: f64 = 1.5;
/// The longest wait while the end of an outage is waited for. All connectors are to serve five seconds after it, and a question may
/// have been on its way for two when it comes.
pub(super) const AWAITED_MAX: Duration = Duration::from_millis(1_500);
/// The longest wait for one connector that has never got through, while others have.
const ONE_OF_MANY_MAX: Duration = Duration::from_secs(15);
/// The longest wait while the edge answers and what is missing is the connectors' own affair.
const ANSWERED_MAX: Duration = Duration::from_secs(60);
/// How long an answer proves that the edge can be reached: a little more than the longest wait, jitter and time-out included.
const ANSWER_LIFE: Duration = Duration::from_secs(75);

/// How much the answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Every connector that should has a connection.
    None,
    /// A connector has never got through, while others have.
    Curious,
    /// A connector lost all of its connections, or none on the host has any.
    Urgent,
}

#[derive(Debug)]
pub(super) struct Edge {
    need: Need,
    next: Next,
    wait: Duration,
    answered_at: Option<Instant>,
    /// Why it was silent, when that was the last answer.
    silence: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Never,
    Due(Instant),
    /// A question is out; its answer, or its time-out, comes.
    Out,
}

impl Edge {
    pub(super) fn new() -> Self {
        Self { need: Need::None, next: Next::Never, wait: FIRST, answered_at: None, silence: None }
    }

    /// Takes in how much an answer is needed.
    pub(super) fn need(&mut self, need: Need, now: Instant, rng: &mut SmallRng) {
        let before = std::mem::replace(&mut self.need, need);
        match (before, need) {
            (_, Need::None) => {
                self.silence = None;
                self.wait = FIRST;
                if let Next::Due(_) = self.next {
                    self.next = Next::Never;
                }
            }
            (Need::None, Need::Curious | Need::Urgent) | (Need::Curious, Need::Urgent) => self.ask_soon(now, rng),
            (Need::Curious, Need::Curious) | (Need::Urgent, Need::Curious | Need::Urgent) => {}
        }
    }

    /// Something has changed: the next question comes soon, if one is needed at all.
    pub(super) fn hurry(&mut self, now: Instant, rng: &mut SmallRng) {
        match self.need {
            Need::None => {}
            Need::Curious | Need::Urgent => self.ask_soon(now, rng),
        }
    }

    fn ask_soon(&mut self, now: Instant, rng: &mut SmallRng) {
        self.wait = FIRST;
        let soon = now + jittered(FIRST, rng);
        self.next = match self.next {
            Next::Never => Next::Due(soon),
            Next::Due(at) => Next::Due(at.min(soon)),
            Next::Out => Next::Out,
        };
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self.next {
            Next::Due(at) => Some(at),
            Next::Never | Next::Out => None,
        }
    }

    /// Whether the edge is to be asked now.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|at| at <= now);
        if due {
            self.next = Next::Out;
        }
        due
    }

    pub(super) fn handle_answer(&mut self, answer: EdgeAnswer, now: Instant, rng: &mut SmallRng) {
        if self.next != Next::Out {
            return; // nobody asked
        }
        let longest = match (&answer, self.need) {
            (EdgeAnswer::Answers, _) => ANSWERED_MAX,
            (EdgeAnswer::Silent(_), Need::None | Need::Curious) => ONE_OF_MANY_MAX,
            (EdgeAnswer::Silent(_), Need::Urgent) => AWAITED_MAX,
        };
        self.wait = self.wait.min(longest);
        self.next = match self.need {
            Need::None => Next::Never,
            Need::Curious | Need::Urgent => Next::Due(now + jittered(self.wait, rng)),
        };
        self.wait = self.wait.mul_f64(GROWTH).min(longest);
        match answer {
            EdgeAnswer::Answers => (self.answered_at, self.silence) = (Some(now), None),
            EdgeAnswer::Silent(why) => self.silence = Some(why),
        }
    }

    /// What it answered so far says nothing about what is to come.
    pub(super) fn forget_answer(&mut self) {
        self.answered_at = None;
    }

    /// Until when the last answer proves that the edge can be reached; in the past, or `None`, when nothing does.
    pub(super) fn proved_until(&self) -> Option<Instant> {
        self.answered_at.map(|at| at + ANSWER_LIFE)
    }

    /// What the last question came to, when it got no answer.
    pub(super) fn silence(&self) -> Option<&str> {
        self.silence.as_deref()
    }
}

fn jittered(longest: Duration, rng: &mut SmallRng) -> Duration {
    rng.random_range(longest / 2..=longest)
}
