//! Changes in two steps.

use serde_json::{Value, json};

use crate::{
    host::{Host, serves},
    session::Session,
};

const NO_TUNNELS: &str = "";

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

/// Does in two steps what a tool does, and gives what the second answered.
async fn do_it(session: &mut Session, tool: &str, arguments: Value) -> Value {
    let planned = session.call(tool, arguments.clone()).await;
    let mut confirmed = arguments;
    confirmed["plan_hash"] = json!(planned.hash());
    let done = session.call(tool, confirmed).await;
    assert_eq!(done.value()["step"], json!("accepted"), "{tool}");
    done.value().clone()
}

#[tokio::test]
async fn a_tunnel_is_made_changed_and_deleted_by_what_was_shown_and_by_nothing_else() {
    let host = Host::serving(NO_TUNNELS).await;
    let mut session = Session::with(&host, &["--role", "admin"]).await;

    let rule = json!({ "hostname": "shop.example.com", "service": host.origin.url() });
    let create = json!({ "tunnel": "shop", "definition": { "ingress": [rule] } });
    let shown = session.call("create_tunnel", create.clone()).await;
    assert_eq!((&shown.value()["before"], &shown.value()["changes"]), (&Value::Null, &json!(true)));
    assert!(host.client.tunnel("shop").await.is_err(), "the first step changes nothing");
    do_it(&mut session, "create_tunnel", create).await;
    host.until_all_serve().await;

    let update = json!({ "tunnel": "shop", "patch": { "replicas": 2 } });
    let planned = session.call("update_tunnel", update.clone()).await;
    assert_eq!(planned.value()["after"]["replicas"], json!(2));
    // The hash is for exactly these arguments and exactly this tool.
    let more = json!({ "tunnel": "shop", "patch": { "replicas": 3 }, "plan_hash": planned.hash() });
    assert_eq!(session.call("update_tunnel", more).await.error()["kind"], "conflict");
    let other = json!({ "tunnel": "shop", "plan_hash": planned.hash() });
    assert_eq!(session.call("delete_tunnel", other).await.error()["kind"], "conflict");
    do_it(&mut session, "update_tunnel", update).await;
    host.until("both serve", async |host| host.connector_pids().len() == 2 && serves(&host.tunnel("shop").await)).await;

    let route = json!({ "tunnel": "shop", "hostname": "cart.example.com", "service": host.origin.url() });
    let added = do_it(&mut session, "add_route", route).await;
    assert_eq!(added["connectors"], json!([]), "connectors are told of a route and not replaced for it");
    host.until("it leads here", async |host| host.visit("cart.example.com").await.reached("here")).await;
    do_it(&mut session, "remove_route", json!({ "tunnel": "shop", "hostname": "cart.example.com" })).await;
    host.until("it is gone", async |host| host.client.routes().await.unwrap().len() == 1).await;

    let fewer = session.call("update_tunnel", json!({ "tunnel": "shop", "patch": { "replicas": 1 } })).await;
    assert_eq!(fewer.value()["connectors"][0]["replica"], json!(1));
    assert_eq!(fewer.value()["connectors"][0]["why"], json!("unwanted"));
    let other = session.call("update_tunnel", json!({ "tunnel": "shop", "patch": { "protocol": "http2" } })).await;
    assert_eq!(other.value()["connectors"].as_array().unwrap().len(), 2, "{other:?}");

    do_it(&mut session, "delete_tunnel", json!({ "tunnel": "shop" })).await;
    host.until("it is gone", async |host| host.client.tunnel("shop").await.is_err()).await;
}

#[tokio::test]
async fn a_tunnel_is_stopped_started_and_restarted_in_two_steps() {
    let host = Host::serving(ONE_TUNNEL).await;
    let mut session = Session::with(&host, &["--role", "operator"]).await;
    let web = json!({ "tunnel": "web" });
    let pids = host.connector_pids();

    let planned = session.call("restart_tunnel", web.clone()).await;
    assert_eq!(planned.value()["connectors"][0]["pid"], json!(pids[0]));
    assert_eq!(planned.value()["open_requests"], json!(0));
    let mut confirmed = web.clone();
    confirmed["plan_hash"] = json!(planned.hash());
    assert_eq!(session.call("restart_tunnel", confirmed.clone()).await.value()["step"], json!("accepted"));
    host.until("it is replaced", async |host| !host.connector_pids().contains(&pids[0]) && serves(&host.tunnel("web").await))
        .await;
    // What was shown is done, and is not there to be done again.
    assert_eq!(session.call("restart_tunnel", confirmed).await.error()["kind"], "conflict");

    let stopped = do_it(&mut session, "stop_tunnel", web.clone()).await;
    assert_eq!((&stopped["before"], &stopped["after"]), (&json!({ "stopped": false }), &json!({ "stopped": true })));
    host.until("it stopped", async |host| host.connector_pids().is_empty()).await;
    assert_eq!(session.call("stop_tunnel", web.clone()).await.value()["changes"], json!(false));
    do_it(&mut session, "start_tunnel", web).await;
    host.until_all_serve().await;
}

