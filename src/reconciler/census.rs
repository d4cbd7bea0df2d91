//! Who is connected to our tunnels besides us: whoever has a tunnel's token can run a connector of it, and gets a share of its requests.
//!
//! Cloudflare's list of tunnels does not say (its `connections` are announced to stay empty), so a tunnel costs a call of its own. An
//! idle pass makes none; every tenth looks at some tunnels, those that were not looked at for longest. A connector that has just died
//! is listed for a moment longer, so what is found counts once a second look has found it too.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::{trouble, worker::Worker};
use crate::{
    cloudflare::{Client, EdgeConnector},
    config::Ownership,
    desired::{Desired, DesiredTunnel},
    event::ProvisioningEvent,
    id::{AccountId, ConnectorId, TunnelId},
    name::TunnelName,
    observed::{Observed, Part},
    record::Fate,
};

/// How many intervals lie between two censuses. With an interval of a minute and some 25 tunnels, each is looked at every ten minutes.
const INTERVALS_APART: u32 = 10;

/// How many tunnels one census looks at: their calls fit in the burst that a credential may send at once. Of 1,000 tunnels each is
/// looked at within seven hours, for one request in 24 s.
const LOOKS_MAX: usize = 25;

/// How many connectors an event names.
const NAMED_MAX: usize = 3;

/// What censuses found.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// When the next one is due; `None` before the first idle pass.
    next: Option<Instant>,
    looks: BTreeMap<TunnelName, Look>,
    /// The tunnels of which the last look told nothing, and when that was.
    unread: BTreeMap<TunnelName, Instant>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    /// The connectors of others that it found.
    found: BTreeSet<ConnectorId>,
    /// Those of them that the look before had found too.
    confirmed: BTreeSet<ConnectorId>,
}

impl Census {
    /// Whether one is due at `now`. The first is due an interval of its own after it was asked first.
    fn is_due(&mut self, now: Instant, sync_interval: Duration) -> bool {
        *self.next.get_or_insert(now + sync_interval * INTERVALS_APART) <= now
    }

    /// Which of these tunnels are looked at: first those at which something was found, then those that were not looked at for longest.
    fn choose<'a>(&self, connected: impl Iterator<Item = &'a TunnelName>) -> Vec<TunnelName> {
        let mut chosen: Vec<_> = connected.map(|tunnel| (self.urgency(tunnel), tunnel)).collect();
        chosen.sort();
        chosen.into_iter().take(LOOKS_MAX).map(|(_, tunnel)| tunnel.clone()).collect()
    }

    /// The lower, the sooner. One that cannot be read waits until all others have had their turn, or it would keep them from theirs.
    fn urgency(&self, tunnel: &TunnelName) -> (bool, Option<Instant>) {
        if let Some(at) = self.unread.get(tunnel) {
            return (true, Some(*at));
        }
        let look = self.looks.get(tunnel);
        (look.is_none_or(|look| look.found.is_empty()), look.map(|look| look.at))
    }

    /// Keeps these tunnels only.
    fn retain(&mut self, is_there: impl Fn(&TunnelName) -> bool) {
        self.looks.retain(|tunnel, _| is_there(tunnel));
        self.unread.retain(|tunnel, _| is_there(tunnel));
    }

    /// Takes in that a look at a tunnel told nothing.
    fn note_unread(&mut self, tunnel: TunnelName, at: Instant) {
        self.unread.insert(tunnel, at);
    }

    /// Takes in which connectors of others a tunnel has. Gives how many count, and how many did before.
    fn note(&mut self, tunnel: &TunnelName, found: BTreeSet<ConnectorId>, at: Instant) -> (usize, usize) {
        self.unread.remove(tunnel);
        let before = self.looks.remove(tunnel);
        let confirmed: BTreeSet<_> =
            before.iter().flat_map(|look| &look.found).filter(|connector| found.contains(*connector)).cloned().collect();
        let counts = (confirmed.len(), before.map_or(0, |look| look.confirmed.len()));
        self.looks.insert(tunnel.clone(), Look { at, found, confirmed });
        counts
    }

    /// Sets when the next one is due: at the next idle pass while something that was found waits for its second look.
    fn end(&mut self, now: Instant, sync_interval: Duration) {
        let waits = self.looks.iter().any(|(tunnel, look)| look.found != look.confirmed && !self.unread.contains_key(tunnel));
        self.next = Some(if waits { now } else { now + sync_interval * INTERVALS_APART });
    }

    /// How many connectors of others count at each tunnel that was looked at.
    pub(super) fn counts(&self) -> BTreeMap<TunnelName, usize> {
        self.looks.iter().map(|(tunnel, look)| (tunnel.clone(), look.confirmed.len())).collect()
    }
}

