//! The laws of answers of the API, and of what a credential's earlier spending says.

use std::{fs, sync::Arc, time::Duration};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::{sync::watch, time::Instant};

use super::{
    AccessApp, Account, BatchAnswer, Client, Configuration, ConfigurationText, DnsRecord, EdgeConnector, HostnameRoute, Kind,
    LoadBalancer, Monitor, NetworkRoute, Permission, Pool, RecordDocument, Settings, TokenStatus, Tunnel, VirtualNetwork, Zone,
    book::{Book, CredentialId, Kept},
    call::{Call, Method, Resource},
    envelope::Envelope,
    http::{BodyEnd, Received},
    pacer::Pacer,
    pages::{Identified, Pages, Progress},
    rate_limit::{self, RETRY_AFTER_MAX},
};
use crate::secret::Secret;

/// The token that is in no error, whatever an answer repeats. Corpora have it in their bodies.
const CANARY: &str = "cfut_canary0123456789canary0123456789canary01";

/// The longest that an error says: its parts have bounds of their own.
const SAID_MAX: usize = 8 * 1024;

/// The headers that are read, each with the lines of the body as its value.
const HEADERS: [&str; 7] =
    ["ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset", "retry-after", "cf-ray"];

/// Any bytes as the answer to every call: success, refusal, a page of a list.
pub fn answers(bytes: &[u8]) {
    let client = client();
    one::<TokenStatus>(&client, Resource::Verify, bytes);
    list::<Account>(&client, Resource::Accounts, bytes);
    list::<Zone>(&client, Resource::Zones, bytes);
    one::<Tunnel>(&client, Resource::Tunnels, bytes);
    list::<Tunnel>(&client, Resource::Tunnels, bytes);
    one::<Configuration>(&client, Resource::Configurations, bytes);
    one::<ConfigurationText>(&client, Resource::Configurations, bytes);
    one::<Vec<EdgeConnector>>(&client, Resource::Connections, bytes);
    one::<DnsRecord>(&client, Resource::DnsRecords, bytes);
    one::<BatchAnswer>(&client, Resource::DnsRecords, bytes);
    list::<DnsRecord>(&client, Resource::DnsRecords, bytes);
    list::<RecordDocument>(&client, Resource::DnsRecords, bytes);
    list::<NetworkRoute>(&client, Resource::NetworkRoutes, bytes);
    one::<Vec<VirtualNetwork>>(&client, Resource::VirtualNetworks, bytes);
    list::<HostnameRoute>(&client, Resource::HostnameRoutes, bytes);
    one::<Vec<LoadBalancer>>(&client, Resource::LoadBalancing, bytes);
    one::<Vec<Pool>>(&client, Resource::LoadBalancing, bytes);
    one::<Vec<Monitor>>(&client, Resource::LoadBalancing, bytes);
    list::<AccessApp>(&client, Resource::Access, bytes);
    let headers = headers(bytes);
    for limit in rate_limit::limits(&headers) {
        assert!(limit.resets_in <= rate_limit::WINDOW);
    }
    assert!(rate_limit::retry_after(&headers).is_none_or(|pause| !pause.is_zero() && pause <= RETRY_AFTER_MAX));
}

fn one<T: DeserializeOwned>(client: &Client, resource: Resource, body: &[u8]) {
    for method in [Method::Get, Method::Post, Method::Delete] {
        let call = call(method, resource);
        check_refusals(client, &call, body);
        if let Ok((_, info)) = read::<T>(client, &call, 200, body) {
            let envelope = Envelope::open(body);
            assert!(envelope.as_ref().is_none_or(|envelope| envelope.success), "what is no success was taken for one");
            assert!(envelope.is_some() || (method == Method::Delete && body.is_empty()));
            assert_eq!(info, envelope.and_then(|envelope| envelope.info));
        }
    }
}

