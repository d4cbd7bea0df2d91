//! What a host has found out about QUIC: whether it gets through, and when to see again.
//!
//! Where UDP is blocked cloudflared takes 138 to 146 s until it tries HTTP/2, at every start, and then never tries QUIC again
//! (`facts/cloudflared.md` 7.3). The connectors of a host share its network, so one of them finds out for all: the others begin
//! with HTTP/2. Later one of them gets a successor over QUIC beside itself, and when that one gets ready, all go back.

use std::time::{Duration, Instant};

use rand::{RngExt, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use super::{Launch, Settings};

/// What Adit makes of `auto` when it starts a process. It is no part of what is wanted: two processes that differ in this alone were
/// started by the same launch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// cloudflared is told what the configuration says.
    #[default]
    AsConfigured,
    /// HTTP/2, as QUIC does not get through.
    Http2,
    /// QUIC alone, to see whether it gets through again.
    Quic,
}

impl Launch {
    /// Whether the operator leaves it to Adit how the connector talks to the edge. What is fixed in any way is never overridden.
    pub fn leaves_transport_open(&self) -> bool {
        self.protocol == "auto"
            && !self.extra_args.iter().any(|argument| argument.trim_start_matches('-').split('=').next() == Some("protocol"))
            && !self.env.contains_key("TUNNEL_TRANSPORT_PROTOCOL")
    }
}

/// What the connectors of this host begin with, where the configuration leaves it open.
#[derive(Debug)]
pub struct HostTransport {
    first_wait: Duration,
    wait_max: Duration,
    fallback: Option<Fallback>,
    /// While everything is lost: when another connector may see whether HTTP/2 gets through.
    attempt_at: Option<Instant>,
    attempt_wait: Duration,
}

/// QUIC does not get through.
#[derive(Debug)]
struct Fallback {
    /// No connector of this host used QUIC when it was found out, so that it holds for all of them.
    holds_for_all: bool,
    /// How long it is left alone after a trial that failed.
    wait: Duration,
    trial_at: Instant,
}

impl HostTransport {
    /// Nothing has been found out.
    pub fn new(settings: &Settings) -> Self {
        Self {
            first_wait: settings.trial_wait_min,
            wait_max: settings.trial_wait_max,
            fallback: None,
            attempt_at: None,
            attempt_wait: ATTEMPT_WAIT_MIN,
        }
    }

    /// What a connector begins with.
    pub fn begin_with(&self) -> Transport {
        match &self.fallback {
            Some(Fallback { holds_for_all: true, .. }) => Transport::Http2,
            Some(Fallback { holds_for_all: false, .. }) | None => Transport::AsConfigured,
        }
    }

    /// QUIC does not get through for a connector. `quic_works` tells that another is connected over it at this moment: then
    /// the trouble is that connector's own.
    pub fn handle_blocked(&mut self, quic_works: bool, rng: &mut SmallRng, now: Instant) {
        let wait = self.first_wait;
        let fallback =
            self.fallback.get_or_insert_with(|| Fallback { holds_for_all: false, wait, trial_at: jittered(wait, rng, now) });
        fallback.holds_for_all |= !quic_works;
    }

    /// The trial has shown that QUIC does not get through yet.
    pub fn handle_trial_failed(&mut self, rng: &mut SmallRng, now: Instant) {
        let first_wait = self.first_wait;
        let fallback = self.fallback.get_or_insert(Fallback { holds_for_all: false, wait: first_wait, trial_at: now });
        fallback.wait = (fallback.wait * 2).min(self.wait_max);
        fallback.trial_at = jittered(fallback.wait, rng, now);
    }

    /// A trial got ready over QUIC.
    pub fn handle_trial_succeeded(&mut self) {
        self.fallback = None;
    }

    /// Whether a connector that lost the edge may see whether HTTP/2 gets through. In an outage nothing does, and every connector
    /// would try: one tells for all.
    pub fn may_attempt_http2(&self, now: Instant) -> bool {
        self.attempt_at.is_none_or(|at| at <= now)
    }

    /// From when on one may, unless something happens before.
    pub fn http2_attempt_at(&self) -> Option<Instant> {
        self.attempt_at
    }

    /// HTTP/2 did not get through either.
    pub fn handle_http2_failed(&mut self, now: Instant) {
        self.attempt_at = Some(now + self.attempt_wait);
        self.attempt_wait = (self.attempt_wait * 2).min(ATTEMPT_WAIT_MAX);
    }

