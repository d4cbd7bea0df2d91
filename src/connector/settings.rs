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
            stop_margin: Duration::from_secs(5),
        }
    }
}
