//! Which questions are due, and what their answers come to.
//!
//! Every question is asked once a period, a little earlier or later each time, so that those of a large configuration do not come
//! together. Those that failed last time, or were not asked yet, wait in a lane of their own: however many hang, the others are asked
//! as ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rand::{Rng, RngExt};

use super::{
    Answer, CheckKind, Finding, Happening, Notice, Outcome, Question, RouteKey,
    allowance::{Allowance, Rest},
    damping::Damping,
};
use crate::name::TunnelName;

/// How many questions are asked at once of those that were answered well last time: an origin of this host answers in a millisecond.
const ASKED_MAX: usize = 32;

/// How many of the others. Each may take some seconds, and a thousand have to fit in a few periods.
const DOUBTFUL_ASKED_MAX: usize = 128;

/// The room that each question adds to the time in which those that begin together are asked first.
const FIRST_ROOM: Duration = Duration::from_millis(20);

/// The shortest such time.
const FIRST_MIN: Duration = Duration::from_millis(500);

/// How much sooner than a period a question is asked again whose last answer decided nothing.
const SOONER: u32 = 6;

/// The shortest time until then: whoever restarts has a moment.
const SOON_MIN: Duration = Duration::from_secs(1);

/// How much earlier or later than its period a question is asked, of one.
const JITTER: f64 = 0.1;

/// How often it is told of one question that its state turned over: whoever goes up and down all the time is told of in the beginning,
/// and then as it is now and again.
const TOLD_OF_ONE: Allowance = Allowance { at_once: 4, each: Duration::from_secs(300) };

/// How often of all together. A thousand origins that go down at once must not drive everything else out of the feed, which keeps as many
/// entries; the status has all of them at once.
const TOLD_OF_ALL: Allowance = Allowance { at_once: 100, each: Duration::from_secs(5) };

/// After how many periods without a new one a result stands for nothing.
const FRESH_PERIODS: u32 = 3;

/// What waiting for an answer, and for a turn to ask, may add to that.
const ASKING_TIME: Duration = Duration::from_secs(10);

/// For how long a hostname that was not asked for before may fail: its record is on its way to resolvers, its certificate may be too.
const NEW_FOR: Duration = Duration::from_secs(300);

/// How often questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Between two of the same to an origin.
    pub origin: Duration,
    /// Between two for the same public hostname.
    pub outside: Duration,
}

impl Schedule {
    fn period(&self, kind: CheckKind) -> Duration {
        match kind {
            CheckKind::Origin => self.origin,
            CheckKind::Outside => self.outside,
        }
    }

    /// How long a result stands for something.
    fn fresh_for(&self, kind: CheckKind) -> Duration {
        self.period(kind) * FRESH_PERIODS + ASKING_TIME
    }
}

/// The questions that are wanted, each with the routes that it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted(BTreeMap<Question, Askers>);

/// The routes that share a question, by tunnel.
type Askers = BTreeMap<TunnelName, BTreeSet<RouteKey>>;

impl Wanted {
    /// Wants an answer to `question` for a route.
    pub fn add(&mut self, question: Question, tunnel: &TunnelName, route: RouteKey) {
        self.0.entry(question).or_default().entry(tunnel.clone()).or_default().insert(route);
    }
}

/// The machine. Whoever drives it asks what is [due](Self::due), brings back each outcome and tells the notices.
#[derive(Debug)]
pub struct Planner {
    schedule: Schedule,
    ids: BTreeMap<Question, u64>,
    entries: BTreeMap<u64, Entry>,
    /// Those that wait, by when they are due.
    waiting: BTreeMap<Lane, BTreeSet<(Instant, u64)>>,
    /// Those that are being asked, also of what nobody wants any more.
    asking: BTreeMap<u64, Lane>,
    last_id: u64,
    /// What may still be told.
    rest: Rest,
}

#[derive(Debug)]
struct Entry {
    question: Question,
    askers: Askers,
    lane: Lane,
    /// When it is due; `None` while it is asked.
    due_at: Option<Instant>,
    began_at: Instant,
    damping: Damping,
    /// What may still be told of it.
    rest: Rest,
}

/// Where a question waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// The last answer was good.
    Well,
    /// It was not, or there is none.
    Doubtful,
}

impl Lane {
    const ALL: [Self; 2] = [Self::Well, Self::Doubtful];

    fn asked_max(self) -> usize {
        match self {
            Self::Well => ASKED_MAX,
            Self::Doubtful => DOUBTFUL_ASKED_MAX,
        }
    }
}

