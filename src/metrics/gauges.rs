//! The gauges: what is, read from the status whenever somebody asks.

use std::collections::BTreeMap;

use prometheus::{GaugeVec, IntGauge, IntGaugeVec, Opts};

use super::{registered, registry::Registry, routes::RouteGauges};
use crate::{
    connector::State,
    event::{ProgramView, RolloutState},
    plan::DriftKind,
    record::Fate,
    status::{AccountStatus, ConnectorStatus, Status, TunnelStatus, UplinkState},
};

/// Every gauge that is read from the status.
pub(super) struct Gauges {
    tunnels: IntGaugeVec,
    tunnel_info: IntGaugeVec,
    tunnel_state: IntGaugeVec,
    desired_config_version: IntGaugeVec,
    connectors: IntGaugeVec,
    connector_up: IntGaugeVec,
    connector_reason: IntGaugeVec,
    connector_config_version: IntGaugeVec,
    ready_connections: IntGaugeVec,
    last_success: GaugeVec,
    secret_since: GaugeVec,
    holds: IntGaugeVec,
    conflicts: IntGaugeVec,
    orphans: IntGaugeVec,
    drift_items: IntGaugeVec,
    rogue_connectors: IntGaugeVec,
    cloudflared_info: IntGaugeVec,
    cloudflared_rollout: IntGaugeVec,
    routes: RouteGauges,
    uplink_up: IntGauge,
    restarts_braked: IntGauge,
    start_time: IntGauge,
}

/// The states that a tunnel can have: those of a connector, and `pending` for a tunnel that has none yet.
const TUNNEL_STATES: [&str; 9] =
    ["pending", "starting", "ready", "degraded", "draining", "stopped", "backing_off", "blocked", "quarantined"];

