//! How many calls it takes. `tests/bench/run` prints what the daemon takes, with times.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use adit::{
    desired::{Intended, desired},
    event::PassResult,
    id::{AccountId, RecordId, TunnelId},
    name::{AccountName, Hostname},
    observed::{Observed, ObservedRecord, ObservedTunnel, Part, Zone},
    plan::{Input, Rotations, plan},
    record::{ConfigurationSource, DnsRecordRef, InstallId, Records, TunnelRecord, WrittenConfiguration},
    secret::Secret,
};

use super::harness::{Harness, config, tunnel};

/// Calls that a first provisioning takes whatever there is to make: zones, tunnels, records, what stands at the one name of a single
/// record, and the batch that makes them.
const CONSTANT: u64 = 5;

/// How many calls it took.
#[derive(Debug)]
struct Figures {
    first: u64,
    idle: u64,
    added: u64,
    teardown: u64,
}

fn many(count: usize) -> String {
    (0..count).map(|index| tunnel(&format!("t{index}"), &[&format!("h{index}.example.com")])).collect()
}

/// Provisions so many tunnels with a hostname each, looks at them, adds a hostname to one, and deletes all.
async fn measure(count: usize) -> Figures {
    let wanted = many(count);
    let mut harness = Harness::new(&wanted).await;
    let mut calls = 0;
    harness.start(None);
    harness.until("the first pass ended", |harness| !harness.told("pass-finished").is_empty()).await;
    let first = since(&harness, &mut calls);
    harness.connectors_catch_up();

    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Clean, "{}", report.plan);
    let idle = since(&harness, &mut calls);

    let more = wanted.replacen(
        "hostname = \"h0.example.com\"",
        "hostname = \"more.example.com\", service = \"http://localhost:1\" }, { hostname = \"h0.example.com\"",
        1,
    );
    harness.want(&more);
    let passes = |harness: &Harness| harness.told("pass-finished").len();
    let before = passes(&harness);
    harness.until("the pass for the change ended", |harness| passes(harness) > before).await;
    let added = since(&harness, &mut calls);
    assert!(harness.target("more.example.com").is_some());

    // An operator asked for the deletion of all of them: a pass that waits, a plan, its confirmation.
    harness.kill().await;
    let _ = since(&harness, &mut calls);
    harness.want("");
    for index in 0..count {
        let path = harness.directory.path().join(format!("records/t{index}.toml"));
        let record = fs::read_to_string(&path).unwrap().replace("fate = \"keep\"", "fate = \"delete\"");
        fs::write(&path, record).unwrap();
    }
    harness.start(None);
    harness.connectors_catch_up();
    harness.pass().await;
    let hash = harness.reconciler().plan(None).await.unwrap().hash();
    harness.reconciler().apply(Some(hash)).await.unwrap();
    let teardown = since(&harness, &mut calls);
    let left = harness.world.snapshot().tunnels.values().filter(|tunnel| !tunnel.deleted).count();
    assert_eq!((left, harness.world.snapshot().records.len()), (0, 0), "nothing is left");
    Figures { first, idle, added, teardown }
}

/// Calls since it was asked last.
fn since(harness: &Harness, calls: &mut u64) -> u64 {
    let before = std::mem::replace(calls, harness.world.request_count());
    *calls - before
}

#[tokio::test]
async fn a_first_provisioning_takes_two_calls_a_tunnel_and_an_idle_pass_two_in_all() {
    for count in [1, 100] {
        let figures = measure(count).await;
        assert!(figures.first <= 2 * count as u64 + CONSTANT, "{count}: {figures:?}");
        assert_eq!(figures.idle, 2, "{count}: {figures:?}");
        assert!(figures.added <= 6, "two lists, the name, the configuration read and written, the record; {count}: {figures:?}");
        // Four looks at the account, and a batch.
        assert!(figures.teardown <= 2 * count as u64 + 4 * 2 + 1, "{count}: {figures:?}");
    }
}

