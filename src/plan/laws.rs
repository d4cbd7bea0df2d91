//! The laws of planning, against random accounts, edits and crashes.

mod networks;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::{
    Step,
    model::{Model, ModelTunnel, desired, tunnel, wanted},
};
use crate::{
    desired::Desired,
    id::{RecordId, TunnelId},
    observed::ObservedRecord,
    record::{ConfigurationSource, Fate},
};

const TUNNELS: [&str; 4] = ["api", "blog", "shop", "web"];
const HOSTNAMES: [&str; 6] =
    ["a.example.com", "b.example.com", "c.example.com", "a.example.org", "*.example.org", "a.example.net"];

/// What may happen between two passes.
#[derive(Debug, Clone)]
enum Event {
    /// The configuration says this: for each hostname, the tunnel that has it, and whether its DNS is ours; for each private route,
    /// the tunnel that has it; which tunnels there are; and which of them have a local configuration.
    Configure(Vec<(usize, bool)>, Vec<usize>, u8, u8),
    /// So many seconds pass.
    Wait(i64),
    /// An operator deletes a tunnel.
    Delete(usize),
    /// Somebody puts a record there.
    ForeignRecord(usize, ForeignRecord),
    /// Somebody makes a tunnel with the name that ours would have.
    ForeignTunnel(usize),
    /// Somebody deletes the record at a hostname.
    RemoveRecord(usize),
    /// Somebody changes the record at a hostname.
    EditRecord(usize, Edit),
    /// Somebody deletes a tunnel of ours.
    RemoveTunnel(usize),
    /// Somebody writes another configuration.
    EditConfiguration(usize),
    /// Somebody does something about private routes.
    Networks(networks::Edit),
    /// A pass that dies after so many steps; with the answer to the next create lost, or not.
    CrashedPass(usize, bool),
    /// A pass that cannot read this.
    BlindPass(&'static str),
    /// A pass that goes well.
    Pass,
}

#[derive(Debug, Clone, Copy)]
enum ForeignRecord {
    Address,
    OtherTarget,
    OurTarget,
    OtherInstall,
}

#[derive(Debug, Clone, Copy)]
enum Edit {
    Target,
    Proxied,
    Comment,
    Kind,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let hostname = 0..HOSTNAMES.len();
    let name = 0..TUNNELS.len();
    let hostnames = proptest::collection::vec((0..TUNNELS.len() + 1, any::<bool>()), HOSTNAMES.len());
    let configure = (hostnames, networks::owners(TUNNELS.len()), any::<u8>(), any::<u8>());
    let foreign = prop_oneof![
        Just(ForeignRecord::Address),
        Just(ForeignRecord::OtherTarget),
        Just(ForeignRecord::OurTarget),
        Just(ForeignRecord::OtherInstall)
    ];
    let edit = prop_oneof![Just(Edit::Target), Just(Edit::Proxied), Just(Edit::Comment), Just(Edit::Kind)];
    let blind = prop_oneof![
        Just("tunnels"),
        Just("zones"),
        Just("example-com"),
        Just("example-org"),
        Just("private routes"),
        Just("virtual networks")
    ];
    let event = prop_oneof![
        4 => configure
            .prop_map(|(hostnames, private, tunnels, local)| Event::Configure(hostnames, private, tunnels, local)),
        2 => (1..90_i64).prop_map(Event::Wait),
        4 => networks::edits().prop_map(Event::Networks),
        1 => name.clone().prop_map(Event::Delete),
        2 => (hostname.clone(), foreign).prop_map(|(hostname, foreign)| Event::ForeignRecord(hostname, foreign)),
        1 => name.clone().prop_map(Event::ForeignTunnel),
        2 => hostname.clone().prop_map(Event::RemoveRecord),
        3 => (hostname, edit).prop_map(|(hostname, edit)| Event::EditRecord(hostname, edit)),
        1 => name.clone().prop_map(Event::RemoveTunnel),
        1 => name.prop_map(Event::EditConfiguration),
        3 => (0..6usize, any::<bool>()).prop_map(|(steps, lost)| Event::CrashedPass(steps, lost)),
        2 => blind.prop_map(Event::BlindPass),
        4 => Just(Event::Pass),
    ];
    proptest::collection::vec(event, 1..20)
}

fn configure(hostnames: &[(usize, bool)], private: &[usize], tunnels: u8, local: u8) -> Desired {
    let present: Vec<usize> = (0..TUNNELS.len()).filter(|index| tunnels & (1 << index) != 0).collect();
    let of = |index: usize| {
        let mine = hostnames.iter().zip(HOSTNAMES).filter(|((owner, _), _)| *owner == index);
        let (ours, others): (Vec<_>, Vec<_>) = mine.partition(|((_, dns), _)| *dns);
        let names: Vec<&str> = ours.into_iter().map(|(_, hostname)| hostname).collect();
        let mut want = wanted(&names);
        if local & (1 << index) != 0 {
            want.source = ConfigurationSource::Local;
        }
        want.foreign_hostnames = others.into_iter().map(|(_, hostname)| hostname.parse().unwrap()).collect();
        want.private_routes = networks::of(private, index);
        (TUNNELS[index], want)
    };
    desired(&present.into_iter().map(of).collect::<Vec<_>>())
}

/// All that is not ours: what must never change.
#[derive(Debug, PartialEq)]
struct Foreign {
    tunnels: BTreeMap<TunnelId, ModelTunnel>,
    records: BTreeMap<RecordId, ObservedRecord>,
    networks: networks::Foreign,
}

/// The test's own account of what is whose, kept apart from what the planner believes.
#[derive(Debug, Default)]
struct Witness {
    foreign_tunnels: BTreeSet<TunnelId>,
    foreign_records: BTreeSet<RecordId>,
    /// Tunnels that lost a hostname, and until when they keep its rule.
    parted: Vec<(TunnelId, String, Timestamp)>,
    networks: networks::Witness,
}

/// Whether a tunnel lives and has a rule for a hostname.
fn keeps(model: &Model, (id, hostname, _): &(TunnelId, String, Timestamp)) -> bool {
    let tunnel = &model.tunnels[id];
    let rule = |document: &serde_json::Value| document.to_string().contains(&format!("\"{hostname}\""));
    let is_local = tunnel.source == ConfigurationSource::Local;
    !tunnel.deleted && (is_local || tunnel.configuration.as_ref().is_none_or(|(_, document)| rule(document)))
}

impl Witness {
    /// Notes what a pass moves away from a tunnel, before it does.
    fn watch(&mut self, model: &Model, steps: &[Step]) {
        for step in steps {
            let Step::MoveRecord { from, tunnel, hostname, .. } = step else { continue };
            let reported = model.reported.contains_key(tunnel) || model.reported.contains_key(from);
            assert!(reported, "{hostname} moves to {tunnel}, which does not serve");
            let id = model.records.tunnels.get(from).and_then(|record| record.id.clone());
            let until = model.now + super::GRACE;
            self.parted.extend(id.map(|id| (id, hostname.to_string(), until)).filter(|parted| keeps(model, parted)));
        }
    }

