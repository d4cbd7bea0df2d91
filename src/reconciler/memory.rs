//! What a worker remembers from pass to pass, so that an idle pass asks no more than the lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Reported, census::Census, rotation::RotationMemory};
use crate::{
    desired::Desired,
    name::{Hostname, TunnelName},
    observed::{Answers, ObservedConfiguration, ObservedRecord, Part, Zone},
    record::{ConfigurationSource, Records},
};

/// How long it is believed who holds a contested name. Whoever removes the other record waits so long, or asks for a pass.
const CONTESTED_FOR: Duration = Duration::from_secs(300);

/// How long a part that the credential may not read is not asked for again, unless somebody asks for a fresh look.
const REFUSED_FOR: Duration = Duration::from_secs(300);

/// What a worker remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The active zones that the credential sees, in all its accounts.
    pub(super) zones: Option<KnownZones>,
    /// Whether somebody asks for a fresh look, so that a hostname without a zone is worth listing them.
    pub(super) doubted: bool,
    /// Tunnels that Cloudflare refused to delete because private routes lead to them: those are looked at, whoever made them.
    pub(super) routed: BTreeSet<TunnelName>,
    /// Hostnames at which somebody else's record stands, or stood.
    contested: BTreeMap<Hostname, Option<Holders>>,
    /// Tunnels whose ready connectors run an earlier version than was written: which was, and since when they do.
    behind: BTreeMap<TunnelName, (i64, Timestamp)>,
    /// Rotations that failed, and when those that go on were placed.
    pub(super) rotations: RotationMemory,
    /// Configurations with another version than ours, by the version that the connectors reported.
    configurations: BTreeMap<TunnelName, (i64, ObservedConfiguration)>,
    /// Parts that the credential may not read, with when that was said and how.
    refusals: BTreeMap<String, (Instant, String)>,
    /// Who else is connected to the tunnels.
    pub(super) census: Census,
}

/// Zones and when they were listed.
#[derive(Debug, Clone)]
pub(super) struct KnownZones {
    pub(super) read_at: Timestamp,
    pub(super) zones: Vec<Zone>,
}

#[derive(Debug)]
struct Holders {
    read_at: Instant,
    records: Vec<ObservedRecord>,
}

impl Memory {
    /// Hostnames that are asked about before a record is made there.
    pub(super) fn contested(&self) -> BTreeSet<Hostname> {
        self.contested.keys().cloned().collect()
    }

    /// Somebody else's record stands at a hostname.
    pub(super) fn contest(&mut self, hostname: &Hostname) {
        self.contested.entry(hostname.clone()).or_default();
    }

    /// What is known of a hostname is not believed any more, or needed.
    pub(super) fn settle(&mut self, hostname: &Hostname) {
        self.contested.remove(hostname);
    }

    /// Nothing is believed any more about who holds which name: somebody asks for a fresh look.
    pub(super) fn doubt(&mut self) {
        self.contested.values_mut().for_each(|holders| *holders = None);
        self.configurations.clear();
        self.refusals.clear();
        self.doubted = true;
    }

    /// Forgets what is not wanted any more.
    pub(super) fn keep_to(&mut self, desired: &Desired) {
        self.contested.retain(|hostname, _| desired.tunnels.values().any(|tunnel| tunnel.hostnames.contains(hostname)));
        self.configurations.retain(|tunnel, _| desired.tunnels.contains_key(tunnel));
    }

    /// The answers that need not be asked for again.
    pub(super) fn answers(&self, reported: &Reported, now: Instant) -> Answers {
        let mut answers = Answers::default();
        for (hostname, holders) in &self.contested {
            if let Some(holders) = holders
                && now.duration_since(holders.read_at) < CONTESTED_FOR
            {
                answers.names.insert(hostname.clone(), Part::Complete(holders.records.clone()));
            }
        }
        for (tunnel, (version, configuration)) in &self.configurations {
            if reported.get(tunnel) == Some(version) {
                answers.configurations.insert(tunnel.clone(), Part::Complete(configuration.clone()));
            }
        }
        answers
    }

    /// Notes whose ready connectors run an earlier version of a remote configuration than was written.
    pub(super) fn note_behind(&mut self, records: &Records, reported: &Reported, now: Timestamp) {
        let behind =
            records.tunnels.values().filter(|record| record.source == ConfigurationSource::Remote).filter_map(|record| {
                let (written, runs) = (record.written.as_ref()?.version, *reported.get(&record.name)?);
                let since = self.behind.get(&record.name).filter(|(known, _)| *known == written).map_or(now, |(_, since)| *since);
                (0..written).contains(&runs).then(|| (record.name.clone(), (written, since)))
            });
        self.behind = behind.collect();
    }

    /// Since when connectors run an earlier version.
    pub(super) fn behind(&self) -> BTreeMap<TunnelName, Timestamp> {
        self.behind.iter().map(|(tunnel, (_, since))| (tunnel.clone(), *since)).collect()
    }

    /// Remembers who holds a name, if anybody does and it is contested.
    pub(super) fn remember_holders(&mut self, hostname: &Hostname, records: &[ObservedRecord], now: Instant) {
        if let Some(holders) = self.contested.get_mut(hostname) {
            *holders = Some(Holders { read_at: now, records: records.to_vec() });
        }
    }

    /// What was read of a configuration is old: we wrote another.
    pub(super) fn forget_configuration(&mut self, tunnel: &TunnelName) {
        self.configurations.remove(tunnel);
    }

    /// Why a part is not asked for, if the credential was refused it a moment ago.
    pub(super) fn refusal(&self, what: &str, now: Instant) -> Option<String> {
        let (at, why) = self.refusals.get(what)?;
        (now.duration_since(*at) < REFUSED_FOR).then(|| why.clone())
    }

    /// Remembers that the credential may not read a part.
    pub(super) fn remember_refusal(&mut self, what: &str, why: String, now: Instant) {
        self.refusals.insert(what.to_owned(), (now, why));
    }

    /// Remembers a configuration whose version the connectors reported.
    pub(super) fn remember_configuration(&mut self, tunnel: &TunnelName, reported: i64, configuration: &ObservedConfiguration) {
        self.configurations.insert(tunnel.clone(), (reported, configuration.clone()));
    }
}
