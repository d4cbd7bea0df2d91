//! Which program connectors are started as: what stands at the configured path, what is held, and what the roll-out decides.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    memory::ProgramMemory,
    names::Names,
    requests::Mode,
    rollout::Rollout,
    task::{Task, now},
};
use crate::{
    connector::{
        Binary, BinaryId, Ending, Generation, Happening, Reason, SlotId, SlotPrograms, SpawnFailure, Survivor, Told, Wanted,
    },
    event::{ProgramEvent, ProgramView},
    name::TunnelName,
    process::{BinaryWatch, HeldBinary, Inspection},
};

/// How many findings may wait. One more has to be made first, which takes longer than taking one in.
const FINDINGS_MAX: usize = 4;

/// The host's programs.
pub(super) struct Programs {
    watch: BinaryWatch,
    found: mpsc::Receiver<Inspection>,
    rollout: Rollout,
    held: BTreeMap<BinaryId, Arc<HeldBinary>>,
    path: PathBuf,
    /// Why nothing can be started; `None` when something can, or before it was looked.
    failure: Option<SpawnFailure>,
    /// Whether it was looked at the path. Before that nothing is started.
    is_known: bool,
}

impl Programs {
    /// Goes on from what an earlier daemon remembered and left running.
    pub(super) fn start(
        folders: Vec<PathBuf>,
        program: ProgramMemory,
        survivors: &[Survivor],
        retry: Duration,
    ) -> io::Result<Self> {
        let (sender, found) = mpsc::channel(FINDINGS_MAX);
        // Fails when the task is over.
        let watch = BinaryWatch::start(folders, move |inspection| drop(sender.blocking_send(inspection)))?;
        let running = || survivors.iter().filter(|survivor| survivor.proved && survivor.told != Told::Recorded);
        let rollout = Rollout::resume(program.rollout, running().filter_map(|survivor| survivor.facts.binary), retry);
        // The path says only what its processes are called; what is executed is held.
        let path = program.path.unwrap_or_else(|| "cloudflared".into());
        let mut held = BTreeMap::new();
        if let Some(trusted) = rollout.trusted() {
            let process = running().find(|survivor| survivor.facts.binary == Some(trusted.id));
            let of_process = process.and_then(|survivor| HeldBinary::of_process(survivor.pid, trusted, &path));
            held.extend(of_process.map(|binary| (trusted.id, Arc::new(binary))));
        }
        Ok(Self { watch, found, rollout, held, path, failure: None, is_known: false })
    }

    /// The next thing that is found at the path. Cancel-safe per docs on `recv`.
    pub(super) async fn found(&mut self) -> Inspection {
        match self.found.recv().await {
            Some(inspection) => inspection,
            // The thread ends only with this.
            None => std::future::pending().await,
        }
    }

    /// The slot that tries another program before all others.
    pub(super) fn on_trial(&self) -> Option<&SlotId> {
        self.rollout.canary()
    }

    /// What the tunnels of the slots are called from here on.
    pub(super) fn set_names(&mut self, names: Names) {
        self.rollout.set_names(names);
    }

    /// Whether it is known what can be started.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// The program of that id, or what there is instead of it.
    fn held(&self, wanted: Option<BinaryId>) -> Result<Arc<HeldBinary>, SpawnFailure> {
        let ids = [wanted, self.rollout.trusted().map(|trusted| trusted.id), self.rollout.installed().map(|there| there.id)];
        let held = ids.into_iter().flatten().find_map(|id| self.runnable(id));
        held.ok_or_else(|| {
            // It may have come back unseen.
            self.watch.look();
            let unknown = || Reason::new("binary-missing", "no cloudflared was found yet");
            self.failure.clone().unwrap_or_else(|| SpawnFailure { reason: unknown(), lasting: true })
        })
    }

    fn runnable(&self, id: BinaryId) -> Option<Arc<HeldBinary>> {
        self.held.get(&id).filter(|held| held.is_runnable()).cloned()
    }

    fn view(&self) -> ProgramView {
        let (state, other, reason) = self.rollout.shown();
        let usable = self.rollout.trusted().filter(|trusted| self.runnable(trusted.id).is_some()).or(self.rollout.installed());
        ProgramView {
            path: self.path.clone(),
            version: usable.map(|binary| binary.version.clone()),
            state,
            other_version: other.map(str::to_owned),
            reason: reason.cloned(),
        }
    }

    fn keep_needed(&mut self) {
        let needed: Vec<BinaryId> = self.rollout.needed().collect();
        self.held.retain(|id, _| needed.contains(id));
        let trusted = self.rollout.trusted().map(|trusted| trusted.id);
        self.rollout.set_trusted_held(trusted.is_some_and(|id| self.runnable(id).is_some()));
    }
}

impl Task {
    /// Looks for the program where what is wanted says. All launches name the same place, as the configuration has one.
    pub(super) fn follow_program(&mut self, wanted: &Wanted) {
        let Some(path) = wanted.tunnels.values().next().map(|tunnel| tunnel.launch.binary.clone()) else { return };
        self.programs.watch.follow(&path);
    }

