//! A secret is nowhere but where it is used, whatever the other side does with it.

use std::error::Error as _;

use super::{server::Reply, *};

/// Everything that anyone could print of an error.
fn all_text(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn an_echoed_token_is_not_in_the_error() {
    for echo in [
        |headers: &str| Reply::raw(502, format!("<pre>{headers}</pre>")),
        |headers: &str| Reply::raw(200, headers.to_owned()),
        |headers: &str| Reply::refusal(400, 6_003, headers),
        |headers: &str| Reply::raw(200, serde_json::json!({ "success": true, "result": headers }).to_string()),
        |headers: &str| Reply::raw(403, headers.to_owned()),
    ] {
        let bench = Bench::new(Server::start(move |_, request| echo(&request.headers)).await);
        let error = bench.client.zones().await.unwrap_err();
        assert!(bench.server.requests()[0].headers.contains(CANARY), "the token was sent");
        assert!(!all_text(&error).contains("canary"), "{error:?}");
        assert!(!format!("{:?}{:?}", bench.client, bench.exchanges()).contains("canary"));
    }
}

#[tokio::test]
async fn a_tunnel_secret_that_is_quoted_back_is_not_in_the_error() {
    let secret = Secret::new("dHVubmVsLWNhbmFyeS1zZWNyZXQtdHVubmVsLWNhbmE=");
    for status in [200, 400, 500] {
        // As it came, and as a page would show it.
        let echo = move |_: usize, request: &server::Request| {
            let text = String::from_utf8(request.body.clone()).unwrap();
            Reply::raw(status, format!("{text} {}", text.replace('=', "&#61;")))
        };
        let bench = Bench::new(Server::start(echo).await);
        let error = bench.client.create_tunnel(&account(), "web", ConfigSource::Local, &secret).await.unwrap_err();
        assert!(!all_text(&error).contains("dHVubmVs"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_holds_a_secret_is_never_quoted() {
    for body in [
        r#"{"success":true,"result":{"token":"eyJcanary"}}"#,
        r#"{"success":true,"result":{"id":"bad/id","token":"eyJcanary"}}"#,
        r#"{"success":true,"result":"eyJcanary"#,
        r#"{"result":"eyJcanary"}"#,
        "eyJcanary",
    ] {
        let bench = Bench::new(Server::always(move || Reply::raw(200, body)).await);
        let secret = Secret::new("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=");
        for error in [
            bench.client.tunnel_token(&account(), &tunnel()).await.unwrap_err(),
            bench.client.create_tunnel(&account(), "web", ConfigSource::Local, &secret).await.unwrap_err(),
        ] {
            assert!(!all_text(&error).contains("canary"), "{body}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_broken_connection_shows_no_secret() {
    let mut bench = Bench::new(Server::always(|| Reply::HangUp).await);
    let lost = bench.client.zones().await.unwrap_err();
    bench.server.stop().await;
    let unsent = bench.client.zones().await.unwrap_err();
    for error in [lost, unsent] {
        assert_eq!(error.kind(), Kind::Transport);
        assert!(!all_text(&error).contains("canary"), "{error:?}");
    }
}
