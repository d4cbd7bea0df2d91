//! Which private routes are made, repaired and moved: those of networks, and those of private hostnames.
//!
//! ```text
//!  at the place stands …                on record here       not on record here
//!  nothing                              made again           made
//!  a route with our marker              kept or repaired     taken, if it leads to a tunnel of ours; else a conflict
//!  a route without our marker           a conflict           a conflict
//!  what could not be read               held                 held
//! ```
//!
//! A place is a network within a virtual network, or a hostname: an account has one live route for each. A route that is about to
//! be made is on record before, without an id, so that one whose answer was lost is found again, also by a tunnel that goes.

mod overlap;
mod release;
mod step;
mod survey;
mod virtual_networks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use step::{NetworkStep, RouteDrift};

use super::{Conflict, HoldCode, Known, Planner, Question, Scope, Standing, Step};
use crate::{
    config::{OnDrift, PrivateRoute},
    desired::{Desired, DesiredTunnel},
    id::{AccountId, RouteId, TunnelId, VirtualNetworkId},
    name::TunnelName,
    observed::{Gap, ObservedRoute, Part, Presence, RoutePlace},
    record::{Fate, Records},
};
use survey::{Owned, Survey};

/// Which lists of private routes a plan needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworksNeeded {
    /// Routes of networks, and the virtual networks.
    pub networks: bool,
    /// Routes of private hostnames.
    pub hostnames: bool,
}

/// Which lists of private routes a plan needs: those of which something is wanted or on record.
pub fn networks_needed(desired: &Desired, records: &Records, account_id: &AccountId) -> NetworksNeeded {
    let wanted = desired.tunnels.values().flat_map(|tunnel| &tunnel.private_routes);
    let made = || records.in_account(account_id).filter(|record| record.fate != Fate::Orphaned);
    let routes = wanted.chain(made().flat_map(|record| record.private_routes.keys()));
    let mut needed = NetworksNeeded { networks: made().any(|record| !record.virtual_networks.is_empty()), hostnames: false };
    for route in routes {
        match route {
            PrivateRoute::Network(_) => needed.networks = true,
            PrivateRoute::Hostname { .. } => needed.hostnames = true,
        }
    }
    needed
}

/// What a plan decides about private routes as it goes.
#[derive(Debug, Default)]
pub(super) struct Networks {
    /// Tunnels that want a place, each place once.
    wanted: BTreeMap<RoutePlace, TunnelName>,
    /// Routes that a wanted one stands for: they are in nobody's way.
    claimed: BTreeSet<RouteId>,
    /// Routes that this plan deletes, with the tunnel that they were made for.
    deleted: BTreeMap<RouteId, TunnelName>,
    /// Tunnels to be deleted that private routes still lead to, or that have virtual networks yet.
    pub(super) blocked: BTreeSet<TunnelName>,
    /// Virtual networks that this plan makes, with the tunnel that they are made for.
    coming: BTreeMap<String, TunnelName>,
}

/// One private route of one tunnel.
struct Wanted<'a> {
    tunnel: &'a TunnelName,
    want: &'a DesiredTunnel,
    route: &'a PrivateRoute,
    /// The tunnel's id; `None` when it is still to be made.
    id: Option<TunnelId>,
}

/// Where a private route has to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    At(RoutePlace),
    /// In a virtual network that a step of this plan makes.
    Coming,
}

impl Location {
    fn virtual_network_id(&self) -> Option<VirtualNetworkId> {
        match self {
            Self::At(RoutePlace::Network { virtual_network_id, .. }) => Some(virtual_network_id.clone()),
            Self::At(RoutePlace::Hostname(_)) | Self::Coming => None,
        }
    }

    fn place(&self) -> Option<&RoutePlace> {
        match self {
            Self::At(place) => Some(place),
            Self::Coming => None,
        }
    }
}

impl<'a> Planner<'a> {
    /// Decides about every private route and every virtual network of ours.
    pub(super) fn plan_networks(&mut self) {
        let needed = networks_needed(self.input.desired, self.input.records, self.input.account_id);
        let input = self.input;
        // Read although nothing here needs it: Cloudflare refused to delete a tunnel that private routes lead to.
        let read =
            input.observed.networks.network_routes.complete().or(input.observed.networks.hostname_routes.complete()).is_some();
        if needed == NetworksNeeded::default() && !read {
            return;
        }
        let survey = Survey::of(&input.observed.networks, self.records.values().map(|known| &**known));
        for (tunnel, want) in &input.desired.tunnels {
            let id = match self.standing.get(tunnel) {
                None | Some(Standing::Held) => continue,
                Some(Standing::Coming) => None,
                Some(Standing::Live(id)) => Some(id.clone()),
            };
            for route in &want.private_routes {
                let wanted = Wanted { tunnel, want, route, id: id.clone() };
                if let Some(location) = self.locate(&survey, &wanted) {
                    self.plan_private_route(&survey, &wanted, &location);
                }
            }
        }
        self.note_overlaps(&survey);
        self.release_private_routes(&survey);
        self.plan_virtual_networks(&survey);
    }