impl Gauges {
    pub(super) fn register(registry: &Registry) -> Self {
        let of = |name, help, labels| of(registry, name, help, labels);
        Self {
            tunnels: of("adit_tunnels", "Tunnels by state: that of the worst of their connectors.", &["state"]),
            tunnel_info: of("adit_tunnel_info", "Always 1; what a tunnel is at Cloudflare.", &["tunnel", "tunnel_id", "account"]),
            tunnel_state: of("adit_tunnel_state", "1 for the state that a tunnel is in, 0 for the others.", &["tunnel", "state"]),
            desired_config_version: of(
                "adit_tunnel_desired_config_version",
                "The version of the remote configuration that Adit wrote last.",
                &["tunnel"],
            ),
            connectors: of("adit_connectors", "Connectors on this host by state.", &["state"]),
            connector_up: of("adit_connector_up", "Whether requests get through a connector.", &["tunnel", "replica"]),
            connector_reason: of(
                "adit_connector_reason",
                "Always 1; why a connector is in its state, as a code such as ready, transport-fallback or registration-refused.",
                &["tunnel", "replica", "reason"],
            ),
            connector_config_version: of(
                "adit_connector_config_version",
                "The version of the remote configuration that a connector runs.",
                &["tunnel", "replica"],
            ),
            ready_connections: of(
                "adit_tunnel_ready_connections",
                "Live connections of a connector to Cloudflare's edge, of 4.",
                &["tunnel", "replica"],
            ),
            last_success: registered(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "adit_last_successful_sync_timestamp_seconds",
                        "When Cloudflare was last read completely and everything that could be done was done; 0 for not since the daemon started.",
                    ),
                    &["account"],
                ),
            ),
            secret_since: registered(
                registry,
                GaugeVec::new(
                    Opts::new("adit_tunnel_secret_timestamp_seconds", "Since when a tunnel has its secret."),
                    &["tunnel", "account"],
                ),
            ),
            holds: of("adit_hold", "How many things are left as they are, by reason.", &["account", "reason"]),
            conflicts: of("adit_conflicts", "Names that somebody else holds.", &["account"]),
            orphans: of("adit_orphans", "Things that are left over at Cloudflare, as far as a pass sees it.", &["account"]),
            drift_items: of(
                "adit_drift_items",
                "Things at Cloudflare that are not as Adit wrote them, and that the last pass did not put right.",
                &["account", "kind"],
            ),
            rogue_connectors: of(
                "adit_rogue_connectors",
                "Connectors of a tunnel that Cloudflare lists and this host did not start; none before it was looked at, or when the tunnel is shared.",
                &["tunnel"],
            ),
            cloudflared_info: of(
                "adit_cloudflared_info",
                "Always 1; the version that connectors are started with.",
                &["version"],
            ),
            cloudflared_rollout: of(
                "adit_cloudflared_rollout",
                "1 for how far the roll-out of another cloudflared is, 0 for the others.",
                &["state"],
            ),
            routes: RouteGauges::register(registry),
            uplink_up: registered(
                registry,
                IntGauge::new(
                    "adit_uplink_up",
                    "0 while no connector has a connection and Cloudflare's edge does not answer, else 1.",
                ),
            ),
            restarts_braked: registered(
                registry,
                IntGauge::new(
                    "adit_restarts_braked",
                    "1 while most connectors have trouble at once and none is replaced for it.",
                ),
            ),
            start_time: registered(
                registry,
                IntGauge::new("adit_start_time_seconds", "When the daemon started, in seconds since 1970."),
            ),
        }
    }

    /// Sets every gauge to what `status` says. Series of what is gone are gone with it.
    pub(super) fn set(&self, status: &Status) {
        self.reset();
        self.start_time.set(status.started_at.as_second());
        self.uplink_up.set(i64::from(status.uplink.state == UplinkState::Up));
        self.restarts_braked.set(i64::from(status.uplink.braked_since.is_some()));
        let mut tunnels: BTreeMap<&str, i64> = TUNNEL_STATES.map(|state| (state, 0)).into();
        let mut connectors: BTreeMap<&str, i64> = TUNNEL_STATES[1..].iter().map(|state| (*state, 0)).collect();
        for (name, tunnel) in &status.tunnels {
            let state = state_of(tunnel);
            *tunnels.entry(state).or_default() += 1;
            self.set_tunnel(name.as_str(), state, tunnel);
            self.routes.set(name.as_str(), &tunnel.checks);
            for connector in tunnel.connectors.values() {
                *connectors.entry(connector.state.as_str()).or_default() += 1;
                self.set_connector(name.as_str(), connector);
            }
        }
        for (state, count) in tunnels {
            self.tunnels.with_label_values(&[state]).set(count);
        }
        for (state, count) in connectors {
            self.connectors.with_label_values(&[state]).set(count);
        }
        if let Some(program) = &status.program {
            self.set_program(program);
        }
        for (name, account) in &status.accounts {
            self.set_account(name.as_str(), account);
        }
    }

    fn set_tunnel(&self, name: &str, state: &str, tunnel: &TunnelStatus) {
        for other in TUNNEL_STATES {
            self.tunnel_state.with_label_values(&[name, other]).set(i64::from(other == state));
        }
        let Some(provisioned) = &tunnel.provisioned else { return };
        let id = provisioned.id.as_ref().map_or("", |id| id.as_str());
        self.tunnel_info.with_label_values(&[name, id, provisioned.account.as_str()]).set(1);
        if let Some(since) = provisioned.secret.since {
            let since = since.as_duration().as_secs_f64();
            self.secret_since.with_label_values(&[name, provisioned.account.as_str()]).set(since);
        }
        if let Some(version) = provisioned.written_version {
            self.desired_config_version.with_label_values(&[name]).set(version);
        }
    }

    fn set_connector(&self, tunnel: &str, connector: &ConnectorStatus) {
        let replica = connector.replica.to_string();
        self.connector_reason.with_label_values(&[tunnel, &replica, &connector.reason.code]).set(1);
        let labels = [tunnel, &replica];
        self.connector_up.with_label_values(&labels).set(i64::from(connector.serving));
        self.ready_connections.with_label_values(&labels).set(i64::from(connector.connections));
        if let Some(version) = connector.config_version {
            self.connector_config_version.with_label_values(&labels).set(i64::try_from(version).unwrap_or(i64::MAX));
        }
    }

    fn set_program(&self, program: &ProgramView) {
        if let Some(version) = &program.version {
            self.cloudflared_info.with_label_values(&[version]).set(1);
        }
        for state in RolloutState::ALL {
            self.cloudflared_rollout.with_label_values(&[state.as_str()]).set(i64::from(state == program.state));
        }
    }

    fn set_account(&self, name: &str, account: &AccountStatus) {
        // There from the start: an alert for an account that was never read must not wait for the first time that it was.
        let last_success = account.last_success.map_or(0.0, |at| at.as_duration().as_secs_f64());
        self.last_success.with_label_values(&[name]).set(last_success);
        for hold in &account.view.holds {
            self.holds.with_label_values(&[name, hold.code.as_str()]).inc();
        }
        self.conflicts.with_label_values(&[name]).set(i64::try_from(account.view.conflicts.len()).unwrap_or(i64::MAX));
        self.orphans.with_label_values(&[name]).set(i64::try_from(account.view.orphans).unwrap_or(i64::MAX));
        for kind in DriftKind::ALL {
            let items = account.view.drift.get(&kind).copied().unwrap_or_default();
            self.drift_items.with_label_values(&[name, kind.as_str()]).set(i64::try_from(items).unwrap_or(i64::MAX));
        }
        for (tunnel, connectors) in &account.view.rogue_connectors {
            self.rogue_connectors.with_label_values(&[tunnel.as_str()]).set(i64::try_from(*connectors).unwrap_or(i64::MAX));
        }
    }

    fn reset(&self) {
        self.routes.reset();
        self.last_success.reset();
        self.secret_since.reset();
        for gauge in [
            &self.tunnels,
            &self.tunnel_info,
            &self.tunnel_state,
            &self.desired_config_version,
            &self.connectors,
            &self.connector_up,
            &self.connector_reason,
            &self.connector_config_version,
            &self.ready_connections,
            &self.holds,
            &self.conflicts,
            &self.orphans,
            &self.drift_items,
            &self.rogue_connectors,
            &self.cloudflared_info,
            &self.cloudflared_rollout,
        ] {
            gauge.reset();
        }
    }
}

/// The state of a tunnel. One without connectors is to be made yet, unless it left the configuration or is being deleted.
fn state_of(tunnel: &TunnelStatus) -> &'static str {
    let is_leaving = tunnel.provisioned.as_ref().is_some_and(|provisioned| provisioned.fate != Fate::Keep);
    let without_connectors = if is_leaving { State::Stopped.as_str() } else { TUNNEL_STATES[0] };
    tunnel.state().map_or(without_connectors, State::as_str)
}

pub(super) fn of(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}
