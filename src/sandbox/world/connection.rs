//! Connections of connectors, as the edge reports them, and the tunnel's status that follows from them.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;

use super::{
    error::Error,
    state::{State, new_uuid},
    tunnel::Tunnel,
};
use crate::id::{AccountId, ConnectorId, TunnelId};

/// How many connections a healthy connector has.
const CONNECTIONS_FULL: usize = 4;

/// Why the edge must not register a connection. The texts are those that cloudflared logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No live tunnel of that id in that account.
    #[error("Unauthorized: Tunnel not found")]
    TunnelNotFound,
    /// The tunnel has another secret.
    #[error("Unauthorized: Invalid tunnel secret")]
    InvalidSecret,
}

/// One registered connection, as the edge reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeConnection {
    /// The run of cloudflared that it belongs to.
    pub connector: ConnectorId,
    /// 0 to 3: a connector has at most one connection of each index.
    pub index: u8,
    /// The connector's version, such as `2026.8.2`.
    pub version: String,
    /// The connector's platform, such as `linux_amd64`.
    pub arch: String,
    /// The data centre, such as `fra01`.
    pub colo: String,
    /// Where it comes from.
    pub origin_ip: IpAddr,
}

/// What the API says of a tunnel's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TunnelStatus {
    /// It never had a connection.
    Inactive,
    /// A connector has fewer than four connections.
    Degraded,
    /// Every connector has four.
    Healthy,
    /// It had connections and has none.
    Down,
}

impl TunnelStatus {
    pub(crate) fn of(tunnel: &Tunnel) -> Self {
        if tunnel.connectors.is_empty() {
            return if tunnel.inactive_since.is_some() { Self::Down } else { Self::Inactive };
        }
        let full = |connector: &Connector| connector.connections.len() >= CONNECTIONS_FULL;
        if tunnel.connectors.values().all(full) { Self::Healthy } else { Self::Degraded }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Degraded => "degraded",
            Self::Healthy => "healthy",
            Self::Down => "down",
        }
    }
}

/// A connector with at least one connection.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) version: String,
    pub(crate) arch: String,
    /// When its first connection was opened.
    pub(crate) run_at: Timestamp,
    /// The version of the configuration that it said it runs.
    pub(crate) config_version: Option<i64>,
    /// By index.
    pub(crate) connections: BTreeMap<u8, Connection>,
}

/// A connection that is up.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) colo: String,
    pub(crate) origin_ip: IpAddr,
    pub(crate) opened: Timestamp,
}

impl Tunnel {
    /// Forgets the connections of one connector, or of all.
    pub(crate) fn drop_connectors(&mut self, only: Option<&ConnectorId>, now: Timestamp) {
        self.connectors.retain(|connector, _| only.is_some_and(|only| only != connector));
        self.note_activity(now);
    }

    fn note_activity(&mut self, now: Timestamp) {
        match (self.connectors.is_empty(), self.active_since) {
            (true, Some(_)) => (self.active_since, self.inactive_since) = (None, Some(now)),
            (false, None) => (self.active_since, self.inactive_since) = (Some(now), None),
            (true, None) | (false, Some(_)) => {}
        }
    }
}

impl State {
    pub(crate) fn check_registration(&self, account: &AccountId, tunnel: &TunnelId, secret: &str) -> Result<(), Refusal> {
        let tunnel = self.live_tunnel(account, tunnel).map_err(|_| Refusal::TunnelNotFound)?;
        if tunnel.has_secret(secret) { Ok(()) } else { Err(Refusal::InvalidSecret) }
    }

    /// Notes a connection; one of the same connector and index is replaced. A deleted tunnel takes none.
    pub(crate) fn open_connection(&mut self, tunnel: &TunnelId, opened: EdgeConnection, now: Timestamp) {
        let id = new_uuid();
        let Some(tunnel) = self.tunnels.get_mut(tunnel).filter(|tunnel| tunnel.is_live()) else { return };
        let connector = tunnel.connectors.entry(opened.connector).or_insert_with(|| Connector {
            version: String::new(),
            arch: String::new(),
            run_at: now,
            config_version: None,
            connections: BTreeMap::new(),
        });
        (connector.version, connector.arch) = (opened.version, opened.arch);
        let connection = Connection { id, colo: opened.colo, origin_ip: opened.origin_ip, opened: now };
        connector.connections.insert(opened.index, connection);
        tunnel.note_activity(now);
    }

    /// Forgets one connection, and its connector with the last one. One that is not known is gone already.
    pub(crate) fn close_connection(&mut self, tunnel: &TunnelId, connector: &ConnectorId, index: u8, now: Timestamp) {
        let Some(tunnel) = self.tunnels.get_mut(tunnel) else { return };
        let Some(entry) = tunnel.connectors.get_mut(connector) else { return };
        entry.connections.remove(&index);
        if entry.connections.is_empty() {
            tunnel.connectors.remove(connector);
        }
        tunnel.note_activity(now);
    }

    pub(crate) fn report_config_version(&mut self, tunnel: &TunnelId, connector: &ConnectorId, version: i64) {
        let connector = self.tunnels.get_mut(tunnel).and_then(|tunnel| tunnel.connectors.get_mut(connector));
        if let Some(connector) = connector {
            connector.config_version = Some(version);
        }
    }

    pub(crate) fn has_connection(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8) -> bool {
        let connector = self.tunnels.get(tunnel).and_then(|tunnel| tunnel.connectors.get(connector));
        connector.is_some_and(|connector| connector.connections.contains_key(&index))
    }

    /// Forces the connections of one connector, or of all, off.
    pub(crate) fn clean_connections(
        &mut self,
        account: &AccountId,
        tunnel: &TunnelId,
        only: Option<&ConnectorId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.live_tunnel_mut(account, tunnel)?.drop_connectors(only, now);
        self.touch();
        Ok(())
    }
}
