//! What a plan says about private routes in each situation, in the words that people read.

use crate::{
    config::OnDrift,
    desired::{Desired, DesiredTunnel},
    observed::RoutePlace,
    plan::{
        HoldCode, Plan, RouteState,
        model::{Model, account, account_id, default_network, desired, private, tunnel, wanted},
        view,
    },
    record::{ConfigurationSource, Fate},
};

/// A wanted tunnel with these private routes and nothing else.
fn private_tunnel(routes: &[&str]) -> DesiredTunnel {
    DesiredTunnel { private_routes: routes.iter().map(|route| private(route)).collect(), ..wanted(&[]) }
}

fn one(routes: &[&str]) -> Desired {
    desired(&[("web", private_tunnel(routes))])
}

/// A model in which `desired` is in force.
fn settled(desired: &Desired) -> Model {
    let mut model = Model::new();
    let last = model.settle(desired);
    assert!(last.is_empty() && last.conflicts.is_empty() && last.holds.is_empty(), "{last}");
    model
}

/// The lines of a plan about private routes.
fn lines(plan: &Plan) -> String {
    let text = plan.to_string();
    let about = |line: &&str| {
        ["private route", "virtual network", " of web", "hostname", "in no list"].iter().any(|word| line.contains(word))
    };
    text.lines().filter(about).filter(|line| !line.contains("configuration")).map(|line| format!("{}\n", line.trim())).collect()
}

fn delete(model: &mut Model, name: &str) {
    model.records.tunnels.get_mut(&tunnel(name)).unwrap().fate = Fate::Delete;
}

#[test]
fn a_virtual_network_is_made_before_the_routes_in_it() {
    let plan = Model::new().plan(&one(&["10.0.0.0/8", "10.20.0.0/16 lab", "wiki.internal.example"]));
    assert_eq!(
        plan.to_string(),
        "account default
  + tunnel web (web.adit-a1b2c3d4, remote configuration)
  + virtual network \"lab\" for web
  ~ configuration of web: 0 rules
  + private route 10.0.0.0/8 -> web
  + private route 10.20.0.0/16 in \"lab\" -> web
  + private route wiki.internal.example -> web
  5 to add, 1 to change, 0 to delete
"
    );
}

#[test]
fn a_virtual_network_that_somebody_made_is_used_and_stays() {
    let mut model = Model::new();
    let lab = model.add_foreign_network("lab");
    assert!(model.settle(&one(&["10.0.0.0/8 lab"])).is_empty());
    assert!(model.settle(&one(&[])).is_empty());
    assert_eq!(model.networks.routes.len(), 0);
    assert!(model.networks.virtual_networks.contains_key(&lab));
}

