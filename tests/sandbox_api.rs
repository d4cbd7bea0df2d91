//! The embedded Cloudflare's API, driven over HTTP. Every exchange is checked against the contract.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/openapi.rs"]
mod openapi;

#[path = "sandbox_api/access_rights.rs"]
mod access_rights;
#[path = "sandbox_api/contract_check.rs"]
mod contract_check;
#[path = "sandbox_api/coverage.rs"]
mod coverage;
#[path = "sandbox_api/faults.rs"]
mod faults;
#[path = "sandbox_api/limits.rs"]
mod limits;
#[path = "sandbox_api/lists.rs"]
mod lists;
#[path = "sandbox_api/records.rs"]
mod records;
#[path = "sandbox_api/tunnels.rs"]
mod tunnels;
#[path = "sandbox_api/world.rs"]
mod world;

use adit::{
    id::{AccountId, TunnelId},
    sandbox::{Api, start_api, world::World},
    secret::Secret,
};
use contract::{Sender, Watch, watch};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A sandbox with a raw client of its API. The test fails at its end when an exchange broke the contract.
struct Sandbox {
    world: World,
    api: Api,
    client: Client,
    account: AccountId,
    _watch: Watch,
}

/// An answer with its envelope.
#[derive(Debug)]
struct Answered {
    status: StatusCode,
    body: Value,
}

impl Sandbox {
    async fn start() -> Self {
        // Whichever test comes first installs it; the others find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = World::new();
        let watch = watch(&world, Sender::Prober);
        let api = start_api(world.clone()).await.unwrap();
        let account = world.account_id();
        Self { world, api, client: Client::new(), account, _watch: watch }
    }

    /// The path of something in the account.
    fn in_account(&self, path: &str) -> String {
        format!("/accounts/{}/{path}", self.account)
    }

    /// The path of something in a zone.
    fn in_zone(&self, zone: &str, path: &str) -> String {
        format!("/zones/{}/{path}", self.world.zone_id(zone).unwrap())
    }

    /// A request without a token.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.api.base))
    }

    async fn call_as(&self, token: &Secret, method: Method, path: &str, body: Option<Value>) -> Answered {
        let request = self.request(method, path).bearer_auth(token.expose());
        let request = if let Some(body) = body { request.json(&body) } else { request };
        Answered::from(request).await
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answered {
        let body = if body.is_null() { None } else { Some(body) };
        self.call_as(&self.world.api_token(), method, path, body).await
    }

    async fn get(&self, path: &str) -> Answered {
        self.call(Method::GET, path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answered {
        self.call(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: Value) -> Answered {
        self.call(Method::PUT, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answered {
        self.call(Method::PATCH, path, body).await
    }

    async fn delete(&self, path: &str) -> Answered {
        self.call(Method::DELETE, path, Value::Null).await
    }

    /// Creates a tunnel that is configured at Cloudflare.
    async fn tunnel(&self, name: &str) -> TunnelId {
        let body = json!({ "name": name, "config_src": "cloudflare" });
        self.post(&self.in_account("cfd_tunnel"), body).await.id().parse().unwrap()
    }
}

impl Answered {
    async fn from(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let status = response.status();
        Self { status, body: response.json().await.unwrap() }
    }

    /// The result of a success.
    #[track_caller]
    fn result(&self) -> &Value {
        assert!(self.status.is_success(), "{self:?}");
        &self.body["result"]
    }

    /// The id of the object that came back.
    #[track_caller]
    fn id(&self) -> String {
        self.result()["id"].as_str().unwrap().to_owned()
    }

    /// The status and the code of a refusal.
    #[track_caller]
    fn refusal(&self) -> (u16, i64) {
        assert!(!self.status.is_success(), "{self:?}");
        (self.status.as_u16(), self.body["errors"][0]["code"].as_i64().unwrap())
    }

    /// One field of every object in a list.
    #[track_caller]
    fn each(&self, field: &str) -> Vec<String> {
        let objects = self.result().as_array().unwrap();
        objects.iter().map(|object| object[field].as_str().unwrap().to_owned()).collect()
    }
}
