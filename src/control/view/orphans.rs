//! What is left over, as the socket shows it.

use std::collections::BTreeMap;

use crate::{
    control::api::{DeletedOrphans, Orphan, Orphans, Reason},
    name::AccountName,
    orphan::{self, Object},
    reconciler::Deletion,
};

/// Everything that is left over.
pub fn orphans(found: &BTreeMap<AccountName, orphan::Orphans>) -> Orphans {
    let mut orphans = Orphans {
        hash: orphan::hash(found.values().flat_map(|found| &found.orphans)),
        orphans: Vec::new(),
        unread: Vec::new(),
        other_installations: BTreeMap::new(),
    };
    for (account, found) in found {
        orphans.orphans.extend(found.orphans.iter().map(|orphan| shown(account, orphan)));
        orphans.unread.extend(found.unread.iter().map(|why| format!("account {account}: {why}")));
        for (install, count) in &found.others {
            *orphans.other_installations.entry(install.clone()).or_default() += count;
        }
    }
    orphans
}

fn shown(account: &AccountName, orphan: &orphan::Orphan) -> Orphan {
    let kind = match orphan.object {
        Object::Record { .. } => "record",
        Object::Pool { .. } => "pool",
        Object::Monitor { .. } => "monitor",
        Object::NetworkRoute { .. } => "network-route",
        Object::HostnameRoute { .. } => "hostname-route",
        Object::VirtualNetwork { .. } => "virtual-network",
        Object::Tunnel { .. } => "tunnel",
        Object::Left { .. } => "left",
    };
    Orphan {
        item: orphan.item.clone(),
        account: account.to_string(),
        kind: kind.to_owned(),
        what: orphan.to_string(),
        why: orphan.why.clone(),
        since: orphan.since,
        kept: orphan.kept.clone(),
    }
}

/// What became of what was chosen.
pub fn deleted_orphans(deletions: &[Deletion]) -> DeletedOrphans {
    let gone = deletions.iter().filter(|(_, result)| result.is_ok());
    let left = deletions.iter().filter_map(|(orphan, result)| {
        let sentence = format!("{orphan}: {}", result.as_ref().err()?);
        Some(Reason { code: "not-deleted".to_owned(), sentence })
    });
    DeletedOrphans { deleted: gone.map(|(orphan, _)| orphan.item.clone()).collect(), left: left.collect() }
}
