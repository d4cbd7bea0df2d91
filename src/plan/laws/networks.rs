//! Private routes and virtual networks in the random worlds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::{
    config::PrivateRoute,
    id::{RouteId, TunnelId, VirtualNetworkId},
    name::TunnelName,
    observed::{ObservedRoute, ObservedVirtualNetwork, RoutePlace},
    plan::{
        NetworkStep, Plan, Scope, Step,
        model::{Model, default_network, private},
    },
    record::Fate,
};

/// One in another, one in a virtual network of its own, one that two ways of writing name, and private hostnames.
const ROUTES: [&str; 7] = [
    "10.0.0.0/8",
    "10.20.0.0/16",
    "10.20.0.0/16 lab",
    "10.30.0.0/16 lab",
    "10.0.0.0/8 default",
    "wiki.internal.example",
    "*.lab.internal.example",
];

/// What somebody does about private routes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edit {
    /// Makes one.
    Make(usize, Maker),
    /// Deletes the one at a place.
    Delete(usize),
    /// Leads the one at a place elsewhere.
    LeadElsewhere(usize),
    /// Writes another comment on the one at a place.
    Comment(usize),
    /// Makes a virtual network called `lab`, if there is none.
    MakeLab,
    /// Gives a virtual network called `lab` another name.
    RenameLab,
    /// Deletes the virtual network called `lab`, with its routes.
    DeleteLab,
    /// Writes another comment on `lab`.
    CommentLab,
    /// Makes `lab` the default virtual network, or the first one again.
    SwitchDefault,
}

/// Who makes a private route, as far as it shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Maker {
    /// Somebody, to a tunnel of theirs.
    Somebody,
    /// Somebody, to a tunnel of ours.
    ToOurTunnel,
    /// Another installation.
    OtherInstall,
}

pub(super) fn edits() -> impl Strategy<Value = Edit> {
    let route = 0..ROUTES.len();
    let maker = prop_oneof![Just(Maker::Somebody), Just(Maker::ToOurTunnel), Just(Maker::OtherInstall)];
    prop_oneof![
        2 => (route.clone(), maker).prop_map(|(route, maker)| Edit::Make(route, maker)),
        2 => route.clone().prop_map(Edit::Delete),
        2 => route.clone().prop_map(Edit::LeadElsewhere),
        1 => route.prop_map(Edit::Comment),
        1 => Just(Edit::MakeLab),
        1 => Just(Edit::RenameLab),
        1 => Just(Edit::DeleteLab),
        1 => Just(Edit::CommentLab),
        1 => Just(Edit::SwitchDefault),
    ]
}

/// For each private route, which of `tunnels` has it; that many means nobody.
pub(super) fn owners(tunnels: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..=tunnels, ROUTES.len())
}

/// The private routes of tunnel number `index`.
pub(super) fn of(owners: &[usize], index: usize) -> BTreeSet<PrivateRoute> {
    owners.iter().zip(ROUTES).filter(|(owner, _)| **owner == index).map(|(_, route)| private(route)).collect()
}

/// What is not ours.
#[derive(Debug, PartialEq)]
pub(super) struct Foreign {
    routes: BTreeMap<RouteId, ObservedRoute>,
    networks: BTreeMap<VirtualNetworkId, ObservedVirtualNetwork>,
}

/// The test's own account of what is whose.
#[derive(Debug, Default)]
pub(super) struct Witness {
    routes: BTreeSet<RouteId>,
    networks: BTreeSet<VirtualNetworkId>,
}

impl Witness {
    /// Whether Cloudflare refuses to delete this tunnel, because routes that are not ours lead to it.
    pub(super) fn keeps(&self, tunnel: &TunnelName, model: &Model) -> bool {
        let record = model.records.tunnels.get(tunnel).filter(|record| record.fate != Fate::Keep);
        let Some(id) = record.and_then(|record| record.id.as_ref()) else { return false };
        let mut foreign = self.routes.iter().filter_map(|route| model.networks.routes.get(route));
        foreign.any(|route| route.tunnel_id.as_ref() == Some(id))
    }

    pub(super) fn foreign(&self, model: &Model) -> Foreign {
        let routes = model.networks.routes.iter().filter(|(id, _)| self.routes.contains(*id));
        let networks = model.networks.virtual_networks.iter();
        let networks =
            networks.filter(|(id, network)| self.networks.contains(*id) || network.is_default || **id == default_network());
        Foreign {
            routes: routes.map(|(id, route)| (id.clone(), route.clone())).collect(),
            networks: networks.map(|(id, network)| (id.clone(), network.clone())).collect(),
        }
    }
}

