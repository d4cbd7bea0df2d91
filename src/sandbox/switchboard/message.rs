//! What the switchboard and a stand-in say to each other.

use serde::{Deserialize, Serialize};

use crate::id::{ConnectorId, TunnelId};

/// The longest line in bytes. The longest that is sent holds a panic's text.
pub(in crate::sandbox) const LINE_BYTES_MAX: u64 = 64 * 1024;

/// A stand-in's first and only line.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct Hello {
    pub(in crate::sandbox) tunnel: TunnelId,
    pub(in crate::sandbox) connector: ConnectorId,
    pub(in crate::sandbox) pid: u32,
}

/// A line of the switchboard.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Order {
    Switches(Switches),
    Command(Command),
}

/// How a stand-in behaves. The default is cloudflared's own behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// The metrics server accepts and never answers, while the process lives and carries requests.
    pub hang: bool,
    /// It opens no connection to the edge: `/ready` stays at 503.
    pub never_ready: bool,
    /// SIGTERM and SIGINT do nothing.
    pub ignore_sigterm: bool,
    /// At its start it calls its token invalid and exits with 255.
    pub refuse_token: bool,
    /// At its start it finds the port of its metrics server taken and exits with 1.
    pub metrics_port_taken: bool,
    /// At its start it crashes at once.
    pub crash_at_start: Option<Crash>,
    /// It waits this many milliseconds before it does anything, a signal handler included.
    pub slow_start_ms: u64,
    /// It holds this many bytes of memory.
    pub eat_memory_bytes: usize,
    /// With `--output json` the lines on its standard error interleave, as cloudflared's do at times.
    pub torn_lines: bool,
    /// How the look-up of the edge's addresses goes. Read once, at the start.
    pub dns: Dns,
    /// Everything that it sends to the edge and gets from it is lost, and nobody is told. "quic" notices after 6 s; "http2" does
    /// after 146 s, for which `/ready` stays at 200.
    pub dead_path: bool,
    /// What stands behind its page of metrics, as it is.
    pub more_metrics: String,
    /// What cloudflared's own waits are multiplied by: back-off, dial time-outs (down to a least that a busy
    /// machine keeps), the second between two connections. The grace
    /// period is the operator's and stays as it is. Read once, at the start.
    pub time_scale: f64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            hang: false,
            never_ready: false,
            ignore_sigterm: false,
            refuse_token: false,
            metrics_port_taken: false,
            crash_at_start: None,
            slow_start_ms: 0,
            eat_memory_bytes: 0,
            torn_lines: false,
            dns: Dns::Answers,
            dead_path: false,
            more_metrics: String::new(),
            time_scale: 1.0,
        }
    }
}

/// How DNS behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dns {
    /// It gives the addresses that the command line or the environment names.
    Answers,
    /// It fails at once: the stand-in ends with 1 after half a second.
    Fails,
    /// It never answers: the metrics server opens after 30 s, the stand-in ends after 40 s, and SIGTERM waits for that.
    Hangs,
}

/// What a stand-in can be told to do once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Die at once.
    Crash(Crash),
    /// Hang as by [`Switches::hang`], this one process alone.
    Hang,
    /// Write this many lines to standard error.
    FloodStderr(u32),
}

/// A way to die without a graceful stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crash {
    /// Exit with this code and without a word.
    Exit(u8),
    /// SIGKILL itself.
    Kill,
    /// Print a Go panic with this text and exit with 2.
    Panic(String),
}
