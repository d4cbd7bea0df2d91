//! What an operator is shown before the DNS records at a hostname give way to ours. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{PlanHash, Refusal, RefusalKind, adoption::other_install};
use crate::{
    name::{AccountName, Hostname, TunnelName},
    observed::{ObservedRecord, Zone},
    record::{Records, TunnelRecord},
};

/// Records that ours cannot stand beside; all others stay.
const IN_THE_WAY: [&str; 4] = ["A", "AAAA", "CNAME", "NS"];

/// What stands at a hostname that a tunnel wants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteOffer {
    /// The hostname.
    pub hostname: Hostname,
    /// The tunnel that it is to lead to.
    pub tunnel: TunnelName,
    /// Its account, by its name in the configuration.
    pub account: AccountName,
    /// The zone of the hostname.
    pub zone: Zone,
    /// What the hostname is to point to.
    pub target: String,
    /// The records that give way.
    pub records: Vec<ObservedRecord>,
    /// Records of other types at the name, which stay.
    pub beside: Vec<ObservedRecord>,
    /// Other installations of Adit that the records are marked as theirs of.
    pub installs: BTreeSet<String>,
    /// Whether the record is ours already.
    #[serde(skip)]
    pub is_ours: bool,
}

impl RouteOffer {
    /// What names exactly what was shown.
    pub fn hash(&self) -> PlanHash {
        PlanHash::of(self)
    }
}

/// Whether a record at a hostname keeps ours from standing there.
pub(super) fn is_in_the_way(record: &ObservedRecord) -> bool {
    IN_THE_WAY.contains(&record.kind.as_str())
}

/// What is offered of `found`, which is everything that stands at the hostname.
///
/// # Errors
///
/// When the tunnel is not there yet, when nothing is in its way, and when what is there is not to be replaced.
pub fn offer_route(
    records: &Records,
    (account, zone): (&AccountName, &Zone),
    (tunnel, hostname): (&TunnelName, &Hostname),
    found: Vec<ObservedRecord>,
) -> Result<RouteOffer, Refusal> {
    let refuse = |kind, why: String| Refusal::new(kind, format!("cannot take over {hostname} for tunnel {tunnel}: {why}"));
    let record = records.tunnels.get(tunnel);
    let Some((record, id)) = record.and_then(|record| Some((record, record.id.as_ref()?))) else {
        return Err(refuse(RefusalKind::Hold, "the tunnel is not made yet, so that nothing could lead to it".to_owned()));
    };
    if let Some(delegated) = found.iter().find(|found| found.kind == "NS") {
        return Err(refuse(RefusalKind::Conflict, format!("the name is delegated to {:?}", delegated.content)));
    }
    let holds =
        |found: &ObservedRecord, owner: &TunnelRecord| owner.dns.get(hostname).is_some_and(|dns| dns.record_id == found.id);
    let is_marked = |found: &ObservedRecord| found.comment.as_deref().is_some_and(|comment| records.install.has_marked(comment));
    let (in_the_way, beside): (Vec<_>, Vec<_>) = found.into_iter().partition(is_in_the_way);
    let mut others = records.tunnels.values().filter(|other| other.name != *tunnel);
    if let Some(owner) = others.find(|other| in_the_way.iter().any(|found| is_marked(found) && holds(found, other))) {
        return Err(refuse(RefusalKind::Conflict, format!("it is ours already, for tunnel {}", owner.name))
            .with_hint("it moves by itself when the other tunnel no longer wants it"));
    }
    if in_the_way.is_empty() {
        return Err(
            refuse(RefusalKind::NotFound, "nothing stands in its way".to_owned()).with_hint("`adit apply` makes the record")
        );
    }
    let is_ours = in_the_way.len() == 1
        && in_the_way.iter().all(|found| {
            found.kind == "CNAME"
                && is_marked(found)
                && holds(found, record)
                && found.content.eq_ignore_ascii_case(&id.dns_target())
        });
    let installs = in_the_way.iter().filter_map(|found| other_install(&records.install, found.comment.as_deref()));
    Ok(RouteOffer {
        hostname: hostname.clone(),
        tunnel: tunnel.clone(),
        account: account.clone(),
        zone: zone.clone(),
        target: id.dns_target(),
        installs: installs.collect(),
        records: in_the_way,
        beside,
        is_ours,
    })
}
