//! The task that owns every slot.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::SmallRng};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::task::TaskTracker;

use super::{
    alarm::Alarm,
    children::Child,
    grid::Grid,
    heartbeat::Heartbeat,
    holders::publish_holders,
    memory::Memories,
    names::Names,
    probes::PROBES_MAX,
    programs::Programs,
    requests::{Mode, Request},
    rounds::Rounds,
    starter::Starter,
    starts::Starts,
    turns::{Ground, next_turn},
    uplink::Uplink,
};
use crate::{
    connector::{
        Command, Exit, Finding, Generation, Holders, HostTransport, Probe, Settings, Slot, SlotId, SpawnFailure, Wanted,
    },
    event::{ConnectorEvent, Sink},
    notify::Notifications,
    output::{Hint, Output},
    process::{Spawned, Spawner},
};

/// How many reports may wait; those who report wait then, and hold nothing up.
const REPORTS_MAX: usize = 256;

/// What a task is made of.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) spawner: Arc<Spawner>,
    pub(super) starter: Starter,
    pub(super) output: Output,
    pub(super) notifications: Option<Notifications>,
    pub(super) wanted: watch::Receiver<Arc<Wanted>>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) mode: watch::Receiver<Mode>,
    pub(super) observation: watch::Receiver<Duration>,
    pub(super) hints: mpsc::Receiver<Hint>,
    pub(super) events: Sink,
    pub(super) shared_names: watch::Sender<Arc<Names>>,
    pub(super) heartbeat: Arc<Heartbeat>,
    pub(super) edge_probe: watch::Receiver<Vec<String>>,
    pub(super) holders: watch::Sender<Arc<Holders>>,
}

pub(super) struct Task {
    pub(super) parts: Parts,
    pub(super) programs: Programs,
    pub(super) memories: Memories,
    /// What the tunnels of the slots are called.
    pub(super) names: Names,
    pub(super) slots: BTreeMap<Arc<SlotId>, Entry>,
    /// Whose processes these are, by their ids.
    pub(super) pids: BTreeMap<u32, (Arc<SlotId>, Generation)>,
    /// When each slot wants to be woken.
    timers: BTreeSet<(Instant, Arc<SlotId>)>,
    /// Slots that wait for their turn to replace their connector.
    pub(super) asking: BTreeSet<Arc<SlotId>>,
    /// Slots that are at it.
    replacing: BTreeSet<Arc<SlotId>>,
    /// Slots that are not wanted any more and go on until another one of their tunnels serves.
    pub(super) surplus: BTreeSet<Arc<SlotId>>,
    /// Slots that have a connection to the edge.
    pub(super) connected: BTreeSet<Arc<SlotId>>,
    /// What is known of QUIC on this host.
    pub(super) transport: HostTransport,
    pub(super) rng: SmallRng,
    pub(super) starts: Starts,
    /// The last generation of slots, those of earlier daemons and of slots that are gone included.
    pub(super) generations: BTreeMap<SlotId, Generation>,
    pub(super) uplink: Uplink,
    alarm: Alarm,
    pub(super) grid: Grid,
    pub(super) rounds: Rounds,
    /// Places for those that are asked apart.
    pub(super) probes: Arc<Semaphore>,
    pub(super) report_sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    /// Events, in order, until what follows from them is ordered.
    untold: VecDeque<ConnectorEvent>,
    /// What is removed when processes have ended.
    cleaning: TaskTracker,
    /// Whether it has been said what is wanted. Until then nothing that was adopted is unwanted.
    pub(super) is_wanted_known: bool,
    /// Whether it can still change.
    pub(super) is_wanted_open: bool,
}

/// A slot and its processes.
pub(super) struct Entry {
    pub(super) slot: Slot,
    pub(super) children: Vec<Child>,
    wake_at: Option<Instant>,
}

/// What comes back from what runs elsewhere.
pub(super) struct Report {
    pub(super) slot: Arc<SlotId>,
    pub(super) generation: Generation,
    pub(super) what: Reported,
}

pub(super) enum Reported {
    Spawned { result: Result<Box<Spawned>, SpawnFailure>, log_trouble: Option<io::Error> },
    Ended(Exit),
    Probed { probe: Probe, processor_time: Option<Duration> },
}