impl Planner {
    /// One that wants nothing yet.
    pub fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            ids: BTreeMap::new(),
            entries: BTreeMap::new(),
            waiting: Lane::ALL.map(|lane| (lane, BTreeSet::new())).into(),
            asking: BTreeMap::new(),
            last_id: 0,
            rest: Rest::default(),
        }
    }

    /// Wants these questions answered this often, and no others.
    pub fn want(&mut self, schedule: Schedule, wanted: Wanted, now: Instant, rng: &mut impl Rng) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.schedule = schedule;
        let ids: Vec<u64> = self.entries.keys().copied().collect();
        for id in ids {
            let entry = self.entries.get_mut(&id).expect("nothing was removed that stands in the list");
            let nobody = Askers::new();
            let askers = wanted.0.get(&entry.question).unwrap_or(&nobody);
            notices.extend(differences(&entry.askers, askers, &entry.question, Happening::Ended));
            if askers.is_empty() {
                self.remove(id);
            } else {
                // A period that became shorter holds from this one on.
                let latest = now + jittered(schedule.period(entry.question.kind()), rng);
                if entry.due_at.is_some_and(|due_at| due_at > latest) {
                    self.wait_until(id, latest);
                }
            }
        }
        let is_new = |question: &Question| !self.ids.contains_key(question);
        let count = u32::try_from(wanted.0.keys().filter(|question| is_new(question)).count()).unwrap_or(u32::MAX);
        for (question, askers) in wanted.0 {
            let within = FIRST_ROOM.saturating_mul(count).max(FIRST_MIN).min(schedule.period(question.kind()));
            let first_at = now + within.mul_f64(rng.random_range(0.0..1.0));
            let id = self.ids.get(&question).copied().unwrap_or_else(|| self.insert(question, now));
            let entry = self.entries.get_mut(&id).expect("every id has its entry");
            let began = differences(&askers, &entry.askers, &entry.question, Happening::Began);
            entry.askers = askers;
            if !began.is_empty() {
                notices.extend(began);
                if entry.due_at.is_none_or(|due_at| due_at > first_at) && !self.asking.contains_key(&id) {
                    self.wait_until(id, first_at);
                }
            }
        }
        notices
    }

    /// The questions whose time has come, as far as there is room to ask: each has to be brought back by [`Self::report`].
    pub fn due(&mut self, now: Instant) -> Vec<(u64, Question)> {
        let mut due = Vec::new();
        for lane in Lane::ALL {
            while self.has_room(lane)
                && let Some(waiting) = self.waiting.get_mut(&lane)
                && let Some((at, id)) = waiting.first().copied()
                && at <= now
            {
                waiting.remove(&(at, id));
                self.asking.insert(id, lane);
                let entry = self.entries.get_mut(&id).expect("what waits has an entry");
                entry.due_at = None;
                due.push((id, entry.question.clone()));
            }
        }
        due
    }

    /// When [`Self::due`] has something next; `None` while nothing is wanted, or an outcome has to come first.
    pub fn next_at(&self) -> Option<Instant> {
        let free = Lane::ALL.into_iter().filter(|lane| self.has_room(*lane));
        free.filter_map(|lane| self.waiting.get(&lane)?.first()).map(|(at, _)| *at).min()
    }

    /// Takes in what asking came to. A state that turned over too often, or together with too many others, only turns over; it is told as
    /// it is as soon as there is room. What nobody wants any more is told to nobody.
    pub fn report(&mut self, id: u64, outcome: Outcome, now: Instant, rng: &mut impl Rng) -> Vec<Notice> {
        if self.asking.remove(&id).is_none() {
            return Vec::new();
        }
        let Some(entry) = self.entries.get_mut(&id) else { return Vec::new() };
        let kind = entry.question.kind();
        let is_new = kind == CheckKind::Outside && now.saturating_duration_since(entry.began_at) < NEW_FOR;
        let may_tell = entry.rest.has_any(TOLD_OF_ONE, now) && self.rest.has_any(TOLD_OF_ALL, now);
        let step = entry.damping.take(outcome.answer, is_new, may_tell);
        entry.lane = match outcome.answer {
            Answer::Good => Lane::Well,
            Answer::Bad | Answer::Missing | Answer::Untold => Lane::Doubtful,
        };
        let period = self.schedule.period(kind);
        let pause = if step.undecided { (period / SOONER).max(SOON_MIN).min(period) } else { period };
        let finding = Finding { state: step.state, outcome, fresh_for: self.schedule.fresh_for(kind) };
        let happening = if step.turned { Happening::Turned(finding) } else { Happening::Read(finding) };
        let notices = differences(&entry.askers, &Askers::new(), &entry.question, happening);
        if step.turned {
            entry.rest.take(1, TOLD_OF_ONE, now);
            self.rest.take(u32::try_from(notices.len()).unwrap_or(u32::MAX), TOLD_OF_ALL, now);
        }
        self.wait_until(id, now + jittered(pause, rng));
        notices
    }

    fn has_room(&self, lane: Lane) -> bool {
        self.asking.values().filter(|asked| **asked == lane).count() < lane.asked_max()
    }

    fn insert(&mut self, question: Question, now: Instant) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.ids.insert(question.clone(), id);
        let (askers, damping, rest) = (Askers::new(), Damping::new(), Rest::default());
        self.entries.insert(id, Entry { question, askers, lane: Lane::Doubtful, due_at: None, began_at: now, damping, rest });
        id
    }

    fn remove(&mut self, id: u64) {
        if let Some(entry) = self.entries.remove(&id) {
            self.ids.remove(&entry.question);
            if let (Some(at), Some(waiting)) = (entry.due_at, self.waiting.get_mut(&entry.lane)) {
                waiting.remove(&(at, id));
            }
        }
    }

    fn wait_until(&mut self, id: u64, at: Instant) {
        let entry = self.entries.get_mut(&id).expect("only what has an entry waits");
        let before = entry.due_at.replace(at);
        for (lane, waiting) in &mut self.waiting {
            if let Some(before) = before {
                waiting.remove(&(before, id));
            }
            if *lane == entry.lane {
                waiting.insert((at, id));
            }
        }
    }
}

fn jittered(period: Duration, rng: &mut impl Rng) -> Duration {
    period.mul_f64(rng.random_range(1.0 - JITTER..1.0 + JITTER))
}

/// A notice for each tunnel with routes among `these` that are not among `those`.
fn differences(these: &Askers, those: &Askers, question: &Question, happening: Happening) -> Vec<Notice> {
    let only_here = these.iter().filter_map(|(tunnel, routes)| {
        let there = those.get(tunnel);
        let routes: Vec<RouteKey> =
            routes.iter().filter(|route| there.is_none_or(|there| !there.contains(*route))).cloned().collect();
        (!routes.is_empty()).then(|| Notice {
            tunnel: tunnel.clone(),
            routes,
            kind: question.kind(),
            asked: question.to_string(),
            happening: happening.clone(),
        })
    });
    only_here.collect()
}