#[test]
fn a_virtual_network_of_ours_goes_with_its_last_route() {
    let mut model = settled(&one(&["10.0.0.0/8 lab", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]));
    let plan = model.plan(&one(&["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]));
    assert_eq!(
        lines(&plan),
        "- private route 10.0.0.0/8 in \"lab\" of web\n- virtual network \"lab\" of web: no route needs it\n"
    );
    model.apply(&plan.steps);
    assert_eq!(model.networks.virtual_networks.len(), 1);
}

#[test]
fn a_virtual_network_that_others_use_stays_when_its_tunnel_goes() {
    let mut model = settled(&one(&["10.0.0.0/8 lab"]));
    model.add_foreign_route("192.168.0.0/16 lab", &"theirs".parse().unwrap(), "");
    delete(&mut model, "web");
    assert!(model.settle(&desired(&[])).is_empty());
    assert_eq!(model.networks.virtual_networks.len(), 2);
    assert_eq!(model.networks.routes.len(), 1);
}

#[test]
fn a_virtual_network_goes_over_to_the_tunnel_that_still_has_routes_in_it() {
    let both = desired(&[("api", private_tunnel(&["10.0.0.0/8 lab"])), ("web", private_tunnel(&["10.1.0.0/16 lab"]))]);
    let mut model = settled(&both);
    delete(&mut model, "api");
    let plan = model.plan(&one(&["10.1.0.0/16 lab"]));
    assert!(lines(&plan).contains("~ virtual network \"lab\": is web's from here on, api goes"), "{plan}");
    assert!(model.settle(&one(&["10.1.0.0/16 lab"])).is_empty());
    assert!(model.records.tunnels[&tunnel("web")].virtual_networks.contains_key("lab"));
}

#[test]
fn somebody_elses_route_is_a_conflict_that_names_where_it_leads() {
    let mut model = Model::new();
    model.add_foreign_route("10.0.0.0/8", &"theirs".parse().unwrap(), "office");
    let before = model.networks.routes.clone();
    let plan = model.settle(&one(&["10.0.0.0/8"]));
    assert_eq!(
        lines(&plan),
        "! 10.0.0.0/8 of web: a private route to tunnel other with the comment \"office\" stands there; it is not on record here as \
         ours\n"
    );
    assert_eq!(model.networks.routes, before);
}

#[test]
fn the_same_network_in_another_virtual_network_is_no_conflict() {
    let mut model = Model::new();
    model.add_foreign_route("10.0.0.0/8", &"theirs".parse().unwrap(), "office");
    assert!(model.settle(&one(&["10.0.0.0/8 lab"])).conflicts.is_empty());
    assert_eq!(model.networks.routes.len(), 2);
}

#[test]
fn networks_within_networks_are_noted() {
    let mut model = Model::new();
    for network in ["10.20.0.0/16", "10.30.0.0/16", "172.16.0.0/12"] {
        model.add_foreign_route(network, &"theirs".parse().unwrap(), "");
    }
    let plan = model.plan(&one(&["10.0.0.0/8", "10.20.1.0/24"]));
    let notes: Vec<&str> = plan.notes.iter().map(String::as_str).collect();
    assert_eq!(
        notes,
        [
            "private route 10.20.1.0/24 of web lies within 10.20.0.0/16, which leads to tunnel other: the longer one wins",
            "within private route 10.0.0.0/8 of web, other routes lead elsewhere: 10.20.0.0/16 to tunnel other, 10.30.0.0/16 to \
             tunnel other",
        ]
    );
}

#[test]
fn a_route_that_somebody_led_elsewhere_is_set_right_or_only_reported() {
    let mut want = one(&["10.0.0.0/8"]);
    let mut model = settled(&want);
    model.networks.route_at("10.0.0.0/8").unwrap().1.tunnel_id = Some("theirs".parse().unwrap());
    assert_eq!(lines(&model.plan(&want)), "~ private route 10.0.0.0/8 -> web: set right its tunnel\n");
    want.tunnels.get_mut(&tunnel("web")).unwrap().on_drift = OnDrift::Report;
    let plan = model.plan(&want);
    assert!(plan.is_empty() && plan.holds[0].code == HoldCode::Edited, "{plan}");
}

#[test]
fn a_route_without_our_marker_is_left_alone() {
    let mut model = settled(&one(&["wiki.internal.example"]));
    model.networks.route_at("wiki.internal.example").unwrap().1.comment = "mine".to_owned();
    let plan = model.plan(&one(&["wiki.internal.example"]));
    assert!(plan.is_empty() && plan.conflicts.len() == 1, "{plan}");
    assert_eq!(
        lines(&model.plan(&one(&[]))),
        "- private route wiki.internal.example of web: leave it alone, somebody else changed it \
                                               and it is theirs\n"
    );
}

#[test]
fn a_route_that_is_missing_is_made_again_only_when_its_absence_is_proven() {
    let want = one(&["10.0.0.0/8", "192.168.0.0/16"]);
    let mut model = settled(&want);
    let id = model.networks.route_at("10.0.0.0/8").unwrap().0.clone();
    model.networks.delete_route(&id);
    assert_eq!(lines(&model.plan(&want)), "+ private route 10.0.0.0/8 -> web: the one that was made is gone\n");
    // Not in the list, and not asked about by its id.
    let mut observed = model.observe(&want);
    observed.answers = Default::default();
    let plan = model.plan_by(&want, &observed);
    assert!(plan.is_empty() && plan.holds[0].code == HoldCode::Unproven, "{plan}");
}

#[test]
fn routes_that_are_all_missing_wait_for_a_confirmation() {
    let want = one(&["10.0.0.0/8", "10.1.0.0/16", "wiki.internal.example"]);
    let mut model = settled(&want);
    for route in ["10.0.0.0/8", "10.1.0.0/16", "wiki.internal.example"] {
        let id = model.networks.route_at(route).unwrap().0.clone();
        model.networks.delete_route(&id);
    }
    let plan = model.plan(&want);
    assert_eq!((plan.steps.len(), plan.waiting.len()), (0, 3), "{plan}");
    assert!(plan.to_string().contains("3 of 3 DNS records and private routes are gone"), "{plan}");
}

#[test]
fn deleting_routes_in_masses_waits_with_their_virtual_network() {
    let mut model = settled(&one(&["10.0.0.0/8 lab", "10.1.0.0/16 lab"]));
    let plan = model.plan(&one(&[]));
    assert_eq!((plan.steps.len(), plan.waiting.len()), (0, 3), "{plan}");
    model.apply(&plan.confirmed());
    assert!(model.plan(&one(&[])).is_empty());
}

#[test]
fn a_route_moves_by_one_change_once_the_other_tunnel_serves() {
    let before = desired(&[("api", private_tunnel(&[])), ("web", private_tunnel(&["10.0.0.0/8"]))]);
    let after = desired(&[("api", private_tunnel(&["10.0.0.0/8"])), ("web", private_tunnel(&[]))]);
    let mut model = settled(&before);
    model.reported.remove(&tunnel("api"));
    let plan = model.plan(&after);
    assert!(plan.is_empty() && plan.holds[0].code == HoldCode::NotReady, "{plan}");
    model.connectors_catch_up();
    assert_eq!(lines(&model.plan(&after)), "~ private route 10.0.0.0/8 -> api: moves from web\n");
    let id = model.networks.route_at("10.0.0.0/8").unwrap().0.clone();
    assert!(model.settle(&after).is_empty());
    assert_eq!(*model.networks.route_at("10.0.0.0/8").unwrap().0, id);
}

#[test]
fn a_lost_answer_is_settled_by_the_list_also_by_a_tunnel_that_goes() {
    let want = one(&["10.0.0.0/8"]);
    for deleted in [false, true] {
        let mut model = settled(&one(&[]));
        let step = model.plan(&want).steps[0].clone();
        let crate::plan::Step::Network(step) = step else { panic!("{step}") };
        model.apply_network_and_lose_the_answer(&step);
        if deleted {
            delete(&mut model, "web");
            assert!(model.settle(&desired(&[])).is_empty());
            assert!(model.networks.routes.is_empty());
        } else {
            assert_eq!(lines(&model.plan(&want)), "~ private route 10.0.0.0/8 -> web: an earlier create made it\n");
            assert!(model.settle(&want).is_empty());
            assert_eq!(model.networks.routes.len(), 1);
        }
    }
}

#[test]
fn a_deletion_takes_routes_before_the_tunnel_and_waits_for_those_of_others() {
    let mut model = settled(&one(&["10.0.0.0/8 lab"]));
    delete(&mut model, "web");
    model.connectors_catch_up();
    let words: Vec<&str> = model.plan(&desired(&[])).steps.iter().map(|step| step.word()).collect();
    let expected = ["delete-private-route", "delete-virtual-network", "delete-tunnel", "forget-tunnel"];
    assert_eq!(words, expected);

    let id = model.id_of("web");
    model.add_foreign_route("192.168.0.0/16", &id, "by hand");
    let plan = model.plan(&desired(&[]));
    assert!(!plan.steps.iter().any(|step| step.word() == "delete-tunnel"), "{plan}");
    let hold = plan.holds.iter().find(|hold| hold.code == HoldCode::RoutesOfOthers).unwrap();
    assert_eq!(hold.why, "private routes that are not ours lead to it (192.168.0.0/16); it is deleted when they are gone");
}

#[test]
fn another_default_virtual_network_moves_no_route() {
    let want = one(&["10.0.0.0/8"]);
    let mut model = settled(&want);
    let lab = model.add_foreign_network("lab");
    for (id, network) in &mut model.networks.virtual_networks {
        network.is_default = *id == lab;
    }
    let plan = model.plan(&want);
    assert!(plan.is_empty(), "{plan}");
    assert!(plan.notes[0].contains("stays in virtual network \"default\", which is the default one no longer"), "{plan}");
    let route = model.networks.routes.values().next().unwrap();
    assert!(
        matches!(&route.place, Some(RoutePlace::Network { virtual_network_id, .. }) if *virtual_network_id == default_network())
    );
}

#[test]
fn a_virtual_network_with_another_name_keeps_its_routes() {
    let want = one(&["10.0.0.0/8 lab"]);
    let mut model = settled(&want);
    let lab = model.networks.virtual_networks.values_mut().find(|network| network.name == "lab").unwrap();
    lab.name = "laboratory".to_owned();
    let plan = model.plan(&want);
    assert!(plan.is_empty(), "{plan}");
    assert!(plan.notes[0].contains("was called \"lab\" and is called \"laboratory\""), "{plan}");
}

#[test]
fn a_network_that_two_tunnels_name_differently_leads_to_one_of_them() {
    let mut model = Model::new();
    let both = desired(&[("api", private_tunnel(&["10.0.0.0/8"])), ("web", private_tunnel(&["10.0.0.0/8 default"]))]);
    let plan = model.settle(&both);
    assert!(plan.is_empty() && plan.holds[0].code == HoldCode::WantedTwice, "{plan}");
    assert_eq!(model.networks.routes.len(), 1);
}

#[test]
fn lists_that_cannot_be_read_hold_the_private_routes_and_nothing_else() {
    let want =
        desired(&[("web", DesiredTunnel { private_routes: [private("10.0.0.0/8")].into(), ..wanted(&["app.example.com"]) })]);
    for unread in ["private routes", "virtual networks"] {
        let mut model = Model::new();
        model.unreadable.insert(unread);
        let plan = model.settle(&want);
        assert!(model.record_at("app.example.com").is_some(), "{plan}");
        assert!(model.networks.routes.is_empty(), "{plan}");
        assert_eq!(plan.holds.iter().map(|hold| hold.scope.to_string()).collect::<Vec<_>>(), ["the private routes"]);
    }
}

#[test]
fn a_tunnel_that_left_the_configuration_keeps_its_private_routes_until_it_is_deleted() {
    let mut model = settled(&one(&["10.0.0.0/8 lab"]));
    assert!(model.settle(&desired(&[])).is_empty());
    assert_eq!((model.networks.routes.len(), model.networks.virtual_networks.len()), (1, 2));
    let (account, account_id) = (account(), account_id());
    let none = desired(&[]);
    let (observed, plan) = (model.observe(&none), model.plan(&none));
    let (reported, contested, behind) = (Default::default(), Default::default(), Default::default());
    let input = crate::plan::Input {
        account: &account,
        account_id: &account_id,
        desired: &none,
        observed: &observed,
        records: &model.records,
        reported: &reported,
        contested: &contested,
        behind: &behind,
        now: model.now,
        rotations: &model.rotations,
    };
    let routes = view(&input, &plan, &Default::default())[&tunnel("web")].private_routes.clone();
    assert_eq!(routes[0].state, RouteState::Orphaned);
}

#[test]
fn a_replaced_tunnel_keeps_its_private_routes_when_the_configuration_loses_the_tunnel() {
    let mut model = settled(&one(&["10.0.0.0/8 lab"]));
    let local = DesiredTunnel { source: ConfigurationSource::Local, ..private_tunnel(&["10.0.0.0/8 lab"]) };
    let plan = model.plan(&desired(&[("web", local)]));
    model.apply(&plan.steps);
    assert_eq!(model.records.tunnels[&tunnel("web").derive(|_| false)].fate, Fate::Retiring, "{plan}");
    let last = model.settle(&desired(&[]));
    assert_eq!((model.networks.routes.len(), model.networks.virtual_networks.len()), (1, 2), "{last}");
    // Deleting the tunnel takes them along.
    delete(&mut model, "web");
    model.settle(&desired(&[]));
    assert_eq!((model.networks.routes.len(), model.networks.virtual_networks.len()), (0, 1));
}
