//! What a plan says about load balancers and Access, in the words that people read.

use std::collections::BTreeSet;

use super::{
    model::{Model, balanced, desired, host, tunnel, wanted},
    *,
};
use crate::{
    config::{OnDrift, SteeringPolicy},
    desired::DesiredTunnel,
    record::Fate,
};

const WWW: &str = "www.example.com";

fn settled(desired: &Desired) -> Model {
    let mut model = Model::new();
    let last = model.settle(desired);
    assert_eq!(last.to_string(), "account default\n  nothing to change\n");
    model
}

fn web() -> Desired {
    desired(&[("web", balanced(WWW, &[WWW]))])
}

fn protected(hostnames: &[&str]) -> DesiredTunnel {
    let mut want = wanted(hostnames);
    want.protected = hostnames.iter().map(|hostname| (host(hostname), BTreeSet::from([None]))).collect();
    want
}

#[test]
fn a_balancer_is_made_from_the_monitor_up_and_says_what_it_costs() {
    assert_eq!(
        Model::new().plan(&web()).to_string(),
        "account default
  + tunnel web (web.adit-a1b2c3d4, remote configuration)
  ~ configuration of web: 1 rule
  + monitor of web: https://www.example.com/ answers 2xx, every 60 s
  + pool web-adit-a1b2c3d4 -> web (each endpoint of a load balancer is billed by Cloudflare every month)
  + load balancer www.example.com -> web (steering random)
  4 to add, 1 to change, 0 to delete
"
    );
}

#[test]
fn the_host_header_is_the_balancers_hostname_in_the_pool_and_in_the_monitor() {
    let mut model = settled(&web());
    let pool = model.pool_of("web").clone();
    assert_eq!(pool.origins[0].host.as_deref(), Some(WWW));
    assert_eq!(pool.origins[0].address, model.id_of("web").dns_target());
    assert_eq!(model.balancing.monitors[pool.monitor.as_ref().unwrap()].host.as_deref(), Some(WWW));
    assert_eq!(model.balancer_at(WWW).unwrap().pools, [pool.id]);
}

#[test]
fn two_tunnels_share_one_balancer_and_the_last_one_takes_it_down() {
    let both = desired(&[("shop", balanced(WWW, &[WWW])), ("web", balanced(WWW, &[WWW]))]);
    let mut model = settled(&both);
    assert_eq!(model.balancing.balancers.len(), 1);
    assert_eq!(model.balancer_at(WWW).unwrap().pools.len(), 2);
    let one = desired(&[("shop", wanted(&[])), ("web", balanced(WWW, &[WWW]))]);
    assert_eq!(
        model.plan(&one).to_string().lines().skip(2).collect::<Vec<_>>(),
        [
            "  ~ load balancer www.example.com: remove the pool of shop, and leave the rest",
            "  - pool of shop",
            "  - monitor of shop",
            "  0 to add, 2 to change, 2 to delete",
        ]
    );
    model.settle(&one);
    let pool = model.pool_of("web").id.clone();
    assert_eq!(model.balancer_at(WWW).unwrap().pools, std::slice::from_ref(&pool));
    assert_eq!(model.balancer_at(WWW).unwrap().fallback, Some(pool), "a pool that left is no fallback");
    model.settle(&desired(&[("shop", wanted(&[])), ("web", wanted(&[]))]));
    assert_eq!(model.balancing, super::model::ModelBalancing::default());
}

#[test]
fn both_tunnels_of_a_balancer_may_leave_it_in_one_plan() {
    let mut model = settled(&desired(&[("shop", balanced(WWW, &[WWW])), ("web", balanced(WWW, &[WWW]))]));
    model.settle(&desired(&[("shop", wanted(&[])), ("web", wanted(&[]))]));
    assert_eq!(model.balancing, super::model::ModelBalancing::default());
}

#[test]
fn a_balancer_of_somebody_else_is_a_conflict_that_names_the_way_out() {
    let mut model = Model::new();
    let id = model.add_foreign_balancer(WWW, "mine");
    let plan = model.settle(&web());
    assert_eq!(
        plan.to_string(),
        format!(
            "account default
  ! www.example.com of web: the load balancer {id} with the description \"mine\" is there; it is not ours; with \
load_balancer.join = \"{id}\" the pool of web is added to it
  nothing to change, 1 conflict
"
        )
    );
    assert!(model.balancing.monitors.is_empty(), "nothing is made that could not be used");
    assert_eq!(model.balancing.pools.len(), 1);
}

