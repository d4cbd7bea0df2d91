//! The gauges: what is, read from the status whenever somebody asks.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::series::Series;
use crate::{
    connector::State,
    event::{AccountView, RolloutState},
    plan::DriftKind,
    record::Fate,
    status::{ConnectorStatus, ProvisionedTunnel, Status, TunnelStatus, UplinkState},
};

/// A family that the status says.
pub(super) struct Gauge {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// In the order in which they matter.
    pub(super) labels: &'static [&'static str],
    /// Writes every series, each once.
    pub(super) write: fn(&Status, &mut Series<'_>),
}

/// The states that a tunnel can have: those of a connector, and `pending` for a tunnel that has none yet.
const TUNNEL_STATES: [&str; 9] =
    ["pending", "starting", "ready", "degraded", "draining", "stopped", "backing_off", "blocked", "quarantined"];

/// All but those about routes.
pub(super) const GAUGES: [Gauge; 21] = [
    Gauge {
        name: "adit_tunnels",
        help: "Tunnels by state: that of the worst of their connectors.",
        labels: &["state"],
        write: |status, series| {
            let states = || status.tunnels.values().map(state_of);
            for state in TUNNEL_STATES {
                series.add(&[state], states().filter(|other| *other == state).count() as f64);
            }
        },
    },
    Gauge {
        name: "adit_tunnel_info",
        help: "Always 1; what a tunnel is at Cloudflare.",
        labels: &["tunnel", "tunnel_id", "account"],
        write: |status, series| {
            for (name, provisioned) in provisioned(status) {
                let id = provisioned.id.as_ref().map_or("", |id| id.as_str());
                series.add(&[name, id, provisioned.account.as_str()], 1.0);
            }
        },
    },
    Gauge {
        name: "adit_tunnel_state",
        help: "1 for the state that a tunnel is in, 0 for the others.",
        labels: &["tunnel", "state"],
        write: |status, series| {
            for (name, tunnel) in &status.tunnels {
                let state = state_of(tunnel);
                for other in TUNNEL_STATES {
                    series.add(&[name.as_str(), other], truth(other == state));
                }
            }
        },
    },
    Gauge {
        name: "adit_tunnel_desired_config_version",
        help: "The version of the remote configuration that Adit wrote last.",
        labels: &["tunnel"],
        write: |status, series| {
            for (name, provisioned) in provisioned(status) {
                if let Some(version) = provisioned.written_version {
                    series.add(&[name], version as f64);
                }
            }
        },
    },
    Gauge {
        name: "adit_tunnel_secret_timestamp_seconds",
        help: "Since when a tunnel has its secret.",
        labels: &["tunnel", "account"],
        write: |status, series| {
            for (name, provisioned) in provisioned(status) {
                if let Some(since) = provisioned.secret.since {
                    series.add(&[name, provisioned.account.as_str()], seconds(since));
                }
            }
        },
    },
    Gauge {
        name: "adit_connectors",
        help: "Connectors on this host by state.",
        labels: &["state"],
        write: |status, series| {
            let states = || {
                status.tunnels.values().flat_map(|tunnel| tunnel.connectors.values()).map(|connector| connector.state.as_str())
            };
            for state in &TUNNEL_STATES[1..] {
                series.add(&[state], states().filter(|other| other == state).count() as f64);
            }
        },
    },
    Gauge {
        name: "adit_connector_up",
        help: "Whether requests get through a connector.",
        labels: &["tunnel", "replica"],
        write: |status, series| each_connector(status, series, |connector| Some(truth(connector.serving))),
    },
    Gauge {
        name: "adit_connector_reason",
        help: "Always 1; why a connector is in its state, as a code such as ready, transport-fallback or registration-refused.",
        labels: &["tunnel", "replica", "reason"],
        write: |status, series| {
            for (name, tunnel) in &status.tunnels {
                for (replica, connector) in &tunnel.connectors {
                    series.add(&[name.as_str(), &replica.to_string(), &connector.reason.code], 1.0);
                }
            }
        },
    },
    Gauge {
        name: "adit_connector_config_version",
        help: "The version of the remote configuration that a connector runs.",
        labels: &["tunnel", "replica"],
        write: |status, series| {
            each_connector(status, series, |connector| Some(connector.config_version? as f64));
        },
    },
    Gauge {
        name: "adit_tunnel_ready_connections",
        help: "Live connections of a connector to Cloudflare's edge, of 4.",
        labels: &["tunnel", "replica"],
        write: |status, series| {
            each_connector(status, series, |connector| Some(f64::from(connector.connections)));
        },
    },
    Gauge {
        name: "adit_last_successful_sync_timestamp_seconds",
        help: "When Cloudflare was last read completely and everything that could be done was done; 0 for not since the daemon started.",
        labels: &["account"],
        write: |status, series| {
            for (name, account) in &status.accounts {
                // There from the start: an alert for an account that was never read must not wait for the first time that it was.
                series.add(&[name.as_str()], account.last_success.map_or(0.0, seconds));
            }
        },
    },
    Gauge {
        name: "adit_hold",
        help: "How many things are left as they are, by reason.",
        labels: &["account", "reason"],
        write: |status, series| {
            for (name, account) in &status.accounts {
                let mut holds: BTreeMap<&str, u32> = BTreeMap::new();
                for hold in &account.view.holds {
                    *holds.entry(hold.code.as_str()).or_default() += 1;
                }
                for (reason, count) in holds {
                    series.add(&[name.as_str(), reason], f64::from(count));
                }
            }
        },
    },
    Gauge {
        name: "adit_conflicts",
        help: "Names that somebody else holds.",
        labels: &["account"],
        write: |status, series| each_account(status, series, |view| view.conflicts.len()),
    },
    Gauge {
        name: "adit_orphans",
        help: "Things that are left over at Cloudflare, as far as a pass sees it.",
        labels: &["account"],
        write: |status, series| each_account(status, series, |view| view.orphans),
    },
    Gauge {
        name: "adit_drift_items",
        help: "Things at Cloudflare that are not as Adit wrote them, and that the last pass did not put right.",
        labels: &["account", "kind"],
        write: |status, series| {
            for (name, account) in &status.accounts {
                for kind in DriftKind::ALL {
                    let items = account.view.drift.get(&kind).copied().unwrap_or_default();
                    series.add(&[name.as_str(), kind.as_str()], items as f64);
                }
            }
        },
    },
    Gauge {
        name: "adit_rogue_connectors",
        help: "Connectors of a tunnel that Cloudflare lists and this host did not start; none before it was looked at, or when the tunnel is shared.",
        labels: &["tunnel"],
        write: |status, series| {
            // A tunnel that goes from one account to another is in both for a while.
            let views = status.accounts.values().flat_map(|account| &account.view.rogue_connectors);
            for (tunnel, connectors) in views.collect::<BTreeMap<_, _>>() {
                series.add(&[tunnel.as_str()], *connectors as f64);
            }
        },
    },
    Gauge {
        name: "adit_cloudflared_info",
        help: "Always 1; the version that connectors are started with.",
        labels: &["version"],
        write: |status, series| {
            if let Some(version) = status.program.as_ref().and_then(|program| program.version.as_ref()) {
                series.add(&[version], 1.0);
            }
        },
    },
    Gauge {
        name: "adit_cloudflared_rollout",
        help: "1 for how far the roll-out of another cloudflared is, 0 for the others.",
        labels: &["state"],
        write: |status, series| {
            if let Some(program) = &status.program {
                for state in RolloutState::ALL {
                    series.add(&[state.as_str()], truth(state == program.state));
                }
            }
        },
    },
    Gauge {
        name: "adit_uplink_up",
        help: "0 while no connector has a connection and Cloudflare's edge does not answer, else 1.",
        labels: &[],
        write: |status, series| series.add(&[], truth(status.uplink.state == UplinkState::Up)),
    },
    Gauge {
        name: "adit_restarts_braked",
        help: "1 while most connectors have trouble at once and none is replaced for it.",
        labels: &[],
        write: |status, series| series.add(&[], truth(status.uplink.braked_since.is_some())),
    },
    Gauge {
        name: "adit_start_time_seconds",
        help: "When the daemon started, in seconds since 1970.",
        labels: &[],
        write: |status, series| series.add(&[], status.started_at.as_second() as f64),
    },
];

