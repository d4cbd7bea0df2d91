//! The laws of load balancing and Access, against random accounts, edits and crashes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    Step,
    model::{Model, ModelBalancing, balanced, desired, host, tunnel, wanted},
};
use crate::{
    config::OnDrift,
    desired::Desired,
    id::{BalancerId, MonitorId, PoolId},
    observed::ObservedBalancer,
    record::Fate,
};

const TUNNELS: [&str; 3] = ["api", "shop", "web"];
const HOSTNAMES: [&str; 2] = ["a.example.com", "b.example.com"];

/// What a tunnel is to be.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Absent,
    Plain,
    Balanced { hostname: usize, join: bool, report: bool, protected: bool },
}

#[derive(Debug, Clone, Copy)]
enum Thing {
    Monitor,
    Pool,
    Balancer,
}

/// What may happen between two passes.
#[derive(Debug, Clone)]
enum Event {
    Configure(Vec<Wish>),
    Delete(usize),
    ForeignBalancer(usize, bool),
    ForeignPool(usize),
    ForeignRecord(usize),
    /// Somebody puts a pool of theirs into the balancer of a hostname.
    AddTheirs(usize),
    /// Somebody deletes something of ours.
    Remove(Thing, usize),
    /// Somebody changes something of ours.
    Edit(Thing, usize),
    /// Somebody removes the marker of a balancer, or takes our pool out of it.
    Unmark(usize),
    TakeOut(usize),
    App(usize, bool),
    /// A pass that dies after so many steps; with the answer to the next create lost, or not.
    CrashedPass(usize, bool),
    BlindPass(&'static str),
    Pass,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let wish = prop_oneof![
        1 => Just(Wish::Absent),
        1 => Just(Wish::Plain),
        4 => (0..HOSTNAMES.len(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3))
            .prop_map(|(hostname, join, report, protected)| Wish::Balanced { hostname, join, report, protected }),
    ];
    let thing = prop_oneof![Just(Thing::Monitor), Just(Thing::Pool), Just(Thing::Balancer)];
    let (hostname, name) = (0..HOSTNAMES.len(), 0..TUNNELS.len());
    let blind = prop_oneof![Just("tunnels"), Just("zones"), Just("pools"), Just("balancers"), Just("access")];
    let event = prop_oneof![
        4 => proptest::collection::vec(wish, TUNNELS.len()).prop_map(Event::Configure),
        1 => name.clone().prop_map(Event::Delete),
        1 => (hostname.clone(), any::<bool>()).prop_map(|(hostname, marked)| Event::ForeignBalancer(hostname, marked)),
        1 => name.clone().prop_map(Event::ForeignPool),
        1 => hostname.clone().prop_map(Event::ForeignRecord),
        2 => hostname.clone().prop_map(Event::AddTheirs),
        2 => (thing.clone(), name.clone()).prop_map(|(thing, name)| Event::Remove(thing, name)),
        2 => (thing, name).prop_map(|(thing, name)| Event::Edit(thing, name)),
        1 => hostname.clone().prop_map(Event::Unmark),
        1 => hostname.clone().prop_map(Event::TakeOut),
        2 => (hostname, any::<bool>()).prop_map(|(hostname, there)| Event::App(hostname, there)),
        3 => (0..9usize, any::<bool>()).prop_map(|(steps, lost)| Event::CrashedPass(steps, lost)),
        2 => blind.prop_map(Event::BlindPass),
        4 => Just(Event::Pass),
    ];
    proptest::collection::vec(event, 1..14)
}

fn configure(wishes: &[Wish], model: &mut Model) -> Desired {
    let mut tunnels = Vec::new();
    for (name, wish) in TUNNELS.iter().zip(wishes) {
        let want = match wish {
            Wish::Absent => continue,
            Wish::Plain => wanted(&[]),
            Wish::Balanced { hostname, join, report, protected } => {
                let hostname = HOSTNAMES[*hostname];
                let mut want = balanced(hostname, &[hostname]);
                if *report {
                    want.on_drift = OnDrift::Report;
                }
                if *protected {
                    want.protected.insert(host(hostname), BTreeSet::from([None]));
                }
                let there = model.balancer_at(hostname).map(|found| found.id.clone());
                want.load_balancer.as_mut().unwrap().join = there.filter(|_| *join);
                want
            }
        };
        tunnels.push((*name, want));
    }
    desired(&tunnels)
}

/// The test's own account of what is whose, kept apart from what the planner believes.
#[derive(Debug, Default)]
struct Witness {
    balancers: BTreeSet<BalancerId>,
    pools: BTreeSet<PoolId>,
    monitors: BTreeSet<MonitorId>,
}

/// All that is not ours. Of a balancer that is somebody else's our own pools are left out: those alone may come and go.
fn foreign(model: &Model, witness: &Witness) -> ModelBalancing {
    let ours = |pool: &PoolId| !witness.pools.contains(pool);
    let mut left = model.balancing.clone();
    left.apps.clear();
    left.monitors.retain(|id, _| witness.monitors.contains(id));
    left.pools.retain(|id, _| witness.pools.contains(id));
    left.balancers.retain(|id, _| witness.balancers.contains(id));
    for (_, balancer) in left.balancers.values_mut() {
        balancer.pools.retain(|pool| !ours(pool));
    }
    left
}

fn happen(event: &Event, model: &mut Model, witness: &mut Witness, want: &mut Desired) {
    match event {
        Event::Configure(wishes) => *want = configure(wishes, model),
        Event::Delete(index) => {
            let name = tunnel(TUNNELS[*index]);
            want.tunnels.remove(&name);
            if let Some(record) = model.records.tunnels.get_mut(&name) {
                record.fate = Fate::Delete;
            }
        }
        Event::ForeignBalancer(index, marked) => {
            let hostname = HOSTNAMES[*index];
            if model.balancer_at(hostname).is_none() {
                let description = if *marked { "adit:zzzzzzzz:web" } else { "theirs" };
                witness.balancers.insert(model.add_foreign_balancer(hostname, description));
                witness.pools.extend(model.balancer_at(hostname).unwrap().pools.clone());
            }
        }
        Event::ForeignPool(index) => {
            let name = format!("{}-adit-a1b2c3d4", TUNNELS[*index]);
            if !model.balancing.pools.values().any(|pool| pool.name == name) {
                witness.pools.insert(model.add_foreign_pool(&name, "theirs"));
            }
        }
        Event::ForeignRecord(index) => {
            if model.record_at(HOSTNAMES[*index]).is_none() {
                model.add_foreign_record(HOSTNAMES[*index], "A", "192.0.2.1", None);
            }
        }
        Event::AddTheirs(index) => {
            if model.balancer_at(HOSTNAMES[*index]).is_some() {
                let name = format!("added-{}", model.balancing.pools.len());
                let pool = model.add_foreign_pool(&name, "theirs");
                witness.pools.insert(pool.clone());
                model.balancer_at(HOSTNAMES[*index]).unwrap().pools.insert(0, pool);
            }
        }
        Event::Remove(thing, index) => remove(model, *thing, *index),
        Event::Edit(thing, index) => edit(model, *thing, *index),
        Event::Unmark(index) => {
            if let Some(balancer) = model.balancer_at(HOSTNAMES[*index]) {
                balancer.description = "mine from here on".to_owned();
                witness.balancers.insert(balancer.id.clone());
            }
        }
        Event::TakeOut(index) => {
            let pools = witness.pools.clone();
            if let Some(balancer) = model.balancer_at(HOSTNAMES[*index])
                && let Some(theirs) = balancer.pools.iter().find(|pool| pools.contains(*pool)).cloned()
            {
                balancer.pools.retain(|pool| pools.contains(pool));
                balancer.fallback = Some(theirs);
            }
        }
        Event::App(index, there) => {
            if *there {
                model.add_app(HOSTNAMES[*index]);
            } else {
                model.balancing.apps.retain(|_, app| app.name != HOSTNAMES[*index]);
            }
        }
        Event::CrashedPass(steps, lost) => {
            model.connectors_catch_up();
            let plan = model.plan(want);
            let done = plan.steps.len().min(*steps);
            model.apply(&plan.steps[..done]);
            if let (true, Some(Step::Balancer(step))) = (*lost, plan.steps.get(done))
                && step.facts().sign == '+'
            {
                model.lose_the_answer(step);
            }
        }
        Event::BlindPass(what) => {
            model.unreadable.insert(what);
            let plan = model.plan(want);
            model.unreadable.clear();
            let touched = plan.steps.iter().find(|step| touches(step, what));
            assert!(touched.is_none(), "{what} was not read, and is changed: {plan}");
            model.apply(&plan.steps);
        }
        Event::Pass => {
            let plan = model.plan(want);
            model.apply(&plan.steps);
        }
    }
}

/// Whether a step changes something of a kind that was not read.
fn touches(step: &Step, unread: &str) -> bool {
    let Step::Balancer(step) = step else { return false };
    let is_about = |kinds: &[&str]| kinds.iter().any(|kind| step.facts().word.ends_with(kind));
    match unread {
        "pools" => is_about(&["-pool", "-monitor"]),
        "balancers" => is_about(&["-balancer"]),
        // Nothing is made or joined where the zone of a hostname is not known.
        "zones" => step.facts().sign == '+',
        _ => false,
    }
}

fn remove(model: &mut Model, thing: Thing, index: usize) {
    let Some(record) = model.records.tunnels.get(&tunnel(TUNNELS[index])).map(|record| record.balancing.clone()) else { return };
    match thing {
        Thing::Monitor => {
            if let Some(id) = record.monitor_id()
                && !model.balancing.pools.values().any(|pool| pool.monitor.as_ref() == Some(id))
            {
                model.balancing.monitors.remove(id);
            }
        }
        Thing::Pool => {
            if let Some(id) = record.pool_id()
                && !model.balancing.balancers.values().any(|(_, balancer)| balancer.uses(id))
            {
                model.balancing.pools.remove(id);
            }
        }
        Thing::Balancer => {
            for known in record.balancers.values() {
                if let Some(id) = &known.id {
                    model.balancing.balancers.remove(id);
                }
            }
        }
    }
}

fn edit(model: &mut Model, thing: Thing, index: usize) {
    let Some(record) = model.records.tunnels.get(&tunnel(TUNNELS[index])).map(|record| record.balancing.clone()) else { return };
    match thing {
        Thing::Monitor => {
            if let Some(monitor) = record.monitor_id().and_then(|id| model.balancing.monitors.get_mut(id)) {
                monitor.path = "/edited".to_owned();
            }
        }
        Thing::Pool => {
            if let Some(pool) = record.pool_id().and_then(|id| model.balancing.pools.get_mut(id)) {
                pool.origins.iter_mut().for_each(|origin| origin.host = Some("edited.example.com".to_owned()));
                pool.enabled = false;
            }
        }
        Thing::Balancer => {
            for known in record.balancers.values().filter(|known| !known.adopted) {
                let found = known.id.as_ref().and_then(|id| model.balancing.balancers.get_mut(id));
                if let Some((_, ObservedBalancer { description, steering_policy, .. })) = found
                    && description.starts_with("adit:a1b2c3d4:")
                {
                    *steering_policy = "geo".to_owned();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn others_balancing_stays_and_ours_comes_once(events in events()) {
        let mut model = Model::new();
        let mut witness = Witness::default();
        let mut want = desired(&[]);
        for event in &events {
            let is_pass = matches!(event, Event::CrashedPass(..) | Event::BlindPass(_) | Event::Pass);
            let before = is_pass.then(|| foreign(&model, &witness));
            happen(event, &mut model, &mut witness, &mut want);
            if let Some(before) = before {
                prop_assert_eq!(before, foreign(&model, &witness), "after {:?}", event);
            }
        }
        let before = foreign(&model, &witness);
        let last = model.settle(&want);
        prop_assert_eq!(before, foreign(&model, &witness));
        prop_assert!(last.is_empty(), "never ends:\n{last}");
        for name in TUNNELS {
            let marker = format!("adit:a1b2c3d4:{name}");
            let pools = model.balancing.pools.values().filter(|pool| pool.description == marker).count();
            prop_assert!(pools <= 1, "{pools} pools of {name}");
        }
        for (name, want) in &want.tunnels {
            let Some(balancer) = &want.load_balancer else { continue };
            let obstructed = last.conflicts.iter().any(|conflict| conflict.tunnel() == name)
                || last.holds.iter().any(|hold| hold.tunnel() == Some(name));
            if obstructed {
                continue;
            }
            let pool = model.pool_of(name.as_str()).id.clone();
            let found = model.balancer_at(balancer.hostname.as_str());
            prop_assert!(found.is_some_and(|found| found.pools.contains(&pool)), "{name} is not in its balancer:\n{last}");
        }
    }
}
