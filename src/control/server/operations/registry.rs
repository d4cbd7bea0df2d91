//! Which operations there are: those under way, and the last that ended. Pure.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::control::{
    api::{Error, Operation, OperationProgress, OperationState},
    progress::Told,
    table::Need,
};

/// Operations that are kept, those that go on included: a day of a busy team, and what a client that lost its connection asks for.
const KEPT_MAX: usize = 256;

/// Operations that may go on at once. Each waits for Cloudflare's rate limit or for connectors: more would only wait longer.
const RUNNING_MAX: usize = 128;

/// Of these, those that only root gets.
const FOR_ROOT: usize = 8;

/// Operations of one user other than root that may go on at once: as many as they may have connections, and as many again that nobody
/// waits for.
const PER_USER_MAX: usize = 32;

/// What all results and errors together may take, in bytes of JSON: the answer to an apply over a thousand tunnels has a few hundred thousand.
const RESULTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The user for whom some are kept.
const ROOT: u32 = 0;

/// What is known of all operations of one run of the daemon.
#[derive(Debug)]
pub(super) struct Registry {
    /// Names this run: the first part of every id.
    run: String,
    /// How many were begun.
    begun: u64,
    /// The oldest first.
    entries: VecDeque<Entry>,
}

/// One operation.
#[derive(Debug, Clone)]
pub(in crate::control::server) struct Entry {
    /// As it is shown to whoever may see all of it.
    pub(in crate::control::server) operation: Operation,
    /// Whose it is.
    pub(in crate::control::server) uid: u32,
    /// What its request needed.
    pub(in crate::control::server) need: Need,
    /// Grows with every change.
    pub(in crate::control::server) revision: u64,
    /// Whether it is shown. What is refused at once never is.
    is_shown: bool,
    /// What its result and its error take, in bytes.
    bytes: usize,
}

/// What begins.
#[derive(Debug, Clone)]
pub(in crate::control::server) struct Beginning {
    pub(in crate::control::server) kind: &'static str,
    pub(in crate::control::server) tunnel: Option<String>,
    pub(in crate::control::server) by: String,
    pub(in crate::control::server) uid: u32,
    pub(in crate::control::server) need: Need,
}

/// Why an id names no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control::server) enum Absent {
    /// It is of another run of the daemon.
    OfAnotherRun,
    /// It ended, and others took its place.
    NoLongerKept,
    /// There never was one.
    Unknown,
}

/// Too many go on already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// Of this user.
    OfUser,
    /// Of all.
    OfAll,
}

impl Registry {
    /// One without operations. `run` is never used for another run.
    pub(super) fn new(run: String) -> Self {
        Self { run, begun: 0, entries: VecDeque::new() }
    }

    /// Takes in what begins, and gives its id. It is not shown yet.
    pub(super) fn begin(&mut self, beginning: Beginning, now: Timestamp) -> Result<String, Full> {
        let Beginning { kind, tunnel, by, uid, need } = beginning;
        let running =
            |of: &dyn Fn(&Entry) -> bool| self.entries.iter().filter(|entry| entry.operation.is_running() && of(entry)).count();
        let all_max = if uid == ROOT { RUNNING_MAX } else { RUNNING_MAX - FOR_ROOT };
        if running(&|_| true) >= all_max {
            return Err(Full::OfAll);
        }
        if uid != ROOT && running(&|entry| entry.uid == uid) >= PER_USER_MAX {
            return Err(Full::OfUser);
        }
        self.begun += 1;
        let id = format!("{}-{}", self.run, self.begun);
        let operation = Operation {
            id: id.clone(),
            kind: kind.to_owned(),
            tunnel,
            by,
            started_at: now,
            ended_at: None,
            state: OperationState::Running,
            progress: OperationProgress { done: 0, total: 0, sentence: None },
            result: None,
            error: None,
            withheld: false,
        };
        self.entries.push_back(Entry { operation, uid, need, revision: 0, is_shown: false, bytes: 0 });
        self.tidy();
        Ok(id)
    }

    /// Takes in how far it is; from the first time on it is shown.
    pub(super) fn tell(&mut self, id: &str, told: Told) {
        self.change(id, |entry| {
            let Told { done, total, sentence } = told;
            entry.is_shown = true;
            entry.operation.progress = OperationProgress { done, total, sentence: Some(sentence) };
        });
    }

