//! Tokens: which count, for what, and how a refusal looks in each part of Cloudflare.

use adit::sandbox::world::{Permission, Plan, TokenKind, TokenSpec, TokenStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answered, Sandbox, contract::Contract};

#[tokio::test]
async fn a_token_of_an_account_is_verified_only_at_its_account_and_a_users_only_at_the_user() {
    let sandbox = Sandbox::start().await;
    let account_path = sandbox.in_account("tokens/verify");
    for (kind, prefix, is_users) in [
        (TokenKind::User, "cfut_", true),
        (TokenKind::Account, "cfat_", false),
        (TokenKind::LegacyUser, "", true),
        (TokenKind::LegacyAccount, "", false),
    ] {
        let token = sandbox.world.add_token(TokenSpec { kind, ..TokenSpec::full(&sandbox.account) });
        let length = if prefix.is_empty() { 40 } else { prefix.len() + 48 };
        assert!(token.expose().starts_with(prefix) && token.expose().len() == length);
        let (good, bad) =
            if is_users { ("/user/tokens/verify", &*account_path) } else { (&*account_path, "/user/tokens/verify") };
        assert_eq!(sandbox.call_as(&token, Method::GET, good, None).await.result()["status"], "active");
        assert_eq!(sandbox.call_as(&token, Method::GET, bad, None).await.refusal(), (401, 1000));
    }
}

#[tokio::test]
async fn each_part_of_cloudflare_refuses_bad_tokens_in_its_own_way() {
    let sandbox = Sandbox::start().await;
    let (tunnels, records) = (sandbox.in_account("cfd_tunnel"), sandbox.in_zone("example.com", "dns_records"));
    let unknown = format!("cfut_{}", "x".repeat(48));
    for (path, malformed, bad) in [
        ("/user/tokens/verify", (400, 6003), (401, 1000)),
        (tunnels.as_str(), (400, 9106), (401, 10000)),
        (records.as_str(), (400, 6003), (403, 9109)),
    ] {
        let request = || sandbox.request(Method::GET, path);
        assert_eq!(Answered::from(request()).await.refusal(), malformed, "{path}");
        assert_eq!(Answered::from(request().bearer_auth("short")).await.refusal(), malformed, "{path}");
        assert_eq!(Answered::from(request().bearer_auth(&unknown)).await.refusal(), bad, "{path}");
    }
    let malformed = Answered::from(sandbox.request(Method::GET, "/zones")).await;
    assert_eq!(malformed.body["errors"][0]["error_chain"][0]["code"], 6111);
}

#[tokio::test]
async fn a_token_that_ended_says_so_only_when_it_is_verified() {
    let sandbox = Sandbox::start().await;
    let full = TokenSpec::full(&sandbox.account);
    let expired = TokenSpec { expires: Some("2020-01-01T00:00:00Z".parse().unwrap()), ..full.clone() };
    let disabled = TokenSpec { status: TokenStatus::Disabled, ..full };
    let tunnels = sandbox.in_account("cfd_tunnel");
    for (spec, status) in [(expired, "expired"), (disabled, "disabled")] {
        let token = sandbox.world.add_token(spec);
        assert_eq!(sandbox.call_as(&token, Method::GET, "/user/tokens/verify", None).await.result()["status"], status);
        assert_eq!(sandbox.call_as(&token, Method::GET, &tunnels, None).await.refusal(), (401, 10000));
        assert_eq!(sandbox.call_as(&token, Method::GET, "/zones", None).await.refusal(), (403, 9109));
    }
}

#[tokio::test]
async fn what_belongs_to_another_account_is_out_of_reach() {
    let sandbox = Sandbox::start().await;
    let other = sandbox.world.add_account("Somebody Else");
    let zone = sandbox.world.add_zone(&other, "example.org", Plan::Business);
    assert_eq!(sandbox.get(&format!("/accounts/{other}/cfd_tunnel")).await.refusal(), (401, 10000));
    assert_eq!(sandbox.get(&format!("/zones/{zone}/dns_records")).await.refusal(), (403, 9109));
    assert_eq!(sandbox.get(&format!("/zones/{}", "0".repeat(32))).await.refusal(), (404, 7003));
    assert_eq!(sandbox.get("/zones").await.each("name"), ["example.com", "example.net"]);
    assert_eq!(sandbox.get("/accounts").await.each("id"), [sandbox.account.as_str()]);

    let theirs = sandbox.world.add_token(TokenSpec::full(&other));
    assert_eq!(sandbox.call_as(&theirs, Method::GET, "/zones", None).await.each("name"), ["example.org"]);
}

#[tokio::test]
async fn an_operation_is_open_to_exactly_the_permissions_of_the_contract() {
    let sandbox = Sandbox::start().await;
    sandbox.world.set_rate_limit(None);
    let full = TokenSpec::full(&sandbox.account);
    let single = |permission| TokenSpec { permissions: [permission].into(), ..full.clone() };
    let tokens: Vec<_> = Permission::ALL.iter().map(|it| (it.name(), sandbox.world.add_token(single(*it)))).collect();
    for (method, template, operation) in Contract::get().operations() {
        // One name has the dashboard's group in front of it.
        let needs: Vec<&str> = operation["x-cf-permissions-any-of"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .map(|name| if name == "Zone Zone Read" { "Zone Read" } else { name })
            .collect();
        if needs.is_empty() {
            continue;
        }
        let zone = sandbox.world.zone_id("example.com").unwrap();
        let path = template.replace("{account_id}", sandbox.account.as_str()).replace("{zone_id}", zone.as_str());
        let path = path.replace("{dns_record_id}", &"9".repeat(32));
        let path = path.split('/').map(|part| if part.starts_with('{') { "99999999-9999-4999-8999-999999999999" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        let body = operation["requestBody"].is_object().then(|| json!({}));
        for (permission, token) in &tokens {
            let answered = sandbox.call_as(token, method.parse().unwrap(), &path, body.clone()).await;
            let refused = matches!(answered.status.as_u16(), 401 | 403);
            let allowed = needs.contains(permission);
            assert_eq!(refused, !allowed, "{method} {template} with {permission}: {answered:?}");
        }
    }
}

#[tokio::test]
async fn permissions_and_status_change_behind_the_holders_back() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.world.api_token();
    sandbox.world.dashboard().set_token_permissions(&token, &[Permission::TunnelRead]).unwrap();
    let tunnels = sandbox.in_account("cfd_tunnel");
    sandbox.get(&tunnels).await.result();
    assert_eq!(sandbox.post(&tunnels, json!({ "name": "web" })).await.refusal(), (401, 10000));
    sandbox.world.dashboard().set_token_status(&token, TokenStatus::Disabled).unwrap();
    assert_eq!(sandbox.get(&tunnels).await.refusal(), (401, 10000));
}
