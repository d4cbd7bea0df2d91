//! Every operation of the contract, once with success and several times without.

use std::collections::BTreeSet;

use adit::sandbox::world::{EdgeConnection, TokenKind, TokenSpec};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Answered, Sandbox, contract::Contract};

const CONNECTOR: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn every_operation_of_the_contract_succeeds() {
    let sandbox = Sandbox::start().await;
    walk_tokens_accounts_and_zones(&sandbox).await;
    let tunnel = walk_tunnels(&sandbox).await;
    walk_records(&sandbox).await;
    walk_load_balancing(&sandbox).await;
    walk_networks(&sandbox, &tunnel).await;
    walk_access(&sandbox).await;

    let contract = Contract::get();
    let requests = sandbox.world.requests();
    let done = requests.iter().filter(|request| request.status.is_some_and(|status| status < 300));
    let done: BTreeSet<&str> = done.filter_map(|request| contract.operation_id(request.method.as_str(), &request.path)).collect();
    let all: BTreeSet<&str> =
        contract.operations().iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(all.difference(&done).collect::<Vec<_>>(), Vec::<&&str>::new(), "operations that were not called");
    assert_eq!(all.len(), 70);
}

#[tokio::test]
async fn every_operation_refuses_in_the_envelope() {
    let sandbox = Sandbox::start().await;
    sandbox.world.set_rate_limit(None);
    let token = sandbox.world.api_token();
    for (method, template, operation) in Contract::get().operations() {
        let method: Method = method.parse().unwrap();
        let unknown = fill(&sandbox, template, "9");
        let has_body = operation["requestBody"].is_object();

        let without_token = Answered::from(sandbox.request(method.clone(), &unknown)).await;
        assert_eq!(without_token.status, StatusCode::BAD_REQUEST, "{method} {template}: {without_token:?}");

        if has_body {
            let request = sandbox.request(method.clone(), &unknown).bearer_auth(token.expose());
            let malformed = Answered::from(request.body("{\"name\":")).await;
            assert!(malformed.status.is_client_error(), "{method} {template}: {malformed:?}");
            let unknown_field = sandbox.call(method.clone(), &unknown, json!({ "no_such_field": 1 })).await;
            assert!(unknown_field.status.is_client_error(), "{method} {template}: {unknown_field:?}");
        }
        if template.ends_with('}') && !template.ends_with("{account_id}") && !template.ends_with("{zone_id}") {
            let body = if has_body { json!({ "comment": "x" }) } else { Value::Null };
            let gone = sandbox.call(method.clone(), &unknown, body).await;
            assert!(gone.status.is_client_error(), "{method} {template}: {gone:?}");
        }
        if template.contains("{tunnel_id}") || template.contains("{dns_record_id}") {
            let malformed_id = fill(&sandbox, template, "not-an-id");
            assert_eq!(sandbox.call(method, &malformed_id, Value::Null).await.refusal(), (400, 7003), "{template}");
        }
    }
}

#[tokio::test]
async fn what_is_no_operation_is_refused_as_no_route() {
    let sandbox = Sandbox::start().await;
    assert_eq!(sandbox.get("/no/such/path").await.refusal(), (404, 7003));
    assert_eq!(sandbox.get("/accounts/").await.refusal(), (404, 7003));
    assert_eq!(sandbox.delete("/zones").await.refusal(), (405, 7001));
    let outside = format!("http://{}/accounts", sandbox.api.base.authority());
    let answered = Answered::from(sandbox.client.get(outside)).await;
    assert_eq!(answered.refusal(), (404, 7003));
}

