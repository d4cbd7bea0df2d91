//! What connectors carry, over the socket.

use serde_json::json;

use crate::backend::{Host, user};

#[tokio::test]
async fn a_caller_sees_the_traffic_of_the_tunnels_that_they_may_see() {
    let host = Host::start().await;
    let rule = |hostname: &str| json!({ "ingress": [{ "hostname": hostname, "service": "http://localhost:1" }] });
    host.backend.put("web-shop", rule("shop.web.example.com"));
    host.backend.put("api", rule("api.web.example.com"));
    let seen = async || {
        let traffic = host.client.traffic().await.unwrap();
        traffic.into_iter().map(|connector| connector.tunnel).collect::<Vec<_>>()
    };
    host.become_user(user(2003, "viewer"));
    assert_eq!(seen().await, ["api", "web-shop"]);
    host.become_user(user(2005, "web-team"));
    assert_eq!(seen().await, ["web-shop"]);
    host.become_user(user(2999, "nobody"));
    assert!(host.client.traffic().await.is_err());
}
