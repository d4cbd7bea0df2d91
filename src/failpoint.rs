//! Places between two steps where a test can end the daemon as kill -9 would: no destructor runs, nothing is flushed.
//!
//! [`hit`] stands between the steps of the state writer, of a rotation, of the spawner and of adoption. In a build with debug assertions a
//! daemon that listens (`failpoint::listen`) can be told to end there. In a release build it is an empty function and nobody listens.
//! A test that runs in the same process watches the writes below one directory ([`hit_at`], `failpoint::watch`) and can halt them.
//! `tests/failpoints.rs` has a scenario for every [`Point`], and fails when the daemon does not end there.

macro_rules! points {
    ($($(#[doc = $place:literal])+ $variant:ident = $name:literal,)+) => {
        /// A place between two steps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $($(#[doc = $place])+ $variant,)+
        }

        impl Point {
            /// Every point, in the order in which a daemon comes by them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

points! {
    /// `store`: a state file is to be written; its directory is there, nothing else is.
    StateBegun = "state-begun",
    /// `store`: the file beside it was created and is empty.
    StateCreated = "state-created",
    /// `store`: the file beside it is complete and not synced.
    StateWritten = "state-written",
    /// `store`: the file beside it is synced and not renamed.
    StateSynced = "state-synced",
    /// `store`: it was renamed into place; its directory is not synced.
    StateRenamed = "state-renamed",
    /// `store`: it is durable; whoever wrote it does not know yet.
    StateDurable = "state-durable",
    /// `store`: a state file was removed; its directory is not synced.
    StateRemoved = "state-removed",
    /// `store`: its removal is durable; whoever removed it does not know yet.
    StateRemovalDurable = "state-removal-durable",
    /// `store`: a tunnel's record has its other name; the one of the old name is still there.
    RecordRenamed = "record-renamed",
    /// `intent`: the accepted configuration is durable and not in force.
    AcceptedDurable = "accepted-durable",
    /// `intent`: a change over the socket (a definition, a stop) is durable and not in force.
    ChangeDurable = "change-durable",
    /// `intent`: a definition was removed; the stop of that tunnel is still there.
    DefinitionRemoved = "definition-removed",

    /// `reconciler`: it is durable that Cloudflare is asked to take a tunnel's new secret; it was not asked.
    RotationAsked = "rotation-asked",
    /// `reconciler`: Cloudflare has a tunnel's new secret; that is not on record.
    RotationPlaced = "rotation-placed",
    /// `reconciler`: it is durable that nothing holds a tunnel's former secret any more; nobody was told.
    RotationFinished = "rotation-finished",

    /// `supervisor`: a generation's output files are open; nothing else of it is there.
    OutputOpened = "output-opened",
    /// `process`: secret and, for a local tunnel, configuration are handed over; there is no record.
    HandedOver = "handed-over",
    /// `process`: the file of a generation record was created and is empty.
    GenerationOpened = "generation-opened",
    /// `process`: the generation record is whole; there is no process.
    GenerationRecorded = "generation-recorded",
    /// `process`: the process runs; nothing watches it and the record does not name it.
    ProcessStarted = "process-started",
    /// `process`: the process is watched; the record does not name it.
    ProcessWatched = "process-watched",
    /// `process`: a changed generation record is complete beside the one that it replaces.
    GenerationStaged = "generation-staged",
    /// `process`: a changed generation record is in place; whoever changed it does not know yet.
    GenerationReplaced = "generation-replaced",
    /// `process`: the record names the process; the supervisor does not know of it.
    ProcessRecorded = "process-recorded",
    /// `supervisor`: the process was reported; it is not in its slot.
    ProcessReported = "process-reported",
    /// `process`: the record says who answers on the metrics address; nobody acted on it.
    ConnectorLearnt = "connector-learnt",

    /// `process`: the record says that the process is to finish; no signal was sent.
    TerminationRecorded = "termination-recorded",
    /// `process`: the process was told to finish.
    TerminationSignalled = "termination-signalled",
    /// `process`: the process was reaped; nobody was told.
    ProcessReaped = "process-reaped",
    /// `process`: what was written for an ended process is gone but for its record.
    ConfigurationRemoved = "configuration-removed",
    /// `process`: the record of an ended process is gone.
    GenerationForgotten = "generation-forgotten",

    /// `process`: adoption begins.
    AdoptionBegun = "adoption-begun",
    /// `process`: adoption removed what an earlier daemon left half written.
    LeftoverRemoved = "leftover-removed",
    /// `process`: adoption read a record; it did not look for its process.
    SurvivorRead = "survivor-read",
    /// `process`: adoption removed the record of a process that is gone.
    SurvivorGone = "survivor-gone",
    /// `process`: adoption proved a process to be ours; its record is as it was.
    SurvivorProved = "survivor-proved",
    /// `process`: adoption completed the record of a process.
    SurvivorRecorded = "survivor-recorded",
    /// `supervisor`: what survived is found and watched by nobody.
    SurvivorsFound = "survivors-found",
    /// `supervisor`: the survivors of one slot are in it.
    SlotAdopted = "slot-adopted",
    /// `supervisor`: adoption is done; the loop has not begun.
    AdoptionDone = "adoption-done",
}

#[cfg(debug_assertions)]
pub use armed::{Watch, hit, hit_at, listen, watch};

/// Marks a place between two steps. It does nothing in this build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn hit(_: Point) {}

/// Marks a place between two steps that are about a file. It does nothing in this build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn hit_at(_: Point, _: &std::path::Path) {}

#[cfg(debug_assertions)]
mod armed {
    use std::{
        fs::{self, OpenOptions},
        io::Write,
        path::{Path, PathBuf},
        sync::{Arc, Mutex, OnceLock, PoisonError},
    };

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

    /// What was armed at the last hit of the point that it names, and how often that was hit since.
    static COUNTED: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

    /// What is told of the hits below a directory.
    type Watcher = Arc<dyn Fn(Point) + Send + Sync>;

    static WATCHED: Mutex<Vec<(PathBuf, Watcher)>> = Mutex::new(Vec::new());

    /// A directory whose hits somebody is told of, until this is dropped.
    #[derive(Debug)]
    pub struct Watch(PathBuf);

    /// Tells `watcher` of every [`hit_at`] below `directory`, on the thread that hits, which waits for it. A thread that unwinds out
    /// of it does not come to the next step.
    pub fn watch(directory: PathBuf, watcher: impl Fn(Point) + Send + Sync + 'static) -> Watch {
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push((directory.clone(), Arc::new(watcher)));
        Watch(directory)
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            WATCHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|(directory, _)| *directory != self.0);
        }
    }

    /// Marks a place between two steps that are about the file at `path`.
    pub fn hit_at(point: Point, path: &Path) {
        let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let watcher = watched.iter().find(|(directory, _)| path.starts_with(directory)).map(|(_, watcher)| watcher.clone());
        drop(watched);
        if let Some(watcher) = watcher {
            watcher(point);
        }
        hit(point);
    }

    /// Has this process look into `directory` at every hit. The file `armed` in it names the point where it ends: `NAME` at the
    /// first hit, `NAME:N` at the Nth; it may appear and change while the process runs. Every hit adds the point's name to the file
    /// `hits`.
    pub fn listen(directory: PathBuf) {
        DIRECTORY.get_or_init(|| directory);
    }

    /// Marks a place between two steps; a process that is armed for it ends here.
    pub fn hit(point: Point) {
        let Some(directory) = DIRECTORY.get() else { return };
        // Held to the end: hits are counted one after another.
        let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
        note(directory, point);
        // Whoever is not armed goes on.
        let Ok(armed) = fs::read_to_string(directory.join("armed")) else { return };
        let (name, number) = armed.split_once(':').unwrap_or((&armed, "1"));
        if name != point.name() {
            return;
        }
        if counted.0 != armed {
            *counted = (armed.clone(), 0);
        }
        counted.1 += 1;
        if number == counted.1.to_string() {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }

    fn note(directory: &Path, point: Point) {
        let hits = OpenOptions::new().append(true).create(true).open(directory.join("hits"));
        let noted = hits.and_then(|mut hits| hits.write_all(format!("{}\n", point.name()).as_bytes()));
        noted.expect("whoever asks for failpoints names a directory that can be written");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
