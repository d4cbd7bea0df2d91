//! The kinds of events: each one's stable word, how loud it can be, what it is about and what it means.
//!
//! They stand here, below the configuration, because hooks choose among them by name. What [`crate::event`] makes of a happening is
//! one of these, so that an event of no kind does not compile; and the reference of events is made from this table. A kind that is
//! added needs its row in `event_kind/table.rs` and nothing else; `ADIT_UPDATE=1 cargo test --test events_reference` writes the
//! reference anew.

mod table;

use serde::{Deserialize, Serialize};

pub use self::table::EventKind;

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A reading that changes the status and nothing else; it never reaches the feed.
    Reading,
    /// What an operator caused or would notice.
    Info,
    /// Unusual, still working.
    Warn,
    /// Something was given up.
    Error,
}

/// What an event names as its subject, as a field of its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `tunnel`.
    Tunnel,
    /// `replica`.
    Replica,
    /// `generation`.
    Generation,
    /// `account`.
    Account,
}

/// Where the code of an event's reason comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasons {
    /// It has none.
    None,
    /// Why a connector is as it is.
    Connector,
    /// Why a connector was started again; none where it is no restart.
    Restart,
    /// Why a cloudflared cannot be used.
    Program,
    /// What a check of a route found.
    Check,
    /// Why something is held.
    Hold,
    /// What a step does.
    Step,
    /// How a pass ended.
    Pass,
    /// What an operator did.
    Verb,
    /// Which hook.
    Hook,
    /// One of these, each with its meaning.
    Words(&'static [(&'static str, &'static str)]),
}

impl Level {
    /// The stable word, as in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Field {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Replica => "replica",
            Self::Generation => "generation",
            Self::Account => "account",
        }
    }
}

impl EventKind {
    /// Whether it is ever told: a reading is not.
    pub fn is_told(self) -> bool {
        self.levels().iter().any(|level| *level != Level::Reading)
    }

    /// Whether hooks may be told of it: of what is told, but not of hooks themselves, which would go round in a circle.
    pub fn is_for_hooks(self) -> bool {
        self.reasons() != Reasons::Hook && self.is_told()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_word_is_used_once_and_each_kind_has_a_meaning_and_a_level() {
        let words: BTreeSet<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert!(kind.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{kind:?}");
            assert!(kind.meaning().ends_with('.') && !kind.levels().is_empty(), "{kind:?}");
        }
    }
}