    /// Whether every tunnel that lost a hostname a moment ago still has it in its configuration.
    fn keeps_its_word(&self, model: &Model) -> bool {
        self.parted.iter().filter(|(_, _, until)| model.now < *until).all(|parted| keeps(model, parted))
    }

    fn foreign(&self, model: &Model) -> Foreign {
        let tunnels = model.tunnels.iter().filter(|(id, _)| self.foreign_tunnels.contains(*id));
        let records = model.dns.values().flatten().filter(|record| self.foreign_records.contains(&record.id));
        Foreign {
            tunnels: tunnels.map(|(id, tunnel)| (id.clone(), tunnel.clone())).collect(),
            records: records.map(|record| (record.id.clone(), record.clone())).collect(),
            networks: self.networks.foreign(model),
        }
    }
}

fn happen(event: &Event, model: &mut Model, witness: &mut Witness, want: &mut Desired) {
    match event {
        Event::Configure(hostnames, private, tunnels, local) => *want = configure(hostnames, private, *tunnels, *local),
        Event::Wait(seconds) => model.now += SignedDuration::from_secs(*seconds),
        Event::Networks(edit) => networks::happen(*edit, model, &mut witness.networks),
        Event::Delete(index) => {
            let name = tunnel(TUNNELS[*index]);
            want.tunnels.remove(&name);
            if let Some(record) = model.records.tunnels.get_mut(&name) {
                record.fate = Fate::Delete;
            }
        }
        Event::ForeignRecord(index, foreign) => {
            let name = HOSTNAMES[*index];
            if name.ends_with(".net") || model.record_at(name).is_some() {
                return;
            }
            let ours = model.records.tunnels.values().find_map(|record| record.id.clone());
            let (kind, content, comment) = match foreign {
                ForeignRecord::Address => ("A", "192.0.2.1".to_owned(), None),
                ForeignRecord::OtherTarget => ("CNAME", "other.cfargotunnel.com".to_owned(), Some("mine")),
                ForeignRecord::OurTarget => match ours {
                    Some(id) => ("CNAME", id.dns_target(), None),
                    None => return,
                },
                ForeignRecord::OtherInstall => ("CNAME", "other.cfargotunnel.com".to_owned(), Some("adit:zzzzzzzz:web")),
            };
            witness.foreign_records.insert(model.add_foreign_record(name, kind, &content, comment));
        }
        Event::ForeignTunnel(index) => {
            let name = format!("{}.adit-a1b2c3d4", TUNNELS[*index]);
            if !model.tunnels.values().any(|tunnel| tunnel.name == name && !tunnel.deleted) {
                witness.foreign_tunnels.insert(model.add_foreign_tunnel(&name));
            }
        }
        Event::RemoveRecord(index) => {
            let name = HOSTNAMES[*index];
            if let Some(record) = model.record_at(name) {
                witness.foreign_records.remove(&record.id);
            }
            model.remove_record(name);
        }
        Event::EditRecord(index, edit) => {
            let Some(record) = model.record_at(HOSTNAMES[*index]) else { return };
            match edit {
                Edit::Target => record.content = "elsewhere.example.net".to_owned(),
                Edit::Proxied => record.proxied = false,
                // Whoever removes the marker, or makes it another kind of record, has made it theirs.
                Edit::Comment => {
                    record.comment = Some("mine from here on".to_owned());
                    witness.foreign_records.insert(record.id.clone());
                }
                Edit::Kind => {
                    (record.kind, record.content) = ("A".to_owned(), "192.0.2.9".to_owned());
                    witness.foreign_records.insert(record.id.clone());
                }
            }
        }
        Event::RemoveTunnel(index) => {
            let id = model.records.tunnels.get(&tunnel(TUNNELS[*index])).and_then(|record| record.id.clone());
            witness.parted.retain(|(parted, _, _)| Some(parted) != id.as_ref());
            if let Some(id) = id
                && let Some(tunnel) = model.tunnels.get_mut(&id)
            {
                tunnel.deleted = true;
                model.networks.cascade(&id);
            }
        }
        Event::EditConfiguration(index) => {
            let id = model.records.tunnels.get(&tunnel(TUNNELS[*index])).and_then(|record| record.id.clone());
            witness.parted.retain(|(parted, _, _)| Some(parted) != id.as_ref());
            if let Some(configuration) = id.and_then(|id| model.tunnels.get_mut(&id)?.configuration.as_mut()) {
                *configuration = (configuration.0 + 1, json!({ "ingress": [{ "service": "http_status:418" }] }));
            }
            model.connectors_catch_up();
        }
        Event::CrashedPass(steps, lost) => {
            let plan = model.plan(want);
            let steps_done = &plan.steps[..plan.steps.len().min(*steps)];
            witness.watch(model, steps_done);
            model.apply(steps_done);
            if let (true, Some(Step::CreateTunnel { tunnel, cloudflare_name, source, .. })) = (*lost, plan.steps.get(*steps)) {
                model.create_and_lose_the_answer(tunnel, cloudflare_name, *source);
            }
            if let (true, Some(Step::Network(step))) = (*lost, plan.steps.get(*steps)) {
                networks::crash_in(step, steps % 2 == 0, model);
            }
        }
        Event::BlindPass(what) => {
            model.unreadable.insert(what);
            let plan = model.plan(want);
            model.unreadable.clear();
            for step in &plan.steps {
                assert!(!touches(step, what), "{what} was not read, and is changed: {step}");
            }
            witness.watch(model, &plan.steps);
            model.apply(&plan.steps);
            model.connectors_catch_up();
        }
        Event::Pass => {
            let plan = model.plan(want);
            witness.watch(model, &plan.steps);
            model.apply(&plan.steps);
            model.connectors_catch_up();
        }
    }
}

/// Whether a step changes something in the part of the account that was not read.
fn touches(step: &Step, unread: &str) -> bool {
    let zone = match step {
        Step::CreateRecord { zone_id, .. }
        | Step::RepairRecord { zone_id, .. }
        | Step::MoveRecord { zone_id, .. }
        | Step::DeleteRecord { zone_id, .. } => Some(zone_id.as_str()),
        Step::CreateTunnel { .. }
        | Step::PutConfiguration { .. }
        | Step::WriteRules { .. }
        | Step::DeleteConnections { .. }
        | Step::DeleteTunnel { .. } => return unread == "tunnels",
        Step::Network(step) => return networks::touches(step, unread),
        Step::RenameTunnel { .. }
        | Step::KeepTunnel { .. }
        | Step::RetireTunnel { .. }
        | Step::DrainTunnel { .. }
        | Step::EndParting { .. }
        | Step::NoteDocument { .. }
        | Step::OrphanTunnel { .. }
        | Step::SettleCreation { .. }
        | Step::TakeRecord { .. }
        | Step::ForgetRecord { .. }
        | Step::NoteVersion { .. }
        | Step::ForgetTunnel { .. }
        | Step::Rotation(_)
        | Step::Access(_) => return false,
        Step::Balancer(_) => return unread == "tunnels",
    };
    zone == Some(unread)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_ours_stays_and_what_is_wanted_comes(events in events()) {
        let mut model = Model::new();
        let mut witness = Witness::default();
        let mut want = desired(&[]);
        for event in &events {
            let is_pass = matches!(event, Event::CrashedPass(..) | Event::BlindPass(_) | Event::Pass);
            let before = is_pass.then(|| witness.foreign(&model));
            happen(event, &mut model, &mut witness, &mut want);
            if let Some(before) = before {
                prop_assert_eq!(before, witness.foreign(&model), "after {:?}", event);
            }
            for name in TUNNELS {
                let named = format!("{name}.adit-a1b2c3d4");
                let live = model.tunnels.values().filter(|tunnel| tunnel.name == named && !tunnel.deleted).count();
                prop_assert!(live <= 1, "{live} tunnels named {named} after {event:?}");
                prop_assert!(witness.keeps_its_word(&model), "a hostname lost its way before the grace period ended, after {event:?}");
            }
        }

        let before = witness.foreign(&model);
        let last = model.settle(&want);
        prop_assert_eq!(before, witness.foreign(&model));
        let ends = last.confirmed().iter().all(|step| witness.networks.keeps(step.tunnel(), &model));
        prop_assert!(ends, "never ends:\n{last}");
        let ours = model.tunnels.iter().filter(|(id, tunnel)| !witness.foreign_tunnels.contains(*id) && !tunnel.deleted);
        for (_, tunnel) in ours {
            let records: Vec<_> = model.records.tunnels.values().filter(|record| record.secret == tunnel.secret).collect();
            prop_assert!(records.len() == 1, "{} is on record {} times", tunnel.name, records.len());
            // A record that somebody took over may still lead to it, and so may one that nobody can read.
            let contested = |hostname| {
                let held = |hold: &super::Hold| hold.tunnel() == Some(&records[0].name) && hold.code == super::HoldCode::NotReady;
                last.conflicts.iter().any(|conflict| conflict.hostname() == Some(hostname)) || last.holds.iter().any(held)
            };
            let obstructed = records[0].dns.keys().any(contested)
                || !want.tunnels.contains_key(&records[0].name.given())
                || witness.networks.keeps(&records[0].name, &model)
                || !records[0].private_routes.is_empty();
            prop_assert!(records[0].fate != Fate::Retiring || obstructed, "{} stays:\n{last}", tunnel.name);
        }
        for (name, want) in &want.tunnels {
            let conflicted = last.conflicts.iter().any(|conflict| conflict.tunnel() == name && conflict.is_of_tunnel());
            let held = last.holds.iter().any(|hold| hold.tunnel() == Some(name) && matches!(hold.scope, super::Scope::Tunnel { .. }));
            if conflicted || held {
                continue;
            }
            let id = model.id_of(name.as_str());
            prop_assert!(!model.tunnels[&id].deleted);
            for route in &want.private_routes {
                prop_assert!(networks::is_served(&model, &last, name, route, &id), "{route} of {name} is not served:\n{last}");
            }
            for hostname in want.hostnames.iter().filter(|hostname| !hostname.as_str().ends_with(".net")) {
                let obstructed = last.conflicts.iter().any(|conflict| conflict.hostname() == Some(hostname));
                let target = model.record_at(hostname.as_str()).map(|record| record.content.clone());
                prop_assert!(obstructed || target == Some(id.dns_target()), "{hostname} leads to {target:?}:\n{last}");
            }
        }
    }
}
