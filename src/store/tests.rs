//! What is written is read again, and what cannot be trusted is held and left.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::{
    config::{PrivateNetwork, PrivateRoute, Source},
    connector::Stop,
    id::AccountId,
    name::TunnelName,
    observed::Zone,
    record::{
        BalancerRef, ConfigurationSource, DnsRecordRef, Fate, MonitorRef, PoolRef, PrivateRouteRef, Rotation, RotationStage,
        SecretLife, TunnelRecord, WrittenConfiguration,
    },
    secret::Secret,
};

const MACHINE: Option<&str> = Some("0123456789abcdef0123456789abcdef\n");

fn open(directory: &TempDir) -> Store {
    Store::open(directory.path(), MACHINE).unwrap()
}

fn name(text: &str) -> TunnelName {
    text.parse().unwrap()
}

fn record(store: &Store, tunnel: &str) -> TunnelRecord {
    let account: AccountId = "0a1b2c3d".parse().unwrap();
    let mut record =
        TunnelRecord::intent(&store.install(), name(tunnel), account, ConfigurationSource::Remote, Secret::new("c2VjcmV0"));
    record.id = Some("11111111-2222-3333-4444-555555555555".parse().unwrap());
    record.written = Some(WrittenConfiguration { version: 3, sha256: "ab".repeat(32), stored_sha256: "cd".repeat(32) });
    let dns = DnsRecordRef { zone_id: "z1".parse().unwrap(), record_id: "r1".parse().unwrap() };
    record.dns.insert("*.example.com".parse().unwrap(), dns);
    let lab = Some("11111111-0000-3333-4444-555555555555".parse().unwrap());
    record.virtual_networks.insert("the lab".to_owned(), lab.clone());
    let network = PrivateNetwork { network: "10.20.0.0/16".parse().unwrap(), virtual_network: Some("the lab".to_owned()) };
    let made = PrivateRouteRef { route_id: Some("p1".parse().unwrap()), virtual_network_id: lab };
    record.private_routes.insert(PrivateRoute::Network(network), made);
    let wiki = PrivateRoute::hostname("wiki.internal.example".parse().unwrap());
    record.private_routes.insert(wiki, PrivateRouteRef::default());
    let known = BalancerRef {
        zone_id: "z1".parse().unwrap(),
        id: Some("b1".parse().unwrap()),
        adopted: true,
        joined: true,
        steering: Some("ef".repeat(32)),
    };
    record.balancing.balancers.insert("www.example.com".parse().unwrap(), known);
    record.balancing.pool = Some(PoolRef { id: Some("p1".parse().unwrap()), written: None });
    record.balancing.monitor = Some(MonitorRef::default());
    record.access.insert("www.example.com".parse().unwrap(), "a1".parse().unwrap());
    record.fate = Fate::Orphaned;
    let began_at = "2026-01-02T03:04:05Z".parse().unwrap();
    let (stage, other, by) = (RotationStage::Asked, Secret::new("b3RoZXI="), Some("jane".to_owned()));
    record.secret_life =
        SecretLife { since: Some(began_at), rotation: Some(Rotation { stage, other, emergency: true, by, began_at }) };
    record
}

#[tokio::test]
async fn a_record_is_read_as_it_was_written() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ledger = store.ledger().unwrap();
    let mut changes = ledger.subscribe();
    let written = record(&store, "web");
    ledger.save(written.clone()).await.unwrap();
    assert!(changes.has_changed().unwrap());
    assert_eq!(changes.borrow_and_update().tunnels[&name("web")], written);

    let file = directory.path().join("records/web.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(fs::read_to_string(&file).unwrap().starts_with("version = 1\n"));

    let install = store.install();
    drop((ledger, store));
    let store = open(&directory);
    assert_eq!(store.install(), install);
    assert_eq!(store.ledger().unwrap().records().tunnels[&name("web")], written);
}