    /// Something else than before was found at the path.
    pub(super) fn take_inspection(&mut self, inspection: Inspection) {
        let Inspection { path, result } = inspection;
        let is_there = result.is_ok();
        let programs = &mut self.programs;
        (programs.path, programs.is_known) = (path, true);
        let found: Result<Binary, Reason> = match result {
            Ok(held) => {
                let binary = held.binary().clone();
                programs.held.insert(binary.id, Arc::new(held));
                programs.failure = None;
                Ok(binary)
            }
            Err(failure) => {
                programs.failure = Some(failure.clone());
                Err(failure.reason)
            }
        };
        programs.rollout.handle_installed(found, now());
        self.spread_wishes();
        self.step_rollout();
        if is_there {
            // Those that an earlier daemon left waiting for it included, and those that asked while it was away unseen.
            self.for_all(|slot| slot.handle_binary_appeared(now()));
        }
    }

    /// Lets a roll-out go on that is under way. Where none is, it is looked at when something is found, asked for or started.
    pub(super) fn go_on_with_rollout(&mut self) {
        if !self.programs.rollout.is_quiet() || self.programs.rollout.has_news() {
            self.step_rollout();
        }
    }

    /// Lets the roll-out go on as far as the slots allow.
    pub(super) fn step_rollout(&mut self) {
        self.programs.keep_needed();
        // While everything drains nothing is tried, and what is gone proves nothing.
        let runs = *self.parts.mode.borrow() == Mode::Run;
        if runs && self.programs.is_known && !self.programs.rollout.is_quiet() {
            let observation = *self.parts.observation.borrow();
            self.programs.rollout.set_observation(observation);
            let slots: Vec<(Arc<SlotId>, SlotPrograms)> =
                self.slots().map(|(id, slot)| (Arc::clone(id), slot.programs())).collect();
            self.programs.rollout.step(&slots, now());
            self.programs.keep_needed();
            self.spread_wishes();
        }
        if self.tell_program() {
            // It may have ended, and then it is quiet.
            self.spread_wishes();
        }
    }

    /// When the roll-out has something to do although nothing happens.
    pub(super) fn rollout_due(&self) -> Option<Instant> {
        self.programs.rollout.due().filter(|at| *at > now())
    }

    /// Tells every slot what it is to be.
    fn spread_wishes(&mut self) {
        if !self.programs.is_known {
            return;
        }
        let ids: Vec<Arc<SlotId>> = self.slot_ids();
        for id in &ids {
            self.wish_program(id);
        }
    }

    /// Tells one slot what it is to be.
    pub(super) fn wish_program(&mut self, id: &Arc<SlotId>) {
        let wish = self.programs.rollout.wish(id);
        if self.programs.is_known && self.slot(id).is_some_and(|slot| slot.binary_wish() != wish) {
            self.with_slot(id, |slot| slot.handle_binary(wish, now()));
        }
    }

    /// Tells what happened to the program, and keeps it for the next daemon. Whether anything happened.
    fn tell_program(&mut self) -> bool {
        let mut has_happened = false;
        while let Some(happening) = self.programs.rollout.next_notice() {
            has_happened = true;
            self.parts.events.tell(ProgramEvent { happening, view: self.programs.view() });
        }
        if self.programs.is_known {
            let path = Some(self.programs.path.clone());
            self.memories.keep_program(ProgramMemory { path, rollout: self.programs.rollout.memory() });
        }
        has_happened
    }

    /// The program that a generation is started as; the slot is told when it is another than the wanted one.
    pub(super) fn program_for(&mut self, id: &Arc<SlotId>, generation: Generation) -> Result<Arc<HeldBinary>, SpawnFailure> {
        let wanted = self.slot(id).and_then(|slot| slot.program_wanted(generation));
        // What was held may have been written over unseen.
        self.programs.keep_needed();
        let held = self.programs.held(wanted)?;
        let program = held.binary().id;
        if wanted != Some(program) {
            self.with_slot(id, |slot| slot.handle_program(generation, program));
        }
        Ok(held)
    }

    /// A process ended: whether that says something about its program.
    pub(super) fn judge_ending(&mut self, id: &SlotId, generation: Generation, ending: Ending) {
        if !is_of_the_program(ending) {
            self.programs.rollout.excuse(id, generation);
        }
    }

    /// Something happened in a slot.
    pub(super) fn tell_rollout(&mut self, id: &SlotId, happening: &Happening) {
        // What hangs with most others says nothing about its program.
        if matches!(happening, Happening::Hung { .. }) && self.slots.get(id).is_some_and(|entry| entry.slot.is_restrained()) {
            return;
        }
        self.programs.rollout.hear(id, happening, now());
    }

    /// An operator restarts a tunnel.
    pub(super) fn operator_acts(&mut self, tunnel: &TunnelName) {
        self.programs.rollout.handle_operator(tunnel, now());
        self.step_rollout();
    }
}

/// Whether a process that ended so did it by itself. A program does not send itself the signals that people and the kernel send.
fn is_of_the_program(ending: Ending) -> bool {
    /// SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM.
    const FROM_OUTSIDE: [i32; 5] = [1, 2, 3, 9, 15];
    match ending {
        Ending::Code(_) => true,
        Ending::Signal(number) => !FROM_OUTSIDE.contains(&number),
        Ending::Unknown => false,
    }
}