impl Task {
    pub(super) fn new(parts: Parts, programs: Programs, memories: Memories) -> io::Result<Self> {
        let (report_sender, reports) = mpsc::channel(REPORTS_MAX);
        Ok(Self {
            transport: HostTransport::new(&parts.settings),
            rng: SmallRng::from_rng(&mut rand::rng()),
            uplink: Uplink::new(parts.edge_probe.clone()),
            names: Names::resume(memories.names().clone()),
            parts,
            programs,
            memories,
            slots: BTreeMap::new(),
            pids: BTreeMap::new(),
            timers: BTreeSet::new(),
            asking: BTreeSet::new(),
            replacing: BTreeSet::new(),
            surplus: BTreeSet::new(),
            connected: BTreeSet::new(),
            starts: Starts::default(),
            generations: BTreeMap::new(),
            alarm: Alarm::new()?,
            grid: Grid::new(now()),
            rounds: Rounds::default(),
            probes: Arc::new(Semaphore::new(PROBES_MAX)),
            report_sender,
            reports,
            untold: VecDeque::new(),
            cleaning: TaskTracker::new(),
            is_wanted_known: false,
            is_wanted_open: true,
        })
    }

    pub(super) async fn run(mut self) {
        let first = Arc::clone(&self.parts.wanted.borrow_and_update());
        self.is_wanted_known = !first.tunnels.is_empty();
        self.take_wanted(&first);
        while self.turn().await.is_continue() {}
        self.cleaning.close();
        self.cleaning.wait().await;
    }

    /// Does what is due, then waits for one thing.
    async fn turn(&mut self) -> ControlFlow<()> {
        self.hear_round();
        self.wake_slots();
        self.try_quic();
        self.release_surplus();
        self.go_on_with_rollout();
        self.give_turns();
        self.heed_fleet();
        self.start_spawns();
        self.parts.heartbeat.beat();
        if self.is_over() {
            return ControlFlow::Break(());
        }
        let next = [
            self.timers.first().map(|(at, _)| *at),
            self.rounds.due(),
            self.transport.poll_timeout(),
            self.attempt_due(),
            self.rollout_due(),
            self.surplus_due(),
            self.uplink.due(self.waits_for_room()),
        ];
        if let Err(error) = self.alarm.set(next.into_iter().flatten().min()) {
            // The kernel refuses no time that it is given here.
            tracing::error!(%error, "Cannot set the alarm of the loop over the connectors");
            return ControlFlow::Break(());
        }
        tokio::select! {
            biased;
            // An operator's stop comes before all work. Cancel-safe per docs on `changed`.
            changed = self.parts.mode.changed() => match changed {
                Ok(()) => self.change_mode(),
                // Every handle is gone: the connectors are the next daemon's.
                Err(_) => return ControlFlow::Break(()),
            },
            // What really happened comes before what somebody wants. Cancel-safe per docs on `recv`.
            Some(report) = self.reports.recv() => self.take_report(report),
            // Cancel-safe as it says itself.
            pid = next_ready(self.parts.notifications.as_ref()) => self.take_ready(pid),
            // Cancel-safe as it says itself.
            inspection = self.programs.found() => self.take_inspection(inspection),
            // Cancel-safe as it says itself.
            happened = self.uplink.happened() => self.take_uplink(happened),
            // Cancel-safe per docs on `recv`.
            Some(request) = self.parts.requests.recv() => self.take_request(request),
            // Cancel-safe per docs on `changed`.
            changed = self.parts.wanted.changed(), if self.is_wanted_open => self.take_wanted_change(changed.is_ok()),
            // Last, as a broken edge makes connectors say thousands of things a second, and what is lost is found out by probes.
            // Cancel-safe per docs on `recv`.
            Some(hint) = self.parts.hints.recv() => self.take_hint(hint),
            // Cancel-safe as it says itself.
            () = self.parts.heartbeat.asked() => {}
            // Cancel-safe as it says itself.
            _ = self.alarm.rings() => {}
        }
        ControlFlow::Continue(())
    }

    fn is_over(&self) -> bool {
        match *self.parts.mode.borrow() {
            Mode::Run => false,
            Mode::Detach => true,
            Mode::Drain | Mode::Abort => {
                let at_rest = |entry: &Entry| entry.slot.is_at_rest() && entry.children.is_empty();
                !self.starts.are_under_way() && self.slots.values().all(at_rest)
            }
        }
    }

