//! Whether each route leads anywhere: which checks are due, and what their results come to.
//!
//! ```text
//!  what is wanted ─▶ Planner ─▶ Question due ─▶ (the daemon goes and looks) ─▶ Outcome ─▶ Planner ─▶ Notice for each tunnel
//! ```
//!
//! A [`Question`] is asked once for all routes that share it: a hundred rules that lead to one server are one connection a period.
//! Nothing here does I/O or reads a clock. What is found is told and never a reason to restart a connector: it would not help.

mod allowance;
mod asking;
mod damping;
mod planner;
mod question;

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

pub use asking::Asking;
pub use planner::{Planner, Schedule, Wanted};
pub use question::{Place, Question};

use crate::{
    connector::Reason,
    name::{Hostname, TunnelName},
};

/// Which of a tunnel's routes: hostname and path as they are configured. No two rules of a tunnel have the same. Displayed as
/// `app.example.com`, `app.example.com ^/api`, or `*` for every hostname.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// The hostname; every hostname when `None`.
    pub hostname: Option<Hostname>,
    /// The regular expression for the path; every path when `None`.
    pub path: Option<String>,
}

impl fmt::Display for RouteKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.hostname.as_ref().map_or("*", Hostname::as_str))?;
        match &self.path {
            Some(path) => write!(formatter, " {path}"),
            None => Ok(()),
        }
    }
}

impl Serialize for RouteKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From where a route is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// At its origin, as a connector reaches it.
    Origin,
    /// Through its public hostname, as a visitor reaches it.
    Outside,
}

/// What asking once came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it is as it should be.
    pub answer: Answer,
    /// What was found: a code, and a sentence that reads after the name of what was asked.
    pub reason: Reason,
    /// How long it took.
    pub took: Duration,
}

/// Whether an answer is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Good,
    /// It is not, or there is none.
    Bad,
    /// There is no way there, as for a hostname whose record was just made.
    Missing,
    /// Nobody can tell: who knows the way does not say it.
    Untold,
}

/// What is known of a route from one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// Nothing: it was not checked yet, or too long ago.
    Unknown,
    /// It is as it should be.
    Up,
    /// It is not, more than once in a row.
    Down,
    /// It is not yet: its record was just made.
    Pending,
}

impl CheckState {
    /// The stable word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
            Self::Pending => "pending",
        }
    }
}

/// Something to tell of the routes of one tunnel that share a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The tunnel.
    pub tunnel: TunnelName,
    /// Its routes, at least one.
    pub routes: Vec<RouteKey>,
    /// From where they are checked.
    pub kind: CheckKind,
    /// What is asked, for a person: a service or a URL.
    pub asked: String,
    /// What happened.
    pub happening: Happening,
}

/// What happened to a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The routes are to be checked from here on.
    Began,
    /// A result that leaves the state as it was, or is the first one and good.
    Read(Finding),
    /// A result that turns the state over.
    Turned(Finding),
    /// The last result is too old to stand for anything.
    Expired,
    /// The routes are not checked any more.
    Ended,
}

/// A result and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is known from here on.
    pub state: CheckState,
    /// What this one asking found.
    pub outcome: Outcome,
    /// How long the result stands for something.
    pub fresh_for: Duration,
}
