//! What a plan says when a configuration comes to live elsewhere, when a hostname leaves, and when a configuration does not arrive.

use serde_json::json;

use super::{
    applied::APPLIED_WITHIN,
    model::{Model, desired, tunnel, wanted},
    *,
};
use crate::{desired::DesiredTunnel, record::ConfigurationSource};

fn local(hostnames: &[&str]) -> DesiredTunnel {
    DesiredTunnel { source: ConfigurationSource::Local, ..wanted(hostnames) }
}

fn settled(desired: &Desired) -> Model {
    let mut model = Model::new();
    assert!(model.settle(desired).is_empty());
    model
}

fn target(model: &mut Model, hostname: &str) -> String {
    model.record_at(hostname).unwrap().content.clone()
}

/// Makes one pass, after which the connectors run what there is.
fn pass(model: &mut Model, want: &Desired) -> String {
    let plan = model.plan(want);
    model.apply(&plan.steps);
    model.connectors_catch_up();
    plan.to_string()
}

#[test]
fn a_switch_is_shown_as_a_replacement_and_leaves_one_tunnel_when_its_time_is_over() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    let (first, want) = (model.id_of("web"), desired(&[("web", local(&["a.example.com"]))]));
    assert_eq!(
        pass(&mut model, &want),
        "account default
  ~ tunnel web: its configuration comes from remote to local, which takes another tunnel; this one goes on as web~1 until its \
         hostnames have moved
  + tunnel web (web.2.adit-a1b2c3d4, local configuration)
  ? a.example.com of web: it stays with web~1 until the connectors of web serve it (not-ready)
  1 to add, 1 to change, 0 to delete, 1 held
"
    );
    pass(&mut model, &want);
    assert!(pass(&mut model, &want).contains("~ record a.example.com -> web: moves from web~1\n"));
    assert_eq!(target(&mut model, "a.example.com"), model.id_of("web").dns_target());
    assert!(
        pass(&mut model, &want).contains("a.example.com of web~1: it went over to another tunnel; its rule and connectors stay")
    );
    model.now += GRACE;
    let last = model.settle(&want);
    assert!(last.is_empty() && last.holds.is_empty(), "{last}");
    assert!(model.tunnels[&first].deleted);
    assert_eq!(model.records.tunnels.len(), 1);
    assert_eq!(model.tunnels.values().filter(|tunnel| !tunnel.deleted).count(), 1);
}

#[test]
fn a_replaced_tunnel_is_not_deleted_while_its_connectors_finish_requests_but_not_for_ever() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    let (first, want) = (model.id_of("web"), desired(&[("web", local(&["a.example.com"]))]));
    for _ in 0..4 {
        pass(&mut model, &want);
    }
    model.now += GRACE;
    pass(&mut model, &want);
    // Its connectors are told to stop, and Cloudflare still sees them.
    let version = model.tunnels[&first].configuration.as_ref().unwrap().0;
    model.reported.insert(tunnel("web").derive(|_| false), version);
    let plan = model.plan(&want);
    assert!(plan.is_empty() && plan.holds[0].code == HoldCode::Draining, "{plan}");
    assert_eq!(plan.due, Some(model.now + DRAIN_MAX));
    model.now += DRAIN_MAX;
    assert!(model.plan(&want).to_string().contains("- tunnel web~1 ("));
}

#[test]
fn switching_back_takes_the_former_tunnel_again() {
    let first = desired(&[("web", wanted(&["a.example.com"]))]);
    let model = settled(&first);
    let (id, second) = (model.id_of("web"), desired(&[("web", local(&["a.example.com"]))]));
    for passes in 1..4 {
        let mut model = model.clone();
        for _ in 0..passes {
            pass(&mut model, &second);
        }
        let plan = pass(&mut model, &first);
        assert!(plan.contains("goes on as web~2") && plan.contains("tunnel web: was called web~1 here"), "{plan}");
        assert!(!plan.contains("+ tunnel"), "{plan}");
        assert!(model.settle(&first).is_empty());
        assert_eq!(model.id_of("web"), id);
        assert_eq!(model.tunnels.values().filter(|tunnel| !tunnel.deleted).count(), 1);
    }
}