    fn plan_private_route(&mut self, survey: &Survey<'a>, wanted: &Wanted<'a>, location: &Location) {
        if let Some(place) = location.place() {
            if let Some(other) = self.networks.wanted.get(place) {
                let why =
                    format!("it is the same as a private route of {other}: the virtual network that is named is the default one");
                return self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::WantedTwice, why);
            }
            self.networks.wanted.insert(place.clone(), wanted.tunnel.clone());
        }
        match survey.owner(wanted.tunnel, wanted.route, location.place()) {
            Some(owned) => self.plan_known_route(survey, wanted, location, owned),
            None => self.plan_unknown_route(survey, wanted, location, false),
        }
    }

    /// A place with a route of ours, made for this tunnel or for another.
    fn plan_known_route(&mut self, survey: &Survey<'a>, wanted: &Wanted<'a>, location: &Location, owned: &Owned) {
        let Some(route_id) = &owned.made.route_id else {
            return self.plan_unknown_route(survey, wanted, location, false);
        };
        let Some(found) = survey.route(route_id) else {
            if self.is_route_gone(survey, wanted.tunnel, &owned.route, route_id) == Some(true) {
                match location.place().and_then(|place| survey.owned_at(place)) {
                    // Another route of ours stands there, known by other words.
                    Some(other) => self.plan_known_route(survey, wanted, location, other),
                    None => self.plan_unknown_route(survey, wanted, location, true),
                }
            }
            return;
        };
        self.networks.claimed.insert(route_id.clone());
        if !self.has_our_comment(&found.comment) {
            return self.conflict_private_route(wanted, route_id, found, "it was ours, but carries our marker no longer");
        }
        if self.is_in_the_way(survey, wanted, location, route_id) {
            return;
        }
        if owned.tunnel != *wanted.tunnel {
            self.move_private_route(wanted, location, &owned.tunnel, route_id);
        } else if owned.route != *wanted.route {
            self.take_route(wanted.tunnel, wanted.route, route_id, found);
        } else {
            self.repair_private_route(wanted, location, route_id, found);
        }
    }

    /// Whether another route than this one stands at the place, so that Cloudflare would not let this one go there.
    fn is_in_the_way(&mut self, survey: &Survey<'a>, wanted: &Wanted<'a>, location: &Location, route_id: &RouteId) -> bool {
        let there = location.place().and_then(|place| survey.at(place)).filter(|(other, _)| *other != route_id);
        let Some((other, found)) = there else { return false };
        if survey.owner_of(other).is_some() {
            let why = "another private route of ours stands at its place until it is out of the way";
            self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::NotReady, why);
        } else {
            self.conflict_private_route(wanted, other, found, "it is not on record here as ours");
        }
        true
    }

    /// A place without a route that is on record here with its id. `again`: one that was made is gone.
    fn plan_unknown_route(&mut self, survey: &Survey<'a>, wanted: &Wanted<'a>, location: &Location, again: bool) {
        if let Some((route_id, found)) = location.place().and_then(|place| survey.at(place)) {
            self.networks.claimed.insert(route_id.clone());
            return match self.our_tunnel_of(found).filter(|_| self.has_our_comment(&found.comment)) {
                // If it leads to another tunnel of ours, it is on record with that one first, and then moves.
                Some(holder) => self.take_route(&holder, wanted.route, route_id, found),
                None => self.conflict_private_route(wanted, route_id, found, "it is not on record here as ours"),
            };
        }
        if again && wanted.id.is_some() && wanted.want.on_drift == OnDrift::Report {
            let why = "somebody else deleted its private route, which is not made again (on_drift = \"report\")";
            return self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::Edited, why);
        }
        self.network_step(NetworkStep::CreateRoute {
            tunnel: wanted.tunnel.clone(),
            route: wanted.route.clone(),
            virtual_network_id: location.virtual_network_id(),
            again,
        });
    }

    fn take_route(&mut self, tunnel: &TunnelName, route: &PrivateRoute, route_id: &RouteId, found: &ObservedRoute) {
        let virtual_network_id = found.place.clone().and_then(|place| Location::At(place).virtual_network_id());
        self.network_step(NetworkStep::TakeRoute {
            tunnel: tunnel.clone(),
            route: route.clone(),
            route_id: route_id.clone(),
            virtual_network_id,
        });
    }

    fn repair_private_route(&mut self, wanted: &Wanted<'a>, location: &Location, route_id: &RouteId, found: &ObservedRoute) {
        let mut drift = Vec::new();
        if wanted.id.is_none() || found.tunnel_id != wanted.id {
            drift.push(RouteDrift::Tunnel);
        }
        if found.place.as_ref() != location.place() {
            drift.push(RouteDrift::Place);
        }
        if found.comment != self.input.records.install.marker(wanted.tunnel) {
            drift.push(RouteDrift::Comment);
        }
        if drift.is_empty() {
            return;
        }
        // A tunnel that is made anew, or has a new name here, changes its routes by itself: that is nobody's edit.
        let edited = wanted.id.is_some() && drift.iter().any(|drift| *drift != RouteDrift::Comment);
        if edited && wanted.want.on_drift == OnDrift::Report {
            let why =
                format!("somebody else changed its private route (now to tunnel {}), which is left as it is", leads_to(found));
            return self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::Edited, why);
        }
        self.network_step(NetworkStep::RepairRoute {
            tunnel: wanted.tunnel.clone(),
            route: wanted.route.clone(),
            route_id: route_id.clone(),
            virtual_network_id: location.virtual_network_id(),
            drift,
        });
    }

    /// A private route goes over from one of our tunnels to another: once that one serves, if the first one does.
    fn move_private_route(&mut self, wanted: &Wanted<'a>, location: &Location, from: &TunnelName, route_id: &RouteId) {
        if self.input.reported.contains_key(from) && !self.serves_wanted(wanted.tunnel, wanted.want) {
            let why = format!("it stays with {from} until the connectors of {} serve", wanted.tunnel);
            return self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::NotReady, why);
        }
        self.network_step(NetworkStep::MoveRoute {
            from: from.clone(),
            tunnel: wanted.tunnel.clone(),
            route: wanted.route.clone(),
            route_id: route_id.clone(),
            virtual_network_id: location.virtual_network_id(),
        });
    }

    fn conflict_private_route(&mut self, wanted: &Wanted<'a>, route_id: &RouteId, found: &ObservedRoute, why: &str) {
        self.conflicts.push(Conflict::PrivateRoute {
            tunnel: wanted.tunnel.clone(),
            route: wanted.route.clone(),
            route_id: route_id.clone(),
            leads_to: leads_to(found),
            comment: Some(found.comment.clone()).filter(|comment| !comment.is_empty()),
            why: why.to_owned(),
        });
    }

    /// Whether a route that no list shows is gone; `None`, with a hold on `tunnel`, when that is not known.
    fn is_route_gone(&mut self, survey: &Survey<'_>, tunnel: &TunnelName, route: &PrivateRoute, id: &RouteId) -> Option<bool> {
        let question = match route {
            PrivateRoute::Network(_) => Question::NetworkRouteById(id.clone()),
            PrivateRoute::Hostname { .. } => Question::HostnameRouteById(id.clone()),
        };
        let scope = Scope::PrivateRoute { tunnel: tunnel.clone(), route: route.clone() };
        let answer = self.input.observed.answers.routes.get(id);
        self.is_proven_gone(survey, scope, question, answer)
    }

    /// Whether an object that no list shows is gone; `None`, with a hold, when that is not known.
    fn is_proven_gone(
        &mut self,
        survey: &Survey<'_>,
        scope: Scope,
        question: Question,
        answer: Option<&Part<Presence>>,
    ) -> Option<bool> {
        let why = match answer {
            Some(Part::Complete(Presence::Deleted)) => return Some(true),
            // Without anything else to be seen in the account, a 404 may as well mean that the account cannot be seen.
            Some(Part::Complete(Presence::NotFound)) if survey.sees_anything() || self.sees_tunnels() => return Some(true),
            Some(Part::Complete(Presence::NotFound)) => {
                "Cloudflare knows no such id, but shows nothing else of the account either, so nothing is proven"
            }
            Some(Part::Complete(Presence::Live)) => "it exists, but is in no list: the list is not whole",
            Some(Part::Gap(gap)) => {
                self.hold_gap(scope, gap);
                return None;
            }
            None => {
                self.questions.insert(question);
                "it is in no list, and was not read by its id yet"
            }
        };
        self.hold(scope, HoldCode::Unproven, why);
        None
    }

    /// Whether anything of the account can be seen, so that an unknown id proves something.
    pub(super) fn sees_tunnels(&self) -> bool {
        self.input.observed.tunnels.complete().is_some_and(|tunnels| !tunnels.is_empty())
    }

    fn network_step(&mut self, step: NetworkStep) {
        self.steps.push(Step::Network(step));
    }

    fn hold_private_route(&mut self, tunnel: &TunnelName, route: &PrivateRoute, code: HoldCode, why: impl Into<String>) {
        self.hold(Scope::PrivateRoute { tunnel: tunnel.clone(), route: route.clone() }, code, why);
    }

    fn hold_networks(&mut self, gap: &Gap) {
        self.hold_gap(Scope::Networks, gap);
    }

    /// Whether a comment is the marker of this installation, for whichever of its tunnels.
    fn has_our_comment(&self, comment: &str) -> bool {
        self.input.records.install.has_marked(comment)
    }

    /// The tunnel of ours in this account that a route leads to.
    fn our_tunnel_of(&self, found: &ObservedRoute) -> Option<TunnelName> {
        let leads_there = |ours: &&Known<'_>| found.tunnel_id.is_some() && ours.id == found.tunnel_id;
        self.records.values().find(leads_there).map(|ours| ours.name.clone())
    }
}

/// The tunnel that a route leads to, for a person.
fn leads_to(found: &ObservedRoute) -> String {
    let id = || found.tunnel_id.as_ref().map(ToString::to_string);
    found.tunnel_name.clone().filter(|name| !name.is_empty()).or_else(id).unwrap_or_else(|| "of an unknown kind".to_owned())
}
