//! Private routes that Adit made and that are no longer wanted.

use super::{NetworkStep, Owned, Survey};
use crate::{
    config::PrivateRoute,
    id::RouteId,
    name::TunnelName,
    observed::{ObservedRoute, Part, RoutePlace},
    plan::{ForgetReason, HoldCode, Known, Planner, Standing},
    record::{PrivateRouteRef, TunnelRecord},
};

/// How many routes of others are named in one sentence.
const NAMED_MAX: usize = 3;

/// Whether a private route will be out of the way after this plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Done,
    Blocked,
}

impl<'a> Planner<'a> {
    /// Lets go of private routes that nothing wants: those of tunnels that stay, and all of tunnels that are to be deleted.
    pub(super) fn release_private_routes(&mut self, survey: &Survey<'a>) {
        let records: Vec<Known<'_>> = self.records.values().cloned().collect();
        for record in &records {
            let deleting = self.is_ending(record);
            if deleting && self.lives_on(record) {
                continue;
            }
            let input = self.input;
            let want = input.desired.tunnels.get(&record.name);
            let stays = !deleting && (want.is_none() || self.standing.get(&record.name) == Some(&Standing::Held));
            for (route, made) in &record.private_routes {
                if !deleting && want.is_some_and(|want| want.private_routes.contains(route)) {
                    continue;
                }
                let handed = self.hand_over_route(survey, &record.name, route, made);
                let release = match handed {
                    Some(release) => release,
                    // Orphaned or held: it stays until somebody asks for its deletion, or until more is known.
                    None if stays => continue,
                    None => self.release_private_route(survey, record, route, made),
                };
                if deleting && release == Release::Blocked {
                    self.networks.blocked.insert(record.name.clone());
                }
            }
            if deleting {
                self.hold_for_routes_of_others(survey, record);
            }
        }
    }

    /// A private route that another tunnel wants, or the same one in other words, is never released but moved: how far that is.
    /// `None` when nobody else wants it.
    fn hand_over_route(
        &mut self,
        survey: &Survey<'_>,
        name: &TunnelName,
        route: &PrivateRoute,
        made: &PrivateRouteRef,
    ) -> Option<Release> {
        let wants = |owned: &Owned| self.wants(&owned.tunnel, &owned.route);
        let same_words = self.input.desired.tunnels.keys().find(|other| *other != name && self.wants(other, route)).cloned();
        let Some(id) = &made.route_id else {
            let heir = same_words?;
            let read = survey.is_complete(route) && self.standing.get(&heir) != Some(&Standing::Held);
            // It was made after all: it goes on record here, and then moves.
            let there = expected_place(route, made).and_then(|place| survey.at(&place));
            let made_after_all = there.is_some_and(|(_, found)| self.our_tunnel_of(found).as_ref() == Some(name));
            if read && !made_after_all {
                self.forget_private_route(name, route, ForgetReason::Moved);
            }
            return Some(if read && !made_after_all { Release::Done } else { Release::Blocked });
        };
        if survey.route(id).is_some_and(|found| !self.has_our_comment(&found.comment)) {
            return None;
        }
        let is_this = |owned: &Owned| owned.tunnel == *name && owned.route == *route;
        let mut others = survey.on_record().filter(|owned| owned.made.route_id.as_ref() == Some(id) && !is_this(owned));
        if others.any(wants) || self.steps.takes_route(id) {
            self.forget_private_route(name, route, ForgetReason::Moved);
            return Some(Release::Done);
        }
        if self.steps.moves_route(id) {
            return Some(Release::Done);
        }
        let heir = same_words?;
        let has_own = self.records.get(&heir).and_then(|record| record.private_routes.get(route));
        if has_own.is_some_and(|own| own.route_id.is_some()) { None } else { Some(Release::Blocked) }
    }

    /// Whether a tunnel that is not to be deleted wants this private route.
    fn wants(&self, tunnel: &TunnelName, route: &PrivateRoute) -> bool {
        let dying = self.records.get(tunnel).is_some_and(|record| record.fate.is_ending());
        let want = self.input.desired.tunnels.get(tunnel);
        !dying && want.is_some_and(|want| want.private_routes.contains(route))
    }

    fn release_private_route(
        &mut self,
        survey: &Survey<'a>,
        record: &TunnelRecord,
        route: &PrivateRoute,
        made: &PrivateRouteRef,
    ) -> Release {
        let list = survey.list_of(route);
        if let Part::Gap(gap) = list {
            self.hold_networks(gap);
            return Release::Blocked;
        }
        let Some(id) = &made.route_id else {
            return self.release_intent(survey, record, route, made);
        };
        match survey.route(id) {
            Some(found) => self.delete_route_if_ours(record, route, made, id, found),
            None if self.is_route_gone(survey, &record.name, route, id) == Some(true) => {
                self.forget_private_route(&record.name, route, ForgetReason::Gone);
                Release::Done
            }
            None => Release::Blocked,
        }
    }

