//! The laws of planning: whatever is wanted, on record and read, no step touches what is not ours or was not read.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Input, NetworkStep, Plan, RotationStep, Rotations, Step, plan, view};
use crate::{
    config::{OnDrift, Ownership, PrivateNetwork, PrivateRoute},
    desired::{Desired, DesiredTunnel, fingerprint},
    id::{AccountId, RecordId, RouteId, TunnelId, VirtualNetworkId, ZoneId},
    name::{AccountName, Hostname, TunnelName},
    observed::{
        Answers, Existence, Gap, Observed, ObservedConfiguration, ObservedNetworks, ObservedRecord, ObservedRoute,
        ObservedTunnel, ObservedVirtualNetwork, Part, Presence, RoutePlace, Zone,
    },
    record::{
        ConfigurationSource, DnsRecordRef, Fate, InstallId, PrivateRouteRef, Records, Rotation, RotationStage, TunnelRecord,
        WrittenConfiguration,
    },
    secret::Secret,
};

const TUNNELS: [&str; 4] = ["api", "blog", "shop", "web"];
const HOSTNAMES: [&str; 4] = ["a.example.com", "b.example.com", "*.example.org", "a.example.net"];
const ZONES: [&str; 2] = ["example.com", "example.org"];
const IDS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
const SECRETS: [&str; 3] = ["ours", "ours-too", "theirs"];
const COMMENTS: [Option<&str>; 6] =
    [None, Some("adit:a1b2c3d4:web"), Some("adit:a1b2c3d4:api"), Some("adit:zzzzzzzz:web"), Some("mine"), Some("adit:a1b2c3d4:")];