#[test]
fn a_balancer_of_another_installation_is_joined_only_when_its_id_is_given() {
    let mut model = Model::new();
    let id = model.add_foreign_balancer(WWW, "adit:zzzzzzzz:web");
    assert_eq!(model.settle(&web()).conflicts.len(), 1);
    let before = model.balancer_at(WWW).unwrap().clone();
    let mut want = balanced(WWW, &[WWW]);
    want.load_balancer.as_mut().unwrap().join = Some(id.clone());
    let joined = desired(&[("web", want)]);
    assert!(model.plan(&joined).to_string().contains(&format!(
        "~ load balancer www.example.com ({id}, which is not ours): add the pool of web, and leave the rest"
    )));
    model.settle(&joined);
    let mut expected = before.clone();
    expected.pools.push(model.pool_of("web").id.clone());
    assert_eq!(*model.balancer_at(WWW).unwrap(), expected, "everything else is as it was");
    model.settle(&desired(&[("web", wanted(&[]))]));
    assert_eq!(*model.balancer_at(WWW).unwrap(), before);
}

#[test]
fn a_balancer_that_is_to_be_joined_and_is_not_there_is_not_made() {
    let mut want = balanced(WWW, &[WWW]);
    want.load_balancer.as_mut().unwrap().join = Some("gone".parse().unwrap());
    let plan = Model::new().plan(&desired(&[("web", want)]));
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::BalancerMissing), "{plan}");
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::Balancer(_))), "{plan}");
}

#[test]
fn a_dns_record_of_somebody_else_is_not_taken_over_by_a_balancer() {
    let mut model = Model::new();
    model.add_foreign_record(WWW, "A", "192.0.2.7", None);
    let plan = model.settle(&web());
    assert!(plan.to_string().contains("a load balancer would take its requests; remove it first"), "{plan}");
    assert!(model.balancing.balancers.is_empty());
}

#[test]
fn our_own_record_goes_only_when_the_balancer_stands() {
    let mut model = settled(&desired(&[("web", wanted(&[WWW]))]));
    let steps: Vec<String> = model.plan(&web()).steps.iter().map(|step| step.word().to_owned()).collect();
    assert_eq!(steps, ["create-monitor", "create-pool", "create-balancer", "delete-record"]);
    model.unreadable.insert("balancers");
    let plan = model.plan(&web());
    assert!(plan.is_empty(), "the record stays while nothing takes over:\n{plan}");
    model.unreadable.clear();
    model.settle(&web());
    assert!(model.record_at(WWW).is_none());
    let steps: Vec<&str> = model.plan(&desired(&[("web", wanted(&[WWW]))])).steps.iter().map(Step::word).collect();
    assert_eq!(steps, ["create-record", "delete-balancer", "delete-pool", "delete-monitor"]);
}

#[test]
fn a_pool_name_that_somebody_else_has_is_a_conflict() {
    let mut model = Model::new();
    model.add_foreign_pool("web-adit-a1b2c3d4", "theirs");
    let plan = model.settle(&web());
    assert!(plan.to_string().contains("the name \"web-adit-a1b2c3d4\" is taken"), "{plan}");
    assert_eq!(model.balancing.pools.len(), 1);
}

#[test]
fn lost_answers_are_settled_by_looking() {
    let want = web();
    for word in ["create-monitor", "create-pool", "create-balancer"] {
        let mut model = Model::new();
        let steps = model.plan(&want).steps;
        let at = steps.iter().position(|step| step.word() == word).unwrap();
        model.apply(&steps[..at]);
        let Step::Balancer(step) = &steps[at] else { panic!("{word} is one of load balancing") };
        model.lose_the_answer(step);
        let last = model.settle(&want);
        assert!(last.is_empty(), "{word}:\n{last}");
        let ModelCounts { monitors, pools, balancers } = counts(&model);
        assert_eq!((monitors, pools, balancers), (1, 1, 1), "{word}");
    }
}

struct ModelCounts {
    monitors: usize,
    pools: usize,
    balancers: usize,
}

fn counts(model: &Model) -> ModelCounts {
    let balancing = &model.balancing;
    ModelCounts { monitors: balancing.monitors.len(), pools: balancing.pools.len(), balancers: balancing.balancers.len() }
}

#[test]
fn what_a_list_lacks_is_read_by_its_id_before_it_is_made_again() {
    let mut model = settled(&web());
    model.balancing.monitors.clear();
    let plan = model.plan(&web());
    let steps: Vec<&str> = plan.steps.iter().map(Step::word).collect();
    assert_eq!(steps, ["create-monitor", "repair-pool"], "{plan}");
    assert!(plan.to_string().contains("the one that was made is gone"), "{plan}");
    assert!(model.settle(&web()).is_empty());
}

