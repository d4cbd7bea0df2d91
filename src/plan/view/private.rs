//! What is known of each private route of a tunnel.

use serde::Serialize;

use super::{NO_READY_CONNECTOR, RouteState, View};
use crate::{
    config::PrivateRoute,
    desired::DesiredTunnel,
    id::RouteId,
    plan::{Scope, Step},
    record::TunnelRecord,
};

/// What is known of one private route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrivateRouteStatus {
    /// What it is for.
    pub route: PrivateRoute,
    /// How far it is.
    pub state: RouteState,
    /// Its id, if Adit made one.
    pub route_id: Option<RouteId>,
    /// Why it is not live.
    pub reason: Option<String>,
}

/// The private routes of a tunnel that left the configuration.
pub(super) fn left_behind(record: &TunnelRecord, reason: &str) -> Vec<PrivateRouteStatus> {
    let status = |(route, id): (&PrivateRoute, &RouteId)| PrivateRouteStatus {
        route: route.clone(),
        state: RouteState::Orphaned,
        route_id: Some(id.clone()),
        reason: Some(reason.to_owned()),
    };
    let made = record.private_routes.iter().filter_map(|(route, made)| Some((route, made.route_id.as_ref()?)));
    made.map(status).collect()
}

impl View<'_> {
    pub(super) fn private_routes(&self, want: &DesiredTunnel) -> Vec<PrivateRouteStatus> {
        let status = |route: &PrivateRoute| {
            let route_id = self.record.and_then(|record| record.private_routes.get(route)?.route_id.clone());
            let (state, reason) = match self.private_obstacle(route, route_id.is_some()) {
                None => (RouteState::Live, None),
                Some((state, reason)) => (state, Some(reason)),
            };
            PrivateRouteStatus { route: route.clone(), state, route_id, reason }
        };
        want.private_routes.iter().map(status).collect()
    }

    /// Whether the tunnel has private routes, wanted or made.
    pub(super) fn has_private_routes(&self) -> bool {
        let wants = self.input.desired.tunnels.get(self.name).is_some_and(|want| !want.private_routes.is_empty());
        wants || self.record.is_some_and(|record| !record.private_routes.is_empty() || !record.virtual_networks.is_empty())
    }

    /// Why a private route is not live.
    fn private_obstacle(&self, route: &PrivateRoute, made: bool) -> Option<(RouteState, String)> {
        if self.stopped {
            return Some((RouteState::Off, "an operator stopped its tunnel".to_owned()));
        }
        let conflict = self.plan.conflicts.iter().find(|conflict| {
            conflict.tunnel() == self.name && (conflict.is_of_tunnel() || conflict.private_route() == Some(route))
        });
        if let Some(conflict) = conflict {
            return Some((RouteState::Conflict, conflict.to_string()));
        }
        let pending = |reason: String| Some((RouteState::Pending, reason));
        let own =
            |scope: &Scope| matches!(scope, Scope::PrivateRoute { tunnel, route: held } if tunnel == self.name && held == route);
        if let Some(hold) = self.plan.holds.iter().find(|hold| own(&hold.scope)) {
            return pending(hold.why.clone());
        }
        if !made || self.record.is_none_or(|record| record.id.is_none()) {
            let hold = self.holds().into_iter().next();
            return pending(hold.map_or_else(|| "it is still to be made".to_owned(), |hold| hold.why));
        }
        let changes =
            |step: &Step| matches!(step, Step::Network(step) if step.tunnel() == self.name && step.route() == Some(route));
        if self.plan.steps.iter().chain(&self.plan.waiting).any(changes) {
            return pending("it is still to be changed".to_owned());
        }
        if !self.input.reported.contains_key(self.name) {
            return pending(NO_READY_CONNECTOR.to_owned());
        }
        None
    }
}
