//! What the supervisor reports back: processes that came up or did not, answered, and ended.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Alive, Leave, LeaverPhase, Phase, Replacement, Run, Slot, Stage, Wait, signs::Signs, telling::Before};
use crate::connector::{
    Exit, Generation, Happening, Probe, Reason, RestartReason, Said, SpawnFailure,
    exit::Remedy,
    watch::{Health, Watch},
};

impl Slot {
    /// The spawner started `generation`.
    pub fn handle_spawned(&mut self, generation: Generation, pid: u32, metrics: SocketAddr, now: Instant) {
        if self.kill_unspawned(generation, now) {
            return;
        }
        let Some(run) = self.run_mut(generation) else { return };
        match run.phase {
            Phase::Spawning => {
                let alive =
                    Alive { pid, metrics, since: now, watch: Watch::new(now), signs: Signs::default(), doubted_since: None };
                run.phase = Phase::Alive(Box::new(alive));
            }
            Phase::Alive(_) => return, // said before
        }
        self.tell(Happening::Started { generation, pid, metrics });
    }

    /// The spawner could not start `generation`.
    pub fn handle_spawn_failed(&mut self, generation: Generation, failure: SpawnFailure, now: Instant) {
        if self.leaving.iter().any(|leaver| leaver.generation == generation && leaver.exit == LeaverPhase::Unspawned) {
            return self.remove_leaver(generation, now);
        }
        match self.run_mut(generation) {
            Some(Run { phase: Phase::Spawning, .. }) => {}
            Some(Run { phase: Phase::Alive(_), .. }) | None => return,
        }
        self.tell(Happening::CannotStart { generation, reason: failure.reason.clone() });
        if self.is_successor(generation) {
            return self.fail_replacement(failure.reason, now);
        }
        let (delay, wait) = if failure.lasting {
            // Only a change can help, and one that nobody tells of is found within a minute.
            (self.backoff.fail_for_long(&mut self.rng), Wait::Blocked)
        } else {
            (self.backoff.fail(&mut self.rng), Wait::BackOff)
        };
        self.wait(delay, wait, RestartReason::Exit, failure.reason, now);
    }

    /// The process of `generation` ended.
    pub fn handle_exit(&mut self, generation: Generation, exit: &Exit, now: Instant) {
        if let Some(leaver) = self.leaving.iter().find(|leaver| leaver.generation == generation) {
            let Some(since) = leaver.since else { return }; // it never ran
            let reason = Reason::new("asked", "Adit told it to stop");
            self.tell_exit(generation, exit, now.saturating_duration_since(since), true, reason);
            return self.remove_leaver(generation, now);
        }
        if matches!(&self.stage, Stage::Quarantined { generation: quarantined, .. } if *quarantined == generation) {
            return self.end_quarantine(exit, now);
        }
        let Some(alive) = self.run_mut(generation).and_then(|run| run.alive()) else { return };
        let lived = now.saturating_duration_since(alive.since);
        let ready = alive.watch.ready_since().map(|since| now.saturating_duration_since(since));
        let diagnosis = exit.diagnose(lived, alive.watch.has_answered());
        if self.is_successor(generation) {
            self.tell_exit(generation, exit, lived, false, diagnosis.reason.clone());
            return self.fail_replacement(diagnosis.reason, now);
        }
        if let Some(ready) = ready {
            self.backoff.settle(ready);
        }
        if self.succeed().is_some() {
            self.backoff.fail(&mut self.rng);
            return self.tell_exit(generation, exit, lived, false, diagnosis.reason);
        }
        if self.end_surplus() {
            self.tell_exit(generation, exit, lived, false, diagnosis.reason);
            return self.tell_if_at_rest();
        }
        let (delay, wait) = self.next_try(diagnosis.remedy);
        self.stage =
            Stage::Waiting { until: now + delay, wait, restart: Some(diagnosis.restart), reason: diagnosis.reason.clone() };
        self.tell_exit(generation, exit, lived, false, diagnosis.reason);
        self.tell_waiting(delay);
    }