#[test]
fn what_somebody_changed_is_set_right_or_said() {
    for on_drift in [OnDrift::Repair, OnDrift::Report] {
        let mut want = balanced(WWW, &[WWW]);
        want.on_drift = on_drift;
        let want = desired(&[("web", want)]);
        let mut model = settled(&want);
        let pool = model.pool_of("web").id.clone();
        model.balancing.pools.get_mut(&pool).unwrap().origins[0].weight = 0.5;
        model.balancing.monitors.values_mut().for_each(|monitor| monitor.path = "/other".to_owned());
        model.balancer_at(WWW).unwrap().steering_policy = "geo".to_owned();
        let plan = model.plan(&want);
        match on_drift {
            OnDrift::Repair => {
                let steps: Vec<&str> = plan.steps.iter().map(Step::word).collect();
                assert_eq!(steps, ["repair-monitor", "repair-pool", "repair-balancer"], "{plan}");
                assert!(model.settle(&want).is_empty());
            }
            OnDrift::Report => {
                assert!(plan.is_empty(), "{plan}");
                assert!(plan.holds.iter().all(|hold| hold.code == HoldCode::Edited) && !plan.holds.is_empty(), "{plan}");
            }
        }
    }
}

#[test]
fn with_on_drift_report_what_the_configuration_changes_is_written_all_the_same() {
    let mut first = balanced(WWW, &[WWW]);
    first.on_drift = OnDrift::Report;
    let mut second = first.clone();
    let balancer = second.load_balancer.as_mut().unwrap();
    (balancer.weight, balancer.steering_policy) = (0.25, SteeringPolicy::Off);
    let mut model = settled(&desired(&[("web", first)]));
    let second = desired(&[("web", second)]);
    let steps: Vec<&str> = model.plan(&second).steps.iter().map(Step::word).collect();
    assert_eq!(steps, ["repair-pool", "repair-balancer"]);
    assert!(model.settle(&second).is_empty());
}

#[test]
fn a_balancer_that_lost_our_marker_is_left_alone_and_so_is_its_deletion() {
    let mut model = settled(&web());
    model.balancer_at(WWW).unwrap().description = "mine from here on".to_owned();
    let before = model.balancing.clone();
    let plan = model.settle(&web());
    assert_eq!(plan.conflicts.len(), 1);
    let mut joined = balanced(WWW, &[WWW]);
    joined.load_balancer.as_mut().unwrap().join = Some(model.balancer_at(WWW).unwrap().id.clone());
    assert!(plan.to_string().contains("it is used all the same"), "{plan}");
    let mut used = model.clone();
    let plan = used.settle(&desired(&[("web", joined)]));
    assert!(plan.is_empty() && plan.conflicts.is_empty(), "{plan}");
    model.records.tunnels.get_mut(&tunnel("web")).unwrap().fate = Fate::Delete;
    let plan = model.settle(&desired(&[]));
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::PoolInUse), "{plan}");
    assert_eq!(model.balancing, before);
    // The way out: somebody takes the pool out of it, or deletes it.
    model.balancing.balancers.clear();
    assert!(model.settle(&desired(&[])).is_empty());
    assert!(model.records.tunnels.is_empty() && model.balancing.pools.is_empty());
}

#[test]
fn a_tunnel_is_deleted_after_its_place_its_pool_and_its_monitor() {
    let mut model = settled(&web());
    model.records.tunnels.get_mut(&tunnel("web")).unwrap().fate = Fate::Delete;
    model.connectors_catch_up();
    let steps: Vec<&str> = model.plan(&desired(&[])).steps.iter().map(Step::word).collect();
    assert_eq!(steps, ["delete-balancer", "delete-pool", "delete-monitor", "delete-tunnel", "forget-tunnel"]);
}

#[test]
fn others_pools_in_our_balancer_keep_it() {
    let mut model = settled(&web());
    let theirs = model.add_foreign_pool("theirs", "theirs");
    model.balancer_at(WWW).unwrap().pools.push(theirs.clone());
    model.settle(&desired(&[("web", wanted(&[]))]));
    let balancer = model.balancer_at(WWW).unwrap();
    assert_eq!((balancer.pools.clone(), balancer.fallback.clone()), (vec![theirs.clone()], Some(theirs)));
}

#[test]
fn replicas_on_another_host_with_an_origin_of_this_one_are_refused() {
    let mut want = balanced(WWW, &[WWW]);
    want.balanced_here = true;
    let want = desired(&[("web", want)]);
    let mut model = settled(&desired(&[("web", wanted(&[]))]));
    model.balancing.connectors = ["192.0.2.1", "192.0.2.1", "198.51.100.9"].map(str::to_owned).to_vec();
    let plan = model.plan(&want);
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::RunsElsewhere), "{plan}");
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::Balancer(_))), "{plan}");
    model.balancing.connectors.pop();
    assert!(model.settle(&want).is_empty());
    assert_eq!(counts(&model).balancers, 1);
}

