//! The host under the storm: keeps the daemon as systemd would, and looks at everything again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use adit::{
    id::TunnelId,
    sandbox::switchboard::{StandIn, Switches},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt, rngs::SmallRng, seq::IndexedRandom};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Grounds,
    book::Book,
    calls::Calls,
    census::Census,
    clock::WallClock,
    crowd::Crowd,
    decoys::Decoys,
    disk::Disk,
    fault::Fault,
    flatness::Flatness,
    fleet::{Berth, Fleet, dispensable},
    foreign::Foreign,
    host::{Host, brisk, serves},
    processes::{self, Process},
    vitals::Vitals,
};

/// How often everything is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often what others have is compared.
const COMPARE_EVERY: Duration = Duration::from_secs(2);

/// `WatchdogSec=` of the unit.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(20);

/// `RestartSec=` of the unit.
const RESTART_AFTER: Duration = Duration::from_millis(200);

/// Until a daemon has ended that was told to. One that waits for a disk is let go on before.
const END_TIME: Duration = Duration::from_secs(40);
const PATIENT_WITH_DISK: Duration = Duration::from_secs(6);

/// Until everything serves when nothing is wrong any more: a connector that died again and again waits up to a minute, as does one
/// that gets no connection, and the machine may be busy.
const CALM_TIME: Duration = Duration::from_secs(180);

/// How long it stays calm before the daemon's memory is looked at, and at least how long nothing may be lost. Threads that waited for
/// files go after 10 s without work.
const REST: Duration = Duration::from_secs(12);

/// How long a question to the daemon may take in the storm.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(3);

/// What a 429 of the sandbox asks for.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(4);

/// A host under a storm.
pub(crate) struct Watch<'a> {
    pub(crate) grounds: &'a Grounds,
    pub(crate) host: &'a Host,
    pub(crate) fleet: Fleet,
    pub(crate) rng: SmallRng,
    pub(crate) state: Disk,
    pub(crate) runtime: Disk,
    pub(crate) clock: Option<WallClock>,
    pub(crate) decoys: Decoys,
    pub(crate) foreign: Foreign,
    pub(crate) crowd: Crowd,
    pub(crate) census: Census,
    pub(crate) calls: Calls,
    pub(crate) flatness: Flatness,
    pub(crate) book: Book,
    pub(crate) switches: Switches,
    /// The faults that have struck and not been lifted.
    pub(crate) held: Vec<Fault>,
    /// The tunnel that comes and goes, by number.
    pub(crate) extra: usize,
    /// Whether a daemon is to run.
    pub(crate) wants_daemon: bool,
    /// The daemon stands still because it was told to.
    pub(crate) paused: bool,
    life_since: Instant,
    /// What the watchdog heard last.
    fed: (usize, Instant),
    compared: Instant,
}

impl<'a> Watch<'a> {
    #[expect(clippy::too_many_arguments, reason = "it is put together in one place")]
    pub(crate) fn new(
        grounds: &'a Grounds,
        host: &'a Host,
        fleet: Fleet,
        rng: SmallRng,
        (state, runtime): (Disk, Disk),
        clock: Option<WallClock>,
        foreign: Foreign,
        (crowd, census): (Crowd, Census),
    ) -> Self {
        let now = Instant::now();
        Self {
            grounds,
            host,
            fleet,
            rng,
            state,
            runtime,
            clock,
            decoys: Decoys::default(),
            foreign,
            crowd,
            census,
            calls: Calls::default(),
            flatness: Flatness::default(),
            book: Book::new(),
            switches: brisk(),
            held: Vec::new(),
            extra: 0,
            wants_daemon: false,
            paused: false,
            life_since: now,
            fed: (0, now),
            compared: now,
        }
    }

    /// Starts a daemon, which need not come up.
    pub(crate) fn launch(&mut self) {
        self.read_calls();
        if self.held.iter().any(|fault| matches!(fault, Fault::RuntimeFull | Fault::BothFull)) {
            self.calls.forget_pauses();
        }
        let watchdog = WATCHDOG.as_micros().to_string();
        let mut variables = vec![("WATCHDOG_USEC", Path::new(&watchdog))];
        variables.extend(self.clock.iter().flat_map(WallClock::variables));
        self.host.launch_with(&variables);
        (self.wants_daemon, self.paused) = (true, false);
        self.book.lives += 1;
        self.life_since = Instant::now();
        self.fed = (0, self.life_since);
    }