    /// Some connector is connected: whatever HTTP/2 failed for is over.
    pub fn handle_connected(&mut self) {
        (self.attempt_at, self.attempt_wait) = (None, ATTEMPT_WAIT_MIN);
    }

    /// When a trial is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.fallback.as_ref().map(|fallback| fallback.trial_at)
    }

    /// Whether a trial is due. The next is due later, whether anybody can make this one or not.
    pub fn take_trial(&mut self, rng: &mut SmallRng, now: Instant) -> bool {
        let Some(fallback) = self.fallback.as_mut().filter(|fallback| fallback.trial_at <= now) else { return false };
        fallback.trial_at = jittered(fallback.wait, rng, now);
        true
    }
}

/// After an attempt over HTTP/2 that failed, the next waits so long.
const ATTEMPT_WAIT_MIN: Duration = Duration::from_secs(60);
/// Each that fails doubles the wait, up to this.
const ATTEMPT_WAIT_MAX: Duration = Duration::from_secs(16 * 60);

/// Hosts that found out together do not try together.
fn jittered(wait: Duration, rng: &mut SmallRng, now: Instant) -> Instant {
    now + wait.mul_f64(rng.random_range(0.8..=1.2))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::SeedableRng;

    use super::*;
    use crate::connector::testing::{launch, start_of_time};

    fn host() -> (HostTransport, SmallRng, Instant) {
        (HostTransport::new(&Settings::default()), SmallRng::seed_from_u64(1), start_of_time())
    }

    #[test]
    fn what_one_connector_finds_out_holds_for_all() {
        let (mut host, mut rng, now) = host();
        assert_eq!((host.begin_with(), host.poll_timeout()), (Transport::AsConfigured, None));
        host.handle_blocked(false, &mut rng, now);
        assert_eq!(host.begin_with(), Transport::Http2);
        host.handle_trial_succeeded();
        assert_eq!((host.begin_with(), host.poll_timeout()), (Transport::AsConfigured, None));
    }

    #[test]
    fn a_connector_that_is_blocked_while_others_use_quic_is_alone_with_it() {
        let (mut host, mut rng, now) = host();
        host.handle_blocked(true, &mut rng, now);
        assert_eq!(host.begin_with(), Transport::AsConfigured);
        assert!(host.poll_timeout().is_some(), "QUIC is tried again for it all the same");
        host.handle_blocked(false, &mut rng, now);
        assert_eq!(host.begin_with(), Transport::Http2);
    }

    #[test]
    fn trials_come_after_half_an_hour_and_then_more_and_more_seldom() {
        let (mut host, mut rng, mut now) = host();
        host.handle_blocked(false, &mut rng, now);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let due = host.poll_timeout().unwrap();
            assert!(!host.take_trial(&mut rng, due - Duration::from_secs(1)));
            waits.push((due - now).as_secs_f64() / 60.0);
            now = due;
            assert!(host.take_trial(&mut rng, now) && !host.take_trial(&mut rng, now));
            host.handle_trial_failed(&mut rng, now);
        }
        for (wait, minutes) in waits.iter().zip([30.0, 60.0, 120.0, 240.0, 240.0, 240.0]) {
            assert!((minutes * 0.8..=minutes * 1.2).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn in_an_outage_http2_is_tried_more_and_more_seldom() {
        let (mut host, _, mut now) = host();
        for minutes in [1, 2, 4, 8, 16, 16] {
            assert!(host.may_attempt_http2(now));
            host.handle_http2_failed(now);
            now += Duration::from_secs(minutes * 60);
            assert!(!host.may_attempt_http2(now - Duration::from_secs(1)), "after {minutes} min");
        }
        host.handle_http2_failed(now);
        host.handle_connected();
        assert!(host.may_attempt_http2(now));
    }

    #[test]
    fn whatever_an_operator_fixes_is_not_left_open() {
        assert!(launch().leaves_transport_open());
        let fixed: [fn(&mut Launch); 4] = [
            |launch| launch.protocol = "quic".into(),
            |launch| launch.extra_args = ["--protocol".into(), "quic".into()].into(),
            |launch| launch.extra_args = ["--protocol=quic".into()].into(),
            |launch| drop(Arc::make_mut(&mut launch.env).insert("TUNNEL_TRANSPORT_PROTOCOL".into(), "quic".into())),
        ];
        for fix in fixed {
            let mut launch = launch();
            fix(&mut launch);
            assert!(!launch.leaves_transport_open(), "{launch:?}");
        }
    }
}