/// An account with so many tunnels and records, all as they are wanted.
struct Account {
    intended: Intended,
    records: Records,
    observed: Observed,
    reported: BTreeMap<adit::name::TunnelName, i64>,
}

fn name() -> AccountName {
    "default".parse().unwrap()
}

fn account_id() -> AccountId {
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9".parse().unwrap()
}

fn settled(tunnels: usize, hostnames: usize) -> Account {
    let hostname = |tunnel: usize, index: usize| format!("h{index}.t{tunnel}.example.com");
    let text: String = (0..tunnels)
        .map(|number| {
            let names: Vec<String> = (0..hostnames).map(|index| hostname(number, index)).collect();
            tunnel(&format!("t{number}"), &names.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect();
    let intended = Intended { config: config(&text), stops: BTreeMap::new(), held: BTreeMap::new() };
    let wanted = desired(&intended, &name());
    let install = InstallId::new("a1b2c3d4").unwrap();
    let zone = Zone {
        id: "20fe20fe20fe20fe20fe20fe20fe20fe".parse().unwrap(),
        name: "example.com".to_owned(),
        account_id: account_id(),
        batch_max: 3_500,
    };
    let mut records = Records::new(install.clone());
    let (mut listed, mut dns) = (BTreeMap::new(), Vec::new());
    for (number, (tunnel, want)) in wanted.tunnels.iter().enumerate() {
        let id: TunnelId = format!("11111111-2222-3333-4444-{number:012}").parse().unwrap();
        let mut record =
            TunnelRecord::intent(&install, tunnel.clone(), account_id(), ConfigurationSource::Remote, Secret::new(id.as_str()));
        record.written =
            Some(WrittenConfiguration { version: 1, sha256: want.sha256.clone(), stored_sha256: want.sha256.clone() });
        record.document = Some(std::sync::Arc::new(want.document.clone()));
        for (index, hostname) in want.hostnames.iter().enumerate() {
            let record_id: RecordId = format!("{number:016x}{index:016x}").parse().unwrap();
            record.dns.insert(hostname.clone(), DnsRecordRef { zone_id: zone.id.clone(), record_id: record_id.clone() });
            dns.push(ObservedRecord {
                id: record_id,
                name: hostname.to_string(),
                kind: "CNAME".to_owned(),
                content: id.dns_target(),
                proxied: true,
                comment: Some(install.marker(tunnel)),
            });
        }
        let seen = ObservedTunnel {
            name: record.cloudflare_name.clone(),
            status: "healthy".to_owned(),
            source: Some(ConfigurationSource::Remote),
        };
        listed.insert(id.clone(), seen);
        record.id = Some(id);
        records.tunnels.insert(tunnel.clone(), record);
    }
    let mut observed = Observed::unread("it is made up");
    observed.records = BTreeMap::from([(zone.id.clone(), Part::Complete(dns))]);
    (observed.tunnels, observed.zones) = (Part::Complete(listed), Part::Complete(vec![zone]));
    let reported = wanted.tunnels.keys().map(|tunnel| (tunnel.clone(), 1)).collect();
    Account { intended, records, observed, reported }
}

/// How many steps the planner finds for an account.
fn steps(account: &Account) -> usize {
    let (account_name, account_id, wanted) = (name(), account_id(), desired(&account.intended, &name()));
    let (contested, rotations) = (BTreeSet::<Hostname>::new(), Rotations::default());
    let input = Input {
        account: &account_name,
        account_id: &account_id,
        desired: &wanted,
        observed: &account.observed,
        records: &account.records,
        reported: &account.reported,
        contested: &contested,
        rotations: &rotations,
        behind: &BTreeMap::new(),
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let plan = plan(&input);
    plan.steps.len() + plan.waiting.len()
}

#[test]
fn an_account_of_a_thousand_tunnels_and_ten_thousand_records_that_is_as_wanted_needs_no_step() {
    assert_eq!(steps(&settled(1_000, 10)), 0);
}
