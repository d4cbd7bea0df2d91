//! DNS records: in batches, and one by one where a batch is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::{Place, StepError, gone_is_done};
use crate::{
    cloudflare::{Batch, Conflict, DnsRecord, Error, Kind, NewRecord, RecordPatch},
    id::{RecordId, ZoneId},
    name::{Hostname, TunnelName},
    observed::{Observed, ObservedRecord, Part},
    plan::Step,
    reconciler::{
        observe::seen_record,
        trouble::{Course, course},
        worker::Worker,
    },
    record::{DnsRecordRef, TunnelRecord},
};

/// "Automatic", as it must be for a proxied record.
const TTL_AUTOMATIC: u32 = 1;

impl Worker {
    /// Changes records of one zone. A refused batch is halved until the record that it was refused for stands alone: the answer
    /// does not say which it was.
    pub(super) async fn apply_records(&mut self, place: Place<'_>, zone_id: &ZoneId, steps: Vec<Step>, observed: &mut Observed) {
        let mut stack = vec![steps];
        let mut full = false;
        while let Some(steps) = stack.pop() {
            let mut steps: Vec<Step> = steps.into_iter().filter(|step| self.may_start(step)).collect();
            if full {
                steps.retain(|step| {
                    let creates = matches!(step, Step::CreateRecord { .. });
                    if creates {
                        self.progress.leave(step.clone(), "the zone is full");
                    }
                    !creates
                });
            }
            let alone = match steps.len() {
                0 => continue,
                length => length == 1,
            };
            let result = if alone {
                self.change_one(place, zone_id, &steps[0]).await
            } else {
                self.change_all(place, zone_id, &steps).await
            };
            match result {
                Ok(changed) => self.take_changes(zone_id, steps, changed, observed).await,
                Err(error) if alone => {
                    let step = steps.remove(0);
                    full |= error.kind() == Kind::Quota;
                    self.ask_who_stands_there(place, zone_id, &step, &error, observed).await;
                    self.conclude(step, Err(StepError::Api(error)));
                }
                Err(error) if course(&error) == Course::Continue && !error.may_have_happened() => {
                    let second = steps.split_off(steps.len() / 2);
                    stack.push(second);
                    stack.push(steps);
                }
                Err(error) => self.leave_all(steps, error),
            }
        }
    }

    async fn change_one(&self, place: Place<'_>, zone_id: &ZoneId, step: &Step) -> Result<Vec<Option<ObservedRecord>>, Error> {
        let client = place.client;
        let changed = match self.change(step) {
            Change::Create(record) => Some(client.create_record(zone_id, &record).await?),
            Change::Patch(id, patch) => Some(client.patch_record(zone_id, &id, &patch).await?),
            Change::Delete(id) => {
                gone_is_done(client.delete_record(zone_id, &id).await)?;
                None
            }
        };
        Ok(vec![changed.map(seen_record)])
    }

    /// All changes in one call; the records as they are then, in the order of the steps.
    async fn change_all(&self, place: Place<'_>, zone_id: &ZoneId, steps: &[Step]) -> Result<Vec<Option<ObservedRecord>>, Error> {
        let mut batch = Batch::default();
        for step in steps {
            match self.change(step) {
                Change::Create(record) => batch.posts.push(record),
                Change::Patch(id, patch) => batch.patches.push((id, patch)),
                Change::Delete(id) => batch.deletes.push(id),
            }
        }
        let answer = place.client.batch_records(zone_id, &batch).await?;
        let (mut posts, mut patches) = (answer.posts.into_iter(), answer.patches.into_iter());
        let mut changed = |step: &Step| -> Option<DnsRecord> {
            match self.change(step) {
                Change::Create(_) => posts.next(),
                Change::Patch(..) => patches.next(),
                Change::Delete(_) => None,
            }
        };
        Ok(steps.iter().map(|step| changed(step).map(seen_record)).collect())
    }

    /// The call that a step is.
    fn change(&self, step: &Step) -> Change {
        let records = self.shared.ledger.records();
        let comment = records.install.marker(step.tunnel());
        let target = || {
            let id = records.tunnels.get(step.tunnel()).and_then(|record| record.id.as_ref());
            id.expect("a tunnel that a record leads to was made before, or its steps are left").dns_target()
        };
        if let Step::CreateRecord { hostname, .. } = step {
            return Change::Create(NewRecord {
                kind: "CNAME".to_owned(),
                name: hostname.to_string(),
                content: target(),
                proxied: true,
                ttl: TTL_AUTOMATIC,
                comment: Some(comment),
            });
        }
        if let Step::RepairRecord { record_id, .. } | Step::MoveRecord { record_id, .. } = step {
            let (content, proxied, ttl) = (Some(target()), Some(true), Some(TTL_AUTOMATIC));
            return Change::Patch(record_id.clone(), RecordPatch { content, proxied, ttl, comment: Some(comment) });
        }
        let Step::DeleteRecord { record_id, .. } = step else {
            unreachable!("only changes of DNS records are arranged in batches");
        };
        Change::Delete(record_id.clone())
    }

