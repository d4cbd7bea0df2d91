//! What a 429 does to everything that uses the credential.

use super::{server::Reply, *};

#[tokio::test]
async fn after_a_429_nothing_more_is_sent_until_the_pause_is_over() {
    let throttled =
        || Reply::refusal(429, 971, "Please wait and consider throttling your request speed").header("retry-after", 287);
    let bench = Bench::new(Server::always(throttled).await);
    let first = bench.client.zones().await.unwrap_err();
    assert_eq!(first.kind(), Kind::RateLimited);
    assert!(!first.may_have_happened());
    let pause = first.retry_after().unwrap();
    assert!((Duration::from_secs(287)..=Duration::from_secs(316)).contains(&pause), "{pause:?}");
    for error in
        [bench.client.clone().zones().await.unwrap_err(), bench.client.delete_tunnel(&account(), &tunnel()).await.unwrap_err()]
    {
        assert_eq!(error.kind(), Kind::RateLimited);
        assert!(error.retry_after().unwrap() > Duration::from_secs(280));
        assert!(error.to_string().contains("the rate limit is reached, the credential rests for"), "{error}");
    }
    assert_eq!(bench.server.requests().len(), 1);
    assert!(bench.client.budget().blocked_until.is_some());
    assert_eq!(bench.exchanges().len(), 1, "what is not sent is no exchange");
}

#[tokio::test]
async fn a_429_without_a_pause_or_a_readable_body_rests_for_the_whole_window() {
    for reply in [
        || Reply::raw(429, "<html>slow down</html>"),
        || Reply::Bytes(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 1000\r\n\r\ncut".to_vec()),
        || Reply::refusal(429, 10_429, "More than 1200 requests per 300 seconds reached"),
    ] {
        let bench = Bench::new(Server::always(reply).await);
        let error = bench.client.zones().await.unwrap_err();
        assert_eq!(error.kind(), Kind::RateLimited);
        assert!(error.retry_after().unwrap() >= Duration::from_secs(300));
        assert_eq!(bench.server.requests().len(), 1);
    }
}

#[tokio::test]
async fn nothing_left_in_the_window_stops_before_cloudflare_does() {
    let spent = || Reply::page(vec![], 1, 50, 0).header("ratelimit", r#""default";r=0;t=120"#);
    let bench = Bench::new(Server::always(spent).await);
    bench.client.zones().await.unwrap();
    let error = bench.client.zones().await.unwrap_err();
    assert_eq!(error.kind(), Kind::RateLimited);
    assert_eq!(bench.server.requests().len(), 1);
    assert_eq!(bench.client.budget().remaining, Some(0));
}

#[tokio::test]
async fn too_many_bad_tokens_ask_for_a_long_pause() {
    let bench = Bench::new(Server::always(|| Reply::refusal(403, 10_502, "Too many authentication failures")).await);
    let error = bench.client.zones().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Auth { .. }));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(300)));
}
