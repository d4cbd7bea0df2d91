//! Who wants to be told when a resource changes: driven by the daemon's events, not by looking again and again.
//!
//! The protocol has two ways to ask for it. Up to version 2025-11-25 a client subscribes to one resource after another; one task
//! follows the events from the first on. From 2026-07-28 on it listens to several with one request, which follows the events itself.
//! When the daemon goes away it is connected to again, slower and slower, and the events go on behind the last one that was seen.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{
    Peer, RoleServer,
    model::ResourceUpdatedNotificationParam,
    service::{SubscriptionContext, SubscriptionSink},
};
use tokio::{sync::Semaphore, time::sleep};

use super::{read::Reader, resources::Address};
use crate::control::{
    Trouble,
    api::{Event, Followed},
};

/// How many resources one client may be told of: more than any shows at once.
const RESOURCES_MAX: usize = 1_000;

/// How many requests may listen at once: each holds one of the 16 connections that the daemon takes from one user.
const LISTENING_MAX: usize = 4;

/// How soon it is tried to follow the events again, at first and at most.
const AGAIN_AFTER_MIN: Duration = Duration::from_secs(1);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);

/// How many events that happened during a break are read.
const READ_AFTER: &str = "1000";

/// Who wants to be told of what.
#[derive(Debug)]
pub(super) struct Subscriptions {
    /// By one request each.
    subscribed: Wanted,
    is_followed: Mutex<bool>,
    listening: Semaphore,
}

/// The addresses that somebody wants to be told of.
#[derive(Debug, Default, Clone)]
struct Wanted(Arc<Mutex<BTreeSet<String>>>);

/// Who is told.
enum Listener {
    Subscriber(Peer<RoleServer>),
    Listening(SubscriptionSink),
}

impl Subscriptions {
    pub(super) fn new() -> Self {
        Self { subscribed: Wanted::default(), is_followed: Mutex::default(), listening: Semaphore::new(LISTENING_MAX) }
    }

    /// Subscribes to `uri`; from the first one on, `peer` is told of changes.
    ///
    /// # Errors
    ///
    /// When it cannot be subscribed to: then with the reason.
    pub(super) fn add(&self, uri: &str, reader: &Reader, peer: Peer<RoleServer>) -> Result<(), String> {
        if !can_tell(uri) {
            return Err("cannot subscribe to that: no event tells when it changes".to_owned());
        }
        let mut wanted = self.subscribed.lock();
        if wanted.len() >= RESOURCES_MAX {
            return Err(format!("cannot subscribe to more than {RESOURCES_MAX} resources"));
        }
        wanted.insert(uri.to_owned());
        let mut is_followed = self.is_followed.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *is_followed, true) {
            tokio::spawn(follow(reader.clone(), self.subscribed.clone(), Listener::Subscriber(peer)));
        }
        Ok(())
    }

    /// Takes a subscription back.
    pub(super) fn remove(&self, uri: &str) {
        self.subscribed.lock().remove(uri);
    }

    /// Tells a request that listens, until it is cancelled.
    ///
    /// # Errors
    ///
    /// When too many listen already: then with the reason.
    pub(super) async fn listen(&self, context: &SubscriptionContext, reader: &Reader) -> Result<(), String> {
        let too_many = |_| format!("cannot listen with more than {LISTENING_MAX} requests at once");
        let _place = self.listening.try_acquire().map_err(too_many)?;
        let wanted = Wanted::default();
        wanted.lock().extend(context.accepted().resource_subscriptions.iter().flatten().cloned());
        tokio::select! {
            () = context.cancelled() => {}
            () = follow(reader.clone(), wanted, Listener::Listening(context.sink().clone())) => {}
        }
        Ok(())
    }
}

/// Those of `uris` whose changes can be told of, as many as may be.
pub(super) fn tellable(uris: &[String]) -> Vec<String> {
    uris.iter().filter(|uri| can_tell(uri)).take(RESOURCES_MAX).cloned().collect()
}

/// Whether events tell when it changes. Nothing tells of a line that a connector wrote.
fn can_tell(uri: &str) -> bool {
    match Address::of(uri) {
        Some(Address::Status | Address::Tunnels | Address::Events | Address::Tunnel(_)) => true,
        Some(Address::Logs(_)) | None => false,
    }
}

/// Follows the events until nobody is there to be told.
async fn follow(reader: Reader, wanted: Wanted, listener: Listener) {
    let mut last = None;
    let mut again_after = AGAIN_AFTER_MIN;
    while !listener.is_gone() {
        let before = last;
        // Whether the daemon ended the stream or the connection broke, it is tried again.
        let _ = follow_once(&reader, &wanted, &listener, &mut last).await;
        again_after = if last == before { (again_after * 2).min(AGAIN_AFTER_MAX) } else { AGAIN_AFTER_MIN };
        sleep(again_after).await;
    }
}

async fn follow_once(reader: &Reader, wanted: &Wanted, listener: &Listener, last: &mut Option<u64>) -> Result<(), Trouble> {
    if last.is_none() {
        // What happened before anybody asked is no change.
        *last = reader.client.events(&[("limit", "1".to_owned())]).await?.last().map(|event| event.id);
    }
    let since = last.map(|last| ("since", last.to_string()));
    let query: Vec<_> = [("limit", READ_AFTER.to_owned())].into_iter().chain(since).collect();
    let mut events = reader.client.follow_events(&query).await?;
    while let Some(next) = events.next().await? {
        let changed = match next {
            Followed::Item(event) => {
                *last = Some(event.id);
                if reader.shows_event(&event) { wanted.changed_by(&event) } else { Vec::new() }
            }
            // So much happened that anything may be different.
            Followed::Missed(_) => wanted.lock().iter().cloned().collect(),
        };
        for uri in changed {
            if !listener.tell(uri).await {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Wanted {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that look different after an event.
    fn changed_by(&self, event: &Event) -> Vec<String> {
        let is_changed = |uri: &&String| match Address::of(uri) {
            Some(Address::Status | Address::Tunnels | Address::Events) => true,
            Some(Address::Tunnel(name)) => event.subject.tunnel.as_ref() == Some(&name),
            Some(Address::Logs(_)) | None => false,
        };
        self.lock().iter().filter(is_changed).cloned().collect()
    }
}

impl Listener {
    /// Tells that a resource changed; whether somebody is there.
    async fn tell(&self, uri: String) -> bool {
        match self {
            Self::Subscriber(peer) => peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok(),
            Self::Listening(sink) => sink.notify_resource_updated(uri).await.is_ok(),
        }
    }

    fn is_gone(&self) -> bool {
        match self {
            Self::Subscriber(peer) => peer.is_transport_closed(),
            // Its request is cancelled with the transport.
            Self::Listening(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{Level, Subject};

    #[test]
    fn an_event_changes_what_shows_it() {
        let wanted = Wanted::default();
        let uris = ["adit://events", "adit://tunnels/api", "adit://tunnels/web"];
        wanted.lock().extend(uris.map(str::to_owned));
        let event = Event {
            id: 7,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            level: Level::Info,
            kind: "connector-exited".to_owned(),
            subject: Subject { tunnel: Some("web".to_owned()), ..Subject::default() },
            reason: None,
            sentence: String::new(),
        };
        assert_eq!(wanted.changed_by(&event), ["adit://events", "adit://tunnels/web"]);
        wanted.lock().remove("adit://events");
        assert_eq!(wanted.changed_by(&event), ["adit://tunnels/web"]);
    }
}