    /// A probe of `generation` came back.
    pub fn handle_probe(&mut self, generation: Generation, probe: Probe, now: Instant) {
        if self.probe_leaver(generation, &probe, now) {
            return;
        }
        let settings = self.settings;
        if let Stage::Quarantined { generation: quarantined, facts, alive } = &mut self.stage {
            if *quarantined == generation {
                alive.watch.handle_probe(probe, facts, &settings, &mut self.rng, now);
                if alive.watch.health(&settings) == Health::Hung {
                    let pid = alive.pid;
                    self.abandon(generation, pid, RestartReason::Hung, now);
                }
            }
            return;
        }
        let (run, rng) = match &mut self.stage {
            Stage::Serving { run, .. } if run.generation == generation => (run, &mut self.rng),
            Stage::Serving { replacement: Replacement::Running { successor, .. }, .. } if successor.generation == generation => {
                let facts = successor.facts;
                if let Some(alive) = successor.alive_mut() {
                    alive.handle_probe(probe, &facts, &settings, &mut self.rng, now);
                }
                return;
            }
            Stage::Resting | Stage::Waiting { .. } | Stage::Serving { .. } | Stage::Quarantined { .. } => return,
        };
        let facts = run.facts;
        let Some(alive) = run.alive_mut() else { return };
        let watch = &alive.watch;
        let failures = self.backoff.failures();
        let before = Before { health: watch.health(&settings), vitals: watch.vitals.clone(), whole: watch.was_whole(), failures };
        alive.handle_probe(probe, &facts, &settings, rng, now);
        if let Some(since) = alive.watch.ready_since() {
            self.backoff.settle(now.saturating_duration_since(since));
            self.causes.revivals = 0;
        }
        if alive.watch.vitals.connections >= facts.connections {
            alive.signs.connected();
        }
        self.tell_vitals(before, now);
        self.tell_refusal(now);
        self.tell_flapping(now);
        self.drop_obsolete_ask();
        self.mend(now);
        self.revive(generation, now);
    }

    /// `generation` said over its notify socket that it has its first connection.
    pub fn handle_notify_ready(&mut self, generation: Generation, now: Instant) {
        if let Some(alive) = self.run_mut(generation).and_then(Run::alive_mut) {
            alive.watch.hurry(now);
        }
    }

    /// `generation` wrote something to its log.
    pub fn handle_said(&mut self, generation: Generation, said: &Said, now: Instant) {
        let Some(alive) = self.run_mut(generation).and_then(Run::alive_mut) else { return };
        let protocol = alive.signs.protocol;
        alive.signs.hear(said, now);
        let learnt = alive.signs.protocol != protocol;
        match said {
            Said::Configured => alive.watch.doubt_version(now),
            Said::Registered { .. } | Said::Lost => alive.watch.hurry_a_little(now),
            Said::ConfigurationRefused { version, why } => {
                let (version, why) = (*version, why.clone());
                self.tell(Happening::ConfigurationRefused { generation, version, why });
            }
            Said::Prechecked { .. } | Said::QuicDialFailed | Said::FellBack | Said::Refused { .. } | Said::RegistrationFailed => {
            }
        }
        if learnt {
            self.tell_protocol(generation);
        }
        self.tell_refusal(now);
        self.consider_transport(generation, now);
    }

    /// The output of `generation` cannot be kept.
    pub fn handle_log_unavailable(&mut self, generation: Generation, error: String) {
        self.tell(Happening::LogUnavailable { generation, error });
    }

    /// The metrics server of the serving generation never opened.
    pub(super) fn give_up_start(&mut self, now: Instant) {
        let Stage::Serving { run, .. } = &self.stage else { return };
        let generation = run.generation;
        let waited = run.alive().map_or(Duration::ZERO, |alive| now.saturating_duration_since(alive.since));
        self.clear_stage(Leave::Soon, now);
        self.tell(Happening::NeverAnswered { generation, waited });
        let reason = Reason::new("never-answered", "its metrics server never answered");
        let delay = self.backoff.fail(&mut self.rng);
        self.wait(delay, Wait::BackOff, RestartReason::NotReady, reason, now);
    }

    /// When to start again after a serving generation ended by itself.
    pub(super) fn next_try(&mut self, remedy: Remedy) -> (Duration, Wait) {
        let first = self.backoff.failures() == 0;
        let delay = self.backoff.fail(&mut self.rng);
        match remedy {
            Remedy::BackOff => (delay, Wait::BackOff),
            // Once only: a cause that comes again is not gone with the process.
            Remedy::OnceMore if first => (delay, Wait::BackOff),
            Remedy::AtOnce => (if first { Duration::ZERO } else { delay }, Wait::BackOff),
            Remedy::OnceMore | Remedy::Block => (self.settings.blocked_retry, Wait::Blocked),
        }
    }

    pub(super) fn wait(&mut self, delay: Duration, wait: Wait, restart: RestartReason, reason: Reason, now: Instant) {
        if self.end_surplus() {
            return self.tell_if_at_rest();
        }
        self.stage = Stage::Waiting { until: now + delay, wait, restart: Some(restart), reason };
        self.tell_waiting(delay);
    }
}
