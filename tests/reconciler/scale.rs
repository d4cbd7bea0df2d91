//! How many calls it takes, and how long the planner thinks. `tests/bench/calls.sh` prints the figures; counts are asserted here, times
//! are not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
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

use tokio::time::Instant;

use super::harness::{Harness, config, tunnel};

/// Calls that a first provisioning takes whatever there is to make: zones, tunnels, records, what stands at the one name of a single
/// record, and the batch that makes them.
const CONSTANT: u64 = 5;

/// What it took.
#[derive(Debug)]
struct Figures {
    first: (u64, Duration),
    idle: (u64, Duration),
    added: (u64, Duration),
    teardown: (u64, Duration),
}

fn many(count: usize) -> String {
    (0..count).map(|index| tunnel(&format!("t{index}"), &[&format!("h{index}.example.com")])).collect()
}

/// Provisions so many tunnels with a hostname each, looks at them, adds a hostname to one, and deletes all.
async fn measure(count: usize) -> Figures {
    let wanted = many(count);
    let mut harness = Harness::new(&wanted).await;
    let (mut calls, mut at) = (0, Instant::now());
    harness.start(None);
    harness.until("the first pass ended", |harness| !harness.told("pass-finished").is_empty()).await;
    let first = since(&harness, &mut calls, &mut at);
    harness.connectors_catch_up();

    let report = harness.pass().await;
    assert_eq!(report.result, PassResult::Clean, "{}", report.plan);
    let idle = since(&harness, &mut calls, &mut at);

    let more = wanted.replacen(
        "hostname = \"h0.example.com\"",
        "hostname = \"more.example.com\", service = \"http://localhost:1\" }, { hostname = \"h0.example.com\"",
        1,
    );
    harness.want(&more);
    let passes = |harness: &Harness| harness.told("pass-finished").len();
    let before = passes(&harness);
    harness.until("the pass for the change ended", |harness| passes(harness) > before).await;
    let added = since(&harness, &mut calls, &mut at);
    assert!(harness.target("more.example.com").is_some());

    // An operator asked for the deletion of all of them: a pass that waits, a plan, its confirmation.
    harness.kill().await;
    let _ = since(&harness, &mut calls, &mut at);
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
    let teardown = since(&harness, &mut calls, &mut at);
    let left = harness.world.snapshot().tunnels.values().filter(|tunnel| !tunnel.deleted).count();
    assert_eq!((left, harness.world.snapshot().records.len()), (0, 0), "nothing is left");
    Figures { first, idle, added, teardown }
}

/// Calls and time since it was asked last.
fn since(harness: &Harness, calls: &mut u64, at: &mut Instant) -> (u64, Duration) {
    let before = (std::mem::replace(calls, harness.world.request_count()), std::mem::replace(at, Instant::now()));
    (*calls - before.0, *at - before.1)
}

#[tokio::test]
async fn a_first_provisioning_takes_two_calls_a_tunnel_and_an_idle_pass_two_in_all() {
    for count in [1, 100] {
        let figures = measure(count).await;
        assert!(figures.first.0 <= 2 * count as u64 + CONSTANT, "{count}: {figures:?}");
        assert_eq!(figures.idle.0, 2, "{count}: {figures:?}");
        assert!(
            figures.added.0 <= 6,
            "two lists, the name, the configuration read and written, the record; {count}: {figures:?}"
        );
        // Four looks at the account, and a batch.
        assert!(figures.teardown.0 <= 2 * count as u64 + 4 * 2 + 1, "{count}: {figures:?}");
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

/// How long the planner thinks about an account, and how many steps it finds.
fn think(account: &Account) -> (usize, Duration) {
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
    let begun = Instant::now();
    let plan = plan(&input);
    (plan.steps.len() + plan.waiting.len(), begun.elapsed())
}

#[test]
fn an_account_of_a_thousand_tunnels_and_ten_thousand_records_that_is_as_wanted_needs_no_step() {
    assert_eq!(think(&settled(1_000, 10)).0, 0);
}

#[tokio::test]
#[ignore = "it prints figures: tests/bench/calls.sh"]
#[expect(clippy::print_stdout, reason = "figures are printed")]
async fn figures() {
    let row = |what: &str, figures: (u64, Duration)| {
        println!("{what:<60}{:>8} calls{:>12.3} s", figures.0, figures.1.as_secs_f64());
    };
    for count in [1, 100, 1_000] {
        let Figures { first, idle, added, teardown } = measure(count).await;
        row(&format!("{count} tunnels, one zone: first provisioning"), first);
        row("    idle pass", idle);
        row("    one hostname added", added);
        row("    teardown of all, confirmed", teardown);
    }
    let account = settled(1_000, 10);
    let mut times: Vec<Duration> = (0..20).map(|_| think(&account).1).collect();
    times.sort_unstable();
    println!("planning 1,000 tunnels and 10,000 records, nothing to do: {:.1} ms", times[10].as_secs_f64() * 1_000.0);
    let mut nothing = settled(1_000, 10);
    nothing.records.tunnels.clear();
    nothing.observed.tunnels = Part::Complete(BTreeMap::new());
    nothing.observed.records.values_mut().for_each(|records| *records = Part::Complete(Vec::new()));
    let (steps, took) = think(&nothing);
    println!("the same, everything to be made ({steps} steps): {:.1} ms", took.as_secs_f64() * 1_000.0);
}
