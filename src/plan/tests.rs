//! What a plan says in each situation, in the words that people read.

use serde_json::json;

use super::{
    model::{Model, desired, host, tunnel, wanted},
    *,
};
use crate::{
    config::OnDrift,
    record::{ConfigurationSource, Fate},
};

/// A model in which `desired` is in force, and connectors run.
fn settled(desired: &Desired) -> Model {
    let mut model = Model::new();
    assert_eq!(model.settle(desired).to_string(), "account default\n  nothing to change\n");
    model
}

#[test]
fn a_first_plan_creates_before_it_refers() {
    let desired = desired(&[("web", wanted(&["app.example.com", "www.example.org"]))]);
    assert_eq!(
        Model::new().plan(&desired).to_string(),
        "account default
  + tunnel web (web.adit-a1b2c3d4, remote configuration)
  ~ configuration of web: 2 rules
  + record app.example.com -> web
  + record www.example.org -> web
  3 to add, 1 to change, 0 to delete
"
    );
}

#[test]
fn a_plan_is_the_same_every_time_and_its_hash_names_it() {
    let desired = desired(&[("web", wanted(&["app.example.com"])), ("api", wanted(&["api.example.com"]))]);
    let (one, two) = (Model::new().plan(&desired), Model::new().plan(&desired));
    assert_eq!(one, two);
    assert_eq!(one.hash(), two.hash());
    assert_ne!(one.hash(), Plan::empty(one.account.clone()).hash());
}

#[test]
fn a_lost_answer_is_settled_by_the_secret() {
    let desired = desired(&[("web", wanted(&["app.example.com"]))]);
    let mut model = Model::new();
    model.create_and_lose_the_answer(&tunnel("web"), "web.adit-a1b2c3d4", ConfigurationSource::Remote);
    let plan = model.plan(&desired);
    assert!(matches!(plan.steps[0], Step::SettleCreation { .. }), "{plan}");
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::CreateTunnel { .. })), "{plan}");
}

#[test]
fn a_tunnel_of_our_name_with_another_secret_is_a_conflict() {
    let desired = desired(&[("web", wanted(&["app.example.com"]))]);
    let mut model = Model::new();
    model.create_and_lose_the_answer(&tunnel("web"), "web.adit-a1b2c3d4", ConfigurationSource::Remote);
    model.tunnels.values_mut().next().unwrap().secret = crate::secret::Secret::new("somebody else's");
    let plan = model.plan(&desired);
    assert!(plan.is_empty(), "{plan}");
    assert!(matches!(&plan.conflicts[0], Conflict::Tunnel { .. }), "{plan}");
}

#[test]
fn a_foreign_record_at_a_hostname_is_a_conflict_that_names_what_is_there() {
    let desired = desired(&[("web", wanted(&["app.example.com"]))]);
    let mut model = Model::new();
    model.add_foreign_record("app.example.com", "A", "192.0.2.7", Some("printer"));
    let plan = model.settle(&desired);
    assert_eq!(
        plan.to_string(),
        "account default
  ! app.example.com of web: a record A \"192.0.2.7\" with the comment \"printer\" stands there; it is not on record here as ours \
   (`adit route adopt app.example.com` shows it and takes it over)
  nothing to change, 1 conflict
"
    );
}

#[test]
fn a_record_that_leads_to_our_tunnel_without_our_marker_is_left_alone() {
    let mut model = settled(&desired(&[("web", wanted(&[]))]));
    let target = model.id_of("web").dns_target();
    model.add_foreign_record("app.example.com", "CNAME", &target, None);
    let plan = model.plan(&desired(&[("web", wanted(&["app.example.com"]))]));
    assert!(!plan.steps.iter().any(|step| step.hostname().is_some()), "{plan}");
    assert_eq!(plan.conflicts.len(), 1);
}

#[test]
fn a_record_whose_id_was_lost_is_taken_when_it_leads_to_our_tunnel() {
    let want = desired(&[("web", wanted(&["app.example.com"]))]);
    let mut model = settled(&want);
    model.ours(&tunnel("web")).dns.clear();
    let plan = model.plan(&want);
    assert!(matches!(plan.steps[..], [Step::TakeRecord { .. }]), "{plan}");
}

