//! Virtual networks: the one that a route stands in, and those that Adit made.
//!
//! One that is wanted by name and does not exist is made, and then on record with the tunnel that wanted it first. It goes when no
//! route needs it; if its tunnel goes before, another of our tunnels with routes in it takes it over. The default one, and every
//! one that somebody else made, is used and never touched.

use super::{Location, NetworkStep, Survey, Wanted};
use crate::{
    config::{OnDrift, PrivateRoute},
    id::VirtualNetworkId,
    name::TunnelName,
    observed::{ObservedVirtualNetwork, Part, RoutePlace},
    plan::{ForgetReason, HoldCode, Known, Planner, Question, Scope, Standing},
    record::TunnelRecord,
};

/// Who needs a virtual network.
#[derive(Debug, Clone, PartialEq, Eq)]
enum User {
    Ours(TunnelName),
    Others,
    /// A route of another of our tunnels, which this plan deletes, perhaps only after a confirmation.
    Leaving,
}

impl<'a> Planner<'a> {
    /// Where a private route has to stand; `None`, with a hold, when that cannot be known.
    pub(super) fn locate(&mut self, survey: &Survey<'a>, wanted: &Wanted<'_>) -> Option<Location> {
        match wanted.route {
            PrivateRoute::Hostname { private_hostname } => match &survey.networks.hostname_routes {
                Part::Gap(gap) => {
                    self.hold_networks(gap);
                    None
                }
                Part::Complete(_) => Some(Location::At(RoutePlace::Hostname(private_hostname.as_str().to_owned()))),
            },
            PrivateRoute::Network(network) => {
                if !self.networks_are_read(survey) {
                    return None;
                }
                let id = match &network.virtual_network {
                    None => Some(self.default_network(survey, wanted)?),
                    Some(name) => self.named_network(survey, wanted, name)?,
                };
                Some(id.map_or(Location::Coming, |virtual_network_id| {
                    Location::At(RoutePlace::Network { virtual_network_id, network: network.network })
                }))
            }
        }
    }

    /// Whether the routes of networks and the virtual networks were read; if not, they are held.
    fn networks_are_read(&mut self, survey: &Survey<'a>) -> bool {
        let gaps = [survey.networks.virtual_networks.gap(), survey.networks.network_routes.gap()];
        match gaps.into_iter().flatten().next() {
            Some(gap) => {
                self.hold_networks(gap);
                false
            }
            None => true,
        }
    }

