//! Which connectors are wanted on this host.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Launch;
use crate::name::TunnelName;

/// The connectors wanted on this host, by tunnel. A tunnel that is in neither list gets its connectors drained, stopped and
/// forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The tunnels that can run: those that exist at Cloudflare as far as Adit knows.
    pub tunnels: BTreeMap<TunnelName, WantedTunnel>,
    /// Tunnels of which it cannot be told whether they are wanted, because what says so cannot be read: their connectors go on as
    /// they are.
    pub held: BTreeSet<TunnelName>,
}

/// The connectors wanted of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedTunnel {
    /// How many connectors run on this host, 1 to 25.
    pub replicas: u8,
    /// How each is started.
    pub launch: Arc<Launch>,
    /// An operator's stop: the slots stay and show who stopped them, and nothing runs.
    pub stop: Option<Stop>,
    /// The name that its slots have: that of the tunnel, or an earlier one that its processes were started under.
    pub slots: TunnelName,
}

impl Wanted {
    /// Takes over the launches of `before` that are wanted still: whoever has them sees at once that they are the same.
    pub fn keep_launches(&mut self, before: &Self) {
        for (name, tunnel) in &mut self.tunnels {
            if let Some(before) = before.tunnels.get(name).filter(|before| before.launch == tunnel.launch) {
                tunnel.launch = Arc::clone(&before.launch);
            }
        }
    }
}

/// An operator's stop. It ends only by an operator's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Who: the user's name, or the uid when it has none.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_uid = self.by.bytes().all(|byte| byte.is_ascii_digit());
        let user = if is_uid { "user " } else { "" };
        write!(formatter, "stopped by {user}{} at {}", self.by, self.at.strftime("%F %T UTC"))
    }
}