#[test]
fn a_marker_alone_is_not_ownership() {
    let mut model = settled(&desired(&[("web", wanted(&[]))]));
    model.add_foreign_record("app.example.com", "CNAME", "other.cfargotunnel.com", Some("adit:a1b2c3d4:web"));
    let plan = model.plan(&desired(&[("web", wanted(&["app.example.com"]))]));
    assert!(!plan.steps.iter().any(|step| step.hostname().is_some()), "{plan}");
    assert_eq!(plan.conflicts.len(), 1);
}

#[test]
fn a_record_that_somebody_deleted_is_made_again() {
    let want = desired(&[("web", wanted(&["app.example.com"]))]);
    let mut model = settled(&want);
    model.remove_record("app.example.com");
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  + record app.example.com -> web: the one that was made is gone
  1 to add, 0 to change, 0 to delete
"
    );
}

#[test]
fn a_record_that_somebody_changed_is_repaired() {
    let want = desired(&[("web", wanted(&["app.example.com"]))]);
    let mut model = settled(&want);
    let record = model.record_at("app.example.com").unwrap();
    (record.content, record.proxied) = ("elsewhere.example.net".to_owned(), false);
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  ~ record app.example.com -> web: set right its target, proxy switch
  0 to add, 1 to change, 0 to delete
"
    );
}

#[test]
fn with_on_drift_report_edits_are_said_and_left() {
    let mut want = wanted(&["app.example.com", "www.example.com"]);
    want.on_drift = OnDrift::Report;
    let want = desired(&[("web", want)]);
    let mut model = settled(&want);
    model.record_at("app.example.com").unwrap().content = "elsewhere.example.net".to_owned();
    model.remove_record("www.example.com");
    let id = model.id_of("web");
    model.tunnels.get_mut(&id).unwrap().configuration = Some((2, json!({ "ingress": [] })));
    model.connectors_catch_up();
    let plan = model.plan(&want);
    assert!(plan.is_empty(), "{plan}");
    assert!(plan.holds.iter().all(|hold| hold.code == HoldCode::Edited), "{plan}");
    assert_eq!(plan.holds.len(), 3, "{plan}");
}

#[test]
fn a_hostname_that_zones_of_two_accounts_have_is_held_until_one_of_them_is_gone() {
    let want = desired(&[("web", wanted(&["app.dev.example.com", "b.example.com"]))]);
    let mut model = Model::new();
    let zone = |name: &str| Zone {
        id: format!("other-{}", name.replace('.', "-")).parse().unwrap(),
        name: name.to_owned(),
        account_id: "other".parse().unwrap(),
        batch_max: 200,
    };
    model.elsewhere_zones = vec![zone("dev.example.com"), zone("com"), zone("ample.com")];
    let last = model.settle(&want);
    assert!(last.is_empty(), "{last}");
    let held: Vec<_> = last.holds.iter().map(|hold| (hold.code, hold.scope.to_string())).collect();
    assert_eq!(held, [(HoldCode::TwoAccounts, "app.dev.example.com of web".to_owned())]);
    assert!(last.holds[0].why.contains("zone dev.example.com of account other"), "{last}");
    assert!(model.record_at("b.example.com").is_some() && model.record_at("app.dev.example.com").is_none());

    model.elsewhere_zones.clear();
    assert!(model.settle(&want).holds.is_empty());
    assert!(model.record_at("app.dev.example.com").is_some());
}

#[test]
fn a_hostname_without_a_zone_holds_only_itself() {
    let want = desired(&[("web", wanted(&["app.example.net", "app.example.com"]))]);
    let plan = Model::new().settle(&want);
    assert_eq!(
        plan.to_string(),
        "account default
  ? app.example.net of web: no active zone of the account has it; add its zone to Cloudflare, or set dns = false (no-zone)
  nothing to change, 1 held
"
    );
}

#[test]
fn an_unreadable_zone_holds_only_its_own_records() {
    let mut model = Model::new();
    model.unreadable.insert("example-com");
    let want = desired(&[("web", wanted(&["app.example.com", "app.example.org"]))]);
    let plan = model.plan(&want);
    let hostnames: Vec<_> = plan.steps.iter().filter_map(Step::hostname).collect();
    assert_eq!(hostnames, [&host("app.example.org")]);
    assert_eq!(plan.holds[0].to_string(), "the records of example.com: cannot read the DNS records: connection refused (unread)");
}