    /// The virtual network of a route that names none. One that was made stays where it is when another becomes the default: moving
    /// it would lead traffic elsewhere because of a click somewhere else.
    fn default_network(&mut self, survey: &Survey<'a>, wanted: &Wanted<'_>) -> Option<VirtualNetworkId> {
        let recorded = self.recorded_network(wanted.tunnel, wanted.route, survey);
        if let Some((id, network)) = recorded.as_ref().and_then(|id| Some((id.clone(), survey.virtual_network(id)?))) {
            if !network.is_default {
                self.notes.push(format!(
                    "private route {} of {} stays in virtual network {:?}, which is the default one no longer; name one as \
                     virtual_network to say where it is to be",
                    wanted.route, wanted.tunnel, network.name
                ));
            }
            return Some(id);
        }
        if let Some(id) = recorded
            && self.is_virtual_network_gone(survey, &id) != Some(true)
        {
            return None;
        }
        let default = survey.networks.default_network().cloned();
        if default.is_none() {
            let why = "the account has no default virtual network; name one as virtual_network";
            self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::NoVirtualNetwork, why);
        }
        default
    }

    /// The virtual network of this name; `Some(None)` when this plan makes it, and `None`, with a hold, when nothing is certain.
    fn named_network(&mut self, survey: &Survey<'a>, wanted: &Wanted<'_>, name: &str) -> Option<Option<VirtualNetworkId>> {
        if let Some((id, _)) = survey.named(name) {
            return Some(Some(id.clone()));
        }
        let made = self.records.values().find_map(|record| record.virtual_networks.get(name)?.clone());
        let again = made.is_some();
        let known = [made, self.recorded_network(wanted.tunnel, wanted.route, survey)];
        let known: Vec<VirtualNetworkId> = known.into_iter().flatten().collect();
        if let Some((id, network)) = known.iter().find_map(|id| Some((id.clone(), survey.virtual_network(id)?))) {
            self.notes.push(format!(
                "private route {} of {} stays in the virtual network that was called {name:?} and is called {:?}",
                wanted.route, wanted.tunnel, network.name
            ));
            return Some(Some(id));
        }
        for id in &known {
            if self.is_virtual_network_gone(survey, id) != Some(true) {
                return None;
            }
        }
        if again && wanted.id.is_some() && wanted.want.on_drift == OnDrift::Report {
            let why =
                format!("somebody else deleted its virtual network {name:?}, which is not made again (on_drift = \"report\")");
            self.hold_private_route(wanted.tunnel, wanted.route, HoldCode::Edited, why);
            return None;
        }
        if !self.networks.coming.contains_key(name) {
            let tunnel = self.maker(name).unwrap_or_else(|| wanted.tunnel.clone());
            self.networks.coming.insert(name.to_owned(), tunnel.clone());
            self.network_step(NetworkStep::CreateVirtualNetwork { tunnel, name: name.to_owned(), again });
        }
        Some(None)
    }

    /// The tunnel of ours that began to make a virtual network of this name, if it can go on.
    fn maker(&self, name: &str) -> Option<TunnelName> {
        let begun = self.records.values().filter(|record| record.virtual_networks.contains_key(name));
        let able = |tunnel: &&TunnelName| self.standing.get(*tunnel).is_some_and(|standing| *standing != Standing::Held);
        begun.map(|record| &record.name).find(able).cloned()
    }

    /// The virtual network that a route stands in by our records.
    fn recorded_network(&self, tunnel: &TunnelName, route: &PrivateRoute, survey: &Survey<'a>) -> Option<VirtualNetworkId> {
        let own = self.records.get(tunnel).and_then(|record| record.private_routes.get(route));
        let made = own.or_else(|| survey.owner(tunnel, route, None).map(|owned| &owned.made))?;
        made.virtual_network_id.clone()
    }

    /// Lets go of virtual networks of ours that no route needs, and settles those whose making was begun.
    pub(super) fn plan_virtual_networks(&mut self, survey: &Survey<'a>) {
        let records: Vec<Known<'_>> = self.records.values().cloned().collect();
        for record in records.iter().filter(|record| !record.virtual_networks.is_empty()) {
            let deleting = self.is_ending(record);
            let wanted = self.standing.get(&record.name).is_some_and(|standing| *standing != Standing::Held);
            if (deleting && self.lives_on(record)) || !(deleting || wanted) {
                continue;
            }
            let settled = self.networks_are_read(survey)
                && record.virtual_networks.iter().fold(true, |settled, (name, id)| {
                    let done = match id {
                        Some(id) => self.plan_virtual_network(survey, record, name, id),
                        None => self.settle_virtual_network(survey, record, name),
                    };
                    settled && done
                });
            if deleting && !settled {
                self.networks.blocked.insert(record.name.clone());
            }
        }
    }

    /// Whether nothing of it keeps its tunnel from being deleted after this plan.
    fn plan_virtual_network(&mut self, survey: &Survey<'a>, record: &TunnelRecord, name: &str, id: &VirtualNetworkId) -> bool {
        let tunnel = record.name.clone();
        let deleting = self.is_ending(record);
        let shared = self
            .records
            .values()
            .any(|other| other.name != tunnel && other.virtual_networks.get(name) == Some(&Some(id.clone())));
        let Some(found) = survey.virtual_network(id) else {
            if self.is_virtual_network_gone(survey, id) != Some(true) {
                return false;
            }
            if self.networks.coming.get(name) != Some(&tunnel) {
                self.forget_virtual_network(&tunnel, name, ForgetReason::Gone);
            }
            return true;
        };
        if !self.has_our_comment(&found.comment) {
            self.forget_virtual_network(&tunnel, name, ForgetReason::Taken);
        } else if deleting && shared {
            self.forget_virtual_network(&tunnel, name, ForgetReason::Moved);
        } else if deleting && found.is_default {
            self.forget_virtual_network(&tunnel, name, ForgetReason::InUse);
        } else {
            let name = name.to_owned();
            match (self.user_of(survey, record, &name, id, found), deleting) {
                (Some(_), false) => {}
                (Some(User::Leaving), true) => return false,
                (Some(User::Ours(heir)), true) => self.network_step(NetworkStep::HandVirtualNetwork {
                    from: tunnel,
                    tunnel: heir,
                    name,
                    virtual_network_id: id.clone(),
                }),
                (Some(User::Others), true) => self.forget_virtual_network(&tunnel, &name, ForgetReason::InUse),
                (None, _) => {
                    self.network_step(NetworkStep::DeleteVirtualNetwork { tunnel, name, virtual_network_id: id.clone() });
                }
            }
        }
        true
    }

    /// A virtual network whose making was begun: the answer was lost, or never came. Whether its tunnel may be deleted.
    fn settle_virtual_network(&mut self, survey: &Survey<'a>, record: &TunnelRecord, name: &str) -> bool {
        let Some((id, found)) = survey.named(name) else {
            if self.networks.coming.get(name) != Some(&record.name) {
                self.forget_virtual_network(&record.name, name, ForgetReason::Gone);
            }
            return true;
        };
        let known = self.records.values().any(|other| other.virtual_networks.values().any(|made| made.as_ref() == Some(id)));
        // The exact marker: it was made for this very tunnel.
        if known || found.comment != self.input.records.install.marker(&record.name) {
            self.forget_virtual_network(&record.name, name, ForgetReason::Taken);
            return true;
        }
        self.network_step(NetworkStep::TakeVirtualNetwork {
            tunnel: record.name.clone(),
            name: name.to_owned(),
            virtual_network_id: id.clone(),
        });
        // Once it is on record, it can be let go of.
        false
    }

    /// Who needs a virtual network of `record` after this plan.
    fn user_of(
        &self,
        survey: &Survey<'_>,
        record: &TunnelRecord,
        name: &str,
        id: &VirtualNetworkId,
        found: &ObservedVirtualNetwork,
    ) -> Option<User> {
        let stands_in =
            |place: &RoutePlace| matches!(place, RoutePlace::Network { virtual_network_id, .. } if virtual_network_id == id);
        let wants = |tunnel: &TunnelName| {
            let want = self.input.desired.tunnels.get(tunnel);
            let mut networks = want.into_iter().flat_map(|want| &want.private_routes).filter_map(PrivateRoute::network);
            networks.any(|network| network.virtual_network.as_deref() == Some(name))
        };
        // One that is held and has no record yet may never come, and can take nothing over.
        let stays = |tunnel: &TunnelName| match self.records.get(tunnel) {
            Some(record) => !record.fate.is_ending(),
            None => self.standing.get(tunnel).is_some_and(|standing| *standing != Standing::Held),
        };
        let wanted_here = self.networks.wanted.iter().filter(|(place, _)| stands_in(place)).map(|(_, tunnel)| tunnel);
        let wanted_by_name = self.input.desired.tunnels.keys().filter(|tunnel| wants(tunnel) && stays(tunnel));
        if let Some(tunnel) = wanted_here.chain(wanted_by_name).next() {
            return Some(User::Ours(tunnel.clone()));
        }
        if found.is_default {
            return Some(User::Others);
        }
        let there = survey.listed().filter(|(_, found)| found.place.as_ref().is_some_and(stands_in));
        let mut users = there.filter_map(|(route, _)| match self.networks.deleted.get(route) {
            Some(tunnel) => (*tunnel != record.name).then_some(User::Leaving),
            None => {
                let owner = survey.owner_of(route).filter(|owner| **owner != record.name);
                Some(owner.map_or(User::Others, |owner| User::Ours(owner.clone())))
            }
        });
        let first = users.next();
        // Whoever stays counts before what leaves.
        if first == Some(User::Leaving) { users.find(|user| *user != User::Leaving).or(first) } else { first }
    }

    /// Whether a virtual network that the list lacks is gone; `None`, with a hold, when that is not known.
    fn is_virtual_network_gone(&mut self, survey: &Survey<'_>, id: &VirtualNetworkId) -> Option<bool> {
        let answer = self.input.observed.answers.virtual_networks.get(id);
        self.is_proven_gone(survey, Scope::Networks, Question::VirtualNetworkById(id.clone()), answer)
    }

    fn forget_virtual_network(&mut self, tunnel: &TunnelName, name: &str, why: ForgetReason) {
        self.network_step(NetworkStep::ForgetVirtualNetwork { tunnel: tunnel.clone(), name: name.to_owned(), why });
    }
}
