//! A record made from its process, when the record itself is lost.

use std::{net::SocketAddr, time::Duration};

use crate::{
    connector::{Generation, LaunchFacts, SlotId},
    process::{
        generation_record::{Content, RecordedProcess},
        identity::{Owner, Sighting},
    },
};

/// cloudflared's own grace period, for a process that does not say what it was started with.
const GRACE_PERIOD: Duration = Duration::from_secs(30);

/// What a record of this process would say: all that proves it, for it may be written this once. Who answers on its metrics address and
/// whether it was told to finish is not known any more; its answers tell both.
pub(super) fn content(owner: &Owner, slot: &SlotId, generation: Generation, sighting: &Sighting, metrics: SocketAddr) -> Content {
    let seen = &sighting.seen;
    let facts = seen.facts.as_deref().and_then(|facts| serde_json::from_str(facts).ok());
    let facts = facts.unwrap_or_else(|| LaunchFacts::unknown(GRACE_PERIOD));
    let instance = seen.instance.clone().unwrap_or_default();
    let begun = owner.home.parse(&instance).map(|instance| instance.begun);
    let mut content = Content::new(slot, generation, owner.boot_id.clone(), instance, facts, metrics);
    content.begun = begun;
    content.process = Some(RecordedProcess { pid: seen.pid, start_time: seen.start_time, inode: seen.inode });
    content.rebuilt = true;
    content
}