#[test]
fn a_dropped_hostname_is_deleted_and_one_that_was_handed_over_is_only_forgotten() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com", "b.example.com", "c.example.com", "d.example.com"]))]));
    let mut want = wanted(&["c.example.com", "d.example.com"]);
    want.foreign_hostnames.insert(host("b.example.com"));
    let want = desired(&[("web", want)]);
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  - record b.example.com of web: leave it to others from here on, as the configuration says
  ~ configuration of web: 2 rules
  - record a.example.com of web
  0 to add, 1 to change, 2 to delete
"
    );
    model.settle(&want);
    assert!(model.record_at("b.example.com").is_some());
    // The route goes as well: there is no DNS record of ours to delete.
    let want = desired(&[("web", wanted(&["c.example.com", "d.example.com"]))]);
    assert!(model.plan(&want).is_empty());
}

#[test]
fn deleting_in_masses_waits_for_a_confirmation() {
    let all = ["a.example.com", "b.example.com", "c.example.com"];
    let mut model = settled(&desired(&[("web", wanted(&all))]));
    let want = desired(&[("web", wanted(&[]))]);
    let plan = model.plan(&want);
    assert_eq!(
        plan.to_string(),
        "account default
  ~ configuration of web: 0 rules
  - record a.example.com of web (waits for a confirmation)
  - record b.example.com of web (waits for a confirmation)
  - record c.example.com of web (waits for a confirmation)
  ? the account: 3 of 3 DNS records would be deleted; they are when you confirm it (needs-confirmation)
  0 to add, 1 to change, 3 to delete, 3 of them waiting for a confirmation, 1 held
"
    );
    assert!(model.settle(&want).is_empty());
    assert!(model.record_at("a.example.com").is_none());
}

#[test]
fn known_tunnels_that_are_all_missing_wait_for_a_confirmation() {
    let want = desired(&[("web", wanted(&["a.example.com"])), ("api", wanted(&["b.example.com"]))]);
    let mut model = settled(&want);
    model.tunnels.values_mut().for_each(|tunnel| tunnel.deleted = true);
    let plan = model.plan(&want);
    assert!(plan.steps.is_empty(), "{plan}");
    assert_eq!(plan.waiting.iter().filter(|step| matches!(step, Step::CreateTunnel { .. })).count(), 2, "{plan}");
    assert_eq!(plan.holds[0].code, HoldCode::NeedsConfirmation);
}

#[test]
fn a_tunnel_that_was_deleted_at_cloudflare_is_made_again_and_its_records_follow() {
    let want = desired(&[("web", wanted(&["a.example.com"])), ("api", wanted(&["b.example.com"]))]);
    let mut model = settled(&want);
    let id = model.id_of("web");
    model.tunnels.get_mut(&id).unwrap().deleted = true;
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  + tunnel web (web.adit-a1b2c3d4, remote configuration): it was deleted at Cloudflare
  ~ configuration of web: 1 rule
  ~ record a.example.com -> web: set right its target
  1 to add, 2 to change, 0 to delete
"
    );
    assert!(model.settle(&want).is_empty());
}

#[test]
fn an_unknown_id_in_an_account_that_shows_nothing_proves_nothing() {
    let want = desired(&[("web", wanted(&["a.example.com"]))]);
    let mut model = settled(&want);
    model.tunnels.clear();
    let plan = model.plan(&want);
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(plan.holds[0].code, HoldCode::Unproven);
}

#[test]
fn a_tunnel_that_left_the_configuration_keeps_everything_at_cloudflare() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    let nothing = desired(&[]);
    let plan = model.plan(&nothing);
    assert!(matches!(plan.steps[..], [Step::OrphanTunnel { .. }]), "{plan}");
    assert_eq!(
        model.settle(&nothing).notes,
        ["tunnel web left the configuration; it and its DNS record stay at Cloudflare until they are deleted"]
    );
    assert!(model.record_at("a.example.com").is_some());
    // Back in the configuration it is kept as it was.
    let plan = model.plan(&desired(&[("web", wanted(&["a.example.com"]))]));
    assert!(matches!(plan.steps[..], [Step::KeepTunnel { .. }]), "{plan}");
}