/// What is known at Cloudflare of tunnels, by their names.
fn provisioned(status: &Status) -> impl Iterator<Item = (&str, &ProvisionedTunnel)> {
    status.tunnels.iter().filter_map(|(name, tunnel)| Some((name.as_str(), tunnel.provisioned.as_deref()?)))
}

fn each_connector(status: &Status, series: &mut Series<'_>, value: impl Fn(&ConnectorStatus) -> Option<f64>) {
    for (name, tunnel) in &status.tunnels {
        for (replica, connector) in &tunnel.connectors {
            if let Some(value) = value(connector) {
                series.add(&[name.as_str(), &replica.to_string()], value);
            }
        }
    }
}

fn each_account(status: &Status, series: &mut Series<'_>, count: impl Fn(&AccountView) -> usize) {
    for (name, account) in &status.accounts {
        series.add(&[name.as_str()], count(&account.view) as f64);
    }
}

fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// The state of a tunnel. One without connectors is to be made yet, unless it left the configuration or is being deleted.
fn state_of(tunnel: &TunnelStatus) -> &'static str {
    let is_leaving = tunnel.provisioned.as_deref().is_some_and(|provisioned| provisioned.fate != Fate::Keep);
    let without_connectors = if is_leaving { State::Stopped.as_str() } else { TUNNEL_STATES[0] };
    tunnel.state().map_or(without_connectors, State::as_str)
}