impl Worker {
    /// Looks at who is connected to some of the account's tunnels, when that is due. It fails no pass: what cannot be read is looked
    /// at another time.
    pub(super) async fn take_census(&mut self, client: &Client, account: &AccountId, wanted: &Desired, observed: &Observed) {
        let Part::Complete(listed) = &observed.tunnels else { return };
        if self.progress.has_ended() || !self.memory.census.is_due(Instant::now(), self.shared.interval) {
            return;
        }
        let tunnels = self.own_tunnels(wanted);
        self.memory.census.retain(|tunnel| tunnels.contains_key(tunnel));
        let is_connected = |id: &TunnelId| listed.get(id).is_some_and(|tunnel| matches!(&*tunnel.status, "healthy" | "degraded"));
        let (connected, quiet): (Vec<_>, Vec<_>) = tunnels.iter().partition(|(_, id)| is_connected(id));
        for (tunnel, _) in quiet {
            self.found(tunnel, &[], BTreeSet::new());
        }
        for tunnel in self.memory.census.choose(connected.into_iter().map(|(tunnel, _)| tunnel)) {
            let listed = match client.connectors(account, &tunnels[&tunnel]).await {
                Ok(listed) => listed,
                Err(error) => {
                    tracing::debug!(%tunnel, error = %trouble::with_causes(&error), "who is connected cannot be read");
                    self.memory.census.note_unread(tunnel, Instant::now());
                    // It may be so for all of them.
                    break;
                }
            };
            // Read afterwards: whoever of ours is in the list was started before.
            let Some(own) = self.own_connectors(&tunnel) else {
                self.memory.census.note_unread(tunnel, Instant::now());
                continue;
            };
            let others = listed.iter().map(|connector| &connector.id).filter(|id| !own.contains(id)).cloned().collect();
            self.found(&tunnel, &listed, others);
        }
        self.memory.census.end(Instant::now(), self.shared.interval);
    }

    /// The tunnels of which only this host runs connectors: those that others share are for others to connect to.
    fn own_tunnels(&self, wanted: &Desired) -> BTreeMap<TunnelName, TunnelId> {
        let records = self.shared.ledger.records();
        let own = records.tunnels.values().filter(|record| {
            let is_owned = |tunnel: &DesiredTunnel| tunnel.ownership == Ownership::Owned;
            record.fate == Fate::Keep && wanted.tunnels.get(&record.name).is_some_and(is_owned)
        });
        own.filter_map(|record| Some((record.name.clone(), record.id.clone()?))).collect()
    }

    /// The ids of this host's processes of a tunnel; `None` while one of them has not said its own yet, and of a tunnel that is not on
    /// record.
    pub(super) fn own_connectors(&self, tunnel: &TunnelName) -> Option<BTreeSet<ConnectorId>> {
        let records = self.shared.ledger.records();
        let slots = records.tunnels.get(tunnel)?.slots();
        self.holders.borrow().of(slots).map(|holder| holder.connector_id.clone()).collect()
    }

    fn found(&mut self, tunnel: &TunnelName, listed: &[EdgeConnector], others: BTreeSet<ConnectorId>) {
        let named = others.iter().take(NAMED_MAX).filter_map(|id| listed.iter().find(|connector| connector.id == *id)).map(named);
        let named: Vec<String> = named.collect();
        let (account, tunnel) = (self.account.clone(), tunnel.clone());
        match self.memory.census.note(&tunnel, others, Instant::now()) {
            (0, 0) => {}
            (0, _) => self.shared.events.tell(ProvisioningEvent::RogueConnectorsGone { account, tunnel }),
            (connectors, before) if connectors > before => {
                let event = ProvisioningEvent::RogueConnectorsFound { account, tunnel, connectors, first: named };
                self.shared.events.tell(event);
            }
            (_, _) => {}
        }
    }
}