    fn change_mode(&mut self) {
        let mode = *self.parts.mode.borrow_and_update();
        // What is wanted from now on is the next daemon's: nobody would tell a connector that is new to end.
        self.is_wanted_open &= mode == Mode::Run;
        match mode {
            Mode::Run | Mode::Detach => {}
            Mode::Drain => self.for_all(|slot| slot.handle_shutdown(now())),
            Mode::Abort => self.for_all(|slot| slot.handle_abort(now())),
        }
    }

    // ---- what is due ----

    fn wake_slots(&mut self) {
        let now = now();
        while let Some((at, id)) = self.timers.first().cloned()
            && at <= now
        {
            let Some(entry) = self.slots.get_mut(&id) else {
                self.timers.pop_first();
                continue;
            };
            entry.slot.handle_timeout(now, &mut self.uplink.fleet.gate(&id));
            self.settle(&id);
        }
    }

    fn give_turns(&mut self) {
        loop {
            let asking = self.asking.iter().filter_map(|id| {
                let restart = self.slots.get(id)?.slot.wants_turn()?;
                self.can_help(id, restart).then_some((&**id, restart))
            });
            let ground = Ground {
                replacing: &self.replacing,
                on_trial: self.programs.on_trial(),
                is_edge_reachable: !self.connected.is_empty(),
            };
            let Some(id) = next_turn(asking, &ground).cloned() else { return };
            self.with_slot(&Arc::new(id), |slot| slot.handle_turn(now()));
        }
    }

    // ---- what happens ----

    fn take_report(&mut self, report: Report) {
        let Report { slot: id, generation, what } = report;
        match what {
            Reported::Spawned { result, log_trouble } => self.take_spawned(&id, generation, result, log_trouble),
            Reported::Ended(exit) => {
                self.judge_ending(&id, generation, exit.ending);
                let process = self.take_child(&id, generation);
                self.replace_dead(&id, generation, &exit);
                // Its successor is being started; what is left to be done for the dead comes after.
                self.parts.output.finish(&id, generation);
                self.cleaning.spawn_blocking(move || process.map(|process| process.forget()));
            }
            Reported::Probed { probe, processor_time } => self.take_probe(&id, generation, probe, processor_time),
        }
    }

    /// Hands an end to its slot. A restart that need not wait is ordered before anything is told of the end.
    fn replace_dead(&mut self, id: &Arc<SlotId>, generation: Generation, exit: &Exit) {
        let now = now();
        if let Some(Entry { slot, .. }) = self.slots.get_mut(id) {
            slot.handle_exit(generation, exit, now);
            self.uplink.fleet.see(id, Some(slot.standing()), now);
            if slot.poll_timeout().is_some_and(|at| at <= now) {
                slot.handle_timeout(now, &mut self.uplink.fleet.gate(id));
            }
        }
        self.settle(id);
    }

    fn take_ready(&mut self, pid: u32) {
        // Others may write to the socket too, and a process may be quicker than the report of its start: probes find it ready.
        if let Some((id, generation)) = self.pids.get(&pid).cloned() {
            self.with_slot(&id, |slot| slot.handle_notify_ready(generation, now()));
        }
    }

    // ---- slots ----

    pub(super) fn ensure_slot(&mut self, id: &Arc<SlotId>) {
        if self.slots.contains_key(id) {
            return;
        }
        let last = self.generations.get(&**id).copied().unwrap_or(Generation(0));
        let rng = SmallRng::from_rng(&mut rand::rng());
        let mut slot = Slot::new((**id).clone(), self.parts.settings, last, rng);
        slot.handle_host_transport(self.transport.begin_with(), now());
        self.slots.insert(Arc::clone(id), Entry { slot, children: Vec::new(), wake_at: None });
    }

