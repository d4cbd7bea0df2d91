//! How far a pass is, and what went wrong in it. Pure.

use std::{collections::BTreeSet, time::Duration};

use super::{
    pass::Left,
    trouble::{self, Course, OUTAGES_MAX, REFUSED_WAIT, course},
};
use crate::{
    cloudflare::{Error, Kind},
    name::TunnelName,
    plan::{Hold, Step},
};

/// How far a pass is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) done: Vec<Step>,
    pub(super) left: Vec<Left>,
    /// Tunnels of which nothing more is tried in this pass.
    pub(super) failed: BTreeSet<TunnelName>,
    /// Tunnels that were made in this pass: nobody else can have written anything to them.
    pub(super) made: BTreeSet<TunnelName>,
    pub(super) error: Option<String>,
    ended: bool,
    pub(super) unread: bool,
    outages: u32,
    pub(super) pause: Option<Duration>,
    pub(super) refused: Option<String>,
    pub(super) missing: Option<String>,
    pub(super) has_answered: bool,
    /// What stood in the way of a step and holds its tunnel.
    pub(super) holds: Vec<Hold>,
}

impl Progress {
    /// Whether nothing more is asked in this pass.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Cloudflare answered as it should.
    pub(super) fn answered(&mut self) {
        self.outages = 0;
        self.has_answered = true;
    }

    /// A call failed.
    pub(super) fn fail(&mut self, error: &Error) {
        self.error.get_or_insert_with(|| trouble::with_causes(error));
        match course(error) {
            Course::Continue => self.outages = 0,
            Course::Outage => self.outages += 1,
            Course::End => self.ended = true,
        }
        self.ended |= self.outages >= OUTAGES_MAX;
        if error.kind() == Kind::RateLimited {
            self.pause = error.retry_after().or(Some(REFUSED_WAIT));
        }
        if error.kind() == Kind::NoToken {
            self.missing = Some(trouble::with_causes(error));
        }
        if trouble::is_refusal(error) {
            self.refused.get_or_insert_with(|| trouble::with_causes(error));
        }
    }

    /// A step is not done.
    pub(super) fn leave(&mut self, step: Step, why: impl Into<String>) {
        self.left.push(Left { step, why: why.into() });
    }
}
