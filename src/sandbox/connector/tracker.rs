//! Which connections to the edge are registered at this moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::log::Level;
use crate::sandbox::edge::wire::Protocol;

/// The registered connections. `/ready` and the level of error lines come from here.
#[derive(Default)]
pub(super) struct Tracker(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    live: BTreeMap<u8, (Protocol, IpAddr)>,
    /// Protocols that have worked in this process: QUIC is not given up once it did.
    proven: BTreeSet<Protocol>,
}

impl Tracker {
    pub(super) fn registered(&self, index: u8, protocol: Protocol, address: IpAddr) {
        let mut connections = self.lock();
        connections.live.insert(index, (protocol, address));
        connections.proven.insert(protocol);
    }

    pub(super) fn gone(&self, index: u8) {
        self.lock().live.remove(&index);
    }

    /// A graceful stop begins: no connection counts any more.
    pub(super) fn all_gone(&self) {
        self.lock().live.clear();
    }

    pub(super) fn count(&self) -> usize {
        self.lock().live.len()
    }

    pub(super) fn has_connected_with(&self, protocol: Protocol) -> bool {
        self.lock().proven.contains(&protocol)
    }

    /// The level of a connection's error: a warning while another connection is live.
    pub(super) fn error_level(&self) -> Level {
        if self.count() == 0 { Level::Error } else { Level::Warn }
    }

    /// The connections as `/diag/tunnel` lists them: what is zero is left out.
    pub(super) fn describe(&self) -> Vec<Value> {
        let describe = |(index, (protocol, address)): (&u8, &(Protocol, IpAddr))| {
            let mut connection = json!({ "isConnected": true, "edgeAddress": address });
            match protocol {
                Protocol::Quic => connection["protocol"] = json!(1),
                Protocol::Http2 => {}
            }
            if *index > 0 {
                connection["index"] = json!(index);
            }
            connection
        };
        self.lock().live.iter().map(describe).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