    /// Takes in the tunnel that it turned out to be about.
    pub(super) fn name_tunnel(&mut self, id: &str, tunnel: &str) {
        self.change(id, |entry| entry.operation.tunnel = Some(tunnel.to_owned()));
    }

    /// Takes in what its request answers while what follows from it goes on.
    pub(super) fn accept(&mut self, id: &str, result: Value) {
        self.change(id, |entry| {
            entry.is_shown = true;
            entry.bytes = result.to_string().len();
            entry.operation.result = Some(result);
        });
        self.tidy();
    }

    /// Ends it. One that was never shown is forgotten.
    pub(super) fn end(&mut self, id: &str, error: Option<Error>, now: Timestamp) {
        self.change(id, |entry| {
            entry.bytes += error.as_ref().map_or(0, |error| json!(error).to_string().len());
            entry.operation.state = if error.is_some() { OperationState::Failed } else { OperationState::Done };
            entry.operation.error = error;
            entry.operation.ended_at = Some(now.max(entry.operation.started_at));
        });
        self.entries.retain(|entry| entry.is_shown || entry.operation.is_running());
        self.tidy();
    }

    /// The operation of that id, if it is shown.
    pub(super) fn get(&self, id: &str) -> Result<&Entry, Absent> {
        let found = self.entries.iter().find(|entry| entry.operation.id == id && entry.is_shown);
        found.ok_or_else(|| self.why_absent(id))
    }