/// Any bytes as choices: each is the next one.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn is(&mut self) -> bool {
        self.below(2) == 1
    }

    fn many<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| make(self)).collect()
    }

    fn perhaps<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.is().then(|| make(self))
    }

    fn part<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Part<T> {
        match self.below(5) {
            0 => Part::Gap(Gap { what: "a part".to_owned(), why: "it could not be read".to_owned() }),
            _ => Part::Complete(make(self)),
        }
    }

    /// One of a kind of name.
    fn named<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self, all: &[&str]) -> T {
        self.of(all).parse().expect("they are such names")
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 30 * i64::try_from(self.below(8)).expect("it is small")).expect("it is a time")
    }

    fn source(&mut self) -> ConfigurationSource {
        self.of(&[ConfigurationSource::Remote, ConfigurationSource::Local])
    }

    fn document(&mut self) -> Value {
        let rules = self.many(3, |choices| json!({ "hostname": choices.of(&HOSTNAMES), "service": "http://localhost:1" }));
        self.of(&[json!({ "ingress": rules }), Value::Null, json!([]), json!({ "ingress": 7 }), json!({})])
    }

    fn private_route(&mut self) -> PrivateRoute {
        match self.is() {
            true => PrivateRoute::hostname(self.named(&HOSTNAMES[..2])),
            false => PrivateRoute::Network(PrivateNetwork {
                network: self.network(),
                virtual_network: self.perhaps(|_| "lab".to_owned()),
            }),
        }
    }

    fn network(&mut self) -> IpNet {
        self.named(&["10.0.0.0/8", "10.1.0.0/16", "fd00::/8"])
    }

    fn wanted(&mut self) -> DesiredTunnel {
        let document = self.document();
        DesiredTunnel {
            source: self.source(),
            sha256: fingerprint(&document),
            document,
            hostnames: self.many(3, |choices| choices.named(&HOSTNAMES)).into_iter().collect(),
            private_routes: self.many(2, Self::private_route).into_iter().collect(),
            foreign_hostnames: BTreeSet::new(),
            ownership: self.of(&[Ownership::Owned, Ownership::Shared]),
            load_balancer: None,
            protected: BTreeMap::new(),
            balanced_here: false,
            replicas: 1,
            on_drift: self.of(&[OnDrift::Repair, OnDrift::Report]),
            renamed_from: self.perhaps(|choices| choices.named(&TUNNELS)),
        }
    }

    fn record(&mut self, install: &InstallId, name: &TunnelName, account: &AccountId) -> TunnelRecord {
        let intent = TunnelRecord::intent(install, name.clone(), account.clone(), self.source(), Secret::new(self.of(&SECRETS)));
        let sha256 = |choices: &mut Self| fingerprint(&choices.document());
        let rotation = |choices: &mut Self| Rotation {
            stage: choices.of(&[RotationStage::Begun, RotationStage::Asked, RotationStage::Placed]),
            other: Secret::new(choices.of(&SECRETS)),
            emergency: choices.is(),
            by: None,
            began_at: choices.time(),
        };
        let mut record = TunnelRecord {
            id: self.perhaps(|choices| choices.named(&IDS)),
            written: self.perhaps(|choices| WrittenConfiguration {
                version: i64::try_from(choices.below(4)).expect("it is small"),
                sha256: sha256(choices),
                stored_sha256: sha256(choices),
            }),
            dns: self.many(3, |choices| (choices.named(&HOSTNAMES), choices.dns_record())).into_iter().collect(),
            private_routes: self.many(2, |choices| (choices.private_route(), choices.private_route_ref())).into_iter().collect(),
            virtual_networks: self
                .many(1, |choices| ("lab".to_owned(), choices.perhaps(|choices| choices.named(&IDS))))
                .into_iter()
                .collect(),
            fate: self.of(&[Fate::Keep, Fate::Orphaned, Fate::Delete, Fate::Retiring]),
            awaits_definition: self.below(8) == 7,
            parting: self.many(2, |choices| (choices.named(&HOSTNAMES), choices.time())).into_iter().collect(),
            draining_since: self.perhaps(Self::time),
            document: self.perhaps(|choices| crate::record::KeptDocument::new(&choices.document())),
            ..intent
        };
        record.secret_life.rotation = self.perhaps(rotation);
        record
    }

    fn dns_record(&mut self) -> DnsRecordRef {
        DnsRecordRef { zone_id: self.named(&["example-com", "example-org"]), record_id: self.named(&IDS) }
    }

    fn private_route_ref(&mut self) -> PrivateRouteRef {
        PrivateRouteRef {
            route_id: self.perhaps(|choices| choices.named(&IDS)),
            virtual_network_id: self.perhaps(|choices| choices.named(&IDS)),
        }
    }

    fn observed_tunnel(&mut self) -> ObservedTunnel {
        let name = self.of(&["web.adit-a1b2c3d4", "api.adit-a1b2c3d4", "web.2.adit-a1b2c3d4", "web", "web.adit-zzzzzzzz", ""]);
        ObservedTunnel {
            name: name.to_owned(),
            status: self.of(&["healthy", "down", "inactive", ""]).to_owned(),
            source: self.perhaps(Self::source),
        }
    }

    fn observed_record(&mut self) -> ObservedRecord {
        ObservedRecord {
            id: self.named(&IDS),
            name: self.of(&["a.example.com", "A.EXAMPLE.com", "b.example.com", "*.example.org", "a.example.net", ""]).to_owned(),
            kind: self.of(&["CNAME", "A", ""]).to_owned(),
            content: self
                .of(&["one.cfargotunnel.com", "two.cfargotunnel.com", "ONE.cfargotunnel.com", "192.0.2.1", ""])
                .to_owned(),
            proxied: self.is(),
            comment: self.of(&COMMENTS).map(str::to_owned),
        }
    }

    fn observed_route(&mut self) -> ObservedRoute {
        let place = |choices: &mut Self| match choices.is() {
            true => RoutePlace::Hostname(choices.of(&HOSTNAMES).to_owned()),
            false => RoutePlace::Network { virtual_network_id: choices.named(&IDS), network: choices.network() },
        };
        ObservedRoute {
            place: self.perhaps(place),
            tunnel_id: self.perhaps(|choices| choices.named(&IDS)),
            tunnel_name: self.perhaps(|choices| choices.of(&TUNNELS).to_owned()),
            comment: self.of(&COMMENTS).unwrap_or_default().to_owned(),
        }
    }

    fn observed(&mut self, account: &AccountId) -> Observed {
        let zone = |name: &str| Zone {
            id: name.replace('.', "-").parse().expect("it is an id"),
            name: name.to_owned(),
            account_id: account.clone(),
            batch_max: 200,
        };
        let tunnels = |choices: &mut Self| -> BTreeMap<TunnelId, ObservedTunnel> {
            choices.many(5, |choices| (choices.named(&IDS), choices.observed_tunnel())).into_iter().collect()
        };
        let routes = |choices: &mut Self| -> BTreeMap<RouteId, ObservedRoute> {
            choices.many(3, |choices| (choices.named(&IDS), choices.observed_route())).into_iter().collect()
        };
        let networks = |choices: &mut Self| -> BTreeMap<VirtualNetworkId, ObservedVirtualNetwork> {
            let network = |choices: &mut Self| ObservedVirtualNetwork {
                name: choices.of(&["lab", "default", ""]).to_owned(),
                is_default: choices.is(),
                comment: choices.of(&COMMENTS).unwrap_or_default().to_owned(),
            };
            choices.many(3, |choices| (choices.named(&IDS), network(choices))).into_iter().collect()
        };
        Observed {
            tunnels: self.part(tunnels),
            zones: self.part(|choices| ZONES.into_iter().filter(|_| choices.below(4) > 0).map(zone).collect()),
            elsewhere: self.perhaps(|_| zone("example.net")).into_iter().collect(),
            records: ZONES
                .into_iter()
                .map(|name| (zone(name).id, self.part(|choices| choices.many(5, Self::observed_record))))
                .collect(),
            networks: ObservedNetworks {
                virtual_networks: self.part(networks),
                network_routes: self.part(routes),
                hostname_routes: self.part(routes),
            },
            balancing: None,
            access_apps: None,
            answers: self.answers(),
        }
    }

    fn answers(&mut self) -> Answers {
        let existence = |choices: &mut Self| match choices.below(3) {
            0 => Existence::Live(choices.observed_tunnel()),
            1 => Existence::Deleted,
            _ => Existence::NotFound,
        };
        let presence = |choices: &mut Self| choices.of(&[Presence::Live, Presence::Deleted, Presence::NotFound]);
        let configuration = |choices: &mut Self| ObservedConfiguration {
            version: choices.of(&[0, 1, 2, 3, -1, i64::MAX, i64::MIN]),
            document: choices.document(),
        };
        Answers {
            tunnels: self.many(4, |choices| (choices.named(&IDS), choices.part(existence))).into_iter().collect(),
            secrets: self
                .many(4, |choices| (choices.named(&IDS), choices.part(|choices| Secret::new(choices.of(&SECRETS)))))
                .into_iter()
                .collect(),
            names: self
                .many(3, |choices| (choices.named(&HOSTNAMES), choices.part(|choices| choices.many(3, Self::observed_record))))
                .into_iter()
                .collect(),
            configurations: self.many(3, |choices| (choices.named(&TUNNELS), choices.part(configuration))).into_iter().collect(),
            routes: self.many(3, |choices| (choices.named(&IDS), choices.part(presence))).into_iter().collect(),
            virtual_networks: self.many(3, |choices| (choices.named(&IDS), choices.part(presence))).into_iter().collect(),
            ..Answers::default()
        }
    }
}

