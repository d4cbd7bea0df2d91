//! The snapshot that everyone reads, folded from events.
//!
//! There is one [`Status`]. The recorder folds each event into it; the control socket, the metrics and the health verdict only
//! read. It holds what is: what is wanted stands in the configuration, and the two meet where they are shown.

mod connector;
mod provisioning;
mod route;
mod uplink;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

pub use connector::ConnectorStatus;
pub use provisioning::{AccountStatus, LastPass, ProvisionedTunnel};
pub use route::{Check, RouteChecks};
pub use uplink::{UplinkState, UplinkStatus};

use crate::{
    connector::{Happening, State},
    event::{ConnectorEvent, Event, ProgramView},
    name::{AccountName, TunnelName},
    route_check::RouteKey,
};

/// All that is known about the daemon, its tunnels and its accounts.
#[derive(Debug, Clone)]
pub struct Status {
    /// When the daemon started.
    pub started_at: Timestamp,
    /// Whether the host reaches Cloudflare's edge.
    pub uplink: UplinkStatus,
    /// The tunnels, by name: those that are wanted and those that are still being taken down.
    pub tunnels: BTreeMap<TunnelName, TunnelStatus>,
    /// Which cloudflared is used; `None` before it was looked for.
    pub program: Option<ProgramView>,
    /// The accounts, by their names in the configuration.
    pub accounts: BTreeMap<AccountName, AccountStatus>,
}

/// All that is known about one tunnel.
#[derive(Debug, Clone, Default)]
pub struct TunnelStatus {
    /// What is known of it at Cloudflare; `None` before the first pass or record.
    pub provisioned: Option<Arc<ProvisionedTunnel>>,
    /// Its connectors on this host, by replica (counted from 0).
    pub connectors: BTreeMap<u8, Box<ConnectorStatus>>,
    /// What was found out about its routes, for those that are checked.
    pub checks: BTreeMap<RouteKey, RouteChecks>,
}

impl TunnelStatus {
    /// The state of the worst of its connectors; `None` when there is none.
    pub fn state(&self) -> Option<State> {
        self.connectors.values().map(|connector| connector.state).max_by_key(|state| badness(*state))
    }

    /// Whether nothing is left of it, neither at Cloudflare nor on this host.
    fn is_gone(&self) -> bool {
        self.provisioned.is_none() && self.connectors.is_empty()
    }
}

/// How much a state wants to be looked at.
fn badness(state: State) -> u8 {
    match state {
        State::Ready => 0,
        State::Stopped => 1,
        State::Draining => 2,
        State::Starting => 3,
        State::Degraded => 4,
        State::BackingOff => 5,
        State::Quarantined => 6,
        State::Blocked => 7,
    }
}

impl Status {
    /// The status of a daemon that started at `now` and knows nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            started_at: now,
            uplink: UplinkStatus::new(now),
            tunnels: BTreeMap::new(),
            program: None,
            accounts: BTreeMap::new(),
        }
    }

    /// Takes in what happened at `at`.
    pub fn fold(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Connector(event) => self.fold_connector(event, at),
            Event::Provisioning(event) => provisioning::fold(self, event, at),
            Event::Program(event) => self.program = Some(event.view.clone()),
            Event::Uplink(event) => self.uplink.fold(event, at),
            Event::RouteCheck(event) => route::fold(self, event, at),
            Event::Daemon(_) => {}
        }
    }

    fn fold_connector(&mut self, event: &ConnectorEvent, at: Timestamp) {
        let replica = event.slot.replica;
        let tunnel = self.tunnels.entry(event.slot.tunnel.clone()).or_default();
        if matches!(event.notice.happening, Happening::Forgotten) {
            tunnel.connectors.remove(&replica);
            if tunnel.is_gone() {
                self.tunnels.remove(&event.slot.tunnel);
            }
            return;
        }
        if let Happening::Renamed { from } = &event.notice.happening {
            return self.rename_connector(from, event, at);
        }
        tunnel.connectors.entry(replica).or_insert_with(|| Box::new(ConnectorStatus::new(replica, at))).fold(event, at);
    }

    /// A connector goes over from the tunnel that it was shown under to another, with all that is known of it.
    fn rename_connector(&mut self, from: &TunnelName, event: &ConnectorEvent, at: Timestamp) {
        let replica = event.slot.replica;
        let known = self.tunnels.get_mut(from).and_then(|tunnel| tunnel.connectors.remove(&replica));
        if self.tunnels.get(from).is_some_and(TunnelStatus::is_gone) {
            self.tunnels.remove(from);
        }
        let mut known = known.unwrap_or_else(|| Box::new(ConnectorStatus::new(replica, at)));
        known.fold(event, at);
        self.tunnels.entry(event.slot.tunnel.clone()).or_default().connectors.insert(replica, known);
    }
}