    /// All that are shown, the newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev().filter(|entry| entry.is_shown)
    }

    fn why_absent(&self, id: &str) -> Absent {
        let Some((run, number)) = id.rsplit_once('-') else { return Absent::Unknown };
        let Ok(number) = number.parse::<u64>() else { return Absent::Unknown };
        let is_run = run.len() == self.run.len() && run.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit());
        if !is_run || number == 0 {
            Absent::Unknown
        } else if run != self.run {
            Absent::OfAnotherRun
        } else if number <= self.begun {
            Absent::NoLongerKept
        } else {
            Absent::Unknown
        }
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Entry)) {
        let found = self.entries.iter_mut().rev().find(|entry| entry.operation.id == id);
        if let Some(entry) = found.filter(|entry| entry.operation.is_running()) {
            change(entry);
            entry.revision += 1;
        }
    }

    /// Forgets the oldest that ended, until what is left is within its bounds.
    fn tidy(&mut self) {
        while self.entries.len() > KEPT_MAX || self.entries.iter().map(|entry| entry.bytes).sum::<usize>() > RESULTS_BYTES_MAX {
            let Some(oldest) = self.entries.iter().position(|entry| !entry.operation.is_running()) else { return };
            self.entries.remove(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Role, control::api::ErrorKind};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn registry() -> Registry {
        Registry::new("aaaaaaaa".to_owned())
    }

    fn beginning(uid: u32) -> Beginning {
        Beginning { kind: "apply", tunnel: None, by: "olga".to_owned(), uid, need: Need::Everywhere(Role::Admin) }
    }

    fn told(done: u64) -> Told {
        Told { done, total: 3, sentence: "+ something".to_owned() }
    }

    /// Begins one that is shown.
    fn shown(registry: &mut Registry, uid: u32) -> String {
        let id = registry.begin(beginning(uid), NOW).unwrap();
        registry.tell(&id, told(0));
        id
    }

    #[test]
    fn an_operation_is_shown_from_the_first_thing_that_is_told_until_others_take_its_place() {
        let mut registry = registry();
        let id = registry.begin(beginning(1), NOW).unwrap();
        assert_eq!(id, "aaaaaaaa-1");
        assert!(registry.get(&id).is_err(), "it may still be refused");
        registry.tell(&id, told(1));
        let progress = OperationProgress { done: 1, total: 3, sentence: Some("+ something".to_owned()) };
        assert_eq!(registry.get(&id).unwrap().operation.progress, progress);
        registry.accept(&id, json!({ "done": 3 }));
        registry.end(&id, None, NOW);
        let operation = registry.get(&id).unwrap().operation.clone();
        assert_eq!((operation.state, operation.result), (OperationState::Done, Some(json!({ "done": 3 }))));
        for _ in 0..KEPT_MAX {
            let id = shown(&mut registry, 1);
            registry.end(&id, None, NOW);
        }
        assert_eq!(registry.get(&id).unwrap_err(), Absent::NoLongerKept);
        assert_eq!(registry.all().count(), KEPT_MAX);
    }

    #[test]
    fn what_is_refused_at_once_is_never_shown() {
        let mut registry = registry();
        let id = registry.begin(beginning(1), NOW).unwrap();
        registry.end(&id, Some(Error::new(ErrorKind::NotFound, "no")), NOW);
        assert_eq!((registry.all().count(), registry.entries.len()), (0, 0));
    }

    #[test]
    fn what_ended_does_not_change_any_more() {
        let mut registry = registry();
        let id = shown(&mut registry, 1);
        registry.end(&id, Some(Error::new(ErrorKind::Hold, "it is held")), NOW);
        let before = registry.get(&id).unwrap().revision;
        registry.tell(&id, told(2));
        registry.accept(&id, json!(1));
        registry.end(&id, None, NOW);
        let entry = registry.get(&id).unwrap();
        assert_eq!((entry.operation.state, entry.revision), (OperationState::Failed, before));
    }

    #[test]
    fn what_goes_on_is_never_forgotten_for_what_ended() {
        let mut registry = registry();
        let first = shown(&mut registry, 1);
        for _ in 0..2 * KEPT_MAX {
            let id = shown(&mut registry, 2);
            registry.end(&id, None, NOW);
        }
        assert!(registry.get(&first).unwrap().operation.is_running());
        assert_eq!(registry.entries.len(), KEPT_MAX);
    }

    #[test]
    fn large_results_push_out_the_oldest() {
        let mut registry = registry();
        let large = json!("x".repeat(RESULTS_BYTES_MAX / 3));
        let ids: Vec<String> = (0..4)
            .map(|_| {
                let id = shown(&mut registry, 1);
                registry.accept(&id, large.clone());
                registry.end(&id, None, NOW);
                id
            })
            .collect();
        let kept: Vec<bool> = ids.iter().map(|id| registry.get(id).is_ok()).collect();
        assert_eq!(kept, [false, false, true, true]);
    }

    #[test]
    fn large_errors_push_out_the_oldest_as_well() {
        let mut registry = registry();
        let ids: Vec<String> = (0..4)
            .map(|_| {
                let id = shown(&mut registry, 1);
                registry.end(&id, Some(Error::new(ErrorKind::Invalid, "x".repeat(RESULTS_BYTES_MAX / 3))), NOW);
                id
            })
            .collect();
        let kept: Vec<bool> = ids.iter().map(|id| registry.get(id).is_ok()).collect();
        assert_eq!(kept, [false, false, true, true]);
    }

    #[test]
    fn a_user_and_all_users_have_their_share_and_root_has_more() {
        let mut registry = registry();
        for _ in 0..PER_USER_MAX {
            registry.begin(beginning(1), NOW).unwrap();
        }
        assert_eq!(registry.begin(beginning(1), NOW), Err(Full::OfUser));
        for uid in 2.. {
            let all = (0..PER_USER_MAX).all(|_| registry.begin(beginning(uid), NOW).is_ok());
            if !all {
                break;
            }
        }
        assert_eq!(registry.entries.len(), RUNNING_MAX - FOR_ROOT);
        assert_eq!(registry.begin(beginning(99), NOW), Err(Full::OfAll));
        for _ in 0..FOR_ROOT {
            registry.begin(beginning(ROOT), NOW).unwrap();
        }
        assert_eq!(registry.begin(beginning(ROOT), NOW), Err(Full::OfAll));
        registry.end("aaaaaaaa-1", None, NOW);
        registry.begin(beginning(ROOT), NOW).unwrap();
    }

    #[test]
    fn an_id_that_names_nothing_says_why() {
        let mut registry = registry();
        shown(&mut registry, 1);
        for (id, absent) in [
            ("bbbbbbbb-1", Absent::OfAnotherRun),
            ("aaaaaaaa-2", Absent::Unknown),
            ("aaaaaaaa-0", Absent::Unknown),
            ("aaaaaaaa", Absent::Unknown),
            ("nonsense-x", Absent::Unknown),
            ("NONSENSE-1", Absent::Unknown),
        ] {
            assert_eq!(registry.get(id).unwrap_err(), absent, "{id}");
        }
    }
}