/// A path with the sandbox's own account and zone, and `id` (or an id made of that digit) for everything else.
fn fill(sandbox: &Sandbox, template: &str, id: &str) -> String {
    let uuid = "99999999-9999-4999-8999-999999999999";
    let segments = template.split('/').map(|segment| match segment {
        "{account_id}" => sandbox.account.to_string(),
        "{zone_id}" => sandbox.world.zone_id("example.com").unwrap().to_string(),
        "{dns_record_id}" if id == "9" => id.repeat(32),
        "{tunnel_id}" | "{connector_id}" | "{route_id}" | "{virtual_network_id}" | "{hostname_route_id}" if id == "9" => {
            uuid.to_owned()
        }
        "{ip}" => "192.0.2.1".to_owned(),
        parameter if parameter.starts_with('{') => id.to_owned(),
        word => word.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

async fn walk_tokens_accounts_and_zones(sandbox: &Sandbox) {
    assert_eq!(sandbox.get("/user/tokens/verify").await.result()["status"], "active");
    let owned = sandbox.world.add_token(TokenSpec { kind: TokenKind::Account, ..TokenSpec::full(&sandbox.account) });
    let verify = sandbox.in_account("tokens/verify");
    assert_eq!(sandbox.call_as(&owned, Method::GET, &verify, None).await.result()["status"], "active");

    assert_eq!(sandbox.get("/accounts?per_page=50").await.each("id"), [sandbox.account.as_str()]);
    sandbox.get(&format!("/accounts/{}", sandbox.account)).await.result();
    let zones = sandbox.get("/zones?status=active&per_page=50&page=1").await;
    assert_eq!(zones.each("name"), ["example.com", "example.net"]);
    let zone = sandbox.world.zone_id("example.net").unwrap();
    assert_eq!(sandbox.get(&format!("/zones/{zone}")).await.result()["plan"]["legacy_id"], "free");
}

async fn walk_tunnels(sandbox: &Sandbox) -> String {
    let tunnels = sandbox.in_account("cfd_tunnel");
    let tunnel = sandbox.tunnel("web").await;
    sandbox.get(&format!("{tunnels}?is_deleted=false&per_page=1000&page=1")).await.result();
    let path = format!("{tunnels}/{tunnel}");
    sandbox.get(&path).await.result();
    sandbox.patch(&path, json!({ "name": "shop" })).await.result();
    sandbox.get(&format!("{path}/token")).await.result();
    sandbox.post(&format!("{path}/management"), json!({ "resources": ["logs"] })).await.result();
    let config = json!({ "ingress": [{ "hostname": "a.example.com", "service": "http://localhost:1" }, { "service": "http_status:404" }] });
    sandbox.put(&format!("{path}/configurations"), json!({ "config": config })).await.result();
    sandbox.get(&format!("{path}/configurations")).await.result();
    let connection = EdgeConnection {
        connector: CONNECTOR.parse().unwrap(),
        index: 0,
        version: "2026.8.2".to_owned(),
        arch: "linux_amd64".to_owned(),
        colo: "fra01".to_owned(),
        origin_ip: [127, 0, 0, 1].into(),
    };
    sandbox.world.connection_opened(&tunnel, connection);
    assert_eq!(sandbox.get(&format!("{path}/connections")).await.each("id"), [CONNECTOR]);
    sandbox.get(&format!("{path}/connectors/{CONNECTOR}")).await.result();
    assert_eq!(sandbox.delete(&format!("{path}/connections?client_id={CONNECTOR}")).await.result(), &Value::Null);
    let doomed = sandbox.tunnel("doomed").await;
    sandbox.delete(&format!("{tunnels}/{doomed}?cascade=true")).await.result();
    tunnel.to_string()
}

async fn walk_records(sandbox: &Sandbox) {
    let records = sandbox.in_zone("example.com", "dns_records");
    let cname = json!({ "type": "CNAME", "name": "a.example.com", "content": "b.example.com", "ttl": 1, "proxied": true, "tags": ["a:b"] });
    let record = sandbox.post(&records, cname.clone()).await.id();
    let path = format!("{records}/{record}");
    sandbox.get(&format!("{records}?type=CNAME&content.endswith=.example.com&per_page=5000&page=1")).await.result();
    sandbox.get(&path).await.result();
    sandbox.put(&path, cname).await.result();
    sandbox.patch(&path, json!({ "comment": "mine" })).await.result();
    let text = json!({ "type": "TXT", "name": "t.example.com", "content": "\"text\"", "ttl": 60 });
    let batch = json!({
        "patches": [{ "id": record, "proxied": false }],
        "puts": [{ "id": record, "type": "CNAME", "name": "c.example.com", "content": "d.example.com", "ttl": 300 }],
        "posts": [text],
    });
    sandbox.post(&format!("{records}/batch"), batch).await.result();
    assert_eq!(sandbox.get(&format!("{records}/usage")).await.result()["record_usage"], 2);
    assert_eq!(sandbox.delete(&path).await.id(), record);
}

async fn walk_load_balancing(sandbox: &Sandbox) {
    let (pools, monitors) = (sandbox.in_account("load_balancers/pools"), sandbox.in_account("load_balancers/monitors"));
    let monitor_body = json!({ "type": "https", "path": "/", "header": { "Host": ["a.example.com"] }, "interval": 60 });
    let monitor = sandbox.post(&monitors, monitor_body.clone()).await.id();
    sandbox.get(&monitors).await.result();
    let monitor_path = format!("{monitors}/{monitor}");
    sandbox.get(&monitor_path).await.result();
    sandbox.put(&monitor_path, monitor_body).await.result();
    sandbox.patch(&monitor_path, json!({ "retries": 1 })).await.result();

    let origin =
        json!({ "name": "web", "address": "192.0.2.1", "enabled": true, "weight": 1, "header": { "Host": ["a.example.com"] } });
    let pool_body = json!({ "name": "web", "origins": [origin], "monitor": monitor, "check_regions": ["WEU"] });
    let pool = sandbox.post(&pools, pool_body.clone()).await.id();
    sandbox.get(&format!("{pools}?monitor={monitor}")).await.result();
    let pool_path = format!("{pools}/{pool}");
    sandbox.get(&pool_path).await.result();
    sandbox.put(&pool_path, pool_body).await.result();
    sandbox.patch(&pool_path, json!({ "description": "mine" })).await.result();

    let balancers = sandbox.in_zone("example.com", "load_balancers");
    let body = json!({ "name": "www.example.com", "default_pools": [pool], "fallback_pool": pool, "proxied": true, "steering_policy": "off" });
    let balancer = sandbox.post(&balancers, body.clone()).await.id();
    sandbox.get(&balancers).await.result();
    let balancer_path = format!("{balancers}/{balancer}");
    sandbox.get(&balancer_path).await.result();
    sandbox.put(&balancer_path, body).await.result();
    sandbox.patch(&balancer_path, json!({ "enabled": false })).await.result();

    assert_eq!(sandbox.delete(&pool_path).await.status, StatusCode::BAD_REQUEST, "the pool is in use");
    assert_eq!(sandbox.delete(&monitor_path).await.status, StatusCode::BAD_REQUEST, "the monitor is in use");
    assert_eq!(sandbox.delete(&balancer_path).await.id(), balancer);
    assert_eq!(sandbox.delete(&pool_path).await.id(), pool);
    assert_eq!(sandbox.delete(&monitor_path).await.id(), monitor);
}

async fn walk_networks(sandbox: &Sandbox, tunnel: &str) {
    let networks = sandbox.in_account("teamnet/virtual_networks");
    let network = sandbox.post(&networks, json!({ "name": "lab" })).await.id();
    assert_eq!(sandbox.get(&format!("{networks}?is_deleted=false")).await.each("name"), ["default", "lab"]);
    let network_path = format!("{networks}/{network}");
    sandbox.get(&network_path).await.result();
    sandbox.patch(&network_path, json!({ "comment": "mine" })).await.result();

    let routes = sandbox.in_account("teamnet/routes");
    let body = json!({ "network": "10.20.0.0/16", "tunnel_id": tunnel, "virtual_network_id": network });
    let route = sandbox.post(&routes, body).await.id();
    sandbox.get(&format!("{routes}?tunnel_id={tunnel}&is_deleted=false&per_page=1000&page=1")).await.result();
    let route_path = format!("{routes}/{route}");
    sandbox.get(&route_path).await.result();
    sandbox.patch(&route_path, json!({ "comment": "mine" })).await.result();
    assert_eq!(sandbox.get(&format!("{routes}/ip/10.20.3.4?virtual_network_id={network}")).await.id(), route);
    assert!(sandbox.delete(&route_path).await.result()["deleted_at"].is_string());
    assert!(sandbox.delete(&network_path).await.result()["deleted_at"].is_string());

    let hostnames = sandbox.in_account("zerotrust/routes/hostname");
    let hostname = sandbox.post(&hostnames, json!({ "hostname": "db.internal", "tunnel_id": tunnel })).await.id();
    assert_eq!(sandbox.get(&hostnames).await.each("hostname"), ["db.internal"]);
    let hostname_path = format!("{hostnames}/{hostname}");
    sandbox.get(&hostname_path).await.result();
    sandbox.patch(&hostname_path, json!({ "comment": "mine" })).await.result();
    sandbox.delete(&hostname_path).await.result();
    assert_eq!(sandbox.get(&hostnames).await.each("hostname"), Vec::<String>::new());
}

async fn walk_access(sandbox: &Sandbox) {
    let (apps, policies) = (sandbox.in_account("access/apps"), sandbox.in_account("access/policies"));
    let policy_body = json!({ "name": "us", "decision": "allow", "include": [{ "email_domain": { "domain": "example.com" } }] });
    let created = sandbox.post(&policies, policy_body.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let policy_path = format!("{policies}/{}", created.id());
    sandbox.get(&policies).await.result();
    sandbox.put(&policy_path, policy_body).await.result();

    let body = json!({ "type": "self_hosted", "domain": "a.example.com", "name": "a", "policies": [{ "id": created.id(), "precedence": 1 }] });
    let app = sandbox.post(&apps, body.clone()).await;
    assert_eq!(app.result()["aud"].as_str().unwrap().len(), 64);
    sandbox.get(&format!("{apps}?domain=a.example.com&exact=true")).await.result();
    let app_path = format!("{apps}/{}", app.id());
    sandbox.get(&app_path).await.result();
    sandbox.put(&app_path, body).await.result();
    assert_eq!(sandbox.get(&policy_path).await.result()["app_count"], 1);
    assert_eq!(sandbox.delete(&app_path).await.status, StatusCode::ACCEPTED);
    assert_eq!(sandbox.delete(&policy_path).await.status, StatusCode::ACCEPTED);
}
