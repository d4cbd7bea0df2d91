//! When the uplink is gone, and when it is back.

use std::time::Instant;

use super::{
    Fleet, FleetCommand, FleetNotice, UplinkEnd,
    hold::{HOLD_AFTER, Hold},
    members::Sums,
    standing::Cause,
};

/// The time from when the edge was silent, or everything was lost, to when it can be reached again.
#[derive(Debug)]
pub(super) struct Outage {
    since: Instant,
    /// At some time during it nobody had a connection, so that the first who gets one proves that it is over.
    total: bool,
}

impl Outage {
    /// Whether nobody had a connection at some time during it.
    pub(super) fn is_total(&self) -> bool {
        self.total
    }
}

impl Fleet {
    pub(super) fn reckon_outage(&mut self, sums: Sums, now: Instant) {
        match &mut self.outage {
            None if sums.is_dark() && sums.lost > 0 => self.begin_outage(sums, now),
            None => {}
            Some(_) if sums.lacking == 0 && sums.connected == 0 => self.end_outage(UplinkEnd::NotNeeded, now),
            Some(outage) if sums.is_dark() => outage.total = true,
            Some(outage) if outage.total || sums.lacking == 0 => {
                let first = self.members.iter().find(|(_, member)| member.is_connected()).map(|(slot, _)| slot.clone());
                self.end_outage(first.map_or(UplinkEnd::NotNeeded, UplinkEnd::Connected), now);
            }
            Some(_) => {}
        }
    }

    pub(super) fn reckon_hold(&mut self, sums: Sums, now: Instant) {
        if !sums.is_dark() {
            self.dark_since = None;
            return;
        }
        if self.dark_since.is_none() {
            self.dark_since = Some(now);
            // What it answered before proves nothing about this.
            self.edge.forget_answer();
            self.edge.hurry(now, &mut self.rng);
        }
        if self.hold_at().is_some_and(|at| at <= now) {
            self.begin_outage(sums, now);
            self.hold = Some(Hold::new(now));
            let silence = self.edge.silence().map(str::to_owned);
            self.notices.push_back(FleetNotice::UplinkLost { connectors: sums.lacking, silence });
        }
    }

    /// When the hold begins if nothing changes. Only an answer of the edge puts it off; its silence does not bring it nearer.
    pub(super) fn hold_at(&self) -> Option<Instant> {
        let dark_since = self.dark_since.filter(|_| self.hold.is_none())?;
        let at = dark_since + HOLD_AFTER;
        Some(self.edge.proved_until().map_or(at, |proved| at.max(proved)))
    }

    pub(super) fn begin_outage(&mut self, sums: Sums, now: Instant) {
        if self.outage.is_some() {
            return;
        }
        self.outage = Some(Outage { since: self.dark_since.unwrap_or(now), total: sums.is_dark() });
        // Those of an outage before this one.
        self.members.change_all(|members| members.values_mut().for_each(|member| member.revival.due = None));
    }

    pub(super) fn end_outage(&mut self, how: UplinkEnd, now: Instant) {
        let Some(outage) = self.outage.take() else { return };
        // It counts anew from here, if it goes on; what the edge just answered still holds.
        self.dark_since = self.dark_since.map(|_| now);
        let restarting = self.plan_revivals(Cause::Outage, now);
        self.members.change_all(|members| {
            members.values_mut().filter_map(|member| member.lack.as_mut()).for_each(|lack| lack.lost = false);
        });
        let hold = self.hold.take();
        if hold.is_some() || restarting > 0 {
            let lasted = now.saturating_duration_since(outage.since);
            self.notices.push_back(FleetNotice::UplinkBack { how, lasted, restarting });
        }
        let held = hold.into_iter().flat_map(Hold::into_held);
        self.commands.extend(held.map(FleetCommand::Release));
        self.revive_due(now);
    }
}
