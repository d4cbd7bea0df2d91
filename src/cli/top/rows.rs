//! The rows of the tunnels' table: which, in which order, with which figures.

use std::cmp::Ordering;

use super::{
    model::{Model, Sort},
    rates::Figures,
};
use crate::control::api::{RouteKind, Tunnel};

/// One tunnel with its figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row<'a> {
    /// The tunnel.
    pub(super) tunnel: &'a Tunnel,
    /// What it carries.
    pub(super) figures: Figures,
    /// How often its connectors were started again in the last hour.
    pub(super) restarts: usize,
    /// Why, the last time.
    pub(super) restart_reason: Option<&'a str>,
}

/// The tunnels that are shown, in their order.
pub(super) fn rows(model: &Model) -> Vec<Row<'_>> {
    let data = model.shown();
    let shown = data.tunnels().iter().filter(|tunnel| model.is_in_scope(&tunnel.name) && matches(tunnel, &model.filter));
    let mut rows: Vec<Row<'_>> = shown
        .map(|tunnel| {
            let (restarts, restart_reason) = data.restarts.of_tunnel(&tunnel.name);
            Row { tunnel, figures: data.traffic.of_tunnel(&tunnel.name), restarts, restart_reason }
        })
        .collect();
    rows.sort_by(|a, b| order(model.sort, a, b).then_with(|| a.tunnel.name.cmp(&b.tunnel.name)));
    rows
}

/// Whether the name, the state or a route of the tunnel contains `filter`, whatever the case.
fn matches(tunnel: &Tunnel, filter: &str) -> bool {
    if filter.is_empty() {
        return true;
    }
    let filter = filter.to_lowercase();
    let contains = |text: &str| text.to_lowercase().contains(&filter);
    contains(&tunnel.name) || contains(tunnel.state.word()) || tunnel.routes.iter().any(|route| contains(&route.label()))
}

fn order(sort: Sort, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    // The highest first; what is not known is the lowest.
    let rate = |a: Option<f64>, b: Option<f64>| b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0));
    match sort {
        Sort::Name => Ordering::Equal,
        Sort::State => b.tunnel.state.cmp(&a.tunnel.state),
        Sort::Requests => rate(a.figures.requests, b.figures.requests),
        Sort::Errors => rate(a.figures.errors, b.figures.errors),
        Sort::Restarts => b.restarts.cmp(&a.restarts),
    }
}

impl Row<'_> {
    /// How many connectors serve.
    pub(super) fn serving(&self) -> usize {
        self.tunnel.connectors.iter().filter(|connector| connector.serving).count()
    }

    /// Its connections to the edge.
    pub(super) fn connections(&self) -> u32 {
        self.tunnel.connectors.iter().map(|connector| u32::from(connector.connections)).sum()
    }

    /// How many public hostnames lead into it.
    pub(super) fn hostnames(&self) -> usize {
        let named = self.tunnel.routes.iter().filter(|route| route.hostname.is_some());
        named.filter(|route| matches!(route.kind, RouteKind::Hostname | RouteKind::LoadBalancer)).count()
    }

    /// All that is not simply well with it, in one line.
    pub(super) fn why(&self) -> String {
        let stop = self.tunnel.stop.as_ref().map(|stop| format!("stopped by {}", stop.by));
        let reason = self.tunnel.reason.as_ref().filter(|_| stop.is_none()).map(|reason| reason.sentence.clone());
        let holds = self.tunnel.holds.iter().chain(&self.tunnel.drift).map(|reason| reason.sentence.clone());
        let restarted = self.restart_reason.map(|reason| format!("last restart: {reason}"));
        stop.into_iter().chain(reason).chain(holds).chain(restarted).collect::<Vec<_>>().join("; ")
    }
}
