//! What connectors carry, read from their own metrics when somebody asks.

use super::DaemonBackend;
use crate::{
    control::api,
    daemon::page_reader::{Figures, Target},
    probe::Traffic,
};

impl DaemonBackend {
    pub(super) async fn read_traffic(&self) -> Vec<api::ConnectorTraffic> {
        let targets = Target::all(&self.recorder.status());
        let figures = self.pages.traffic(&targets).await;
        targets.into_iter().zip(figures).map(|(target, figures)| connector(target, figures)).collect()
    }
}

fn connector(target: Target, figures: Figures) -> api::ConnectorTraffic {
    api::ConnectorTraffic {
        tunnel: target.slot.tunnel.to_string(),
        replica: target.slot.replica,
        generation: target.generation,
        pid: target.pid,
        reading: figures.last.map(|last| api::TrafficReading {
            read_at: last.at,
            age_millis: u64::try_from(last.age.as_millis()).unwrap_or(u64::MAX),
            requests_total: last.traffic.requests,
            request_errors_total: last.traffic.request_errors,
            open_requests: last.traffic.open_requests,
            responses_total: responses(&last.traffic),
            edges: last
                .traffic
                .round_trips
                .into_iter()
                .map(|(connection, round_trip_millis)| api::EdgeConnection { connection, round_trip_millis })
                .collect(),
        }),
        unread: figures.unread,
    }
}

fn responses(traffic: &Traffic) -> api::Responses {
    let of = |class: u8| traffic.responses.get(&class).copied().unwrap_or(0);
    api::Responses { informational: of(1), success: of(2), redirect: of(3), client_error: of(4), server_error: of(5) }
}
