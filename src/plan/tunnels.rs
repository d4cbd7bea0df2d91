//! Which tunnels are made, settled, kept and orphaned.

use super::{Conflict, CreateReason, HoldCode, Known, Planner, Question, Scope, Standing, Step};
use crate::{
    desired::DesiredTunnel,
    id::TunnelId,
    name::TunnelName,
    observed::{Existence, Part},
    record::{Fate, TunnelRecord},
};

impl Planner<'_> {
    /// A tunnel with `renamed_from` takes over the record of that name, if nobody else uses it.
    pub(super) fn rename_tunnels(&mut self) {
        for (name, want) in &self.input.desired.tunnels {
            let Some(from) = &want.renamed_from else { continue };
            // A crash in the middle of a rename leaves both records, with one secret: then it is done again.
            let begun = self.are_one(name, from);
            let taken = (self.records.contains_key(name) && !begun) || self.input.records.held.contains_key(name);
            let wanted = self.input.desired.tunnels.contains_key(from) || self.input.desired.held.contains_key(from);
            let dying = self.records.get(from).is_none_or(|record| record.fate == Fate::Delete);
            if taken || wanted || dying {
                continue;
            }
            if begun {
                self.records.remove(from);
            } else {
                self.take_name(from, name, Fate::Keep);
            }
            self.steps.push(Step::RenameTunnel { from: from.clone(), tunnel: name.clone() });
        }
    }

    /// Whether two records are of one tunnel.
    pub(super) fn are_one(&self, one: &TunnelName, other: &TunnelName) -> bool {
        match (self.records.get(one), self.records.get(other)) {
            (Some(one), Some(other)) => one.secret == other.secret,
            (None, _) | (_, None) => false,
        }
    }

    /// Decides for each wanted tunnel whether it exists, is made, or has to wait; and orphans what is wanted no longer.
    pub(super) fn plan_tunnels(&mut self) {
        for (name, want) in &self.input.desired.tunnels {
            let standing = self.stand(name, want);
            self.standing.insert(name.clone(), standing);
        }
        for (name, why) in &self.input.records.held {
            self.hold_tunnel(name, HoldCode::RecordUnreadable, why);
        }
        let unwanted: Vec<Known<'_>> =
            self.records.values().filter(|record| !self.input.desired.tunnels.contains_key(&record.name)).cloned().collect();
        for record in unwanted {
            if let Some(why) = self.input.desired.held.get(&record.name) {
                self.hold_tunnel(&record.name, HoldCode::RecordUnreadable, why);
                continue;
            }
            let wanted_in = self.input.desired.elsewhere.get(&record.name).filter(|_| record.fate != Fate::Delete);
            if let Some(account) = wanted_in {
                let why = format!(
                    "the configuration says account {account}, but it was made here, and no tunnel moves between accounts; it goes on \
                     as it is until the one of account {account} has another name"
                );
                self.hold_tunnel(&record.name, HoldCode::OtherAccount, why);
                continue;
            }
            match record.fate {
                // Its connectors go on for hostnames that others take over.
                Fate::Keep if self.is_handing_over(&record) => {}
                Fate::Keep => self.steps.push(Step::OrphanTunnel { tunnel: record.name.clone() }),
                Fate::Orphaned => self.notes.push(left_behind(&record)),
                Fate::Delete | Fate::Retiring => {}
            }
        }
    }

    fn stand(&mut self, name: &TunnelName, want: &DesiredTunnel) -> Standing {
        if self.input.records.held.contains_key(name) {
            return Standing::Held;
        }
        if let Some(record) = self.input.records.tunnels.get(name)
            && record.account_id != *self.input.account_id
        {
            let why = format!(
                "it was made in account {}, and no tunnel moves between accounts; give the tunnel of this account another name, and \
                 delete the other one when nothing leads to it any more",
                record.account_id
            );
            self.hold_tunnel(name, HoldCode::OtherAccount, why);
            return Standing::Held;
        }
        if self.records.get(name).is_some_and(|record| record.fate == Fate::Orphaned) {
            self.steps.push(Step::KeepTunnel { tunnel: name.clone() });
        }
        if let Some(held) = self.check_shared(name, want) {
            return held;
        }
        let input = self.input;
        if let Part::Gap(gap) = &input.observed.tunnels {
            self.hold_gap(Scope::Account, gap);
            return Standing::Held;
        }
        let Some(record) = self.records.get(name).cloned() else {
            let cloudflare_name = self.free_name(name);
            if let Some(id) = self.find_named(&cloudflare_name) {
                let why = "nothing here says that it is ours, so it is left alone";
                return self.conflict(name, cloudflare_name, id, why);
            }
            return self.create(name, cloudflare_name, want, CreateReason::Wanted);
        };
        if record.fate == Fate::Delete {
            self.hold_tunnel(name, HoldCode::BeingDeleted, "a tunnel of this name is being deleted; it is made after that");
            return Standing::Held;
        }
        if record.source != want.source {
            // Every other tunnel of this kind has just been retired.
            let until = if record.balancing.is_empty() {
                "waits until its record can be read"
            } else {
                "needs another tunnel; take it out of its load balancer first, with its configuration where it was"
            };
            let why = format!("its configuration goes from {} to {}, which {until}", record.source, want.source);
            self.hold_tunnel(name, HoldCode::SourceChanged, why);
            return Standing::Held;
        }
        match &record.id {
            Some(id) => self.check_known(&record, id, want),
            None => self.settle(&record, want),
        }
    }

    /// A tunnel that exists as far as we know.
    fn check_known(&mut self, record: &TunnelRecord, id: &TunnelId, want: &DesiredTunnel) -> Standing {
        let listed = self.input.observed.tunnels.complete().expect("the caller has the list");
        if listed.contains_key(id) {
            return Standing::Live(id.clone());
        }
        let input = self.input;
        let gone = match input.observed.answers.tunnels.get(id) {
            None => {
                self.questions.insert(Question::TunnelById(id.clone()));
                self.hold_tunnel(&record.name, HoldCode::Unproven, "it is in no list of tunnels, and was not read by its id yet");
                false
            }
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Tunnel { tunnel: record.name.clone() }, gap);
                false
            }
            Some(Part::Complete(Existence::Live(_))) => return Standing::Live(id.clone()),
            Some(Part::Complete(Existence::Deleted)) => true,
            // Without anything else to be seen in the account, a 404 may as well mean that the account cannot be seen.
            Some(Part::Complete(Existence::NotFound)) if !listed.is_empty() => true,
            Some(Part::Complete(Existence::NotFound)) => {
                let why = "Cloudflare knows no such id, but shows no other tunnel of the account either, so nothing is proven";
                self.hold_tunnel(&record.name, HoldCode::Unproven, why);
                false
            }
        };
        if !gone {
            return Standing::Held;
        }
        if record.shared.is_some() {
            let why = "it was deleted at Cloudflare, and one that others share is not made again; adopt another, or forget it";
            self.hold_tunnel(&record.name, HoldCode::NotAdopted, why);
            return Standing::Held;
        }
        if let Some(other) = self.find_named(&record.cloudflare_name) {
            let why = "took the name of ours, which was deleted";
            return self.conflict(&record.name, record.cloudflare_name.clone(), other, why);
        }
        self.create(&record.name, record.cloudflare_name.clone(), want, CreateReason::Gone)
    }

    /// A tunnel whose creation was begun: the answer was lost, or never came.
    fn settle(&mut self, record: &TunnelRecord, want: &DesiredTunnel) -> Standing {
        let Some(id) = self.find_named(&record.cloudflare_name) else {
            return self.create(&record.name, record.cloudflare_name.clone(), want, CreateReason::Unfinished);
        };
        let input = self.input;
        match input.observed.answers.secrets.get(&id) {
            None => {
                self.questions.insert(Question::SecretOf(id));
                self.hold_tunnel(
                    &record.name,
                    HoldCode::Unproven,
                    "a tunnel of its name exists; whether it is ours was not read yet",
                );
                Standing::Held
            }
            Some(Part::Gap(gap)) => {
                self.hold_gap(Scope::Tunnel { tunnel: record.name.clone() }, gap);
                Standing::Held
            }
            Some(Part::Complete(secret)) if *secret == record.secret => {
                self.steps.push(Step::SettleCreation { tunnel: record.name.clone(), id: id.clone() });
                Standing::Live(id)
            }
            Some(Part::Complete(_)) => {
                self.conflict(&record.name, record.cloudflare_name.clone(), id, "has another secret, so it is left alone")
            }
        }
    }

    /// The listed tunnel that is called so at Cloudflare.
    pub(super) fn find_named(&self, cloudflare_name: &str) -> Option<TunnelId> {
        let listed = self.input.observed.tunnels.complete().into_iter().flatten();
        // Of two with one name the first one counts.
        let names = || listed.rev().map(|(id, tunnel)| (tunnel.name.as_str(), id)).collect();
        self.listed_names.get_or_init(names).get(cloudflare_name).map(|id| (*id).clone())
    }

    /// What a new tunnel is called at Cloudflare: not as one of ours that still lives there while this one takes its place.
    fn free_name(&self, name: &TunnelName) -> String {
        let records = self.input.records;
        let names = || records.tunnels.values().map(|record| record.cloudflare_name.as_str()).collect();
        let taken = self.recorded_names.get_or_init(names);
        let first = records.install.cloudflare_name(name);
        let others = (2_u64..).map(|number| records.install.later_cloudflare_name(name, number));
        std::iter::once(first)
            .chain(others)
            .find(|name| !taken.contains(name.as_str()))
            .expect("there are more numbers than tunnels")
    }

    fn create(&mut self, name: &TunnelName, cloudflare_name: String, want: &DesiredTunnel, why: CreateReason) -> Standing {
        self.steps.push(Step::CreateTunnel { tunnel: name.clone(), cloudflare_name, source: want.source, why });
        Standing::Coming
    }

    fn conflict(&mut self, name: &TunnelName, cloudflare_name: String, id: TunnelId, why: &str) -> Standing {
        self.conflicts.push(Conflict::Tunnel { tunnel: name.clone(), cloudflare_name, id, why: why.to_owned() });
        Standing::Held
    }
}

pub(super) fn left_behind(record: &TunnelRecord) -> String {
    let count = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("its {one}")),
        count => Some(format!("its {count} {one}s")),
    };
    let balancing = record.balancing.pool.is_some().then(|| "its load balancing".to_owned());
    let had = [count(record.dns.len(), "DNS record"), count(record.private_routes.len(), "private route"), balancing];
    let had: Vec<String> = had.into_iter().flatten().collect();
    let stays = if had.is_empty() {
        "it stays at Cloudflare until it is deleted".to_owned()
    } else {
        format!("it and {} stay at Cloudflare until they are deleted", had.join(" and "))
    };
    format!("tunnel {} left the configuration; {stays}", record.name)
}
