//! What the view knows: pure data.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{layout, rates::Traffic, restarts::Restarts, rows};
use crate::{
    config::Pattern,
    control::api::{Event, LogLine, Replaced, Status, Tunnel, WhoAmI},
};

/// How many events are kept for the feed.
pub(super) const EVENTS_MAX: usize = 500;

/// How many lines are kept of the tunnel whose log is shown.
pub(super) const LINES_MAX: usize = 500;

/// Everything that the view knows.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// What the daemon told.
    pub(super) data: Data,
    /// What it had told when the view was paused, while it is.
    pub(super) frozen: Option<Box<Data>>,
    /// Only tunnels whose name is like this, if it was asked for.
    pub(super) scope: Option<Pattern>,
    /// Columns and lines of the terminal.
    pub(super) size: (u16, u16),
    /// The selected tunnel: by name, so that it stays selected when the order changes.
    pub(super) cursor: Option<String>,
    /// The pane that keys go to.
    pub(super) focus: Pane,
    /// The pane below the tunnels, where there is room for one.
    pub(super) below: Pane,
    /// The order of the tunnels.
    pub(super) sort: Sort,
    /// What tunnels have to contain to be shown.
    pub(super) filter: String,
    /// Whether keys are letters of the filter.
    pub(super) filtering: bool,
    /// How many lines the focused pane is scrolled: events and log away from the end, details away from the beginning.
    pub(super) scrolled: usize,
    /// What stands above everything.
    pub(super) dialog: Option<Dialog>,
    /// What the last key did, in one line.
    pub(super) notice: Option<String>,
}

/// What the daemon told.
#[derive(Debug, Clone)]
pub(super) struct Data {
    /// The time.
    pub(super) now: Timestamp,
    /// The last status and when it came.
    pub(super) status: Option<(Timestamp, Status)>,
    /// Why the daemon gives none, since when.
    pub(super) lost: Option<(Timestamp, String)>,
    /// Who the daemon takes the caller for.
    pub(super) who: Option<WhoAmI>,
    /// What connectors carry.
    pub(super) traffic: Traffic,
    /// The last events, oldest first.
    pub(super) events: VecDeque<Event>,
    /// Restarts of the last hour.
    pub(super) restarts: Restarts,
    /// The log of one tunnel.
    pub(super) log: Log,
}

/// The end of a tunnel's log.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// Whose.
    pub(super) tunnel: Option<String>,
    /// Its last lines, oldest first.
    pub(super) lines: VecDeque<LogLine>,
    /// Why it cannot be read, if it cannot.
    pub(super) refused: Option<String>,
}

/// A part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    /// The table of tunnels.
    Tunnels,
    /// Everything about the selected tunnel.
    Detail,
    /// What happened.
    Events,
    /// What the selected tunnel's connectors write.
    Log,
}

/// An order of the tunnels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// By name.
    Name,
    /// The worst state first.
    State,
    /// The most requests a second first.
    Requests,
    /// The most errors a second first.
    Errors,
    /// The most restarts first.
    Restarts,
}

/// What can be done to a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Its connectors are replaced by fresh ones.
    Restart,
    /// Its connectors are drained and stopped.
    Stop,
    /// An operator's stop ends.
    Start,
}

/// What stands above everything and is answered first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialog {
    /// What the keys do.
    Help,
    /// Whether it is meant.
    Confirm(Confirm),
    /// Something to be read: a title and lines.
    Told(String, Vec<String>),
}

/// Whether it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Confirm {
    /// What is to be done.
    pub(super) verb: Verb,
    /// To which tunnel.
    pub(super) tunnel: String,
    /// What it would cut.
    pub(super) cuts: Cuts,
    /// Whether it was confirmed and is under way.
    pub(super) sent: bool,
}

/// What a change would cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cuts {
    /// The daemon is being asked.
    Asked,
    /// These.
    Known(Vec<Replaced>),
    /// It cannot be told, and why.
    Unknown(String),
    /// Nothing.
    Nothing,
}

impl Model {
    /// A view of `size` that knows nothing yet.
    pub(super) fn new(now: Timestamp, size: (u16, u16), scope: Option<Pattern>) -> Self {
        let data = Data {
            now,
            status: None,
            lost: None,
            who: None,
            traffic: Traffic::default(),
            events: VecDeque::new(),
            restarts: Restarts::default(),
            log: Log::default(),
        };
        Self {
            data,
            frozen: None,
            scope,
            size,
            cursor: None,
            focus: Pane::Tunnels,
            below: Pane::Events,
            sort: Sort::Name,
            filter: String::new(),
            filtering: false,
            scrolled: 0,
            dialog: None,
            notice: None,
        }
    }

    /// What is shown: what is known, or while the view is paused what was known then.
    pub(super) fn shown(&self) -> &Data {
        self.frozen.as_deref().unwrap_or(&self.data)
    }

    /// The selected tunnel, if there is any.
    pub(super) fn selected(&self) -> Option<&Tunnel> {
        let name = self.cursor.as_deref()?;
        self.shown().tunnels().iter().find(|tunnel| tunnel.name == name)
    }

    /// Whether the tunnel of that name is one that was asked for.
    pub(super) fn is_in_scope(&self, tunnel: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.matches(tunnel))
    }

    /// Whose log is to be read: that of the selected tunnel, while it is shown.
    pub(super) fn wanted_log(&self) -> Option<&str> {
        if !layout::panes(self.size, self.focus, self.below).contains(&Pane::Log) {
            return None;
        }
        self.cursor.as_deref()
    }

    /// Keeps the cursor on a tunnel that is shown: on the one that it was on, or on the first.
    pub(super) fn keep_cursor(&mut self) {
        let rows = rows::rows(self);
        if !rows.iter().any(|row| Some(row.tunnel.name.as_str()) == self.cursor.as_deref()) {
            self.cursor = rows.first().map(|row| row.tunnel.name.clone());
        }
    }
}

impl Data {
    /// The tunnels, by name.
    pub(super) fn tunnels(&self) -> &[Tunnel] {
        self.status.as_ref().map_or(&[], |(_, status)| &status.tunnels)
    }
}

impl Sort {
    /// The order after this one.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Name => Self::State,
            Self::State => Self::Requests,
            Self::Requests => Self::Errors,
            Self::Errors => Self::Restarts,
            Self::Restarts => Self::Name,
        }
    }

    /// The order in a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Requests => "requests",
            Self::Errors => "errors",
            Self::Restarts => "restarts",
        }
    }
}

impl Verb {
    /// The verb as the command line has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
        }
    }
}
