//! What is sent again and what is not.

use serde_json::json;

use super::{server::Reply, *};

#[tokio::test]
async fn a_read_survives_two_failures_of_any_sort() {
    let server = Server::start(|number, _| match number {
        0 => Reply::raw(502, "<html>Bad gateway</html>"),
        1 => Reply::HangUp,
        _ => Reply::page(vec![], 1, 50, 0),
    });
    let bench = Bench::new(server.await);
    bench.client.zones().await.unwrap();
    let told: Vec<_> = bench.exchanges().iter().map(|exchange| (exchange.status, exchange.failure)).collect();
    assert_eq!(told, [(Some(502), Some(Kind::Server)), (None, Some(Kind::Transport)), (Some(200), None)]);
}

#[tokio::test]
async fn the_third_failure_is_the_last() {
    let bench = Bench::new(Server::always(|| Reply::raw(503, "")).await);
    let error = bench.client.zones().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Server);
    assert_eq!(bench.server.requests().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let bench = Bench::new(Server::always(|| Reply::refusal(400, 1_056, "Bad Configuration")).await);
    let error = bench
        .client
        .put_configuration(&account(), &tunnel(), &json!({ "ingress": [{ "service": "http_status:404" }] }))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn a_post_is_not_repeated_after_a_lost_answer() {
    for reply in [
        || Reply::HangUp,
        || Reply::raw(502, "<html>"),
        || Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()),
    ] {
        let bench = Bench::new(Server::always(reply).await);
        let secret = Secret::new("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=");
        let error = bench.client.create_tunnel(&account(), "web", ConfigSource::Cloudflare, &secret).await.unwrap_err();
        assert!(error.may_have_happened(), "{error}");
        assert_eq!(bench.server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_post_that_never_left_is_repeated_and_certainly_did_not_happen() {
    let mut bench = Bench::new(Server::always(|| Reply::HangUp).await);
    bench.server.stop().await;
    let error = bench.client.create_record(&zone(), &record("a.b")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transport);
    assert!(!error.may_have_happened());
    assert!(error.to_string().contains("there is no connection to the API"), "{error}");
    assert_eq!(bench.exchanges().len(), 3);
}

#[tokio::test]
async fn a_repeated_write_says_so() {
    let server = Server::start(|number, _| match number {
        0 => Reply::HangUp,
        _ => Reply::success(json!({ "version": 6, "config": {} })),
    });
    let bench = Bench::new(server.await);
    let written = bench
        .client
        .put_configuration(&account(), &tunnel(), &json!({ "ingress": [{ "service": "http_status:404" }] }))
        .await
        .unwrap();
    assert_eq!((written.version, written.writes), (6, 2));
}

#[tokio::test]
async fn a_lost_change_followed_by_a_clear_refusal_may_still_have_happened() {
    let server = Server::start(|number, _| match number {
        0 => Reply::HangUp,
        _ => Reply::refusal(404, 81_044, "Record does not exist."),
    });
    let bench = Bench::new(server.await);
    let error = bench.client.delete_record(&zone(), &"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1".parse().unwrap()).await.unwrap_err();
    assert!(error.is_gone() && error.may_have_happened());
}