    /// Waits until the daemon, which was told to, has ended; how, unless it had to be killed.
    pub(crate) async fn daemon_ends(&mut self) -> Option<std::process::ExitStatus> {
        self.wants_daemon = false;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.host.daemon_status() {
                self.host.forget_daemon();
                return Some(status);
            }
            if begun.elapsed() > PATIENT_WITH_DISK && self.held.contains(&Fault::StateHangs) {
                self.lift(Fault::StateHangs);
            }
            if begun.elapsed() > END_TIME {
                self.book.violated("the daemon does not end".to_owned());
                processes::signal(self.host.daemon_pid(), Signal::SIGKILL);
                while self.host.daemon_status().is_none() {
                    sleep(LOOK_EVERY).await;
                }
                self.host.forget_daemon();
                return None;
            }
            self.look();
            sleep(LOOK_EVERY).await;
        }
    }

    /// Lets time pass, and looks.
    pub(crate) async fn pass(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.keep().await;
            self.look();
            sleep(LOOK_EVERY.min(end - Instant::now().min(end))).await;
        }
    }

    /// As systemd does: a daemon that has ended is started again.
    async fn keep(&mut self) {
        if !self.wants_daemon {
            return;
        }
        let Some(status) = self.host.daemon_status() else { return };
        self.host.forget_daemon();
        let excused = self.held.iter().any(|fault| fault.may_fail_start());
        if excused {
            self.book.failed_starts += 1;
        } else {
            let log = self.host.log();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            self.book.violated(format!("the daemon ended by itself: {status}: {last:#?}"));
        }
        sleep(RESTART_AFTER).await;
        self.launch();
    }

    fn look(&mut self) {
        let losses = self.host.stage.take_losses();
        self.book.losses(losses, self.crowd.take());
        for ended in self.decoys.ended() {
            self.book.violated(ended);
        }
        if self.compared.elapsed() > COMPARE_EVERY {
            self.compared = Instant::now();
            for changed in self.foreign.changed(&self.host.snapshot()) {
                self.book.violated(changed);
            }
            self.read_calls();
        }
        self.watch_the_watchdog();
    }

    fn read_calls(&mut self) {
        for wrong in self.calls.read(&self.host.stage.world, RETRY_AFTER) {
            self.book.violated(wrong);
        }
    }

    fn watch_the_watchdog(&mut self) {
        let fed = self.host.manager.count("WATCHDOG=1");
        if fed != self.fed.0 || self.paused || !self.wants_daemon {
            self.fed = (fed, Instant::now());
        } else if fed > 0 && self.fed.1.elapsed() > WATCHDOG {
            self.fed.1 = Instant::now();
            self.book.violated(format!("the daemon did not feed its watchdog for {WATCHDOG:?} while {:?}", self.held));
        }
    }

    /// Waits until everything serves again, judges what was lost until then, and looks at what the daemon holds.
    pub(crate) async fn calm(&mut self, what: &str) {
        let begun = Instant::now();
        let mut wrong;
        loop {
            wrong = self.wrong().await;
            if wrong.is_empty() || begun.elapsed() > CALM_TIME {
                break;
            }
            self.pass(LOOK_EVERY * 3).await;
        }
        let took = begun.elapsed();
        if wrong.is_empty() {
            self.book.say(&format!("all serve {what}, after {took:.1?}"));
        } else {
            let shown: Vec<&String> = wrong.iter().take(6).collect();
            self.book.violated(format!("not well {what} within {CALM_TIME:?}: {} wrong: {shown:#?}", wrong.len()));
        }
        self.judge(wrong.is_empty().then_some(took));
        self.pass(REST).await;
        if self.host.has_daemon() {
            let vitals = Vitals::of(self.host.daemon_pid());
            self.book.say(&format!("{vitals:?} of a daemon of {:.0?}", self.life_since.elapsed()));
            self.flatness.take(self.book.lives, self.life_since.elapsed(), vitals, self.host.connectors().len());
        }
    }

    /// What was lost until now is judged.
    pub(crate) fn judge(&mut self, calm: Option<Duration>) {
        self.look();
        let names = self.names();
        let (gone, started, violations) = {
            let mut counted = self.census.so_far();
            let gone = std::mem::take(&mut counted.gone);
            (gone, counted.seen.len(), std::mem::take(&mut counted.violations))
        };
        self.book.started = started;
        for violation in violations {
            self.book.violated(violation);
        }
        let fleet = &self.fleet;
        self.book.judge(calm, gone, |tunnel| fleet.is_quiet(tunnel), &names);
    }

    /// What does not serve yet, as the kernel, the edge, visitors and the daemon see it.
    pub(crate) async fn wrong(&self) -> Vec<String> {
        let mut wrong = self.missing();
        match timeout(ANSWER_TIME * 3, self.host.client.status()).await {
            Ok(Ok(status)) => {
                // Of a tunnel that left the files something may be left at Cloudflare, which waits for an operator.
                let mut wanted: BTreeSet<String> = self.fleet.wanted().map(|wanted| wanted.tunnel).collect();
                wanted.extend((self.extra > 0).then(|| self.extra_name()));
                let unwell = status.tunnels.iter().filter(|tunnel| wanted.contains(&tunnel.name) && !serves(tunnel));
                wrong.extend(unwell.map(|tunnel| format!("status: {}", serde_json::to_string(tunnel).unwrap())));
            }
            other => wrong.push(format!("no status: {other:?}")),
        }
        if wrong.is_empty() {
            for wanted in self.fleet.wanted() {
                match crate::visitor::visit(self.host.stage.front(), &wanted.hostname, "/").await {
                    Ok(visit) if visit.status == 200 => {}
                    other => wrong.push(format!("visit of {}: {other:?}", wanted.hostname)),
                }
            }
        }
        wrong
    }

    /// The tunnels with more or fewer connectors than wanted, as the kernel has it, or without all of them at the edge.
    pub(crate) fn missing(&self) -> Vec<String> {
        let names = self.names();
        let stand_ins = self.host.stage.switchboard.connectors();
        let by_pid: BTreeMap<u32, &StandIn> = stand_ins.iter().map(|one| (one.pid, one)).collect();
        let mut there: BTreeMap<String, usize> = BTreeMap::new();
        for process in self.host.connectors() {
            // One without a log is known by its token.
            let by_token = || by_pid.get(&process.pid).and_then(|one| names.get(&one.tunnel)).cloned();
            let name = Berth::of(&process).map(|berth| berth.tunnel).or_else(by_token);
            *there.entry(name.unwrap_or_else(|| format!("process {}", process.pid))).or_default() += 1;
        }
        let ids: BTreeMap<&String, &TunnelId> = names.iter().map(|(id, name)| (name, id)).collect();
        let mut missing = Vec::new();
        let extra = (self.extra > 0).then(|| (self.extra_name(), 1));
        let wanted = self.fleet.wanted().map(|wanted| (wanted.tunnel, wanted.replicas)).chain(extra);
        for (tunnel, replicas) in wanted {
            let count = there.remove(&tunnel).unwrap_or_default();
            if count != replicas {
                missing.push(format!("{tunnel} has {count} connectors in place of {replicas}"));
            }
            let connections = ids.get(&tunnel).map(|id| self.host.stage.edge.connections(id)).unwrap_or_default();
            let at_edge: BTreeSet<_> = connections.iter().map(|connection| &connection.connector).collect();
            if at_edge.len() != replicas {
                missing.push(format!("{tunnel} has {} connectors at the edge in place of {replicas}", at_edge.len()));
            }
        }
        missing.extend(there.iter().map(|(tunnel, count)| format!("{tunnel} has {count} connectors and is not wanted")));
        missing
    }

    /// What our live tunnels are called here.
    pub(crate) fn names(&self) -> BTreeMap<TunnelId, String> {
        let snapshot = self.host.snapshot();
        let ours = snapshot.tunnels.into_values().filter(|tunnel| !tunnel.deleted && tunnel.name.contains(".adit-"));
        let ours = ours.filter(|tunnel| !tunnel.name.ends_with(".adit-zzzzzzzz"));
        ours.filter_map(|tunnel| Some((tunnel.id, tunnel.name.split('.').next()?.to_owned()))).collect()
    }

    pub(crate) fn extra_name(&self) -> String {
        format!("x{}", self.extra)
    }

    /// Writes the files as they are to be.
    pub(crate) fn configure(&self) {
        let mut tunnels = self.fleet.configuration();
        if self.extra > 0 {
            let name = self.extra_name();
            tunnels += &format!("[tunnels.{name}]\ningress = [{{ hostname = \"{name}.example.com\", service = \"ORIGIN\" }}]\n");
        }
        self.host.configure(&tunnels);
    }

    /// A connector of ours that can be done without, of one tunnel or of any.
    pub(crate) fn victim(&mut self, of: Option<&TunnelId>) -> Option<StandIn> {
        let names = self.names();
        let mut stand_ins = dispensable(self.host, |connector| self.book.is_felled(connector));
        stand_ins.retain(|one| of.is_none_or(|tunnel| *tunnel == one.tunnel) && names.contains_key(&one.tunnel));
        stand_ins.choose(&mut self.rng).cloned()
    }

    /// Kills a connector. Whether there was one to kill.
    pub(crate) fn kill_connector(&mut self, of: Option<&TunnelId>, fault: Option<Fault>) -> Option<Process> {
        let victim = self.victim(of)?;
        let process = Process::find(victim.pid)?;
        self.book.fells(victim.connector, victim.pid, fault);
        let _ = kill(Pid::from_raw(victim.pid.cast_signed()), Signal::SIGKILL);
        Some(process)
    }

    /// Any tunnel that may be changed.
    pub(crate) fn any_tunnel(&mut self) -> Option<TunnelId> {
        let name = self.fleet.any_tunnel(&mut self.rng);
        self.names().into_iter().find(|(_, known)| *known == name).map(|(id, _)| id)
    }

    /// Something between nothing and this.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        self.rng.random_range(Duration::ZERO..most)
    }
}
