//! What goes wrong, at random.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use adit::{
    control::api::Status,
    id::ConnectorId,
    sandbox::switchboard::{Command, StandIn},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt, rngs::SmallRng, seq::IndexedRandom};
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{Fleet, dispensable},
    host::Host,
    processes,
};

/// The longest pause between two blows.
const PAUSE_MAX: Duration = Duration::from_millis(350);

/// How long a planned change may be under way; for the report alone.
const CHANGE_TIME: Duration = Duration::from_secs(15);

/// A hung connector is found after three probes and replaced: a storm that is shorter has none.
const LENGTH_WITH_HANGS: Duration = Duration::from_secs(30);

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Everything but the daemon's death.
    Connectors,
    /// Everything.
    Everything,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// kill -9 of a connector.
    ConnectorKilled,
    /// A connector's metrics server stops answering; it serves on.
    ConnectorHung,
    /// kill -9 of the daemon, and another one.
    DaemonKilled,
    /// The daemon is told to detach, and another one comes.
    DaemonRestarted,
    /// SIGSTOP of the daemon for a while.
    DaemonStopped,
    /// Flags, rules or replicas change, or an operator restarts a tunnel.
    PlannedChange,
}

/// What happened until now.
pub(crate) struct Storm<'a> {
    host: &'a Host,
    pub(crate) fleet: Fleet,
    rng: SmallRng,
    hangs: bool,
    /// Connectors that were killed.
    pub(crate) killed: BTreeSet<ConnectorId>,
    killed_pids: BTreeSet<u32>,
    /// Connectors that hang.
    pub(crate) hung: BTreeSet<ConnectorId>,
    hung_pids: BTreeSet<u32>,
    /// When what was under way.
    pub(crate) windows: Vec<(Blow, Instant, Instant)>,
    pub(crate) counts: BTreeMap<Blow, usize>,
}

impl<'a> Storm<'a> {
    pub(crate) fn new(host: &'a Host, fleet: Fleet, rng: SmallRng, length: Duration) -> Self {
        Self {
            host,
            fleet,
            rng,
            hangs: length >= LENGTH_WITH_HANGS,
            killed: BTreeSet::new(),
            killed_pids: BTreeSet::new(),
            hung: BTreeSet::new(),
            hung_pids: BTreeSet::new(),
            windows: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// How many processes were killed.
    pub(crate) fn kills(&self) -> usize {
        let count = |blow| self.counts.get(&blow).copied().unwrap_or_default();
        count(Blow::ConnectorKilled) + count(Blow::DaemonKilled)
    }

    /// Whether there is a reason for a connector of a tunnel that no plan changes to be gone.
    pub(crate) fn may_be_gone(&self, pid: u32) -> bool {
        self.killed_pids.contains(&pid) || self.hung_pids.contains(&pid)
    }

    /// Strikes again and again for so long.
    pub(crate) async fn rage(&mut self, weather: Weather, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.strike(weather).await;
            let pause = self.rng.random_range(Duration::ZERO..PAUSE_MAX);
            sleep(pause).await;
        }
    }

    /// Lets go of what would not end by itself.
    pub(crate) async fn clear_up(&mut self) {
        self.fleet.restore_replicas();
        self.reload().await;
    }

    async fn strike(&mut self, weather: Weather) {
        let begun = Instant::now();
        let blow = match self.rng.random_range(0..100) {
            0..60 => Blow::ConnectorKilled,
            60..64 if self.hangs => Blow::ConnectorHung,
            60..84 => Blow::PlannedChange,
            84..88 => Blow::DaemonStopped,
            88..96 if weather == Weather::Everything => Blow::DaemonKilled,
            96.. if weather == Weather::Everything => Blow::DaemonRestarted,
            _ => Blow::ConnectorKilled,
        };
        let struck = match blow {
            Blow::ConnectorKilled => self.kill_connector(),
            Blow::ConnectorHung => self.hang_connector(),
            Blow::DaemonKilled => {
                self.host.kill();
                self.while_nobody_looks().await;
                self.host.start().await;
                true
            }
            Blow::DaemonRestarted => {
                processes::signal(self.host.daemon_pid(), Signal::SIGUSR1);
                assert_eq!(self.host.ended().await, Some(0));
                self.while_nobody_looks().await;
                self.host.start().await;
                true
            }
            Blow::DaemonStopped => {
                processes::signal(self.host.daemon_pid(), Signal::SIGSTOP);
                self.while_nobody_looks().await;
                processes::signal(self.host.daemon_pid(), Signal::SIGCONT);
                true
            }
            Blow::PlannedChange => {
                self.change().await;
                true
            }
        };
        if struck {
            println!("{} {blow:?}", jiff::Timestamp::now());
            let end = if blow == Blow::PlannedChange { begun + CHANGE_TIME } else { Instant::now() };
            self.windows.push((blow, begun, end));
            *self.counts.entry(blow).or_default() += 1;
        }
    }

    /// What happens while there is no daemon: time passes, and perhaps a connector dies.
    async fn while_nobody_looks(&mut self) {
        if self.rng.random() && self.kill_connector() {
            *self.counts.entry(Blow::ConnectorKilled).or_default() += 1;
        }
        let pause = self.rng.random_range(Duration::ZERO..PAUSE_MAX * 3);
        sleep(pause).await;
    }

    /// Kills a connector beside which another one of its tunnel serves. Whether there was one.
    fn kill_connector(&mut self) -> bool {
        let Some(victim) = self.victim() else { return false };
        self.killed.insert(victim.connector.clone());
        self.killed_pids.insert(victim.pid);
        // One that has just ended by itself is as good as killed.
        let _ = kill(Pid::from_raw(victim.pid.cast_signed()), Signal::SIGKILL);
        true
    }

    fn hang_connector(&mut self) -> bool {
        let Some(victim) = self.victim() else { return false };
        self.hung.insert(victim.connector);
        self.hung_pids.insert(victim.pid);
        self.host.stage.switchboard.command(victim.pid, Command::Hang)
    }

    fn victim(&mut self) -> Option<StandIn> {
        dispensable(self.host, |connector| self.killed.contains(connector)).choose(&mut self.rng).cloned()
    }

    async fn change(&mut self) {
        if self.rng.random_range(0..3) == 0 {
            let tunnel = self.fleet.any_tunnel(&mut self.rng);
            self.host.client.restart_tunnel(&tunnel).await.unwrap();
        } else {
            self.fleet.change(&mut self.rng);
            self.reload().await;
        }
    }

    async fn reload(&self) {
        self.host.configure(&self.fleet.configuration());
        self.host.client.reload_configuration().await.unwrap();
    }

    /// Fails the test where the daemon counts more restarts than there can have been.
    pub(crate) fn assert_counters_plausible(&self, status: &Status) {
        let connectors = status.tunnels.iter().flat_map(|tunnel| &tunnel.connectors);
        let restarts: u64 = connectors.map(|connector| connector.restarts_total).sum();
        // A planned change restarts three connectors at most.
        let count = |blow| self.counts.get(&blow).copied().unwrap_or_default() as u64;
        let most = count(Blow::ConnectorKilled) + count(Blow::ConnectorHung) + 3 * count(Blow::PlannedChange);
        assert!(restarts <= most, "{restarts} restarts, {most} reasons for one");
    }
}
