//! The socket's own description, and requests that it does not have.

use adit::control::api::ErrorKind;
use serde_json::{Value, json};

use crate::{
    backend::{Host, user},
    raw::{request, send},
};

#[tokio::test]
async fn the_description_is_served_to_everybody_and_names_itself() {
    let host = Host::start().await;
    host.become_user(user(4711, "nobody"));
    let answer = request(&host.socket, "GET", "/v1/openapi.json", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(&answer.json(), adit::control::openapi());
    let tag = answer.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    for (known, status) in [(tag.as_str(), 304), (&format!("\"other\", W/{tag}"), 304), ("*", 304), ("\"other\"", 200)] {
        let head = format!("GET /v1/openapi.json HTTP/1.1\r\nhost: adit\r\nconnection: close\r\nif-none-match: {known}\r\n\r\n");
        let answer = send(&host.socket, head.as_bytes()).await;
        assert_eq!((answer.status, answer.body.is_empty()), (status, status == 304), "{known}");
        assert!(answer.head.contains(&tag), "{answer:?}");
    }
}

#[tokio::test]
async fn a_query_where_none_is_taken_is_refused() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    for (method, path) in
        [("GET", "/v1/tunnels?limit=3"), ("POST", "/v1/tunnels/web/stop?force"), ("GET", "/v1/openapi.json?v=3")]
    {
        let answer = request(&host.socket, method, path, "").await;
        assert_eq!((answer.status, answer.error().kind), (400, ErrorKind::Malformed), "{path}");
        assert!(answer.error().message.contains("unknown parameter"), "{answer:?}");
    }
    assert_eq!(request(&host.socket, "GET", "/v1/tunnels?", "").await.status, 200);
}

#[tokio::test]
async fn a_query_is_no_way_to_learn_what_there_is() {
    let host = Host::start().await;
    host.become_user(user(4711, "nobody"));
    assert_eq!(request(&host.socket, "GET", "/v1/tunnels?limit=3", "").await.status, 403);
}

#[tokio::test]
async fn a_body_that_is_said_to_be_no_json_is_refused() {
    let host = Host::start().await;
    let create = async |media_type: &str, name: &str| {
        let body = json!({ "name": name, "definition": {} }).to_string();
        let head = format!("POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        send(&host.socket, format!("{head}{media_type}\r\n{body}").as_bytes()).await
    };
    for media_type in ["application/x-www-form-urlencoded", "text/plain", "text/json", "multipart/form-data; boundary=x", "json"]
    {
        let answer = create(&format!("content-type: {media_type}\r\n"), "web").await;
        assert_eq!((answer.status, answer.error().kind), (415, ErrorKind::UnsupportedMediaType), "{media_type}");
        assert!(answer.error().hint.unwrap().contains("content-type: application/json"));
    }
    let media_types = [
        "",
        "content-type: application/json\r\n",
        "content-type: Application/JSON; charset=utf-8\r\n",
        "content-type: application/merge-patch+json\r\n",
    ];
    for (number, media_type) in media_types.into_iter().enumerate() {
        assert_eq!(create(media_type, &format!("web-{number}")).await.status, 201, "{media_type:?}");
    }
}

#[tokio::test]
async fn a_definition_is_not_replaced_by_nothing() {
    let host = Host::start().await;
    host.backend.put("web", json!({ "replicas": 2 }));
    let answer = request(&host.socket, "PUT", "/v1/tunnels/web", "").await;
    assert_eq!((answer.status, answer.error().kind), (400, ErrorKind::Malformed));
    assert_eq!(host.backend.definition_of("web"), Some(json!({ "replicas": 2 })));
}

#[tokio::test]
async fn a_list_is_not_taken_for_an_apply_of_everything() {
    let host = Host::start().await;
    let answer = request(&host.socket, "POST", "/v1/apply", "[]").await;
    assert_eq!((answer.status, answer.error().kind), (400, ErrorKind::Malformed));
}

#[tokio::test]
async fn a_place_in_a_stream_that_is_none_is_refused() {
    let host = Host::start().await;
    for (id, status) in [("yesterday", 400), ("-1", 400), ("", 400), ("7", 200)] {
        let head = format!("GET /v1/events HTTP/1.1\r\nhost: adit\r\nconnection: close\r\nlast-event-id: {id}\r\n\r\n");
        assert_eq!(send(&host.socket, head.as_bytes()).await.status, status, "{id:?}");
    }
}

#[tokio::test]
async fn a_route_to_remove_is_named_in_one_way() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    for query in ["", "?path=/api", "?hostname=app.example.com&network=10.0.0.0/8"] {
        let answer = request(&host.socket, "DELETE", &format!("/v1/tunnels/web/routes{query}"), "").await;
        assert_eq!((answer.status, answer.error().kind), (422, ErrorKind::Invalid), "{query}");
    }
}

#[test]
fn the_check_of_answers_finds_what_is_not_described() {
    let check = |request: &str, status: &str, media_type: &str, body: &Value| {
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\n\r\n{body}");
        crate::description::check(format!("{request} HTTP/1.1\r\n\r\n").as_bytes(), answer.as_bytes())
    };
    let json = "application/json";
    assert_eq!(check("GET /v1/version", "200", json, &json!({ "version": "1" })), Ok(()));
    assert!(check("GET /v1/version", "200", json, &json!({ "version": 1 })).unwrap_err().contains("/version"));
    assert!(check("GET /v1/version", "200", json, &json!({})).unwrap_err().contains("required"));
    assert!(check("GET /v1/version", "200", "text/plain", &json!({ "version": "1" })).is_err());
    assert!(check("GET /v1/version", "418", json, &json!({ "version": "1" })).unwrap_err().contains("status"));
    assert!(check("GET /v1/nothing", "404", json, &json!({ "error": { "kind": "lost", "message": "" } })).is_err());
    assert!(check("GET /v1/nothing", "200", json, &json!({})).is_err());
}
