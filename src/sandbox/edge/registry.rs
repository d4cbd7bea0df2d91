//! Which links of which tunnel take requests, and what each of them carries.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{Connection, link::Link};
use crate::id::TunnelId;

/// A configuration on its way to a tunnel's connectors.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) version: i64,
    pub(super) document: serde_json::Value,
}

/// The tunnels that have a connector.
#[derive(Default)]
pub(super) struct Registry {
    tunnels: Mutex<BTreeMap<TunnelId, Tunnel>>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Tunnel {
    /// Those that take requests.
    links: Vec<Arc<Link>>,
    /// Links that are registered but do not take requests yet.
    arriving: usize,
    /// Counts picks, so that the links take turns.
    turn: usize,
    configuration: watch::Sender<Option<Arc<Published>>>,
}

/// What there is for a request.
pub(super) enum Pick {
    Link(Arc<Link>, InFlight),
    Arriving,
    Nobody,
}

/// A place among the requests that a link carries; dropping it gives the place back.
pub(super) struct InFlight(Arc<Link>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight().send_modify(|count| *count -= 1);
    }
}

/// A link that is about to take requests; dropping this forgets it.
pub(super) struct Announcement<'a> {
    registry: &'a Registry,
    tunnel: &'a TunnelId,
    configuration: watch::Receiver<Option<Arc<Published>>>,
}

impl Announcement<'_> {
    /// What is published to the link's tunnel.
    pub(super) fn configuration(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.configuration.clone()
    }

    /// Lets the link take requests.
    pub(super) fn arrive(self, link: Arc<Link>) {
        if let Some(entry) = self.registry.lock().get_mut(self.tunnel) {
            entry.links.push(link);
        }
    }
}

impl Drop for Announcement<'_> {
    fn drop(&mut self) {
        {
            let mut tunnels = self.registry.lock();
            if let Some(entry) = tunnels.get_mut(self.tunnel) {
                entry.arriving -= 1;
            }
            Registry::forget_if_empty(&mut tunnels, self.tunnel);
        }
        self.registry.changes.send_replace(());
    }
}

impl Registry {
    /// Announces a link that is about to take requests. Requests wait for it rather than find nobody.
    pub(super) fn announce<'a>(&'a self, tunnel: &'a TunnelId) -> Announcement<'a> {
        let mut tunnels = self.lock();
        let entry = tunnels.entry(tunnel.clone()).or_default();
        entry.arriving += 1;
        Announcement { registry: self, tunnel, configuration: entry.configuration.subscribe() }
    }

    /// Takes a link out of the rotation: nothing is counted as in flight on it that was not before.
    pub(super) fn remove(&self, tunnel: &TunnelId, link: &Arc<Link>) {
        let mut tunnels = self.lock();
        if let Some(entry) = tunnels.get_mut(tunnel) {
            entry.links.retain(|other| !Arc::ptr_eq(other, link));
        }
        Self::forget_if_empty(&mut tunnels, tunnel);
    }

    /// Breaks every link of a tunnel.
    pub(super) fn disconnect(&self, tunnel: &TunnelId) {
        self.disconnect_if(tunnel, |_| true);
    }

    /// Breaks the links of a tunnel for which `is_over` says so.
    pub(super) fn disconnect_if(&self, tunnel: &TunnelId, is_over: impl Fn(&Link) -> bool) {
        // Asked without the lock: the answer may need another one.
        let links = self.lock().get(tunnel).map(|entry| entry.links.clone()).unwrap_or_default();
        for link in links.iter().filter(|link| is_over(link)) {
            link.disconnect();
        }
    }

    /// The next link of a tunnel in turn, with a place on it.
    pub(super) fn pick(&self, tunnel: &TunnelId) -> Pick {
        let mut tunnels = self.lock();
        let Some(entry) = tunnels.get_mut(tunnel) else { return Pick::Nobody };
        if entry.links.is_empty() {
            return if entry.arriving > 0 { Pick::Arriving } else { Pick::Nobody };
        }
        entry.turn = entry.turn.wrapping_add(1);
        let link = Arc::clone(&entry.links[entry.turn % entry.links.len()]);
        // Counted under the lock: a link that is removed and then idle stays idle.
        link.in_flight().send_modify(|count| *count += 1);
        Pick::Link(Arc::clone(&link), InFlight(link))
    }

    /// Gives the tunnel's links a configuration, unless they have this version or a later one: who read it a moment ago may come
    /// behind who read it just now.
    pub(super) fn publish(&self, tunnel: &TunnelId, configuration: Option<(i64, serde_json::Value)>) {
        let Some((version, document)) = configuration else { return };
        if let Some(entry) = self.lock().get(tunnel) {
            entry.configuration.send_if_modified(|published| {
                let known = published.as_ref().is_some_and(|published| published.version >= version);
                if !known {
                    *published = Some(Arc::new(Published { version, document }));
                }
                !known
            });
        }
    }

    /// The tunnels that have a link or await one.
    pub(super) fn tunnels(&self) -> Vec<TunnelId> {
        self.lock().keys().cloned().collect()
    }

    /// The links of a tunnel that take requests.
    pub(super) fn connections(&self, tunnel: &TunnelId) -> Vec<Connection> {
        self.lock().get(tunnel).map(|entry| entry.links.iter().map(|link| link.describe()).collect()).unwrap_or_default()
    }

    /// Changes whenever an announced link has arrived.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn forget_if_empty(tunnels: &mut BTreeMap<TunnelId, Tunnel>, tunnel: &TunnelId) {
        if tunnels.get(tunnel).is_some_and(|entry| entry.links.is_empty() && entry.arriving == 0) {
            tunnels.remove(tunnel);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TunnelId, Tunnel>> {
        // Every change is one step, so a panic elsewhere leaves nothing half done.
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
