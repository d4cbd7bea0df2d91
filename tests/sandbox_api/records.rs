//! DNS over the API: what may stand beside what, how many, and batches.

use adit::sandbox::world::RecordKind;
use serde_json::{Value, json};

use crate::Sandbox;

#[tokio::test]
async fn a_cname_shares_its_name_with_no_address_and_no_other_cname() {
    let sandbox = Sandbox::start().await;
    let records = sandbox.in_zone("example.com", "dns_records");
    let dashboard = sandbox.world.dashboard();
    dashboard.create_record("a.example.com", RecordKind::A, "192.0.2.1").unwrap();
    assert_eq!(sandbox.post(&records, cname("a.example.com", "x.example.com")).await.refusal(), (400, 81053));

    sandbox.post(&records, cname("b.example.com", "x.example.com")).await.result();
    assert_eq!(sandbox.post(&records, cname("b.example.com", "y.example.com")).await.refusal(), (400, 81053));
    assert_eq!(sandbox.post(&records, cname("B.example.com", "x.example.com")).await.refusal(), (400, 81058));
    let address = json!({ "type": "A", "name": "b.example.com", "content": "192.0.2.1", "ttl": 1 });
    assert_eq!(sandbox.post(&records, address).await.refusal(), (400, 81054));

    let text = json!({ "type": "TXT", "name": "b.example.com", "content": "\"x\"", "ttl": 1 });
    sandbox.post(&records, text.clone()).await.result();
    assert_eq!(sandbox.post(&records, text).await.refusal(), (400, 81057));
}

#[tokio::test]
async fn broken_records_are_refused_with_the_reason_in_the_chain() {
    let sandbox = Sandbox::start().await;
    let records = sandbox.in_zone("example.net", "dns_records");
    let with = |field: &str, value: Value| {
        let mut body = cname("a.example.net", "x.example.net");
        body[field] = value;
        body
    };
    let slow = sandbox.post(&records, with("ttl", json!(300))).await;
    assert_eq!(slow.refusal(), (400, 1004));
    assert_eq!(slow.body["errors"][0]["error_chain"][0]["code"], 9021);
    assert_eq!(sandbox.post(&records, with("comment", json!("x".repeat(101)))).await.refusal(), (400, 1004));
    assert_eq!(sandbox.post(&records, with("tags", json!(["a:b"]))).await.refusal(), (400, 1004));
    assert_eq!(sandbox.post(&records, with("name", json!("a..example.net"))).await.refusal(), (400, 1004));

    let paid = sandbox.in_zone("example.com", "dns_records");
    let mut long = cname("a.example.com", "x.example.com");
    long["comment"] = json!("x".repeat(500));
    sandbox.post(&paid, long).await.result();
}

#[tokio::test]
async fn a_patch_changes_what_is_given_and_a_put_returns_the_rest_to_its_default() {
    let sandbox = Sandbox::start().await;
    let records = sandbox.in_zone("example.com", "dns_records");
    let mut body = cname("a.example.com", "x.example.com");
    body["comment"] = json!("mine");
    let path = format!("{records}/{}", sandbox.post(&records, body).await.id());
    let patched = sandbox.patch(&path, json!({ "content": "y.example.com" })).await;
    assert_eq!((&patched.result()["comment"], &patched.result()["proxied"]), (&json!("mine"), &json!(true)));

    let bare = json!({ "type": "CNAME", "name": "a.example.com", "content": "y.example.com", "ttl": 1 });
    let put = sandbox.put(&path, bare).await;
    assert_eq!((&put.result()["comment"], &put.result()["proxied"]), (&Value::Null, &json!(false)));
    assert_eq!(sandbox.patch(&path, json!({})).await.refusal(), (400, 1004));
    sandbox.delete(&path).await.result();
    assert_eq!(sandbox.get(&path).await.refusal(), (404, 81044));
    assert_eq!(sandbox.delete(&path).await.refusal(), (404, 81044));
}

#[tokio::test]
async fn a_batch_runs_deletes_before_posts_and_is_undone_as_a_whole() {
    let sandbox = Sandbox::start().await;
    let records = sandbox.in_zone("example.com", "dns_records");
    let batch = format!("{records}/batch");
    let old = sandbox.post(&records, cname("a.example.com", "x.example.com")).await.id();
    let replace = json!({ "posts": [cname("a.example.com", "y.example.com")], "deletes": [{ "id": old }] });
    let done = sandbox.post(&batch, replace).await;
    assert_eq!(done.result()["deletes"][0]["content"], "x.example.com");
    assert_eq!(done.result()["posts"][0]["content"], "y.example.com");
    let kept = done.result()["posts"][0]["id"].clone();

    let before = sandbox.world.snapshot();
    let failing = json!({
        "deletes": [{ "id": kept }],
        "posts": [cname("b.example.com", "x.example.com"), cname("b.example.com", "y.example.com")],
    });
    assert_eq!(sandbox.post(&batch, failing).await.refusal(), (400, 81053));
    let gone = json!({ "deletes": [{ "id": kept }, { "id": old }] });
    assert_eq!(sandbox.post(&batch, gone).await.refusal(), (404, 81044));
    assert_eq!(sandbox.world.snapshot(), before);
    assert_eq!(sandbox.post(&batch, json!({})).await.refusal(), (400, 1004));
}

#[tokio::test]
async fn batches_and_zones_have_the_size_of_their_plan() {
    let sandbox = Sandbox::start().await;
    let (free, paid) = (sandbox.in_zone("example.net", "dns_records"), sandbox.in_zone("example.com", "dns_records"));
    let posts = |zone: &str, count: usize| {
        let posts: Vec<Value> = (0..count).map(|index| cname(&format!("h{index}.{zone}"), "x.example.com")).collect();
        json!({ "posts": posts })
    };
    assert_eq!(sandbox.post(&format!("{free}/batch"), posts("example.net", 201)).await.refusal(), (400, 1004));
    sandbox.post(&format!("{free}/batch"), posts("example.net", 200)).await.result();
    assert_eq!(sandbox.post(&free, cname("more.example.net", "x.example.com")).await.refusal(), (400, 81045));
    let usage = sandbox.get(&format!("{free}/usage")).await;
    assert_eq!(usage.result(), &json!({ "record_quota": 200, "record_usage": 200 }));
    sandbox.post(&format!("{paid}/batch"), posts("example.com", 1_000)).await.result();
}

fn cname(name: &str, content: &str) -> Value {
    json!({ "type": "CNAME", "name": name, "content": content, "ttl": 1, "proxied": true })
}