#[test]
fn a_tunnel_that_two_records_are_of_is_never_deleted_for_one_of_them() {
    let first = desired(&[("web", wanted(&["a.example.com"]))]);
    let second = desired(&[("web", local(&["a.example.com"]))]);
    for want in [&first, &second] {
        let mut model = settled(&first);
        let id = model.id_of("web");
        // A crash between the two files of a renaming.
        let mut twin = model.ours(&tunnel("web")).clone();
        let retired = tunnel("web").derive(|_| false);
        (twin.name, twin.fate) = (retired.clone(), crate::record::Fate::Retiring);
        model.records.tunnels.insert(retired, twin);
        assert!(model.settle(want).is_empty());
        assert_eq!(model.tunnels[&id].deleted, want != &first);
        assert_eq!(model.records.tunnels.len(), 1);
    }
}

#[test]
fn nothing_is_replaced_while_the_account_cannot_be_read() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    model.unreadable.insert("tunnels");
    let plan = model.plan(&desired(&[("web", local(&["a.example.com"]))]));
    assert!(plan.is_empty(), "{plan}");
}

#[test]
fn a_tunnel_that_left_the_configuration_is_orphaned_only_when_its_hostnames_have_moved_and_their_time_is_over() {
    let mut model = settled(&desired(&[("old", wanted(&["a.example.com"])), ("new", wanted(&[]))]));
    let want = desired(&[("new", wanted(&["a.example.com"]))]);
    for expected in ["~ configuration of new: 1 rule", "moves from old", "(grace-period)"] {
        let plan = pass(&mut model, &want);
        assert!(plan.contains(expected) && !plan.contains("- tunnel old"), "{expected}:\n{plan}");
    }
    model.now += GRACE;
    assert!(pass(&mut model, &want).contains("- tunnel old: is not wanted any more"));
}

#[test]
fn a_tunnel_that_an_operator_deletes_serves_who_still_comes_by_it_until_its_hostname_has_moved_and_its_time_is_over() {
    let mut model = settled(&desired(&[("old", wanted(&["a.example.com"])), ("new", wanted(&[]))]));
    let want = desired(&[("new", wanted(&["a.example.com"]))]);
    model.ours(&tunnel("old")).fate = crate::record::Fate::Delete;
    let id = model.id_of("old");
    for _ in 0..3 {
        pass(&mut model, &want);
        assert!(!model.tunnels[&id].deleted);
    }
    model.now += GRACE;
    assert!(!pass(&mut model, &want).contains("- tunnel old ("), "its connectors are told to stop first");
    assert!(model.settle(&want).is_empty());
    assert!(model.tunnels[&id].deleted && model.records.tunnels.len() == 1);
}

#[test]
fn a_hostname_that_comes_back_within_its_time_costs_nothing_but_its_record() {
    let first = desired(&[("old", wanted(&["a.example.com"])), ("new", wanted(&["b.example.com"]))]);
    let mut model = settled(&first);
    let version = model.tunnels[&model.id_of("old")].configuration.clone();
    let want = desired(&[("old", wanted(&[])), ("new", wanted(&["a.example.com", "b.example.com"]))]);
    for _ in 0..3 {
        pass(&mut model, &want);
    }
    assert!(model.settle(&first).is_empty());
    assert_eq!(model.tunnels[&model.id_of("old")].configuration, version);
    assert_eq!(target(&mut model, "a.example.com"), model.id_of("old").dns_target());
}

#[test]
fn a_move_waits_for_a_tunnel_with_a_local_configuration_until_its_connectors_were_started_with_the_rule() {
    let mut model = settled(&desired(&[("old", wanted(&["a.example.com"])), ("new", local(&["b.example.com"]))]));
    let want = desired(&[("old", wanted(&[])), ("new", local(&["a.example.com", "b.example.com"]))]);
    let plan = model.plan(&want);
    model.apply(&plan.steps);
    // Its connectors are ready, and run what they were started with.
    assert!(model.plan(&want).holds.iter().any(|hold| hold.code == HoldCode::NotReady));
    model.connectors_catch_up();
    assert!(model.plan(&want).to_string().contains("moves from old"));
}