fn list<T: DeserializeOwned + Identified>(client: &Client, resource: Resource, body: &[u8]) {
    let call = call(Method::Get, resource);
    let Ok((items, info)) = read::<Vec<T>>(client, &call, 200, body) else { return };
    let (count, mut pages) = (items.len() as u64, Pages::new(50));
    match pages.add(items, info) {
        Progress::Complete => {
            let info = info.expect("what does not say how long it is is not complete");
            assert!(info.total_count.map_or(info.count == Some(count), |total| total == count), "{count} are all of {info:?}");
        }
        Progress::More => assert!(count > 0, "an empty page is followed by another one"),
        Progress::Changed | Progress::Incomplete(_) => {}
    }
}

/// A refusal says what it is, is short, and has no secret in it.
fn check_refusals(client: &Client, call: &Call, body: &[u8]) {
    for status in [200, 302, 400, 401, 403, 404, 409, 429, 500] {
        let Err(error) = read::<IgnoredAny>(client, call, status, body) else {
            assert_eq!(status, 200);
            continue;
        };
        let said = format!("{error} {error:?}");
        assert!(!said.contains(CANARY), "{said}");
        assert!(said.len() <= SAID_MAX && !said.contains(|char: char| char.is_control()), "{said:?}");
        if error.kind() == Kind::NotFound {
            assert!(Envelope::open(body).is_some(), "only the API says that something is gone");
            assert!(status == 404 || (call.resource == Resource::DnsRecords && status < 500), "{status} {said}");
        }
        assert!(status != 429 || error.kind() == Kind::RateLimited);
        assert!(status < 500 || error.kind() == Kind::Server);
        assert!(!call.method.only_reads() || !error.may_have_happened());
        assert!(error.retry_after().is_none_or(|pause| pause <= RETRY_AFTER_MAX * 2));
    }
}

fn read<T: DeserializeOwned>(
    client: &Client,
    call: &Call,
    status: u16,
    body: &[u8],
) -> Result<(T, Option<super::envelope::ResultInfo>), super::Error> {
    let received = Received { status, headers: headers(body), body: body.to_vec(), end: BodyEnd::Whole };
    client.transport.read(call, received, &Secret::new(CANARY))
}

fn headers(bytes: &[u8]) -> HeaderMap {
    let lines = bytes.split(|byte| *byte == b'\n');
    let pairs = HEADERS.iter().zip(lines).filter_map(|(name, line)| {
        Some((HeaderName::from_static(name), HeaderValue::from_bytes(line.get(..line.len().min(200))?).ok()?))
    });
    pairs.collect()
}

fn call(method: Method, resource: Resource) -> Call {
    Call::new(method, resource, ["accounts", "a"], "do something").needs(Permission::DnsEdit, "zone z")
}

fn client() -> Client {
    let (_, token) = watch::channel(Some(Secret::new(CANARY)));
    let settings = Settings {
        api_base: "http://127.0.0.1:1/client/v4".parse().expect("it is a URL"),
        budget_per_second: 3.0,
        user_agent: "adit/fuzzing".to_owned(),
        token,
        observer: Arc::new(|_| {}),
        book: None,
    };
    Client::new(settings).expect("there is nothing wrong with them")
}

/// Any bytes as what an earlier daemon kept of the spending.
pub fn budget(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("default.json");
    fs::write(&path, bytes).expect("there is room for a file");
    let book = Book::open(&path).expect("the kernel says which boot this is");
    let id = CredentialId::of(&Secret::new(CANARY));
    let own = String::from_utf8_lossy(bytes).replace("THIS-BOOT", &book.boot_id).replace("THIS-TOKEN", &id.0);
    fs::write(&path, own).expect("there is room for a file");
    let Kept::Spent(spent) = book.read(&id) else { return };
    let (mut pacer, now) = (Pacer::new(3.0), Instant::now());
    pacer.resume(spent, now);
    let day = Duration::from_secs(24 * 60 * 60);
    assert!(pacer.budget(now).blocked_until.is_none_or(|until| until <= now + 2 * day), "it is blocked for ever");
    let _ = pacer.take(now);
    if let Some(spent) = pacer.due_to_keep(now) {
        book.write(&id, spent).expect("there is room for a file");
        assert!(matches!(book.read(&id), Kept::Spent(again) if again.ahead <= spent.ahead + Duration::from_secs(1)));
    }
}
