//! An account as it is when nothing is left to do, of any size.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use adit::{
    config::{Config, Source, parse},
    desired::{Intended, desired},
    id::{AccountId, RecordId, TunnelId},
    name::{AccountName, TunnelName},
    observed::{Observed, ObservedRecord, ObservedTunnel, Part, Zone},
    plan::{Input, Rotations},
    record::{ConfigurationSource, DnsRecordRef, InstallId, Records, TunnelRecord, WrittenConfiguration},
    secret::Secret,
};

/// What is wanted of an account, what is on record and what there is.
pub(crate) struct Account {
    pub(crate) intended: Intended,
    pub(crate) records: Records,
    pub(crate) observed: Observed,
    pub(crate) reported: BTreeMap<TunnelName, i64>,
}

impl Account {
    /// Shows it to a planner.
    pub(crate) fn with_input<T>(&self, show: impl FnOnce(&Input<'_>) -> T) -> T {
        let wanted = desired(&self.intended, &name());
        show(&Input {
            account: &name(),
            account_id: &account_id(),
            desired: &wanted,
            observed: &self.observed,
            records: &self.records,
            reported: &self.reported,
            contested: &BTreeSet::new(),
            rotations: &Rotations::default(),
            behind: &BTreeMap::new(),
            now: jiff::Timestamp::UNIX_EPOCH,
        })
    }
}

fn name() -> AccountName {
    "default".parse().unwrap()
}

fn account_id() -> AccountId {
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9".parse().unwrap()
}

/// The file of a configuration with so many tunnels, of so many hostnames each.
pub(crate) fn source(tunnels: usize, hostnames: usize) -> Source {
    let mut text = "[accounts.default]\napi_token = { file = \"/etc/adit/token\" }\n".to_owned();
    for number in 0..tunnels {
        write!(text, "[tunnels.t{number}]\naccount = \"default\"\ningress = [").unwrap();
        for index in 0..hostnames {
            write!(text, "{{ hostname = \"h{index}.t{number}.example.com\", service = \"http://localhost:8080\" }}, ").unwrap();
        }
        text.push_str("]\n");
    }
    Source { path: "adit.toml".into(), text }
}

/// An account with so many tunnels of so many hostnames each, all as they are wanted.
pub(crate) fn settled(tunnels: usize, hostnames: usize) -> Account {
    let config: Config = parse(&[source(tunnels, hostnames)]).unwrap();
    let intended = Intended { config: Arc::new(config), stops: BTreeMap::new(), held: BTreeMap::new() };
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
        record.document = Some(adit::record::KeptDocument::new(&want.document));
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