/// Any bytes as what is wanted, what is on record and what was read of an account.
pub fn plans(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let (account, account_id): (AccountName, AccountId) = (choices.named(&["default"]), choices.named(&["account"]));
    let install = InstallId::new("a1b2c3d4").expect("it is one");
    let mut records = Records::new(install.clone());
    for name in choices.many(3, |choices| choices.named(&TUNNELS)) {
        let record = choices.record(&install, &name, &account_id);
        records.tunnels.insert(name, record);
    }
    let held = |choices: &mut Choices<'_>| (choices.named(&TUNNELS), "it cannot be read".to_owned());
    records.held = choices.many(1, held).into_iter().filter(|(name, _)| !records.tunnels.contains_key(name)).collect();
    let desired = Desired {
        tunnels: choices.many(3, |choices| (choices.named(&TUNNELS), choices.wanted())).into_iter().collect(),
        held: choices.many(1, held).into_iter().collect(),
        elsewhere: BTreeMap::new(),
    };
    let observed = choices.observed(&account_id);
    let reported = choices.many(3, |choices| (choices.named(&TUNNELS), choices.of(&[0, 1, 2, 3]))).into_iter().collect();
    let contested = choices.many(2, |choices| choices.named(&HOSTNAMES)).into_iter().collect();
    let behind = choices.many(2, |choices| (choices.named(&TUNNELS), choices.time())).into_iter().collect();
    let handed_over = choices.many(2, |choices| choices.named(&TUNNELS)).into_iter().collect();
    let input = Input {
        account: &account,
        account_id: &account_id,
        desired: &desired,
        observed: &observed,
        records: &records,
        reported: &reported,
        contested: &contested,
        behind: &behind,
        now: choices.time(),
        rotations: &Rotations { handed_over, ..Rotations::default() },
    };
    let made = plan(&input);
    assert_eq!(plan(&input), made, "a plan is the same every time");
    let _ = view(&input, &made, &BTreeSet::new());
    let shown = format!("{made} {made:?}");
    assert!(!shown.contains("\"ours"), "a secret is in {shown}");
    made.steps.iter().chain(&made.waiting).for_each(|step| check(step, &input, &made));
}