pub(super) fn happen(edit: Edit, model: &mut Model, witness: &mut Witness) {
    let theirs: TunnelId = "theirs".parse().unwrap();
    match edit {
        Edit::Make(index, maker) => {
            let ours = model.records.tunnels.values().find_map(|record| {
                let id = record.id.clone()?;
                model.tunnels.get(&id).is_some_and(|tunnel| !tunnel.deleted).then_some(id)
            });
            let (tunnel, comment) = match maker {
                Maker::Somebody => (theirs, ""),
                Maker::ToOurTunnel => (ours.unwrap_or(theirs), "by hand"),
                Maker::OtherInstall => (theirs, "adit:zzzzzzzz:web"),
            };
            witness.routes.extend(model.add_foreign_route(ROUTES[index], &tunnel, comment));
        }
        Edit::Delete(index) => {
            if let Some((id, _)) = model.networks.route_at(ROUTES[index]) {
                let id = id.clone();
                model.networks.delete_route(&id);
            }
        }
        Edit::LeadElsewhere(index) => {
            if let Some((_, route)) = model.networks.route_at(ROUTES[index]) {
                route.tunnel_id = Some(theirs);
            }
        }
        // Whoever removes the marker has made it theirs.
        Edit::Comment(index) => {
            if let Some((id, route)) = model.networks.route_at(ROUTES[index]) {
                route.comment = "mine from here on".to_owned();
                witness.routes.insert(id.clone());
            }
        }
        Edit::MakeLab => {
            if lab(model).is_none() {
                witness.networks.insert(model.add_foreign_network("lab"));
            }
        }
        Edit::RenameLab => {
            if let Some(id) = lab(model) {
                let name = format!("was-lab-{id}");
                model.networks.virtual_networks.get_mut(&id).unwrap().name = name;
            }
        }
        Edit::DeleteLab => {
            let Some(id) = lab(model).filter(|id| !model.networks.virtual_networks[id].is_default) else { return };
            let stands_in = |route: &ObservedRoute| matches!(&route.place, Some(RoutePlace::Network { virtual_network_id, .. }) if *virtual_network_id == id);
            let routes = model.networks.routes.iter().filter(|(_, route)| stands_in(route));
            let routes: Vec<RouteId> = routes.map(|(id, _)| id.clone()).collect();
            routes.iter().for_each(|route| model.networks.delete_route(route));
            model.networks.delete_virtual_network(&id);
        }
        Edit::CommentLab => {
            if let Some(id) = lab(model) {
                model.networks.virtual_networks.get_mut(&id).unwrap().comment = "mine from here on".to_owned();
                witness.networks.insert(id);
            }
        }
        Edit::SwitchDefault => {
            let Some(id) = lab(model) else { return };
            let becomes = !model.networks.virtual_networks[&id].is_default;
            for (other, network) in &mut model.networks.virtual_networks {
                network.is_default = if *other == id { becomes } else { !becomes && *other == default_network() };
            }
        }
    }
}

/// A pass dies in this step: before the answer came, or when only what is gained was written down.
pub(super) fn crash_in(step: &NetworkStep, answer_lost: bool, model: &mut Model) {
    if answer_lost {
        return model.apply_network_and_lose_the_answer(step);
    }
    let loser = step.facts().from.and_then(|from| model.records.tunnels.get(from).cloned());
    model.apply(&[Step::Network(step.clone())]);
    model.records.tunnels.extend(loser.map(|record| (record.name.clone(), record)));
}

fn lab(model: &Model) -> Option<VirtualNetworkId> {
    let networks = &model.networks.virtual_networks;
    networks.iter().find(|(_, network)| network.name == "lab").map(|(id, _)| id.clone())
}

/// Whether a step changes something in the part of the account that was not read.
pub(super) fn touches(step: &NetworkStep, unread: &str) -> bool {
    let of_network = step.route().is_none_or(|route| route.network().is_some());
    match step {
        NetworkStep::TakeVirtualNetwork { .. }
        | NetworkStep::ForgetVirtualNetwork { .. }
        | NetworkStep::TakeRoute { .. }
        | NetworkStep::ForgetRoute { .. } => false,
        NetworkStep::DeleteRoute { .. } => unread == "private routes",
        NetworkStep::CreateVirtualNetwork { .. }
        | NetworkStep::HandVirtualNetwork { .. }
        | NetworkStep::DeleteVirtualNetwork { .. }
        | NetworkStep::CreateRoute { .. }
        | NetworkStep::RepairRoute { .. }
        | NetworkStep::MoveRoute { .. } => unread == "private routes" || (of_network && unread == "virtual networks"),
    }
}

/// Whether a wanted private route leads to its tunnel, or the plan says why not.
pub(super) fn is_served(model: &Model, last: &Plan, name: &TunnelName, route: &PrivateRoute, id: &TunnelId) -> bool {
    let conflict = last.conflicts.iter().any(|conflict| conflict.tunnel() == name && conflict.private_route() == Some(route));
    let of_this = |scope: &Scope| matches!(scope, Scope::PrivateRoute { tunnel, route: held } if tunnel == name && held == route);
    let held = last.holds.iter().any(|hold| of_this(&hold.scope));
    let made = model.records.tunnels[name].private_routes.get(route).and_then(|made| made.route_id.as_ref());
    let found = made.and_then(|made| model.networks.routes.get(made));
    conflict || held || found.is_some_and(|found| found.tunnel_id.as_ref() == Some(id))
}