#[tokio::test]
async fn a_file_that_cannot_be_trusted_holds_its_tunnel_alone_and_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ledger = store.ledger().unwrap();
    for tunnel in ["good", "torn", "newer", "foreign", "stranger", "swapped", "binary", "empty"] {
        ledger.save(record(&store, tunnel)).await.unwrap();
    }
    let file = |tunnel: &str| directory.path().join(format!("records/{tunnel}.toml"));
    let text = fs::read_to_string(file("good")).unwrap();
    fs::write(file("torn"), &text[..text.find("c2Vj").unwrap()]).unwrap();
    fs::write(file("newer"), text.replace("version = 1\nname = \"good\"", "version = 2\nname = \"newer\"")).unwrap();
    fs::write(file("foreign"), "unknown = true\n").unwrap();
    fs::write(file("stranger"), text.replace("\"good\"", "\"stranger\"").replace("version = 1", "version = 1\nextra = 1"))
        .unwrap();
    fs::write(file("swapped"), &text).unwrap();
    fs::write(file("binary"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(file("empty"), "").unwrap();
    fs::write(directory.path().join("records/README"), "not a record").unwrap();
    drop((ledger, store));

    let store = open(&directory);
    let ledger = store.ledger().unwrap();
    let records = ledger.records();
    assert_eq!(records.tunnels.keys().map(TunnelName::as_str).collect::<Vec<_>>(), ["good"]);
    let why = |tunnel: &str| records.held[&name(tunnel)].rsplit_once(": ").unwrap().1.to_owned();
    assert!(records.held[&name("torn")].ends_with("it is torn: not whole TOML"), "{}", records.held[&name("torn")]);
    assert!(records.held[&name("newer")].contains("a newer release of adit wrote it (version 2"));
    assert_eq!(why("foreign"), "it has no version");
    assert_eq!(why("empty"), "it has no version");
    assert!(records.held[&name("stranger")].contains("unknown"));
    assert!(records.held[&name("swapped")].contains("it is the record of \"good\""));
    assert!(records.held.contains_key(&name("binary")));
    assert!(!format!("{records:?}").contains("c2VjcmV0"), "a secret is in {records:?}");

    let before = fs::read(file("torn")).unwrap();
    let error = ledger.save(record(&store, "torn")).await.unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    assert_eq!(fs::read(file("torn")).unwrap(), before);
}

#[tokio::test]
async fn a_crash_before_the_rename_leaves_the_old_record_and_no_litter() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ledger = store.ledger().unwrap();
    ledger.save(record(&store, "web")).await.unwrap();
    let records = directory.path().join("records");
    fs::write(records.join(".unfinished-Xk2p9Q"), "version = 1\nname = \"we").unwrap();
    assert_eq!(fs::read_dir(&records).unwrap().count(), 2);
    drop((ledger, store));

    let store = open(&directory);
    assert_eq!(store.ledger().unwrap().records().tunnels[&name("web")], record(&store, "web"));
    assert_eq!(fs::read_dir(&records).unwrap().count(), 1);
}

#[tokio::test]
async fn a_record_that_could_not_be_written_is_known_and_caught_up_later() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ledger = store.ledger().unwrap();
    // A file where the directory should be: it refuses root as well.
    let records = directory.path().join("records");
    fs::write(&records, "").unwrap();
    let strict = ledger.save(record(&store, "web")).await.unwrap_err();
    assert!(strict.to_string().starts_with("cannot make state directory"), "{strict}");
    assert!(ledger.records().tunnels.is_empty());

    ledger.note(record(&store, "web")).await.unwrap_err();
    assert!(ledger.records().tunnels.contains_key(&name("web")));
    assert!(ledger.catch_up().await.is_err());
    fs::remove_file(&records).unwrap();
    ledger.catch_up().await.unwrap();
    assert!(records.join("web.toml").exists());
}

#[tokio::test]
async fn a_renamed_record_has_one_file() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ledger = store.ledger().unwrap();
    ledger.save(record(&store, "old")).await.unwrap();
    ledger.rename(&name("old"), &name("web"), Fate::Keep).await.unwrap();
    let records = ledger.records();
    assert_eq!(records.tunnels.keys().collect::<Vec<_>>(), [&name("web")]);
    assert_eq!(fs::read_dir(directory.path().join("records")).unwrap().count(), 1);
    ledger.remove(&name("web")).await.unwrap();
    assert!(ledger.records().tunnels.is_empty());
}

#[test]
fn a_second_daemon_loses_and_is_told_why() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let error = Store::open(directory.path(), MACHINE).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    assert!(error.to_string().contains("another adit daemon uses it"), "{error}");
    drop(store);
    open(&directory);
}

#[tokio::test]
async fn state_from_another_machine_is_sealed_until_it_is_taken_over() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.ledger().unwrap().save(record(&store, "web")).await.unwrap();
    drop(store);

    let other = Some("ffffffffffffffffffffffffffffffff");
    let store = Store::open(directory.path(), other).unwrap();
    assert_eq!(store.seal(), Some(Seal::OtherMachine));
    let ledger = store.ledger().unwrap();
    assert_eq!(ledger.records().seal, Some(Seal::OtherMachine));
    assert!(matches!(ledger.save(record(&store, "api")).await.unwrap_err(), StoreError::Sealed(_)));
    assert!(matches!(store.write_stops(&Default::default()).unwrap_err(), StoreError::Sealed(_)));
    ledger.take_over(other.map(str::to_owned)).await.unwrap();
    assert_eq!(ledger.records().seal, None);
    ledger.save(record(&store, "api")).await.unwrap();
    drop((ledger, store));
    assert_eq!(Store::open(directory.path(), other).unwrap().seal(), None);
}

