//! The regular checks of routes: a task that asks what is due, and one that makes old results stand for nothing.
//!
//! ```text
//!  intent, status ─▶ wanted ─▶ Planner ─▶ due ─▶ Prober (a task each) ─▶ Outcome ─▶ Planner ─▶ events
//! ```
//!
//! What to ask and what the answers come to is decided in [`crate::route_check`]. The second task is apart so that nothing that
//! hangs here can keep an old result alive.

mod wanted;

use std::{collections::BTreeMap, mem, sync::Arc, time::Duration};

use jiff::Timestamp;
use rand::{SeedableRng, rngs::SmallRng};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use self::wanted::{Signature, wanted};
use crate::{
    desired::Intended,
    event::{RouteCheckEvent, Sink},
    intent::Intent,
    recorder::Recorder,
    route_check::{Happening, Notice, Outcome, Planner, Schedule},
    route_probe::{Prober, Vantage},
};

/// How long results that change nothing wait for others, so that they change the status together.
const TOGETHER: Duration = Duration::from_millis(500);

/// How soon after a look at the status the next one comes at the earliest: it changes many times a second on a large host.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// How long the next look for old results waits at most.
const EXPIRY_PAUSE: Duration = Duration::from_secs(30);

/// Checks routes, for ever.
pub(super) async fn keep(intent: Intent, recorder: Recorder, prober: Prober, events: Sink) {
    let intended = intent.intended();
    let mut checks = Checks {
        planner: Planner::new(schedule(&intended)),
        seen: None,
        vantage: vantage(&intended),
        rng: SmallRng::from_rng(&mut rand::rng()),
        running: JoinSet::new(),
        ids: BTreeMap::new(),
        quiet: Vec::new(),
        quiet_until: None,
        prober,
        events,
    };
    let (mut intents, mut happened) = (intent.subscribe(), recorder.watch());
    let (mut must_look, mut look_at) = (true, Instant::now());
    loop {
        checks.ask_what_is_due();
        let wake_at = checks.planner.next_at().map(Instant::from_std).into_iter().chain(checks.quiet_until).min();
        // Every arm is cancel-safe: what finished, what changed and the time are there at the next look.
        tokio::select! {
            Some(finished) = checks.running.join_next_with_id() => match finished {
                Ok((task, outcome)) => checks.take(task, Some(outcome)),
                Err(error) => checks.take(error.id(), None),
            },
            () = at(wake_at) => checks.tell_quiet_ones_in_time(),
            () = sleep_until(look_at), if must_look => {
                (must_look, look_at) = (false, Instant::now() + LOOK_PAUSE);
                checks.look(&intent.intended(), &recorder);
            }
            changed = intents.changed() => match changed {
                Ok(()) => must_look = true,
                Err(_) => return,
            },
            changed = happened.changed(), if !must_look => match changed {
                Ok(()) => must_look = true,
                Err(_) => return,
            },
        }
    }
}

/// Makes results that are too old stand for nothing, for ever.
pub(super) async fn expire(recorder: Recorder, events: Sink) {
    let mut happened = recorder.watch();
    loop {
        let now = Timestamp::now();
        happened.mark_unchanged();
        let (stale, next) = recorder.status().stale_checks(now);
        if !stale.is_empty() {
            events.tell(RouteCheckEvent::Read(stale));
        }
        let until_next = match next {
            Some(next) => Duration::try_from(next.duration_since(now)).unwrap_or_default(),
            // Nothing is known to get old; what comes gets old later than the pause is over.
            None if happened.changed().await.is_err() => return,
            None => EXPIRY_PAUSE,
        };
        // Results that come later get old later; a clock that is set is noticed after the pause.
        sleep(until_next.min(EXPIRY_PAUSE) + TOGETHER).await;
    }
}

struct Checks {
    planner: Planner,
    /// What was wanted the last time, and of what status.
    seen: Option<(Arc<Intended>, Signature)>,
    vantage: Vantage,
    rng: SmallRng,
    running: JoinSet<Outcome>,
    /// Which question each task asks.
    ids: BTreeMap<tokio::task::Id, u64>,
    /// Results that change nothing, and until when they wait.
    quiet: Vec<Notice>,
    quiet_until: Option<Instant>,
    prober: Prober,
    events: Sink,
}

impl Checks {
    /// Wants what follows from intent and status, when one of them changed in a way that matters.
    fn look(&mut self, intended: &Arc<Intended>, recorder: &Recorder) {
        let status = recorder.status();
        let signature = Signature::of(intended, &status);
        if self.seen.as_ref().is_some_and(|(before, seen)| Arc::ptr_eq(before, intended) && *seen == signature) {
            return;
        }
        let wanted = wanted(intended, &status);
        drop(status);
        self.seen = Some((intended.clone(), signature));
        self.vantage = vantage(intended);
        let notices = self.planner.want(schedule(intended), wanted, Instant::now().into_std(), &mut self.rng);
        self.tell(notices);
        // Whoever asks now is to see that they are not checked yet.
        self.tell_quiet_ones();
    }

    fn ask_what_is_due(&mut self) {
        for (id, question) in self.planner.due(Instant::now().into_std()) {
            let (prober, vantage) = (self.prober.clone(), self.vantage);
            let task = self.running.spawn(async move { prober.answer(&question, vantage).await });
            self.ids.insert(task.id(), id);
        }
    }

    fn take(&mut self, task: tokio::task::Id, outcome: Option<Outcome>) {
        let Some(id) = self.ids.remove(&task) else { return };
        // A task that panicked ends the daemon in a release; in a test nothing was found out.
        let Some(outcome) = outcome else { return };
        let notices = self.planner.report(id, outcome, Instant::now().into_std(), &mut self.rng);
        self.tell(notices);
    }

    /// Tells what turned over at once, and the rest together with what comes soon.
    fn tell(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            match notice.happening {
                Happening::Turned(_) => {
                    self.tell_quiet_ones();
                    self.events.tell(RouteCheckEvent::Turned(notice));
                }
                Happening::Began | Happening::Read(_) | Happening::Expired | Happening::Ended => {
                    self.quiet_until.get_or_insert_with(|| Instant::now() + TOGETHER);
                    self.quiet.push(notice);
                }
            }
        }
    }

    fn tell_quiet_ones_in_time(&mut self) {
        if self.quiet_until.is_some_and(|until| until <= Instant::now()) {
            self.tell_quiet_ones();
        }
    }

    fn tell_quiet_ones(&mut self) {
        self.quiet_until = None;
        if !self.quiet.is_empty() {
            self.events.tell(RouteCheckEvent::Read(mem::take(&mut self.quiet)));
        }
    }
}

fn schedule(intended: &Intended) -> Schedule {
    let health = &intended.config.health;
    Schedule { origin: health.interval, outside: health.outside_interval }
}

/// From where a visitor's request is made.
pub(super) fn vantage(intended: &Intended) -> Vantage {
    let health = &intended.config.health;
    Vantage { resolver: health.resolver, front: health.front }
}

/// The time, if there is one to wait for.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
