//! The tunnels, and what is to be of each.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use adit::{id::ConnectorId, sandbox::switchboard::StandIn};
use rand::{RngExt, rngs::SmallRng};

use crate::{host::Host, processes::Process};

/// How many there are.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) tunnels: usize,
    /// The first so many are never changed by plan: of their connectors none may go but those that were killed.
    pub(crate) quiet: usize,
    /// How many connectors a tunnel has while it is not changed.
    pub(crate) replicas: usize,
}

/// What is to be.
pub(crate) struct Fleet {
    size: Size,
    origins: [String; 2],
    tunnels: Vec<Tunnel>,
}

#[derive(Clone, Copy)]
struct Tunnel {
    replicas: usize,
    protocol: &'static str,
    origin: usize,
}

/// What is to be of one tunnel.
pub(crate) struct Wanted {
    pub(crate) tunnel: String,
    pub(crate) hostname: String,
    pub(crate) replicas: usize,
}

/// Which connector a process is, by the file that it was told to write its log to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Berth {
    pub(crate) tunnel: String,
    pub(crate) replica: String,
    pub(crate) generation: String,
}

impl Berth {
    pub(crate) fn of(process: &Process) -> Option<Self> {
        let place = process.arguments.iter().position(|argument| argument == "--logfile")?;
        let path = Path::new(process.arguments.get(place + 1)?);
        let tunnel = path.parent()?.file_name()?.to_str()?.to_owned();
        let (replica, generation) = path.file_stem()?.to_str()?.split_once('-')?;
        Some(Self { tunnel, replica: replica.to_owned(), generation: generation.to_owned() })
    }
}

impl Fleet {
    pub(crate) fn new(origins: [String; 2], size: Size) -> Self {
        let tunnel = Tunnel { replicas: size.replicas, protocol: "auto", origin: 0 };
        Self { size, origins, tunnels: vec![tunnel; size.tunnels] }
    }

    /// The tables of a configuration.
    pub(crate) fn configuration(&self) -> String {
        let mut text = String::new();
        for (number, tunnel) in self.tunnels.iter().enumerate() {
            let Tunnel { replicas, protocol, origin } = *tunnel;
            write!(
                text,
                "[tunnels.{}]\nreplicas = {replicas}\nprotocol = \"{protocol}\"\n\
                 ingress = [{{ hostname = \"{}\", service = \"{}\" }}]\n",
                name(number),
                hostname(number),
                self.origins[origin],
            )
            .unwrap();
        }
        text
    }

    pub(crate) fn hostnames(&self) -> Vec<String> {
        (0..self.tunnels.len()).map(hostname).collect()
    }

    /// Whether a tunnel of this name is never changed by plan.
    pub(crate) fn is_quiet(&self, tunnel: &str) -> bool {
        (0..self.size.quiet).any(|number| name(number) == tunnel)
    }

    /// Any of the tunnels that may be changed.
    pub(crate) fn any_tunnel(&self, rng: &mut SmallRng) -> String {
        name(rng.random_range(self.size.quiet..self.tunnels.len()))
    }

    /// Changes one tunnel in one way, whatever its connectors are about.
    pub(crate) fn change(&mut self, rng: &mut SmallRng) {
        let tunnel = rng.random_range(self.size.quiet..self.tunnels.len());
        let tunnel = &mut self.tunnels[tunnel];
        match rng.random_range(0..3) {
            0 => tunnel.protocol = if tunnel.protocol == "auto" { "http2" } else { "auto" },
            1 => tunnel.origin = 1 - tunnel.origin,
            _ if tunnel.replicas == self.size.replicas => tunnel.replicas += 1,
            _ => tunnel.replicas = self.size.replicas,
        }
    }

    /// As many connectors as in the beginning.
    pub(crate) fn restore_replicas(&mut self) {
        for tunnel in &mut self.tunnels {
            tunnel.replicas = self.size.replicas;
        }
    }

    /// Whether exactly the wanted connectors are there.
    pub(crate) fn runs(&self, connectors: &[Process]) -> bool {
        self.miscounted(connectors).is_empty()
    }

    /// Fails the test where a connector is missing or one too many.
    pub(crate) fn assert_runs(&self, connectors: &[Process]) {
        let miscounted = self.miscounted(connectors);
        assert!(miscounted.is_empty(), "connectors there and wanted: {miscounted:?}");
    }

    /// The tunnels with more or fewer connectors than wanted: how many there are and how many are wanted.
    fn miscounted(&self, connectors: &[Process]) -> BTreeMap<String, (usize, usize)> {
        let mut counts: BTreeMap<String, (usize, usize)> =
            self.tunnels.iter().enumerate().map(|(number, tunnel)| (name(number), (0, tunnel.replicas))).collect();
        for process in connectors {
            let berth = Berth::of(process).unwrap_or_else(|| panic!("a connector without a log: {process:?}"));
            counts.entry(berth.tunnel).or_default().0 += 1;
        }
        counts.retain(|_, (there, wanted)| there != wanted);
        counts
    }

    /// Each tunnel, its hostname and how many connectors are wanted.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Wanted> {
        let tunnels = self.tunnels.iter().enumerate();
        tunnels.map(|(number, tunnel)| Wanted { tunnel: name(number), hostname: hostname(number), replicas: tunnel.replicas })
    }
}

/// The connectors beside which another one of their tunnel takes requests, as the edge sees it: one is never enough for nothing to be
/// lost. Those that were felled are none, and serve nobody.
pub(crate) fn dispensable(host: &Host, is_felled: impl Fn(&ConnectorId) -> bool) -> Vec<StandIn> {
    let mut stand_ins = host.stage.switchboard.connectors();
    stand_ins.retain(|one| {
        let connections = host.stage.edge.connections(&one.tunnel);
        let mut others = connections.iter().map(|connection| &connection.connector).filter(|other| **other != one.connector);
        !is_felled(&one.connector)
            && others.any(|other| !is_felled(other))
            && Process::find(one.pid).is_some_and(|process| process.is_connector())
    });
    stand_ins.sort_by_key(|one| one.pid);
    stand_ins
}

fn name(number: usize) -> String {
    format!("t{number}")
}

fn hostname(number: usize) -> String {
    format!("t{number}.example.com")
}