#[test]
fn load_balancing_that_is_gone_in_masses_waits_for_a_confirmation() {
    let want = desired(&[("shop", balanced("shop.example.com", &["shop.example.com"])), ("web", balanced(WWW, &[WWW]))]);
    let mut model = settled(&want);
    model.balancing = super::model::ModelBalancing::default();
    let plan = model.plan(&want);
    assert!(plan.steps.is_empty() && plan.waiting.len() == 6, "{plan}");
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::NeedsConfirmation), "{plan}");
    assert!(model.settle(&want).is_empty());
}

#[test]
fn a_renamed_tunnel_takes_its_balancer_along() {
    let mut model = settled(&web());
    let id = model.balancer_at(WWW).unwrap().id.clone();
    let mut renamed = balanced(WWW, &[WWW]);
    renamed.renamed_from = Some(tunnel("web"));
    let want = desired(&[("shop", renamed)]);
    assert!(model.settle(&want).is_empty());
    assert_eq!(model.balancer_at(WWW).unwrap().id, id);
    assert_eq!(model.pool_of("shop").name, "shop-adit-a1b2c3d4");
    assert_eq!(counts(&model).pools, 1);
}

#[test]
fn a_hostname_that_demands_access_is_not_public_before_an_application_covers_it() {
    let want = desired(&[("web", protected(&["app.example.com"]))]);
    let mut model = Model::new();
    let plan = model.settle(&want);
    assert!(plan.is_empty() && model.record_at("app.example.com").is_none(), "{plan}");
    assert_eq!(plan.holds.iter().map(|hold| hold.code).collect::<Vec<_>>(), [HoldCode::AccessMissing], "{plan}");
    assert!(plan.to_string().contains("create one, or set access = \"off\""), "{plan}");
    model.add_app("app.example.com");
    assert!(model.settle(&want).is_empty());
    assert!(model.record_at("app.example.com").is_some());
}

#[test]
fn applications_that_cannot_be_read_make_nothing_public_and_take_nothing_away() {
    let one = desired(&[("web", protected(&["a.example.com"]))]);
    let mut model = Model::new();
    model.add_app("*.example.com");
    model.settle(&one);
    model.unreadable.insert("access");
    let two = desired(&[("web", protected(&["a.example.com", "b.example.com"]))]);
    let plan = model.plan(&two);
    assert!(!plan.steps.iter().any(|step| step.hostname().is_some()), "{plan}");
    assert_eq!(plan.holds.iter().filter(|hold| hold.code == HoldCode::Unread).count(), 2, "{plan}");
}

#[test]
fn what_was_protected_is_withdrawn_once_its_application_is_proven_gone() {
    let want = desired(&[("web", protected(&["app.example.com"]))]);
    let mut model = Model::new();
    let app = model.add_app("app.example.com");
    model.settle(&want);
    // The list lacks it, but it exists: nothing happens.
    let hidden = model.balancing.apps.remove(&app).unwrap();
    model.balancing.unlisted_apps.insert(app.clone(), hidden);
    let plan = model.plan(&want);
    assert!(plan.is_empty(), "{plan}");
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::Unproven), "{plan}");
    model.balancing.unlisted_apps.clear();
    let plan = model.plan(&want);
    assert_eq!(plan.steps.iter().map(Step::word).collect::<Vec<_>>(), ["delete-record"], "{plan}");
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::AccessMissing), "{plan}");
    assert!(model.settle(&want).is_empty());
    assert!(model.record_at("app.example.com").is_none());
    model.add_app("app.example.com");
    model.settle(&want);
    assert!(model.record_at("app.example.com").is_some(), "it is public again with a new application");
}

#[test]
fn what_was_public_before_it_demanded_access_is_said_and_stays() {
    let mut model = settled(&desired(&[("web", wanted(&["app.example.com"]))]));
    let plan = model.settle(&desired(&[("web", protected(&["app.example.com"]))]));
    assert!(model.record_at("app.example.com").is_some());
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::AccessMissing), "{plan}");
}

#[test]
fn a_balancer_waits_for_access_and_leaves_without_it() {
    let mut want = balanced(WWW, &[WWW]);
    want.protected.insert(host(WWW), BTreeSet::from([None]));
    let want = desired(&[("web", want)]);
    let mut model = Model::new();
    assert!(model.settle(&want).is_empty());
    assert_eq!(counts(&model).pools, 0, "nothing that costs money is made either");
    let app = model.add_app(WWW);
    assert!(model.settle(&want).is_empty());
    assert_eq!(counts(&model).balancers, 1);
    model.balancing.apps.remove(&app);
    assert!(model.settle(&want).is_empty());
    assert_eq!((counts(&model).balancers, counts(&model).pools), (0, 1));
}
