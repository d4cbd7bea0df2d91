//! `[daemon]`, `[control]` and `[metrics]`: where the daemon keeps things and listens.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, Serializer};

use super::{
    duration, paths,
    report::{Report, Reported},
    section::Section,
    tree::Value,
};

/// Where the daemon keeps things, and when it acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Daemon {
    /// Tunnels, ids, secrets, the accepted configuration, logs. Absolute.
    pub state_dir: PathBuf,
    /// Socket, tokens and records of running connectors; gone after a reboot. Absolute.
    pub runtime_dir: PathBuf,
    /// Whether a reload waits for a person.
    pub apply: ApplyMode,
    /// How often Cloudflare is compared with what is wanted, between changes: 1 s to 1 h.
    #[serde(serialize_with = "duration::serialize")]
    pub sync_interval: Duration,
}

/// Whether a reload is applied at once, and whether anything is written at Cloudflare at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyMode {
    /// At once.
    Auto,
    /// After `adit apply`.
    Ask,
    /// At once on this host, and never at Cloudflare: passes look and tell what they would do.
    Observe,
}

/// The socket over which the daemon is controlled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The socket's absolute path.
    pub socket: PathBuf,
    /// Its permission bits.
    #[serde(serialize_with = "serialize_mode")]
    pub socket_mode: u32,
}

/// Prometheus metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// Where they are served.
    pub listen: MetricsListen,
    /// Whether the connectors' own metrics are told again.
    pub relay: bool,
    /// How many series of one connector are told again at most: 1 to 10,000.
    pub relay_series_max: u16,
}

/// Where metrics are served. Displayed and serialized as in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// On a TCP port.
    Tcp(SocketAddr),
    /// On a Unix socket with this absolute path.
    Unix(PathBuf),
}

impl fmt::Display for MetricsListen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => formatter.write_str("off"),
            Self::Tcp(address) => write!(formatter, "{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl Serialize for MetricsListen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::Tcp(_) | Self::Unix(_) => serializer.collect_str(self),
        }
    }
}

fn serialize_mode<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

pub(super) fn daemon(section: Section<'_>, report: &mut Report<'_>) -> Result<Daemon, Reported> {
    let state_dir = section.required("state_dir", report, paths::absolute);
    let runtime_dir = section.required("runtime_dir", report, paths::absolute);
    let apply = section.word("apply", &[("auto", ApplyMode::Auto), ("ask", ApplyMode::Ask), ("observe", ApplyMode::Observe)]);
    let sync_interval = section.required("sync_interval", report, duration::interval);
    let daemon = Daemon { state_dir: state_dir?, runtime_dir: runtime_dir?, apply: apply?, sync_interval: sync_interval? };
    let overlap = |a: &Path, b: &Path| paths::is_inside(a, b) || paths::is_inside(b, a);
    if overlap(&daemon.state_dir, &daemon.runtime_dir) {
        let message =
            "state_dir and runtime_dir must be two folders, neither inside the other: one lasts, the other is emptied at boot";
        return Err(report.error(section.place, message));
    }
    Ok(daemon)
}

pub(super) fn control(
    section: Section<'_>,
    daemon: Result<&Daemon, Reported>,
    report: &mut Report<'_>,
) -> Result<Control, Reported> {
    let socket = section.optional("socket", report, paths::socket);
    let socket_mode = section.required("socket_mode", report, mode);
    let socket = match socket? {
        Some(socket) => socket,
        None => daemon?.runtime_dir.join("adit.sock"),
    };
    Ok(Control { socket, socket_mode: socket_mode? })
}

pub(super) fn metrics(section: Section<'_>, report: &mut Report<'_>) -> Result<Metrics, Reported> {
    let off = matches!(section.get("listen").map(|node| &node.value), Some(Value::Boolean(false)));
    let listen = if off { Ok(MetricsListen::Off) } else { section.required("listen", report, listen) };
    let relay = section.boolean("relay").ok_or(Reported);
    let relay_series_max = section.integer("relay_series_max");
    Ok(Metrics { listen: listen?, relay: relay?, relay_series_max: relay_series_max? })
}

fn listen(text: &str) -> Result<MetricsListen, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(MetricsListen::Unix(paths::socket(path)?));
    }
    let address = text.parse().map_err(|_| {
        "it must be an address with a port, as in 127.0.0.1:9738 or [::1]:9738, or unix: with a path; false turns metrics off"
    })?;
    Ok(MetricsListen::Tcp(address))
}

fn mode(text: &str) -> Result<u32, &'static str> {
    let digits = text.strip_prefix('0').unwrap_or(text);
    if digits.len() != 3 || !digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return Err("a mode is three octal digits, as in 0666");
    }
    u32::from_str_radix(digits, 8).map_err(|_| "a mode is three octal digits, as in 0666")
}
