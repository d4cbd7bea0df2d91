//! What can be looked at: tools, resources, completion, subscriptions.

use serde_json::{Value, json};

use crate::{backend, host::Host, session::Session};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

/// A host that serves two tunnels, and a session with it.
async fn looking(arguments: &[&str]) -> (Host, Session) {
    let host = Host::serving(TWO_TUNNELS).await;
    let session = Session::with(&host, arguments).await;
    (host, session)
}

#[tokio::test]
async fn every_answer_is_as_its_schema_says_and_the_same_at_its_address() {
    let (_host, mut session) = looking(&["--role", "admin"]).await;
    let tools = session.request("tools/list", json!({})).await["result"]["tools"].clone();
    let schema = |tool: &str| {
        let tool = tools.as_array().unwrap().iter().find(|described| described["name"] == tool).unwrap();
        jsonschema::options().should_validate_formats(true).build(&tool["outputSchema"]).unwrap()
    };
    let web = json!({ "tunnel": "web" });
    for (tool, arguments) in [
        ("status", json!({})),
        ("list_tunnels", json!({ "limit": 1 })),
        ("show_tunnel", web.clone()),
        ("list_routes", json!({})),
        ("diagnose", json!({ "hostname": "app.example.com" })),
        ("events", json!({ "limit": 100, "from": "2026-01-02T03:04:05Z" })),
        ("logs", web.clone()),
        ("plan", json!({})),
        ("stop_tunnel", web.clone()),
        ("restart_tunnel", web),
        ("create_tunnel", json!({ "tunnel": "new", "definition": {} })),
    ] {
        let called = session.call(tool, arguments).await;
        let problems: Vec<String> = schema(tool).iter_errors(called.value()).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{tool}: {problems:?}\n{}", called.value());
    }
    for (uri, tool) in [
        ("adit://status", "status"),
        ("adit://tunnels", "list_tunnels"),
        ("adit://events", "events"),
        ("adit://tunnels/web", "show_tunnel"),
        ("adit://tunnels/web/logs", "logs"),
    ] {
        let value = session.read(uri).await;
        assert!(schema(tool).is_valid(&value), "{uri}: {value}");
        assert_eq!(value["untrusted"], json!(true));
    }
}

#[tokio::test]
async fn many_are_told_in_parts_and_what_is_left_out_is_said() {
    let (_host, mut session) = looking(&["--role", "operator"]).await;
    let first = session.call("list_tunnels", json!({ "limit": 1 })).await;
    assert_eq!((&first.value()["total"], &first.value()["tunnels"][0]["name"]), (&json!(2), &json!("api")));
    assert!(first.text().contains("Left out: 1 more tunnels; call again with after: \"api\""), "{}", first.text());
    let rest = session.call("list_tunnels", json!({ "after": "api" })).await;
    assert_eq!((&rest.value()["tunnels"][0]["name"], &rest.value()["truncated"]), (&json!("web"), &Value::Null));
    let routes = session.call("list_routes", json!({ "limit": 1, "skip": 1 })).await;
    assert_eq!((&routes.value()["routes"][0]["tunnel"], &routes.value()["truncated"]), (&json!("web"), &Value::Null));
    let lines = session.call("logs", json!({ "tunnel": "web", "lines": 2 })).await;
    assert_eq!(lines.value()["lines"].as_array().unwrap().len(), 2);
    assert_eq!(session.call("list_tunnels", json!({ "only_troubled": true })).await.value()["total"], json!(0));
    let diagnosis = session.call("diagnose", json!({ "hostname": "nobody.example.com" })).await;
    assert_eq!(diagnosis.value()["verdict"]["link"], json!("configuration"), "{}", diagnosis.value());
}

#[tokio::test]
async fn a_plan_tells_each_step_and_each_connector_once() {
    let host = backend::Host::start().await;
    host.backend.set_plan(&["+ tunnel shop", "~ protocol of web"]);
    let mut session = Session::begin(&host.socket, &[]).await;
    let plan = session.call("plan", json!({})).await;
    assert_eq!((&plan.value()["changes"], &plan.value()["connectors"][0]["pid"]), (&json!(3), &json!(4711)));
    for told in ["+ tunnel shop", "~ protocol of web", "connector web/0 (process 4711) is replaced"] {
        assert_eq!(plan.text().matches(told).count(), 1, "{}", plan.text());
    }
}

#[tokio::test]
async fn resources_and_prompts_are_listed_and_names_are_completed() {
    let (_host, mut session) = looking(&[]).await;
    let listed = session.request("resources/list", json!({})).await;
    let uris: Vec<&str> =
        listed["result"]["resources"].as_array().unwrap().iter().map(|resource| resource["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["adit://status", "adit://tunnels", "adit://events", "adit://tunnels/api", "adit://tunnels/web"]);
    let templates = session.request("resources/templates/list", json!({})).await;
    assert_eq!(templates["result"]["resourceTemplates"][1]["uriTemplate"], "adit://tunnels/{name}/logs");
    let completed = session
        .request(
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "adit://tunnels/{name}" },
                "argument": { "name": "name", "value": "w" },
            }),
        )
        .await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["web"]));
    // Whoever starts as a viewer reads no logs at an address either.
    let refused = session.request("resources/read", json!({ "uri": "adit://tunnels/web/logs" })).await;
    assert_eq!(refused["error"]["data"]["error"]["kind"], "not_permitted");
    let unknown = session.request("resources/read", json!({ "uri": "adit://tunnels/../config" })).await;
    assert_eq!(unknown["error"]["code"], json!(-32002));
    let prompts = session.request("prompts/list", json!({})).await;
    assert_eq!(prompts["result"]["prompts"].as_array().unwrap().len(), 2);
    let prompt = json!({ "name": "hostname_down", "arguments": { "hostname": "app.example.com" } });
    let prompt = session.request("prompts/get", prompt).await;
    assert!(prompt["result"]["messages"][0]["content"]["text"].as_str().unwrap().contains("app.example.com"), "{prompt}");
}

#[tokio::test]
async fn a_subscriber_is_told_when_an_event_changes_what_it_looks_at() {
    let (host, mut session) = looking(&[]).await;
    let refused = session.request("resources/subscribe", json!({ "uri": "adit://tunnels/web/logs" })).await;
    assert_eq!(refused["error"]["code"], json!(-32602));
    let subscribed = session.request("resources/subscribe", json!({ "uri": "adit://tunnels/web" })).await;
    assert_eq!(subscribed["result"], json!({}));
    // When the daemon is followed is not told: something happens until the client hears of it.
    let mut heard = None;
    while heard.is_none() {
        host.client.restart_tunnel("web").await.unwrap();
        host.until_all_serve().await;
        session.request("ping", json!({})).await;
        heard = session.told();
    }
    let told = heard.unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("adit://tunnels/web"))
    );
}
