//! The times that the machine goes by.

use std::time::Duration;

/// How long a slot waits for what. The defaults are the design's; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A process whose metrics server has not answered once by then is given up. DNS that never answers opens it after 30 s.
    pub start_deadline: Duration,
    /// A successor must stay ready for this long before it takes over.
    pub healthy_min: Duration,
    /// A successor that has not taken over by then is given up, and the old generation stays. cloudflared needs up to 146 s until
    /// it tries HTTP/2 where UDP is blocked, and must not be taken for broken before.
    pub successor_deadline: Duration,
    /// How long a replacement that failed waits until it is tried again, when nothing changes meanwhile.
    pub successor_retry: Duration,
    /// The wait between two probes of a connector with all of its connections, before jitter.
    pub probe_interval: Duration,
    /// How many probes in a row must be missed until a process counts as hung.
    pub misses_max: u8,
    /// How old a reading of the configuration version may get before a probe asks for it again.
    pub version_age_max: Duration,
    /// How long a blocked slot waits when nothing changes.
    pub blocked_retry: Duration,
    /// A process that lost its last connection is left to itself for so long while others are connected: cloudflared needs up to
    /// 30 s for a way back of its own.
    pub lost_max: Duration,
    /// The same for one that never had any. Under `auto` cloudflared may need 4 min for its first.
    pub unready_max: Duration,
    /// A process whose transport was chosen by Adit must have a connection by then. Both take seconds where they get through, and
    /// slow DNS 30 s.
    pub transport_deadline: Duration,
    /// How long HTTP/2 is not chosen again after it did not help either.
    pub http2_bar: Duration,
    /// When QUIC is tried again for the first time after it did not get through; each trial that fails doubles the wait.
    pub trial_wait_min: Duration,
    /// The longest wait between two trials.
    pub trial_wait_max: Duration,
    /// A process without steady connections may use up a processor for so long.
    pub burning_max: Duration,
    /// The pause after a replacement for that cause; each one doubles it.
    pub burn_pause: Duration,
    /// What a stopping process gets on top of its grace period. cloudflared's start-up loop alone ignores SIGTERM for 3 s.
    pub stop_margin: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start_deadline: Duration::from_secs(60),
            healthy_min: Duration::from_secs(2),
            successor_deadline: Duration::from_secs(180),
            successor_retry: Duration::from_secs(300),
            probe_interval: Duration::from_secs(5),
            misses_max: 3,
            version_age_max: Duration::from_secs(60),
            blocked_retry: Duration::from_secs(300),
            lost_max: Duration::from_secs(45),
            unready_max: Duration::from_secs(240),
            transport_deadline: Duration::from_secs(60),
            http2_bar: Duration::from_secs(600),
            trial_wait_min: Duration::from_secs(30 * 60),
            trial_wait_max: Duration::from_secs(4 * 60 * 60),
            burning_max: Duration::from_secs(30),
            burn_pause: Duration::from_secs(600),
            stop_margin: Duration::from_secs(5),
        }
    }
}