fn check(step: &Step, input: &Input<'_>, made: &Plan) {
    assert!(!input.records.held.contains_key(step.tunnel()), "the record cannot be read: {step}");
    match step {
        Step::RepairRecord { zone_id, record_id, hostname, .. }
        | Step::MoveRecord { zone_id, record_id, hostname, .. }
        | Step::DeleteRecord { zone_id, record_id, hostname, .. } => check_record(zone_id, record_id, hostname, input, step),
        Step::CreateRecord { zone_id, .. } => assert!(is_read(zone_id, input), "the zone was not read: {step}"),
        Step::DeleteTunnel { id, .. }
        | Step::DeleteConnections { id, .. }
        | Step::Rotation(RotationStep::Place { id, .. } | RotationStep::CutOff { id, .. }) => {
            let ours = input.records.tunnels.values().any(|record| record.id.as_ref() == Some(id));
            let settled = made.steps.iter().any(|step| matches!(step, Step::SettleCreation { id: settled, .. } if settled == id));
            // A tunnel whose creation was never settled is known by its secret. It may have had another name until an earlier step.
            let secret = input.observed.answers.secrets.get(id).and_then(Part::complete);
            let is_proven = |record: &TunnelRecord| record.id.is_none() && Some(&record.secret) == secret;
            let proven = !matches!(step, Step::Rotation(_)) && input.records.tunnels.values().any(is_proven);
            assert!(ours || settled || proven, "it is not on record: {step}");
            let is_read = input.observed.tunnels.complete().is_some() || matches!(step, Step::Rotation(_));
            assert!(is_read, "the tunnels were not read: {step}");
        }
        Step::SettleCreation { tunnel, id } => {
            let secret = input.observed.answers.secrets.get(id).and_then(Part::complete);
            // It may have had another name until an earlier step.
            let is_ours = input.records.tunnels.values().any(|record| {
                let other = record.secret_life.rotation.as_ref().map(|rotation| &rotation.other);
                secret.is_some_and(|secret| *secret == record.secret || Some(secret) == other)
            });
            assert!(is_ours, "the secret of {tunnel} is another: {step}");
        }
        Step::CreateTunnel { .. } => assert!(input.observed.tunnels.complete().is_some(), "the tunnels were not read: {step}"),
        Step::Network(
            NetworkStep::DeleteRoute { route_id, .. }
            | NetworkStep::RepairRoute { route_id, .. }
            | NetworkStep::MoveRoute { route_id, .. },
        ) => {
            let on_record = |record: &TunnelRecord| {
                let mut made = record.private_routes.values().map(|made| made.route_id.as_ref());
                // One whose making was never answered is known by its marker and its tunnel.
                made.any(|id| id.map_or_else(|| leads_to(record, route_id, input), |id| id == route_id))
            };
            assert!(input.records.tunnels.values().any(on_record), "it is not on record: {step}");
        }
        Step::Network(NetworkStep::DeleteVirtualNetwork { virtual_network_id, .. }) => {
            let mut networks = input.records.tunnels.values().flat_map(|record| record.virtual_networks.values());
            assert!(networks.any(|network| network.as_ref() == Some(virtual_network_id)), "it is not on record: {step}");
        }
        Step::Network(_)
        | Step::Rotation(RotationStep::Finish { .. })
        | Step::PutConfiguration { .. }
        | Step::WriteRules { .. }
        | Step::RenameTunnel { .. }
        | Step::RetireTunnel { .. }
        | Step::DrainTunnel { .. }
        | Step::EndParting { .. }
        | Step::NoteDocument { .. }
        | Step::KeepTunnel { .. }
        | Step::OrphanTunnel { .. }
        | Step::TakeRecord { .. }
        | Step::ForgetRecord { .. }
        | Step::NoteVersion { .. }
        | Step::ForgetTunnel { .. }
        | Step::Balancer(_)
        | Step::Access(_) => {}
    }
}

/// A record is touched when its id is on record for that hostname, and it carries our marker.
fn check_record(zone: &ZoneId, id: &RecordId, hostname: &Hostname, input: &Input<'_>, step: &Step) {
    let reference = DnsRecordRef { zone_id: zone.clone(), record_id: id.clone() };
    let mut ours = input.records.tunnels.values().flat_map(|record| &record.dns);
    assert!(ours.any(|(known, dns)| known == hostname && *dns == reference), "it is not on record: {step}");
    assert!(is_read(zone, input), "the zone was not read: {step}");
    let marked = |record: &&ObservedRecord| {
        let comment = record.comment.as_deref().unwrap_or_default();
        record.id == *id && input.records.install.has_marked(comment)
    };
    let listed = input.observed.records.get(zone).and_then(Part::complete).into_iter().flatten();
    let asked = input.observed.answers.names.values().filter_map(Part::complete).flatten();
    assert!(listed.chain(asked).any(|record| marked(&record)), "it is not marked as ours: {step}");
}

/// Whether a private route is marked as ours and leads to the tunnel of that record.
fn leads_to(record: &TunnelRecord, id: &RouteId, input: &Input<'_>) -> bool {
    let networks = &input.observed.networks;
    let lists = [&networks.network_routes, &networks.hostname_routes];
    lists.into_iter().filter_map(Part::complete).filter_map(|routes| routes.get(id)).any(|found| {
        found.tunnel_id.is_some() && found.tunnel_id == record.id && input.records.install.has_marked(&found.comment)
    })
}

fn is_read(zone: &ZoneId, input: &Input<'_>) -> bool {
    input.observed.records.get(zone).is_some_and(|part| part.complete().is_some())
}
