//! The world as the edge and the front see it.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use tokio::sync::watch;

use super::{
    edge::Directory,
    world::{EdgeConnection, World},
};
use crate::id::{AccountId, ConnectorId, TunnelId};

impl Directory for World {
    fn register(&self, account: &AccountId, tunnel: &TunnelId, secret_base64: &str) -> Result<(), String> {
        self.tunnel_for_registration(account, tunnel, secret_base64).map_err(|refusal| refusal.to_string())
    }

    fn configuration(&self, tunnel: &TunnelId) -> Option<(i64, Value)> {
        World::configuration(self, tunnel)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        World::changes(self)
    }

    fn resolve(&self, hostname: &str) -> Option<TunnelId> {
        World::resolve(self, hostname)
    }

    fn connection_opened(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8, version: &str) {
        let connection = EdgeConnection {
            connector: connector.clone(),
            index,
            version: version.to_owned(),
            arch: "linux_amd64".to_owned(),
            colo: "lo00".to_owned(),
            origin_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        World::connection_opened(self, tunnel, connection);
    }

    fn has_connection(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8) -> bool {
        World::has_connection(self, tunnel, connector, index)
    }

    fn connection_closed(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8) {
        World::connection_closed(self, tunnel, connector, index);
    }

    fn config_version_reported(&self, tunnel: &TunnelId, connector: &ConnectorId, version: i64) {
        World::config_version_reported(self, tunnel, connector, version);
    }
}
