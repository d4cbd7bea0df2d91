//! What a change would do to the requests that are under way.

use std::{collections::BTreeMap, net::SocketAddr};

use futures_util::{StreamExt, stream};

use super::DaemonBackend;
use crate::{
    connector::SlotId,
    control::api::{Replaced, Started},
    name::TunnelName,
    probe::open_requests,
    reconciler::ConnectorChange,
};

/// How many connectors are asked at once.
const ASKED_MAX: usize = 16;

/// The connectors that are started by `changes` beside those that run.
pub(super) fn started_by(changes: &BTreeMap<SlotId, ConnectorChange>) -> Vec<Started> {
    let starts = changes.iter().filter(|(_, change)| **change == ConnectorChange::Started);
    starts.map(|(slot, _)| Started { tunnel: slot.tunnel.to_string(), replica: slot.replica }).collect()
}

impl DaemonBackend {
    /// The connectors that a restart of a tunnel replaces, with their open requests.
    pub(super) async fn replaced_by_restart(&self, name: &TunnelName) -> Vec<Replaced> {
        let replicas: Vec<u8> = self
            .recorder
            .status()
            .tunnels
            .get(name)
            .map(|tunnel| tunnel.connectors.keys().copied().collect())
            .unwrap_or_default();
        let why = replicas.into_iter().map(|replica| (SlotId::new(name.clone(), replica), "operator")).collect();
        self.with_open_requests(why).await
    }

    /// The connectors of `changes` that run, with their open requests.
    pub(super) async fn replaced_by(&self, changes: BTreeMap<SlotId, ConnectorChange>) -> Vec<Replaced> {
        let word = |change| match change {
            ConnectorChange::Started => None,
            ConnectorChange::Replaced(restart) => Some(restart.as_str()),
            ConnectorChange::Stopped => Some("unwanted"),
        };
        let ended = changes.into_iter().filter_map(|(slot, change)| Some((slot, word(change)?)));
        self.with_open_requests(ended.collect()).await
    }

    async fn with_open_requests(&self, slots: Vec<(SlotId, &'static str)>) -> Vec<Replaced> {
        let grace_period = self.intended().config.cloudflared.grace_period;
        let found: Vec<(SlotId, &'static str, u32, Option<SocketAddr>)> = {
            let status = self.recorder.status();
            let process = |slot: &SlotId| {
                let connector = status.tunnels.get(&slot.tunnel)?.connectors.get(&slot.replica)?;
                Some((connector.pid?, connector.metrics_address))
            };
            slots.into_iter().filter_map(|(slot, why)| process(&slot).map(|(pid, metrics)| (slot, why, pid, metrics))).collect()
        };
        let asked = found.into_iter().map(|(slot, why, pid, metrics)| async move {
            let open_requests = match metrics {
                Some(metrics) => open_requests(metrics).await.ok(),
                None => None,
            };
            Replaced {
                tunnel: slot.tunnel.to_string(),
                replica: slot.replica,
                pid,
                why: why.to_owned(),
                open_requests,
                cut_after_millis: u64::try_from(grace_period.as_millis()).unwrap_or(u64::MAX),
            }
        });
        stream::iter(asked.collect::<Vec<_>>()).buffered(ASKED_MAX).collect().await
    }
}
