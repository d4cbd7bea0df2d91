//! Whether a configuration that Cloudflare took has reached the connectors.
//!
//! Cloudflare pushes it to them, and says nothing when that fails: a configuration that is put on a tunnel which Cloudflare lists as
//! locally configured never arrives at all. What counts is the version that the connectors report.

use jiff::{SignedDuration, Timestamp};

use super::{HoldCode, Planner};
use crate::{id::TunnelId, name::TunnelName, record::ConfigurationSource};

/// How long ready connectors may run an earlier version than Cloudflare took. The edge pushes within a second or two.
pub(super) const APPLIED_WITHIN: SignedDuration = SignedDuration::from_secs(60);

impl Planner<'_> {
    /// Says so when the ready connectors of a tunnel have not run what was written for too long.
    pub(super) fn check_applied(&mut self, name: &TunnelName, id: &TunnelId, written: i64) {
        let input = self.input;
        let (Some(since), Some(runs)) = (input.behind.get(name), self.reported.get(name)) else { return };
        let late_at = since.checked_add(APPLIED_WITHIN).unwrap_or(Timestamp::MAX);
        if input.now < late_at {
            return self.wake_at(late_at);
        }
        let listed = input.observed.tunnels.complete().and_then(|tunnels| tunnels.get(id));
        let next = match listed.and_then(|tunnel| tunnel.source) {
            Some(ConfigurationSource::Local) => {
                "Cloudflare lists the tunnel as locally configured, so it never sends one; set configuration = \"local\", or delete \
                 the tunnel there so that it is made again"
            }
            Some(ConfigurationSource::Remote) | None => "`adit tunnel restart` gives it connectors that ask for it anew",
        };
        let limit = APPLIED_WITHIN.as_secs();
        let why = format!(
            "Cloudflare took version {written} of its configuration, but for {limit} s its connectors run {runs}; {next}"
        );
        self.hold_tunnel(name, HoldCode::NotApplied, why);
    }
}
