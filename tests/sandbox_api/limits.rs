//! The rate limit and its headers.

use std::time::Duration;

use adit::sandbox::world::{RateLimit, TokenKind, TokenSpec};
use reqwest::Method;

use crate::Sandbox;

#[tokio::test]
async fn every_answer_tells_what_is_left_and_has_a_ray() {
    let sandbox = Sandbox::start().await;
    let send = |path: &str, token: &str| sandbox.request(Method::GET, path).bearer_auth(token).send();
    let token = sandbox.world.api_token();
    for (path, token, left) in
        [("/zones", token.expose(), "r=1199;t="), ("/no", token.expose(), "r=1198;t="), ("/zones", "x", "r=1200;t=")]
    {
        let response = send(path, token).await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(header("Ratelimit").starts_with(&format!("\"default\";{left}")), "{}", header("Ratelimit"));
        assert_eq!(header("Ratelimit-Policy"), "\"burst\";q=1200;w=300");
        assert!(header("cf-ray").len() > 16 && header("content-type") == "application/json");
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_blocks_all_calls_with_429() {
    let sandbox = Sandbox::start().await;
    sandbox.world.set_rate_limit(Some(RateLimit { requests: 2, window: Duration::from_secs(300) }));
    sandbox.get("/zones").await.result();
    sandbox.get("/accounts").await.result();
    assert_eq!(sandbox.get("/zones").await.refusal(), (429, 971));
    let request = sandbox.request(Method::GET, "/zones").bearer_auth(sandbox.world.api_token().expose());
    let response = request.send().await.unwrap();
    let delay: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=300).contains(&delay), "{delay}");

    sandbox.world.set_rate_limit(None);
    sandbox.get("/zones").await.result();
}

#[tokio::test]
async fn tokens_of_a_user_share_a_budget_and_those_of_an_account_have_their_own() {
    let sandbox = Sandbox::start().await;
    sandbox.world.set_rate_limit(Some(RateLimit { requests: 1, window: Duration::from_secs(300) }));
    let full = TokenSpec::full(&sandbox.account);
    let another = sandbox.world.add_token(full.clone());
    let owned = sandbox.world.add_token(TokenSpec { kind: TokenKind::Account, ..full });
    sandbox.get("/zones").await.result();
    assert_eq!(sandbox.call_as(&another, Method::GET, "/zones", None).await.refusal(), (429, 971));
    sandbox.call_as(&owned, Method::GET, "/zones", None).await.result();
}