    /// A route that was asked for and whose answer never came: if it is there, it goes; its marker and its tunnel name it.
    fn release_intent(
        &mut self,
        survey: &Survey<'a>,
        record: &TunnelRecord,
        route: &PrivateRoute,
        made: &PrivateRouteRef,
    ) -> Release {
        let there = expected_place(route, made).and_then(|place| survey.at(&place));
        let marker = self.input.records.install.marker(&record.name);
        let ours = |found: &ObservedRoute| found.comment == marker && record.id.is_some() && found.tunnel_id == record.id;
        match there {
            Some((id, _)) if survey.owner_of(id).is_some() || self.networks.claimed.contains(id) => {
                self.forget_private_route(&record.name, route, ForgetReason::Moved);
            }
            Some((id, found)) if ours(found) => self.delete_private_route(&record.name, route, id),
            Some((_, found)) => return self.let_go_of_theirs(record, route, found),
            None => self.forget_private_route(&record.name, route, ForgetReason::Gone),
        }
        Release::Done
    }

    /// Marker, id, place and tunnel must all say that it is ours; whoever changed one of them has made it theirs.
    fn delete_route_if_ours(
        &mut self,
        record: &TunnelRecord,
        route: &PrivateRoute,
        made: &PrivateRouteRef,
        id: &RouteId,
        found: &ObservedRoute,
    ) -> Release {
        let in_place = found.place.is_some() && found.place == expected_place(route, made);
        if in_place && self.has_our_comment(&found.comment) && self.our_tunnel_of(found).is_some() {
            self.delete_private_route(&record.name, route, id);
            return Release::Done;
        }
        self.let_go_of_theirs(record, route, found)
    }

    /// A route that is somebody else's by now is forgotten; but while it leads to a tunnel that is to be deleted it stands in the way,
    /// and is kept in view.
    fn let_go_of_theirs(&mut self, record: &TunnelRecord, route: &PrivateRoute, found: &ObservedRoute) -> Release {
        if self.is_ending(record) && record.id.is_some() && found.tunnel_id == record.id {
            return Release::Blocked;
        }
        self.forget_private_route(&record.name, route, ForgetReason::Taken);
        Release::Done
    }

    fn delete_private_route(&mut self, tunnel: &TunnelName, route: &PrivateRoute, id: &RouteId) {
        self.networks.deleted.insert(id.clone(), tunnel.clone());
        self.network_step(NetworkStep::DeleteRoute { tunnel: tunnel.clone(), route: route.clone(), route_id: id.clone() });
    }

    fn forget_private_route(&mut self, tunnel: &TunnelName, route: &PrivateRoute, why: ForgetReason) {
        self.network_step(NetworkStep::ForgetRoute { tunnel: tunnel.clone(), route: route.clone(), why });
    }

    /// Cloudflare deletes no tunnel that private routes lead to, and those of others are not ours to delete.
    fn hold_for_routes_of_others(&mut self, survey: &Survey<'_>, record: &TunnelRecord) {
        let Some(id) = &record.id else { return };
        let leaves = |route: &RouteId| self.networks.deleted.contains_key(route) || self.steps.moves_route(route);
        let others: Vec<String> = survey
            .listed()
            .filter(|(route, found)| found.tunnel_id.as_ref() == Some(id) && !leaves(route))
            // One that is ours and not out of the way yet has a hold of its own.
            .filter(|(route, found)| !(self.has_our_comment(&found.comment) && survey.owner_of(route).is_some()))
            .map(|(_, found)| found.place.as_ref().map_or_else(|| "one of an unknown kind".to_owned(), describe))
            .collect();
        if others.is_empty() {
            return;
        }
        let more = others.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = others.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let why = format!("private routes that are not ours lead to it ({named}{more}); it is deleted when they are gone");
        self.hold_tunnel(&record.name, HoldCode::RoutesOfOthers, why);
        self.networks.blocked.insert(record.name.clone());
    }
}

/// Where a private route stands by our record; `None` for a network whose virtual network was never known.
fn expected_place(route: &PrivateRoute, made: &PrivateRouteRef) -> Option<RoutePlace> {
    Some(match route {
        PrivateRoute::Network(network) => {
            RoutePlace::Network { virtual_network_id: made.virtual_network_id.clone()?, network: network.network }
        }
        PrivateRoute::Hostname { private_hostname } => RoutePlace::Hostname(private_hostname.as_str().to_owned()),
    })
}

fn describe(place: &RoutePlace) -> String {
    match place {
        RoutePlace::Network { network, .. } => network.to_string(),
        RoutePlace::Hostname(hostname) => hostname.clone(),
    }
}
