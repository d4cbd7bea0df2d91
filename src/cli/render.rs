//! From values to text: tables, JSON, ages. Everything here is pure.

mod detail;
mod json;
mod overview;
mod routes;
mod table;
mod time;

pub(super) use detail::detail;
pub(super) use json::{json, json_line};
pub(super) use overview::overview;
pub(super) use routes::routes;
pub(super) use table::{Cell, Table, cut};
pub(super) use time::{age, stamp};

use crate::control::api::{Level, RouteState, RouteVerdict, State, Verdict};
pub(super) use crate::foreign_text::plain;

/// Text of several lines, each harmless to a terminal, with a final newline.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", plain(line))).collect()
}

/// What the place that is printed to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether it shows colours.
    pub(super) colour: bool,
    /// Its width in columns, for a terminal; `None`, without end, for a file or a pipe, which also get times instead of ages.
    pub(super) width: Option<usize>,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing.
    Plain,
    /// It is well.
    Good,
    /// It wants to be looked at.
    Notice,
    /// It is bad.
    Bad,
    /// It is beside the point.
    Faint,
}

impl Tone {
    /// The colour of a state.
    pub(super) fn of_state(state: State) -> Self {
        match state {
            State::Ready => Self::Good,
            State::Stopped => Self::Faint,
            State::Draining | State::Starting | State::Pending | State::Degraded => Self::Notice,
            State::BackingOff | State::Quarantined | State::Blocked => Self::Bad,
        }
    }

    /// The colour of a route's state.
    pub(super) fn of_route(state: RouteState) -> Self {
        match state {
            RouteState::Live => Self::Good,
            RouteState::Off => Self::Faint,
            RouteState::Pending | RouteState::Orphaned => Self::Notice,
            RouteState::Conflict => Self::Bad,
        }
    }

    /// The colour of a verdict.
    pub(super) fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Healthy => Self::Good,
            Verdict::Attention => Self::Notice,
            Verdict::Failing => Self::Bad,
        }
    }

    /// The colour of a verdict over a route.
    pub(super) fn of_route_verdict(verdict: RouteVerdict) -> Self {
        match verdict {
            RouteVerdict::Healthy => Self::Good,
            RouteVerdict::Unknown => Self::Plain,
            RouteVerdict::Attention => Self::Notice,
            RouteVerdict::Failing => Self::Bad,
        }
    }

    /// The colour of an event's level.
    pub(super) fn of_level(level: Level) -> Self {
        match level {
            Level::Info => Self::Plain,
            Level::Warn => Self::Notice,
            Level::Error => Self::Bad,
        }
    }

    /// `text` in this tone.
    pub(super) fn paint(self, text: &str, look: Look) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Notice => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        };
        if look.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