    /// Puts on record what was changed, each tunnel once, then tells of each step.
    async fn take_changes(
        &mut self,
        zone_id: &ZoneId,
        steps: Vec<Step>,
        changed: Vec<Option<ObservedRecord>>,
        observed: &mut Observed,
    ) {
        let mut gained: BTreeMap<TunnelName, Vec<(Hostname, DnsRecordRef)>> = BTreeMap::new();
        let mut lost: BTreeMap<TunnelName, Vec<Hostname>> = BTreeMap::new();
        let mut moved: BTreeMap<TunnelName, Vec<Hostname>> = BTreeMap::new();
        let (mut deleted, mut seen, mut results) = (BTreeSet::new(), Vec::new(), Vec::new());
        for (step, changed) in steps.into_iter().zip(changed) {
            let hostname = step.hostname().expect("a change of a record has a hostname").clone();
            let mut result = Ok(());
            if let Some(record) = &changed {
                if record.stands_at(&hostname) {
                    let dns = DnsRecordRef { zone_id: zone_id.clone(), record_id: record.id.clone() };
                    gained.entry(step.tunnel().clone()).or_default().push((hostname.clone(), dns));
                    self.memory.settle(&hostname);
                } else {
                    let why = format!("Cloudflare made it as {:?}, which is another name; delete that one", record.name);
                    result = Err(StepError::Other(why));
                }
            }
            if let Step::MoveRecord { from, .. } = &step {
                moved.entry(from.clone()).or_default().push(hostname);
            } else if let Step::DeleteRecord { tunnel, .. } = &step {
                lost.entry(tunnel.clone()).or_default().push(hostname);
            }
            if let Step::DeleteRecord { record_id, .. } = &step {
                deleted.insert(record_id.clone());
            }
            seen.extend(changed);
            results.push((step, result));
        }
        take_in(observed, zone_id, &deleted, seen);
        // First what was gained: a crash in between leaves a moved record with both tunnels, which the planner settles.
        for (tunnel, gained) in gained {
            let noted = self.shared.ledger.amend(&tunnel, |record| record.dns.extend(gained)).await;
            self.noted(noted);
        }
        for (tunnel, lost) in lost {
            let forget = |record: &mut TunnelRecord| record.dns.retain(|hostname, _| !lost.contains(hostname));
            let noted = self.shared.ledger.amend(&tunnel, forget).await;
            self.noted(noted);
        }
        let now = self.shared.clock.now();
        for (tunnel, moved) in moved {
            let part = |record: &mut TunnelRecord| moved.iter().for_each(|hostname| record.part_with(hostname, now));
            let noted = self.shared.ledger.amend(&tunnel, part).await;
            self.noted(noted);
        }
        for (step, result) in results {
            self.conclude(step, result);
        }
    }

    /// Somebody's record is in the way, or ours from a call whose answer was lost: the name is read back, because Cloudflare's
    /// codes are not exact.
    async fn ask_who_stands_there(
        &mut self,
        place: Place<'_>,
        zone_id: &ZoneId,
        step: &Step,
        error: &Error,
        observed: &mut Observed,
    ) {
        let (Step::CreateRecord { hostname, .. }, Kind::Conflict(Conflict::Record | Conflict::IdenticalRecord | Conflict::Other)) =
            (step, error.kind())
        else {
            return;
        };
        self.memory.contest(hostname);
        let Ok(found) = place.client.records_named(zone_id, hostname.as_str()).await else { return };
        let found: Vec<ObservedRecord> = found.into_iter().map(seen_record).collect();
        self.memory.remember_holders(hostname, &found, tokio::time::Instant::now());
        observed.answers.names.insert(hostname.clone(), Part::Complete(found));
    }

    /// A batch failed as a whole: nobody knows what of it was done, or nothing more is asked.
    fn leave_all(&mut self, steps: Vec<Step>, error: Error) {
        let mut steps = steps.into_iter();
        if let Some(first) = steps.next() {
            self.conclude(first, Err(StepError::Api(error)));
        }
        for step in steps {
            self.progress.failed.insert(step.tunnel().clone());
            self.progress.failed.extend(step.moves_from().cloned());
            self.progress.leave(step, "it was in one batch with a step that failed");
        }
    }
}

/// One call, or one operation of a batch.
enum Change {
    Create(NewRecord),
    Patch(RecordId, RecordPatch),
    Delete(RecordId),
}

/// What Cloudflare answered counts as read.
fn take_in(observed: &mut Observed, zone_id: &ZoneId, deleted: &BTreeSet<RecordId>, seen: Vec<ObservedRecord>) {
    let Some(Part::Complete(records)) = observed.records.get_mut(zone_id) else { return };
    let changed: BTreeSet<&RecordId> = seen.iter().map(|record| &record.id).collect();
    records.retain(|record| !deleted.contains(&record.id) && !changed.contains(&record.id));
    records.extend(seen);
}
