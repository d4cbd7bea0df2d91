//! Tunnels and routes over the socket.

use adit::control::{
    Trouble,
    api::{Change, ErrorKind},
};
use serde_json::json;

use crate::{
    backend::Host,
    raw::{request_with, send},
};

fn kind(result: Result<impl std::fmt::Debug, Trouble>) -> ErrorKind {
    result.expect_err("it is refused").kind().expect("the daemon answered")
}

#[tokio::test]
async fn a_tunnel_is_made_once_and_the_same_one_again_is_fine() {
    let host = Host::start().await;
    let definition = json!({ "replicas": 2 });
    assert_eq!(host.client.create_tunnel("web", definition.clone()).await.unwrap().change, Change::Accepted);
    assert_eq!(host.client.create_tunnel("web", definition.clone()).await.unwrap().change, Change::Unchanged);
    assert_eq!(kind(host.client.create_tunnel("web", json!({})).await), ErrorKind::Conflict);
    assert_eq!(kind(host.client.create_tunnel("Not A Name", json!({})).await), ErrorKind::Invalid);
    let detail = host.client.tunnel("web").await.unwrap();
    assert_eq!((detail.tunnel.name.as_str(), detail.definition), ("web", definition));
    host.client.delete_tunnel("web").await.unwrap();
    assert_eq!(kind(host.client.tunnel("web").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn routes_are_added_and_removed_one_by_one() {
    let host = Host::start().await;
    let rule = |hostname: &str| json!({ "hostname": hostname, "service": "http://localhost:1" });
    host.client.create_tunnel("web", json!({})).await.unwrap();
    host.client.add_route("web", &rule("a.example.com")).await.unwrap();
    assert_eq!(host.client.add_route("web", &rule("b.example.com")).await.unwrap().change, Change::Accepted);
    assert_eq!(host.client.add_route("web", &rule("b.example.com")).await.unwrap().change, Change::Unchanged);
    host.client.remove_route("web", "a.example.com", None).await.unwrap();
    assert_eq!(kind(host.client.remove_route("web", "a.example.com", None).await), ErrorKind::NotFound);
    let routes: Vec<_> = host.client.routes().await.unwrap().into_iter().map(|route| route.route.hostname).collect();
    assert_eq!(routes, [Some("b.example.com".to_owned())]);
}

#[tokio::test]
async fn a_key_that_no_tunnel_can_have_is_not_removed_without_a_word() {
    let host = Host::start().await;
    host.backend.put("web", json!({ "replicas": 2 }));
    let refused = host.client.patch_tunnel("web", &json!({ "replicas": 3, "health": { "orgin": null } })).await.unwrap_err();
    assert_eq!(refused.kind(), Some(ErrorKind::Invalid));
    assert!(refused.to_string().contains("\"health.orgin\""), "{refused}");
    assert_eq!(host.client.tunnel("web").await.unwrap().definition, json!({ "replicas": 2 }), "nothing is changed");
    host.client.patch_tunnel("web", &json!({ "replicas": null, "load_balancer": null })).await.unwrap();
}

#[tokio::test]
async fn what_a_file_defines_is_read_only() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.origin = "file:/etc/adit/adit.toml".to_owned());
    assert_eq!(kind(host.client.patch_tunnel("web", &json!({ "replicas": 2 })).await), ErrorKind::ReadOnly);
    assert_eq!(kind(host.client.delete_tunnel("web").await), ErrorKind::ReadOnly);
}

#[tokio::test]
async fn a_writer_who_looked_at_another_version_is_told() {
    let host = Host::start().await;
    host.backend.put("web", json!({ "replicas": 1 }));
    let seen = send(&host.socket, b"GET /v1/tunnels/web HTTP/1.1\r\nhost: adit\r\nconnection: close\r\n\r\n").await;
    let tag = seen.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let put = |tag: &str, body: &str| {
        let length = body.len();
        let head = "PUT /v1/tunnels/web HTTP/1.1\r\nhost: adit\r\nconnection: close\r\n";
        format!("{head}if-match: {tag}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let first = send(&host.socket, put(&tag, "{\"replicas\": 10}").as_bytes()).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["change"], "accepted");
    let second = send(&host.socket, put(&tag, "{\"replicas\": 100}").as_bytes()).await;
    assert_eq!((second.status, second.error().kind), (412, ErrorKind::Changed));
    assert_eq!(host.backend.definition_of("web"), Some(json!({ "replicas": 10 })));
    let now = second.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("it says what it is now").to_owned();
    assert_eq!(send(&host.socket, put(&now, "{\"replicas\": 100}").as_bytes()).await.status, 200);
    assert_eq!(host.backend.definition_of("web"), Some(json!({ "replicas": 100 })));
}

#[tokio::test]
async fn every_change_of_a_tunnel_heeds_what_its_writer_looked_at() {
    let host = Host::start().await;
    let rule = json!({ "hostname": "a.example.com", "service": "http://localhost:1" });
    let definition = json!({ "ingress": [rule] });
    host.backend.put("web", definition.clone());
    let version = host.client.tunnel("web").await.unwrap().version;
    for (method, path, body) in [
        ("PUT", "/v1/tunnels/web", "{}"),
        ("PATCH", "/v1/tunnels/web", "{\"replicas\": 2}"),
        ("DELETE", "/v1/tunnels/web", ""),
        ("POST", "/v1/tunnels/web/routes", "{\"hostname\": \"b.example.com\", \"service\": \"http://localhost:1\"}"),
        ("DELETE", "/v1/tunnels/web/routes?hostname=a.example.com", ""),
        ("POST", "/v1/tunnels/web/start", ""),
        ("POST", "/v1/tunnels/web/stop", ""),
        ("POST", "/v1/tunnels/web/restart", ""),
        ("POST", "/v1/tunnels/web/rotate", "{\"emergency\": true}"),
    ] {
        for (condition, tag) in [("if-match", "\"other\"".to_owned()), ("if-none-match", format!("\"{version}\""))] {
            let answer = request_with(&host.socket, method, path, &[(condition, &tag)], body).await;
            assert_eq!((answer.status, answer.error().kind), (412, ErrorKind::Changed), "{method} {path} {condition}");
            assert!(answer.head.contains(&format!("etag: \"{version}\"")), "{answer:?}");
            assert!(answer.error().hint.is_some());
            assert_eq!(host.backend.definition_of("web"), Some(definition.clone()));
        }
    }
    let any = request_with(&host.socket, "DELETE", "/v1/tunnels/web", &[("if-match", "*")], "").await;
    assert_eq!(any.status, 200, "{any:?}");
}

#[tokio::test]
async fn a_put_can_be_for_a_new_tunnel_only() {
    let host = Host::start().await;
    let put = async |body: &str| request_with(&host.socket, "PUT", "/v1/tunnels/web", &[("if-none-match", "*")], body).await;
    assert_eq!(put("{\"replicas\": 1}").await.status, 201);
    let again = put("{\"replicas\": 2}").await;
    assert_eq!((again.status, again.error().kind), (412, ErrorKind::Changed));
    assert!(again.head.contains("etag: "), "{again:?}");
    assert_eq!(host.backend.definition_of("web"), Some(json!({ "replicas": 1 })));
    let unconditional = request_with(&host.socket, "PUT", "/v1/tunnels/other", &[], "{}").await;
    assert_eq!(unconditional.status, 404, "a slip in a name makes no tunnel");
}

#[tokio::test]
async fn who_has_an_answer_already_does_not_get_it_again() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    for path in ["/v1/tunnels", "/v1/routes", "/v1/status", "/v1/config"] {
        let first = request_with(&host.socket, "GET", path, &[], "").await;
        let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect(path).to_owned();
        let again = request_with(&host.socket, "GET", path, &[("if-none-match", &tag)], "").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        let other = request_with(&host.socket, "GET", path, &[("if-none-match", "\"other\"")], "").await;
        assert_eq!((other.status, other.body), (200, first.body), "{path}");
    }
}