#[tokio::test]
async fn a_clone_begins_anew_and_what_was_on_record_is_set_aside() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.ledger().unwrap().save(record(&store, "web")).await.unwrap();
    let original = store.install();
    drop(store);

    let other = Some("ffffffffffffffffffffffffffffffff");
    let store = Store::open(directory.path(), other).unwrap();
    let ledger = store.ledger().unwrap();
    ledger.begin_anew(other.map(str::to_owned)).await.unwrap();
    assert_ne!(store.install(), original);
    assert_eq!(*ledger.records(), Records::new(store.install()));
    ledger.save(record(&store, "web")).await.unwrap();
    let install = store.install();
    drop((ledger, store));

    let store = Store::open(directory.path(), other).unwrap();
    assert_eq!((store.install(), store.seal()), (install, None));
    let aside = fs::read_dir(directory.path().join("set-aside")).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_to_string(aside.join("install.toml")).unwrap().contains(original.as_str()));
    assert!(aside.join("records/web.toml").exists());
}

#[test]
fn an_install_id_that_was_changed_by_hand_is_refused() {
    let directory = TempDir::new().unwrap();
    let install = open(&directory).install();
    let file = directory.path().join("install.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(install.as_str(), "zzzz9999")).unwrap();
    let Some(Seal::Unreadable(why)) = open(&directory).seal() else { panic!("it is not sealed") };
    assert!(why.contains("changed by hand"), "{why}");
    fs::write(&file, text).unwrap();
    assert_eq!(open(&directory).seal(), None);
}

#[tokio::test]
async fn an_installation_that_cannot_be_read_is_sealed_and_not_made_anew() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let file = directory.path().join("install.toml");
    fs::write(&file, "version = 1\nid = \"a1b2").unwrap();
    let store = open(&directory);
    assert!(matches!(store.seal(), Some(Seal::Unreadable(_))));
    assert!(store.ledger().unwrap().take_over(MACHINE.map(str::to_owned)).await.is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "version = 1\nid = \"a1b2");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_a_clear_error() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state"), MACHINE).unwrap_err();
    assert!(error.to_string().starts_with("cannot make state directory"), "{error}");
}

#[test]
fn a_new_state_directory_is_closed_to_others() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("deep/state");
    let _store = Store::open(&state, MACHINE).unwrap();
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn stops_definitions_and_the_accepted_configuration_survive() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    assert_eq!(store.accepted(), Ok(None));
    let stop = Stop { by: "jane".to_owned(), at: Timestamp::UNIX_EPOCH };
    store.write_stops(&[(name("web"), stop.clone())].into()).unwrap();
    store.write_definition(&name("web"), "[tunnels.web]\n").unwrap();
    let sources = vec![Source { path: "/etc/adit/adit.toml".into(), text: "[tunnels.a]\n'''\n\u{1}".to_owned() }];
    store.write_accepted(&sources).unwrap();
    drop(store);

    let store = open(&directory);
    assert_eq!(store.stops().unwrap(), [(name("web"), stop)].into());
    let definitions = store.definitions().unwrap();
    assert_eq!(definitions.sources[&name("web")].text, "[tunnels.web]\n");
    assert_eq!(definitions.sources[&name("web")].path, store.definition_path(&name("web")));
    assert_eq!(store.accepted(), Ok(Some(sources)));
    store.remove_definition(&name("web")).unwrap();
    store.remove_definition(&name("web")).unwrap();
    assert!(store.definitions().unwrap().sources.is_empty());
}

#[test]
fn stops_that_cannot_be_read_are_not_written_over() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    fs::write(directory.path().join("stops.toml"), "version = 9\n").unwrap();
    assert!(store.stops().unwrap_err().contains("newer"));
    assert!(matches!(store.write_stops(&Default::default()).unwrap_err(), StoreError::Held { .. }));
}

#[test]
fn account_ids_and_zones_are_kept_for_each_account() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
    let id: AccountId = "0a1b".parse().unwrap();
    store.pin_account_id(&one, &id).unwrap();
    assert_eq!(store.account_id(&one), Ok(Some(id.clone())));
    assert_eq!(store.account_id(&two), Ok(None));
    let zone = Zone { id: "z1".parse().unwrap(), name: "example.com".into(), account_id: id, batch_max: 200 };
    store.cache_zones(&one, Timestamp::UNIX_EPOCH, std::slice::from_ref(&zone)).unwrap();
    assert_eq!(store.cached_zones(&one), Some((Timestamp::UNIX_EPOCH, vec![zone])));
    assert_eq!(store.cached_zones(&two), None);
}