/// A connector, for an event.
fn named(connector: &EdgeConnector) -> String {
    match connector.connections.iter().map(|connection| &connection.origin_ip).find(|address| !address.is_empty()) {
        Some(address) => format!("{} from {address}", connector.id),
        None => connector.id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn tunnel(name: &str) -> TunnelName {
        name.parse().unwrap()
    }

    fn connectors(ids: &[&str]) -> BTreeSet<ConnectorId> {
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connector_counts_once_a_second_look_has_found_it_too() {
        let mut census = Census::default();
        let web = tunnel("web");
        assert_eq!(census.note(&web, connectors(&["one"]), Instant::now()), (0, 0));
        assert_eq!(census.counts()[&web], 0);
        assert_eq!(census.note(&web, connectors(&["one", "two"]), Instant::now()), (1, 0));
        assert_eq!(census.note(&web, connectors(&["two"]), Instant::now()), (1, 1));
        assert_eq!(census.counts()[&web], 1);
        assert_eq!(census.note(&web, connectors(&[]), Instant::now()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_look_is_soon_and_everything_else_is_rare() {
        let mut census = Census::default();
        let start = Instant::now();
        assert!(!census.is_due(start, INTERVAL));
        assert!(!census.is_due(start + INTERVAL * 9, INTERVAL));
        let first = start + INTERVAL * 10;
        assert!(census.is_due(first, INTERVAL));
        census.note(&tunnel("web"), connectors(&["one"]), first);
        census.end(first, INTERVAL);
        assert!(census.is_due(first + INTERVAL, INTERVAL));
        census.note(&tunnel("web"), connectors(&["one"]), first + INTERVAL);
        census.end(first + INTERVAL, INTERVAL);
        assert!(!census.is_due(first + INTERVAL * 10, INTERVAL));
        assert!(census.is_due(first + INTERVAL * 11, INTERVAL));
    }

    #[tokio::test(start_paused = true)]
    async fn tunnels_with_finds_go_first_then_those_never_looked_at_then_the_oldest() {
        let mut census = Census::default();
        let now = Instant::now();
        census.note(&tunnel("found"), connectors(&["one"]), now + INTERVAL);
        census.note(&tunnel("late"), connectors(&[]), now + INTERVAL);
        census.note(&tunnel("early"), connectors(&[]), now);
        let all = ["early", "found", "late", "never"].map(tunnel);
        assert_eq!(census.choose(all.iter()), ["found", "never", "early", "late"].map(tunnel));
    }

    #[tokio::test(start_paused = true)]
    async fn a_census_of_many_goes_on_where_the_one_before_ended() {
        let mut census = Census::default();
        let all: Vec<TunnelName> = (0..60).map(|number| tunnel(&format!("t{number:02}"))).collect();
        let mut looked = BTreeSet::new();
        for round in 0..3 {
            let chosen = census.choose(all.iter());
            assert!(chosen.len() <= LOOKS_MAX);
            for tunnel in chosen {
                census.note(&tunnel, BTreeSet::new(), Instant::now() + INTERVAL * round);
                looked.insert(tunnel);
            }
        }
        assert_eq!(looked.len(), all.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_that_cannot_be_read_keeps_no_other_from_its_turn() {
        let mut census = Census::default();
        let all: Vec<TunnelName> = (0..60).map(|number| tunnel(&format!("t{number:02}"))).collect();
        census.note(&all[0], connectors(&["one"]), Instant::now());
        let mut looked = BTreeSet::new();
        for round in 1..=5 {
            let now = Instant::now() + INTERVAL * round;
            for tunnel in census.choose(all.iter()) {
                if tunnel == all[0] {
                    census.note_unread(tunnel, now);
                    break;
                }
                census.note(&tunnel, BTreeSet::new(), now);
                looked.insert(tunnel);
            }
        }
        assert_eq!(looked.len(), all.len() - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_that_cannot_be_read_waits_for_no_second_look_until_it_can() {
        let mut census = Census::default();
        let (web, start) = (tunnel("web"), Instant::now());
        census.note(&web, connectors(&["one"]), start);
        census.note_unread(web.clone(), start);
        census.end(start, INTERVAL);
        assert!(!census.is_due(start + INTERVAL * 9, INTERVAL));
        assert_eq!(census.note(&web, connectors(&["one"]), start + INTERVAL * 10), (1, 0), "what was found before counts");
        census.note(&web, connectors(&["one", "two"]), start + INTERVAL * 20);
        census.end(start + INTERVAL * 20, INTERVAL);
        assert!(census.is_due(start + INTERVAL * 20, INTERVAL));
    }
}