#[test]
fn a_configuration_that_never_reaches_its_connectors_is_not_applied_and_says_why() {
    let want = desired(&[("web", wanted(&["a.example.com"]))]);
    let mut model = settled(&want);
    let changed = desired(&[("web", wanted(&["a.example.com", "b.example.com"]))]);
    let plan = model.plan(&changed);
    model.apply(&plan.steps);
    model.behind.insert(tunnel("web"), model.now);
    let due = model.now + APPLIED_WITHIN;
    let plan = model.plan(&changed);
    assert_eq!((plan.due, plan.holds.len()), (Some(due), 0), "{plan}");
    model.now = due;
    let plan = model.plan(&changed);
    assert_eq!(plan.holds[0].code, HoldCode::NotApplied);
    assert!(plan.holds[0].why.contains("took version 2 of its configuration, but for 60 s its connectors run 1"), "{plan}");
    assert!(plan.holds[0].why.contains("adit tunnel restart"), "{plan}");
    // Cloudflare never sends one to a tunnel that it lists as local.
    model.tunnels.values_mut().for_each(|tunnel| tunnel.source = ConfigurationSource::Local);
    assert!(model.plan(&changed).holds[0].why.contains("locally configured"));
    model.connectors_catch_up();
    model.behind.clear();
    assert_eq!(model.plan(&changed).holds, []);
}

#[test]
fn a_rename_and_a_move_in_one_edit_keep_the_tunnel_and_move_the_hostname() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com", "b.example.com"])), ("api", wanted(&[]))]));
    let id = model.id_of("web");
    let shop = DesiredTunnel { renamed_from: Some(tunnel("web")), ..wanted(&["b.example.com"]) };
    let want = desired(&[("shop", shop), ("api", wanted(&["a.example.com"]))]);
    assert!(model.settle(&want).is_empty());
    assert_eq!(model.id_of("shop"), id);
    assert_eq!(target(&mut model, "a.example.com"), model.id_of("api").dns_target());
    assert_eq!(target(&mut model, "b.example.com"), id.dns_target());
    assert_eq!(model.tunnels.len(), 2);
}

#[test]
fn a_rename_and_a_switch_in_one_edit_end_with_one_tunnel_of_the_new_name() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    let want = desired(&[("shop", DesiredTunnel { renamed_from: Some(tunnel("web")), ..local(&["a.example.com"]) })]);
    assert!(model.settle(&want).is_empty());
    assert_eq!(model.records.tunnels.keys().map(TunnelName::as_str).collect::<Vec<_>>(), ["shop"]);
    assert_eq!(target(&mut model, "a.example.com"), model.id_of("shop").dns_target());
}

#[test]
fn a_tunnel_whose_account_changed_is_held_with_the_next_step() {
    let want = desired(&[("web", wanted(&["a.example.com"]))]);
    let mut model = settled(&want);
    model.ours(&tunnel("web")).account_id = "another".parse().unwrap();
    let plan = model.plan(&want);
    assert!(plan.is_empty() && plan.holds.iter().any(|hold| hold.code == HoldCode::OtherAccount), "{plan}");
    assert!(plan.to_string().contains("give the tunnel of this account another name"), "{plan}");
}

#[test]
fn a_tunnel_that_the_configuration_has_in_another_account_goes_on_in_its_own() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    let want = Desired { elsewhere: [(tunnel("web"), "other".parse().unwrap())].into(), ..desired(&[]) };
    let plan = model.settle(&want);
    assert!(plan.is_empty() && plan.holds[0].code == HoldCode::OtherAccount, "{plan}");
    assert_eq!(model.ours(&tunnel("web")).fate, crate::record::Fate::Keep);
}

#[test]
fn a_foreign_edit_of_a_document_with_rules_that_stay_is_still_seen() {
    let mut model = settled(&desired(&[("old", wanted(&["a.example.com"])), ("new", wanted(&["b.example.com"]))]));
    let want = desired(&[("old", wanted(&[])), ("new", wanted(&["a.example.com", "b.example.com"]))]);
    for _ in 0..2 {
        pass(&mut model, &want);
    }
    let id = model.id_of("old");
    model.tunnels.get_mut(&id).unwrap().configuration = Some((9, json!({ "ingress": [{ "service": "http_status:418" }] })));
    model.connectors_catch_up();
    assert!(model.plan(&want).to_string().contains("over version 9 that somebody else wrote"));
}