#[test]
fn a_deletion_takes_records_before_connections_before_the_tunnel() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com", "b.example.com"]))]));
    model.ours(&tunnel("web")).fate = Fate::Delete;
    let nothing = desired(&[]);
    let id = model.id_of("web");
    // Requests end before their tunnel does.
    assert_eq!(
        model.plan(&nothing).to_string(),
        "account default
  - record a.example.com of web
  - record b.example.com of web
  ? tunnel web: its connectors on this host finish their requests first; then it is deleted (draining)
  0 to add, 0 to change, 2 to delete, 1 held
"
    );
    model.connectors_catch_up();
    model.elsewhere.insert(id.clone());
    assert_eq!(
        model.plan(&nothing).to_string(),
        format!(
            "account default
  - record a.example.com of web
  - record b.example.com of web
  - connections of web
  - tunnel web ({id})
  - tunnel web: forget it, nothing of it is left
  # tunnel web is connected from elsewhere: the connectors there lose their connections with it
  0 to add, 0 to change, 5 to delete
"
        )
    );
    assert!(model.settle(&nothing).is_empty());
    assert!(model.records.tunnels.is_empty());
}

#[test]
fn a_deletion_waits_for_records_that_cannot_be_read() {
    let mut model = settled(&desired(&[("web", wanted(&["a.example.com", "b.example.org"]))]));
    model.ours(&tunnel("web")).fate = Fate::Delete;
    model.unreadable.insert("example-com");
    let plan = model.plan(&desired(&[]));
    assert!(matches!(plan.steps[..], [Step::DeleteRecord { .. }]), "{plan}");
}

#[test]
fn a_hostname_moves_by_one_change_once_the_other_tunnel_serves_it() {
    let mut model =
        settled(&desired(&[("old", wanted(&["a.example.com", "b.example.com"])), ("new", wanted(&["c.example.com"]))]));
    let want = desired(&[("old", wanted(&["b.example.com"])), ("new", wanted(&["a.example.com", "c.example.com"]))]);
    let plan = model.plan(&want);
    assert_eq!(
        plan.to_string(),
        "account default
  ~ configuration of new: 2 rules
  ? a.example.com of new: it stays with old until the connectors of new serve it (not-ready)
  0 to add, 1 to change, 0 to delete, 1 held
"
    );
    model.apply(&plan.steps);
    model.connectors_catch_up();
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  ~ record a.example.com -> new: moves from old
  0 to add, 1 to change, 0 to delete
"
    );
    model.apply(&model.plan(&want).steps);
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  ? a.example.com of old: it went over to another tunnel; its rule stays for who still comes by this one, until 1970-01-01T00:01:00Z (grace-period)
  nothing to change, 1 held
"
    );
    model.now += GRACE;
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  ~ a.example.com of old: its time after the move is over
  ~ configuration of old: 1 rule
  0 to add, 2 to change, 0 to delete
"
    );
    assert!(model.settle(&want).is_empty());
}

#[test]
fn a_renamed_tunnel_keeps_its_id_and_records() {
    let mut model = settled(&desired(&[("old", wanted(&["a.example.com"]))]));
    let id = model.id_of("old");
    let mut want = wanted(&["a.example.com"]);
    want.renamed_from = Some(tunnel("old"));
    let want = desired(&[("web", want)]);
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  ~ tunnel web: was called old here
  ~ record a.example.com -> web: set right its comment
  0 to add, 2 to change, 0 to delete
"
    );
    assert!(model.settle(&want).is_empty());
    assert_eq!(model.id_of("web"), id);
}