#[tokio::test]
async fn what_changed_since_it_was_shown_is_not_done() {
    let host = Host::serving(NO_TUNNELS).await;
    let rule = json!({ "hostname": "shop.example.com", "service": host.origin.url() });
    host.client.create_tunnel("shop", json!({ "ingress": [rule] })).await.unwrap();
    host.until_all_serve().await;
    let mut session = Session::with(&host, &["--role", "admin"]).await;

    let planned = session.call("update_tunnel", json!({ "tunnel": "shop", "patch": { "on_drift": "report" } })).await;
    host.client.patch_tunnel("shop", &json!({ "health": { "origin": "off" } })).await.unwrap();
    let confirmed = json!({ "tunnel": "shop", "patch": { "on_drift": "report" }, "plan_hash": planned.hash() });
    let error = session.call("update_tunnel", confirmed).await.error();
    assert_eq!(error["kind"], "conflict");
    assert!(error["hint"].as_str().unwrap().contains("without plan_hash"), "{error}");
    assert_eq!(host.client.tunnel("shop").await.unwrap().definition.get("on_drift"), None);
}

#[tokio::test]
async fn a_plan_is_applied_by_its_hash_alone() {
    let host = Host::serving(ONE_TUNNEL).await;
    let mut session = Session::with(&host, &["--role", "admin"]).await;
    assert_eq!(session.call("apply", json!({})).await.error()["details"][0]["at"], "plan_hash");
    assert_eq!(session.call("apply", json!({ "plan_hash": "0123" })).await.error()["kind"], "conflict");
    let plan = session.call("plan", json!({})).await;
    let applied = session.call("apply", json!({ "plan_hash": plan.value()["plan_hash"] })).await;
    assert_eq!(applied.value()["hash"], plan.value()["plan_hash"]);
}

#[tokio::test]
async fn what_a_file_defines_and_what_makes_no_sense_is_refused_in_the_first_step() {
    let host = Host::serving(ONE_TUNNEL).await;
    let mut session = Session::with(&host, &["--role", "admin"]).await;
    for (tool, arguments, kind, told) in [
        ("update_tunnel", json!({ "tunnel": "web", "patch": { "replicas": 2 } }), "read_only", "adit.toml"),
        ("update_tunnel", json!({ "tunnel": "nope", "patch": {} }), "not_found", "no tunnel has that name"),
        ("add_route", json!({ "tunnel": "web", "hostname": "a.example.com" }), "invalid", "service"),
        ("add_route", json!({ "tunnel": "web", "network": "10.0.0.0/8", "service": "http://a" }), "invalid", "service"),
        ("remove_route", json!({ "tunnel": "web" }), "invalid", "exactly one of hostname, network and private_hostname"),
        (
            "remove_route",
            json!({ "tunnel": "web", "private_hostname": "a.b", "path": "/" }),
            "invalid",
            "a path belongs to a hostname",
        ),
        ("delete_tunnel", json!({ "tunnel": "WEB" }), "invalid", "\"WEB\" does not fit"),
        ("create_tunnel", json!({ "tunnel": "new", "definition": "x" }), "invalid", "it is of type object"),
    ] {
        let error = session.call(tool, arguments).await.error();
        assert_eq!(error["kind"], kind, "{tool}: {error}");
        assert!(error.to_string().replace("\\\"", "\"").contains(told), "{tool}: {error}");
    }
    // What only the daemon can tell is told in the second step, with every problem.
    let create = json!({ "tunnel": "new", "definition": { "replicas": 0, "ingres": [] } });
    let mut confirmed = create.clone();
    confirmed["plan_hash"] = json!(session.call("create_tunnel", create).await.hash());
    let error = session.call("create_tunnel", confirmed).await.error();
    assert_eq!(error["kind"], "invalid", "{error}");
    assert!(error["details"].as_array().unwrap().len() >= 2, "{error}");
}