    /// Gives a slot what an earlier daemon remembered of it.
    pub(super) fn remind(&mut self, id: &Arc<SlotId>) {
        if let Some((memory, past)) = self.memories.take(id) {
            self.with_slot(id, |slot| slot.resume(memory, past, now()));
        }
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = (&Arc<SlotId>, &Slot)> {
        self.slots.iter().map(|(id, entry)| (id, &entry.slot))
    }

    pub(super) fn slot(&self, id: &Arc<SlotId>) -> Option<&Slot> {
        self.slots.get(id).map(|entry| &entry.slot)
    }

    pub(super) fn slot_ids(&self) -> Vec<Arc<SlotId>> {
        self.slots.keys().cloned().collect()
    }

    pub(super) fn for_all(&mut self, act: impl Fn(&mut Slot)) {
        for id in &self.slot_ids() {
            self.with_slot(id, &act);
        }
    }

    /// Lets `act` change a slot, then carries out what follows from it.
    pub(super) fn with_slot<T>(&mut self, id: &Arc<SlotId>, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let answer = act(&mut self.slots.get_mut(id)?.slot);
        self.settle(id);
        Some(answer)
    }

    fn settle(&mut self, id: &Arc<SlotId>) {
        // What is started next depends on what happened, and comes before others are told of it.
        while let Some(notice) = self.slots.get_mut(id).and_then(|entry| entry.slot.next_notice()) {
            self.tell_rollout(id, &notice.happening);
            self.memories.hear(id, &notice.happening);
            let slot = self.names.shown_slot(id);
            self.untold.push_back(ConnectorEvent { slot, notice });
        }
        while let Some(command) = self.slots.get_mut(id).and_then(|entry| entry.slot.next_command()) {
            self.carry_out(id, command);
        }
        for event in self.untold.drain(..) {
            self.parts.events.tell(event);
        }
        let Some(entry) = self.slots.get_mut(id) else { return };
        self.memories.keep(id, entry.slot.memory(), now());
        let quiet = entry.slot.is_quiet();
        let wake_at = entry.slot.poll_timeout().map(|at| if quiet { self.grid.at_or_after(at) } else { at });
        if wake_at != entry.wake_at {
            if let Some(before) = entry.wake_at {
                self.timers.remove(&(before, Arc::clone(id)));
            }
            self.timers.extend(wake_at.map(|at| (at, Arc::clone(id))));
            entry.wake_at = wake_at;
        }
        list(&mut self.asking, id, entry.slot.wants_turn().is_some());
        list(&mut self.replacing, id, entry.slot.is_replacing());
        list(&mut self.surplus, id, entry.slot.is_surplus());
        list(&mut self.connected, id, entry.slot.is_connected());
        if entry.slot.is_connected() {
            self.transport.handle_connected();
        }
        self.uplink.fleet.see(id, Some(entry.slot.standing()), now());
        let findings: Vec<Finding> = std::iter::from_fn(|| entry.slot.next_finding()).collect();
        publish_holders(&self.parts.holders, id, entry.slot.holders());
        if entry.slot.is_forgotten() && entry.children.is_empty() {
            self.uplink.fleet.see(id, None, now());
            self.generations.insert((**id).clone(), entry.slot.generation());
            self.slots.remove(id);
        }
        for finding in findings {
            self.take_finding(id, finding);
        }
    }

    fn carry_out(&mut self, id: &Arc<SlotId>, command: Command) {
        match command {
            Command::Spawn { generation, launch } => self.order_start(id, generation, launch),
            Command::Terminate { generation } => {
                if let Some(process) = self.process(id, generation) {
                    // It writes a record first.
                    tokio::task::spawn_blocking(move || process.terminate());
                }
            }
            Command::Kill { generation } => {
                if let Some(process) = self.process(id, generation) {
                    process.kill();
                }
            }
            Command::Probe { generation, metrics, ask } => {
                if !self.ask_in_round(id, generation, metrics, ask) {
                    self.ask_apart(id, generation, metrics, ask);
                }
            }
        }
    }
}

/// Has a slot in a list, or not.
fn list(slots: &mut BTreeSet<Arc<SlotId>>, id: &Arc<SlotId>, is_in: bool) {
    if is_in {
        slots.insert(Arc::clone(id));
    } else {
        slots.remove(id);
    }
}

async fn next_ready(notifications: Option<&Notifications>) -> u32 {
    match notifications {
        Some(notifications) => match notifications.ready().await {
            Ok(pid) => pid,
            // A socket that fails says nothing any more; probes find out the same.
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