#[test]
fn a_rename_that_crashed_never_costs_the_tunnel() {
    let mut model = settled(&desired(&[("old", wanted(&["a.example.com"]))]));
    let mut copy = model.records.tunnels[&tunnel("old")].clone();
    copy.name = tunnel("web");
    model.records.tunnels.insert(tunnel("web"), copy);
    let mut want = wanted(&["a.example.com"]);
    let without = desired(&[("web", want.clone())]);
    want.renamed_from = Some(tunnel("old"));
    let plan = model.plan(&desired(&[("web", want)]));
    assert!(matches!(plan.steps[0], Step::RenameTunnel { .. }), "{plan}");
    // Even when the configuration has forgotten the old name, and an operator deletes it.
    model.ours(&tunnel("old")).fate = Fate::Delete;
    let plan = model.plan(&without);
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::DeleteTunnel { .. } | Step::DeleteRecord { .. })), "{plan}");
}

#[test]
fn somebody_elses_configuration_is_written_over_and_named() {
    let want = desired(&[("web", wanted(&["a.example.com"]))]);
    let mut model = settled(&want);
    let id = model.id_of("web");
    model.tunnels.get_mut(&id).unwrap().configuration = Some((5, json!({ "ingress": [{ "service": "http_status:200" }] })));
    model.connectors_catch_up();
    assert_eq!(
        model.plan(&want).to_string(),
        "account default
  ~ configuration of web: 1 rule, over version 5 that somebody else wrote
  0 to add, 1 to change, 0 to delete
"
    );
}

#[test]
fn a_version_that_says_the_same_is_only_noted() {
    let want = desired(&[("web", wanted(&["a.example.com"]))]);
    let mut model = settled(&want);
    let id = model.id_of("web");
    model.tunnels.get_mut(&id).unwrap().configuration.as_mut().unwrap().0 = 5;
    model.connectors_catch_up();
    let plan = model.plan(&want);
    assert!(matches!(plan.steps[..], [Step::NoteVersion { .. }]), "{plan}");
    assert!(model.settle(&want).is_empty());
}

#[test]
fn state_of_another_machine_changes_nothing() {
    let mut model = Model::new();
    model.records.seal = Some(crate::record::Seal::OtherMachine);
    let plan = model.plan(&desired(&[("web", wanted(&["a.example.com"]))]));
    assert!(plan.is_empty());
    assert_eq!(plan.holds[0].code, HoldCode::StateSealed);
}

#[test]
fn an_unreadable_record_holds_its_tunnel_and_no_other() {
    let mut model = Model::new();
    model.records.held.insert(tunnel("web"), "the file is torn".to_owned());
    let plan = model.plan(&desired(&[("web", wanted(&["a.example.com"])), ("api", wanted(&["b.example.com"]))]));
    assert!(plan.steps.iter().all(|step| *step.tunnel() == tunnel("api")), "{plan}");
    assert_eq!(plan.holds[0].to_string(), "tunnel web: the file is torn (record-unreadable)");
}

#[test]
fn a_tunnel_whose_definition_cannot_be_read_is_not_orphaned() {
    let model = settled(&desired(&[("web", wanted(&["a.example.com"]))]));
    let mut want = desired(&[]);
    want.held.insert(tunnel("web"), "the file is torn".to_owned());
    let plan = model.plan(&want);
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(plan.holds.len(), 1);
}

#[test]
fn a_route_is_live_only_when_connectors_run_its_rule() {
    let want = desired(&[("web", wanted(&["a.example.com"]))]);
    let mut model = settled(&want);
    let state = |model: &Model| {
        let plan = model.plan(&want);
        let observed = model.observe(&want);
        let input = Input {
            account: &model::account(),
            account_id: &model::account_id(),
            desired: &want,
            observed: &observed,
            records: &model.records,
            reported: &model.reported,
            contested: &model.contested,
            behind: &model.behind,
            now: model.now,
            rotations: &model.rotations,
        };
        let tunnels = view(&input, &plan, &BTreeSet::new());
        let route = tunnels[&tunnel("web")].routes[0].clone();
        (route.state, route.reason)
    };
    assert_eq!(state(&model), (RouteState::Live, None));
    model.reported.insert(tunnel("web"), 0);
    assert_eq!(
        state(&model),
        (RouteState::Pending, Some("the connectors run version 0 of the configuration, 1 is written".to_owned()))
    );
    model.reported.clear();
    assert_eq!(state(&model), (RouteState::Pending, Some("no connector of its tunnel is ready".to_owned())));
}
