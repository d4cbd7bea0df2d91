//! Networks within networks: allowed, because the longest prefix wins, and told, because it leads some addresses elsewhere.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Survey, leads_to};
use crate::{
    id::VirtualNetworkId,
    observed::{ObservedRoute, RoutePlace},
    plan::Planner,
};

/// How many networks are named in one note.
const NAMED_MAX: usize = 3;

impl<'a> Planner<'a> {
    /// Notes each wanted network that lies within another one, and each that has networks of others within it.
    pub(super) fn note_overlaps(&mut self, survey: &Survey<'a>) {
        let mut within: BTreeMap<RoutePlace, Vec<String>> = BTreeMap::new();
        let mut notes = Vec::new();
        for (place, tunnel) in &self.networks.wanted {
            let Some((network, around)) = self.nearest_around(survey, place) else { continue };
            let other = match self.networks.wanted.get(&around) {
                // Both lead to the same tunnel.
                Some(other) if other == tunnel => continue,
                Some(other) => other.to_string(),
                None => survey.at(&around).map_or_else(String::new, |(_, found)| format!("tunnel {}", leads_to(found))),
            };
            let RoutePlace::Network { network: outer, .. } = around else { continue };
            notes.push(format!(
                "private route {network} of {tunnel} lies within {outer}, which leads to {other}: the longer one wins"
            ));
        }
        for (id, found) in survey.listed() {
            let Some(place) = &found.place else { continue };
            if survey.owner_of(id).is_some() || self.networks.wanted.contains_key(place) {
                continue;
            }
            if let Some((network, around)) = self.nearest_around(survey, place)
                && self.networks.wanted.contains_key(&around)
            {
                within.entry(around).or_default().push(elsewhere(network, found));
            }
        }
        for (place, others) in within {
            let (RoutePlace::Network { network, .. }, tunnel) = (&place, &self.networks.wanted[&place]) else { continue };
            let more = others.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named = others.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
            notes.push(format!("within private route {network} of {tunnel}, other routes lead elsewhere: {named}{more}"));
        }
        self.notes.extend(notes);
    }

    /// The smallest network, wanted or listed, that lies around the one at `place`.
    fn nearest_around(&self, survey: &Survey<'_>, place: &RoutePlace) -> Option<(IpNet, RoutePlace)> {
        let RoutePlace::Network { virtual_network_id, network } = place else { return None };
        let mut wider = supernets(*network).map(|outer| at(virtual_network_id, outer));
        let around = wider.find(|outer| self.networks.wanted.contains_key(outer) || survey.at(outer).is_some())?;
        Some((*network, around))
    }
}

/// Every network around `network`, the smallest first.
fn supernets(network: IpNet) -> impl Iterator<Item = IpNet> {
    std::iter::successors(network.supernet(), IpNet::supernet)
}

fn at(virtual_network_id: &VirtualNetworkId, network: IpNet) -> RoutePlace {
    RoutePlace::Network { virtual_network_id: virtual_network_id.clone(), network }
}

fn elsewhere(network: IpNet, found: &ObservedRoute) -> String {
    format!("{network} to tunnel {}", leads_to(found))
}
