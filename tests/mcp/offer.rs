//! What is offered to whom.

use std::fmt::Write as _;

use adit::control::api::State;
use serde_json::{Value, json};

use crate::{
    backend::{self, user},
    session::Session,
};

/// What many tools take or answer, and what stands for it in the list of tools.
const OFTEN: [(&str, &str); 4] = [
    ("TUNNEL", r#"{"pattern":"^[a-z0-9][a-z0-9-]{0,39}(~[0-9]{1,19})?$","type":"string"}"#),
    ("NAME", r#"{"pattern":"^[a-z0-9][a-z0-9-]{0,39}$","type":"string"}"#),
    ("HASH", r#"{"pattern":"^[0-9a-f]{32}$","type":["string","null"]}"#),
    ("CHANGE", "after before changes connectors next notice open_requests plan_hash step summary truncated tunnel untrusted"),
];

#[tokio::test]
async fn the_tools_and_what_they_take_are_these() {
    let mut session = Session::alone(&["--role", "admin"]).await;
    let answer = session.request("tools/list", json!({})).await;
    let mut text = String::new();
    for tool in answer["result"]["tools"].as_array().unwrap() {
        let hint = |name: &str| tool["annotations"][name].as_bool().unwrap();
        let hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"].into_iter().filter(|name| hint(name));
        let hints: Vec<&str> = hints.map(|name| name.trim_end_matches("Hint")).collect();
        writeln!(text, "{} ({}): {}", tool["name"].as_str().unwrap(), tool["title"].as_str().unwrap(), hints.join(" ")).unwrap();
        assert_eq!(tool["title"], tool["annotations"]["title"]);
        assert_eq!(tool["inputSchema"]["additionalProperties"], json!(false));
        assert!(!tool["description"].as_str().unwrap().is_empty());
        let required = tool["inputSchema"]["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            let mark = if required.contains(&json!(name)) { "!" } else { "" };
            let mut schema = schema.clone();
            let description = schema.as_object_mut().unwrap().remove("description");
            assert!(description.is_some(), "{name} of {} says nothing", tool["name"]);
            writeln!(text, "  {name}{mark} {}", in_short(&schema.to_string())).unwrap();
        }
        let output: Vec<&String> = tool["outputSchema"]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(tool["outputSchema"]["type"], "object");
        let output = output.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        writeln!(text, "  -> {}", in_short(&output)).unwrap();
    }
    insta::assert_snapshot!(text, @r#"
    status (Status): readOnly idempotent
      -> accounts cloudflared daemon health last_change notice troubled truncated tunnels tunnels_ready untrusted uplink
    list_tunnels (List tunnels): readOnly idempotent
      after {"maxLength":64,"minLength":1,"type":["string","null"]}
      limit {"maximum":200,"minimum":1,"type":["integer","null"]}
      only_troubled {"type":["boolean","null"]}
      pattern {"maxLength":100,"minLength":1,"type":["string","null"]}
      -> notice total truncated tunnels untrusted
    show_tunnel (Show a tunnel): readOnly idempotent
      tunnel! TUNNEL
      -> definition notice truncated tunnel untrusted
    list_routes (List routes): readOnly idempotent
      limit {"maximum":200,"minimum":1,"type":["integer","null"]}
      skip {"maximum":1000000,"minimum":0,"type":["integer","null"]}
      tunnel {"pattern":"^[a-z0-9][a-z0-9-]{0,39}(~[0-9]{1,19})?$","type":["string","null"]}
      -> notice routes total truncated untrusted
    diagnose (Diagnose a hostname): readOnly idempotent openWorld
      hostname! {"maxLength":255,"minLength":1,"type":"string"}
      path {"maxLength":2048,"minLength":1,"pattern":"^/","type":["string","null"]}
      -> at hostname links notice path truncated tunnel untrusted verdict
    events (Events): readOnly idempotent
      from {"maxLength":40,"pattern":"^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,9})?)?(Z|[+-]\\d\\d:?\\d\\d)$","type":["string","null"]}
      limit {"maximum":500,"minimum":1,"type":["integer","null"]}
      since {"minimum":0,"type":["integer","null"]}
      tunnel {"pattern":"^[a-z0-9][a-z0-9-]{0,39}(~[0-9]{1,19})?$","type":["string","null"]}
      -> events notice truncated untrusted
    logs (Connector logs): readOnly idempotent
      lines {"maximum":500,"minimum":1,"type":["integer","null"]}
      replica {"maximum":255,"minimum":0,"type":["integer","null"]}
      since {"minimum":0,"type":["integer","null"]}
      tunnel! TUNNEL
      -> lines notice truncated tunnel untrusted
    plan (Plan): readOnly idempotent openWorld
      -> changes connectors left_alone lines notice plan_hash truncated untrusted
    apply (Apply a plan): destructive idempotent openWorld
      plan_hash! {"pattern":"^[A-Za-z0-9:_-]{1,128}$","type":"string"}
      -> done hash left notice truncated untrusted
    start_tunnel (Start a tunnel): idempotent openWorld
      plan_hash HASH
      tunnel! TUNNEL
      -> CHANGE
    stop_tunnel (Stop a tunnel): destructive idempotent openWorld
      plan_hash HASH
      tunnel! TUNNEL
      -> CHANGE
    restart_tunnel (Restart a tunnel): destructive idempotent openWorld
      plan_hash HASH
      tunnel! TUNNEL
      -> CHANGE
    create_tunnel (Create a tunnel): idempotent openWorld
      definition! {"additionalProperties":true,"type":"object"}
      plan_hash HASH
      tunnel! NAME
      -> CHANGE
    update_tunnel (Update a tunnel): destructive idempotent openWorld
      patch! {"additionalProperties":true,"type":"object"}
      plan_hash HASH
      tunnel! NAME
      -> CHANGE
    delete_tunnel (Delete a tunnel): destructive idempotent openWorld
      plan_hash HASH
      tunnel! TUNNEL
      -> CHANGE
    add_route (Add a route): idempotent openWorld
      dns {"type":["boolean","null"]}
      hostname {"maxLength":255,"minLength":1,"type":["string","null"]}
      network {"maxLength":64,"minLength":1,"type":["string","null"]}
      path {"maxLength":1024,"minLength":1,"type":["string","null"]}
      plan_hash HASH
      private_hostname {"maxLength":255,"minLength":1,"type":["string","null"]}
      service {"maxLength":2048,"minLength":1,"type":["string","null"]}
      tunnel! NAME
      virtual_network {"maxLength":255,"minLength":1,"type":["string","null"]}
      -> CHANGE
    remove_route (Remove a route): destructive idempotent openWorld
      hostname {"maxLength":255,"minLength":1,"type":["string","null"]}
      network {"maxLength":64,"minLength":1,"type":["string","null"]}
      path {"maxLength":1024,"minLength":1,"type":["string","null"]}
      plan_hash HASH
      private_hostname {"maxLength":255,"minLength":1,"type":["string","null"]}
      tunnel! NAME
      virtual_network {"maxLength":255,"minLength":1,"type":["string","null"]}
      -> CHANGE
    "#);
}

fn in_short(text: &str) -> &str {
    OFTEN.iter().find(|(_, whole)| *whole == text).map_or(text, |(word, _)| word)
}

#[tokio::test]
async fn a_role_offers_what_it_may_and_tells_what_the_rest_needs() {
    let reads = ["status", "list_tunnels", "show_tunnel", "list_routes", "diagnose", "events", "plan"];
    let operates = ["logs", "start_tunnel", "stop_tunnel", "restart_tunnel"];
    let edits = ["create_tunnel", "update_tunnel", "delete_tunnel", "add_route", "remove_route"];
    let mut expected: Vec<&str> = Vec::new();
    for (role, more) in [("viewer", &reads[..]), ("operator", &operates), ("editor", &edits), ("admin", &["apply"])] {
        expected.extend(more);
        let mut session = Session::alone(&["--role", role]).await;
        let mut offered = session.tools().await;
        offered.sort();
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        assert_eq!(offered, sorted, "{role}");
    }
    // Nobody said which role: the least.
    let mut session = Session::alone(&[]).await;
    assert_eq!(session.tools().await.len(), reads.len());
    for (tool, role) in [("stop_tunnel", "operator"), ("logs", "operator"), ("delete_tunnel", "editor"), ("apply", "admin")] {
        let error = session.refused(tool, json!({ "tunnel": "web" })).await;
        assert!(error["hint"].as_str().unwrap().contains(&format!("adit mcp --role {role}")), "{error}");
    }
    let unknown = session.request("tools/call", json!({ "name": "rm_rf" })).await;
    assert_eq!(unknown["error"]["code"], json!(-32602));
    assert!(unknown["error"]["message"].as_str().unwrap().contains("\"rm_rf\""), "{unknown}");
}

#[tokio::test]
async fn a_server_never_offers_more_than_its_caller_may() {
    let host = backend::Host::start().await;
    host.backend.put("web", definition("app.example.com"));
    host.become_user(user(2003, "viewer"));
    let mut session = Session::begin(&host.socket, &["--role", "admin"]).await;
    assert_eq!(session.tools().await, ["status", "list_tunnels", "show_tunnel", "list_routes", "diagnose", "events", "plan"]);
    for tool in ["stop_tunnel", "delete_tunnel"] {
        let error = session.refused(tool, json!({ "tunnel": "web" })).await;
        assert!(error["message"].as_str().unwrap().contains("the user that this server runs as has role viewer"), "{error}");
    }
    // Logs need more than a viewer has, and it is the daemon that says so.
    session.refused("logs", json!({ "tunnel": "web" })).await;
    // What a caller may changes while the server runs.
    host.become_user(user(2002, "operator"));
    assert!(session.tools().await.contains(&"stop_tunnel".to_owned()));
    assert!(!session.tools().await.contains(&"delete_tunnel".to_owned()));
}

#[tokio::test]
async fn a_caller_with_a_grant_is_refused_beyond_it_by_the_daemon() {
    let host = backend::Host::start().await;
    host.backend.put("web-1", definition("a.web.example.com"));
    host.backend.put("api", definition("api.example.com"));
    host.become_user(user(2005, "editor"));
    let mut session = Session::begin(&host.socket, &["--role", "admin"]).await;
    let listed = session.call("list_tunnels", json!({})).await;
    assert_eq!(listed.value()["total"], json!(1));
    session.refused("show_tunnel", json!({ "tunnel": "api" })).await;
    // The grant's hostnames hold in the second step, whatever was shown in the first.
    let beyond = json!({ "tunnel": "web-1", "hostname": "evil.example.com", "service": "http://localhost:1" });
    let mut asked = beyond.clone();
    asked["plan_hash"] = json!(session.call("add_route", beyond).await.hash());
    session.refused("add_route", asked).await;
    assert_eq!(host.backend.definition_of("web-1").unwrap(), definition("a.web.example.com"));
}

#[tokio::test]
async fn a_server_for_some_tunnels_shows_and_changes_no_other() {
    let host = backend::Host::start().await;
    for name in ["web-1", "web-2", "api"] {
        host.backend.put(name, definition(&format!("{name}.example.com")));
    }
    let mut session = Session::begin(&host.socket, &["--role", "admin", "--tunnels", "web-*"]).await;
    let offered = session.tools().await;
    assert!(!offered.contains(&"plan".to_owned()) && !offered.contains(&"apply".to_owned()), "{offered:?}");
    let names = |value: &Value, list: &str| {
        let of = |item: &Value| item["name"].as_str().or(item["tunnel"].as_str()).unwrap().to_owned();
        value[list].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(names(session.call("list_tunnels", json!({})).await.value(), "tunnels"), ["web-1", "web-2"]);
    assert_eq!(names(session.call("list_routes", json!({})).await.value(), "routes"), ["web-1", "web-2"]);
    assert_eq!(session.call("status", json!({})).await.value()["tunnels"], json!(2));
    host.backend.change("api", |tunnel| tunnel.state = State::Blocked);
    let status = session.call("status", json!({})).await;
    assert!(!status.0.to_string().contains("api was seen"));
    assert_eq!(status.value()["health"]["verdict"], "attention", "nor that something is wrong with another");
    for (tool, arguments) in [
        ("show_tunnel", json!({ "tunnel": "api" })),
        ("stop_tunnel", json!({ "tunnel": "api" })),
        ("create_tunnel", json!({ "tunnel": "api-2", "definition": {} })),
        ("list_routes", json!({ "tunnel": "api" })),
        ("events", json!({ "tunnel": "api" })),
        ("logs", json!({ "tunnel": "api" })),
        ("plan", json!({})),
    ] {
        let error = session.refused(tool, arguments).await;
        assert!(error["message"].as_str().unwrap().contains("this server is limited to"), "{tool}: {error}");
    }
    // Whether another tunnel has a hostname is not told either.
    let mut refusals = Vec::new();
    for hostname in ["api.example.com", "nothing.example.com"] {
        let error = session.refused("diagnose", json!({ "hostname": hostname })).await;
        refusals.push(error.to_string().replace(hostname, "HOSTNAME"));
    }
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(session.call("diagnose", json!({ "hostname": "web-1.example.com" })).await.value()["tunnel"], json!("web-1"));
    let listed = session.request("resources/list", json!({})).await;
    assert!(!listed.to_string().contains("adit://tunnels/api"), "{listed}");
}

#[tokio::test]
async fn a_subscriber_by_grant_is_told_of_the_first_thing_that_happens() {
    let host = backend::Host::start().await;
    host.backend.put("web-new", definition("a.web.example.com"));
    host.become_user(user(2005, "editor"));
    let mut session = Session::begin(&host.socket, &[]).await;
    let subscribed = session.request("resources/subscribe", json!({ "uri": "adit://tunnels/web-new" })).await;
    assert_eq!(subscribed["result"], json!({}));
    // This daemon begins every stream with a gap, after which anything may be different.
    assert_eq!(session.until_told().await["params"]["uri"], "adit://tunnels/web-new");
    host.backend.tell_event(10, "api");
    host.backend.tell_event(11, "web-new");
    assert_eq!(session.until_told().await["params"]["uri"], "adit://tunnels/web-new");
}

/// A tunnel with one hostname.
fn definition(hostname: &str) -> Value {
    json!({ "account": "default", "ingress": [{ "hostname": hostname, "service": "http://localhost:1" }] })
}
