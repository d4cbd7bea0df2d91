//! What people want: the configuration in force, tunnels made over the socket, operators' stops.
//!
//! There is one [`Intent`]. It reads the configuration's files when told to, keeps what is made over the socket in the state
//! directory, and publishes the two together as [`Intended`]. A change is durable before it is in force, and what cannot be read
//! never hides what can: a bad file leaves the configuration in force as it is, a bad definition holds only its own tunnel.

mod assemble;
mod change;
mod would_run;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

pub use change::{ChangeError, Changed, configuration_version, definition_version};
pub use would_run::{WouldRun, last_accepted};

use crate::{
    config::{self, Account, ApplyMode, Config, Problems, Source},
    config_files,
    desired::Intended,
    error_text::with_causes,
    event::{DaemonEvent, Sink},
    failpoint::{self, Point},
    name::{AccountName, TunnelName},
    store::Store,
};

/// Whoever holds it can read and change what is wanted. Cheap to clone.
#[derive(Clone)]
pub struct Intent(Arc<Inner>);

struct Inner {
    /// The main configuration file.
    main: PathBuf,
    store: Store,
    events: Sink,
    intended: watch::Sender<Arc<Intended>>,
    /// Grows after what is wanted was published.
    revision: AtomicU64,
    files: RwLock<FilesInForce>,
    /// When the configuration, with the tunnels made over the socket, changed last.
    defined_at: RwLock<Instant>,
    /// Which parts of the state directory could not be read when it was looked at last.
    unreadable: RwLock<Vec<String>>,
    /// One change at a time; it is held over file I/O.
    changing: Mutex<()>,
}

/// The configuration's files: those in force, and what is wrong with those on disk.
#[derive(Debug, Clone)]
pub struct FilesInForce {
    /// The files that the configuration in force was read from.
    pub sources: Vec<Source>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What is wrong with the files on disk, one problem each, when they are not what is in force.
    pub problems: Vec<String>,
    /// What the files alone say: without the tunnels made over the socket.
    config: Arc<Config>,
    /// Tunnels whose connectors run while no configuration could be used: they go on until there is one.
    running: BTreeSet<TunnelName>,
}

/// What reading the files at start came to.
pub struct FirstReading {
    sources: Vec<Source>,
    parsed: Result<Config, Vec<String>>,
}

/// Why there is nothing to run: the files are bad and no configuration was ever accepted.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the configuration, and none was accepted before:\n{}", .problems.join("\n"))]
pub struct NothingToRun {
    problems: Vec<String>,
}

impl NothingToRun {
    /// What is wrong, one problem each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl FirstReading {
    /// Reads the files behind `main`, before it is known where the state is.
    pub fn of(main: &Path) -> Self {
        let (sources, parsed) = read(main);
        Self { sources, parsed }
    }

    /// Where the daemon keeps its state: what the files say, also when something else in them is wrong.
    pub fn state_dir(&self) -> Option<PathBuf> {
        match &self.parsed {
            Ok(config) => Some(config.daemon.state_dir.clone()),
            Err(_) => self.salvaged().map(|config| config.daemon.state_dir),
        }
    }

    /// Of files that cannot be used, what can be told without their accounts and tunnels.
    fn salvaged(&self) -> Option<Config> {
        match &self.parsed {
            Ok(_) => None,
            // Files that could not be read at all say nothing, not even by a default.
            Err(_) if self.sources.is_empty() => None,
            Err(_) => config::salvage(&self.sources),
        }
    }

    /// The accounts, when the files can be used.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountName, &Account)> {
        self.parsed.iter().flat_map(|config| &config.accounts)
    }

    /// Where the daemon keeps what only this boot needs, as the files say it.
    pub fn runtime_dir(&self) -> Option<PathBuf> {
        match &self.parsed {
            Ok(config) => Some(config.daemon.runtime_dir.clone()),
            Err(_) => self.salvaged().map(|config| config.daemon.runtime_dir),
        }
    }
}

impl Intent {
    /// Wants what the files say, or what was accepted last when they are bad. Gives that too, if there was any: what was in force
    /// when the daemon ended, which under `apply = "ask"` is not what the files say. With neither, connectors that an earlier daemon
    /// left running go on: `running` is asked for their tunnels, with the runtime directory.
    ///
    /// # Errors
    ///
    /// When the files are bad, none was accepted before, and no connector runs.
    pub fn open(
        main: &Path,
        reading: FirstReading,
        store: Store,
        events: Sink,
        running: impl FnOnce(&Path) -> BTreeSet<TunnelName>,
    ) -> Result<(Self, Option<Arc<Config>>), NothingToRun> {
        let accepted = accepted(&store);
        let before = accepted.as_ref().ok().map(|(_, config)| Arc::new(config.clone()));
        let salvaged = reading.salvaged();
        let (sources, config, problems, running) = match choose(reading, accepted) {
            Ok((sources, config, problems)) => (sources, config, problems, BTreeSet::new()),
            Err(nothing) => match salvaged.map(|config| (running(&config.daemon.runtime_dir), config)) {
                Some((running, config)) if !running.is_empty() => (Vec::new(), config, nothing.problems, running),
                Some(_) | None => return Err(nothing),
            },
        };
        if !problems.is_empty() {
            events.tell(DaemonEvent::ConfigRefused { problems: problems.join("; ") });
        } else if config.daemon.apply != ApplyMode::Ask
            && let Err(error) = store.write_accepted(&sources)
        {
            // A disk that is full must not keep a good configuration from running; it is written with the next one.
            events.tell(DaemonEvent::StateNotWritten { error: with_causes(&error) });
        }
        let files = FilesInForce { sources, accepted_at: Timestamp::now(), problems, config: Arc::new(config), running };
        let (intended, unreadable) = assemble::intended(&files.config, &files.running, None, &store, &events);
        events.tell(DaemonEvent::ConfigAccepted { tunnels: intended.config.tunnels.len() });
        let inner = Inner {
            main: main.to_owned(),
            store,
            events,
            intended: watch::Sender::new(Arc::new(intended)),
            revision: AtomicU64::new(0),
            files: RwLock::new(files),
            defined_at: RwLock::new(Instant::now()),
            unreadable: RwLock::new(unreadable),
            changing: Mutex::new(()),
        };
        Ok((Self(Arc::new(inner)), before))
    }

    /// Keeps the files that are wanted as those to start with, because an operator confirmed `config`, which they say with the tunnels
    /// made over the socket. When something else is wanted by now, nothing is kept.
    pub async fn confirm(&self, config: Arc<Config>) {
        let _one_at_a_time = self.0.changing.lock().await;
        let inner = self.0.clone();
        blocking(move || {
            let wanted = inner.intended.borrow().config.clone();
            if wanted != config {
                return;
            }
            let sources = inner.files.read().expect("nothing panics while it holds the files").sources.clone();
            if let Err(error) = inner.store.write_accepted(&sources) {
                inner.events.tell(DaemonEvent::StateNotWritten { error: with_causes(&error) });
            }
        })
        .await;
    }

    /// What is wanted now.
    pub fn intended(&self) -> Arc<Intended> {
        self.0.intended.borrow().clone()
    }

    /// Grows after every change of what is wanted: what is made of it later than this was read is at least as new.
    pub fn revision(&self) -> u64 {
        self.0.revision.load(Ordering::Acquire)
    }

    /// What is wanted, as it changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Intended>> {
        self.0.intended.subscribe()
    }

    /// When what is wanted changed last, operators' stops left out. By a clock that nobody sets: it is compared with the beginning of
    /// passes.
    pub fn defined_at(&self) -> Instant {
        *self.0.defined_at.read().expect("nothing panics while it holds the time")
    }

    /// Which parts of the state directory cannot be read, one each.
    pub fn unreadable(&self) -> Vec<String> {
        self.0.unreadable.read().expect("nothing panics while it holds the list").clone()
    }

    /// The files in force, and what is wrong with those on disk.
    pub fn files(&self) -> RwLockReadGuard<'_, FilesInForce> {
        self.0.files.read().expect("nothing panics while it holds the files")
    }

    /// What the files on disk want now, without putting it in force: for a plan.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, one problem each.
    pub async fn preview(&self) -> Result<Arc<Intended>, Vec<String>> {
        let inner = self.0.clone();
        blocking(move || {
            let config = Arc::new(read(&inner.main).1?);
            Ok(Arc::new(inner.assemble(&config, &BTreeSet::new()).0))
        })
        .await
    }

    /// Reads the files again. Good ones are in force when it returns; of bad ones nothing is, and the configuration in force stays.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the files, one problem each.
    pub async fn reload(&self) -> Result<Arc<Intended>, Vec<String>> {
        let _one_at_a_time = self.0.changing.lock().await;
        let inner = self.0.clone();
        blocking(move || inner.reload()).await
    }
}

impl Inner {
    fn reload(&self) -> Result<Arc<Intended>, Vec<String>> {
        let (sources, parsed) = read(&self.main);
        let config = match parsed {
            Ok(config) => config,
            Err(problems) => {
                self.events.tell(DaemonEvent::ConfigRefused { problems: problems.join("; ") });
                self.files_mut(|files| files.problems.clone_from(&problems));
                return Err(problems);
            }
        };
        // Durable before it is in force: after a crash the daemon starts with what it ran. One that waits for an operator is kept
        // when it is confirmed.
        if config.daemon.apply != ApplyMode::Ask
            && let Err(error) = self.store.write_accepted(&sources)
        {
            let problem = with_causes(&error);
            self.events.tell(DaemonEvent::StateNotWritten { error: problem.clone() });
            return Err(vec![problem]);
        }
        failpoint::hit(Point::AcceptedDurable);
        let files = FilesInForce {
            sources,
            accepted_at: Timestamp::now(),
            problems: Vec::new(),
            config: Arc::new(config),
            running: BTreeSet::new(),
        };
        self.files_mut(|current| *current = files);
        let intended = self.publish();
        self.events.tell(DaemonEvent::ConfigAccepted { tunnels: intended.config.tunnels.len() });
        Ok(intended)
    }

    /// Puts files, definitions and stops together and publishes them.
    fn publish(&self) -> Arc<Intended> {
        let files = self.files.read().expect("nothing panics while it holds the files").clone();
        let (intended, unreadable) = self.assemble(&files.config, &files.running);
        let intended = Arc::new(intended);
        *self.unreadable.write().expect("nothing panics while it holds the list") = unreadable;
        if self.intended.borrow().config != intended.config {
            *self.defined_at.write().expect("nothing panics while it holds the time") = Instant::now();
        }
        self.intended.send_replace(intended.clone());
        self.revision.fetch_add(1, Ordering::Release);
        intended
    }

    fn assemble(&self, files: &Arc<Config>, running: &BTreeSet<TunnelName>) -> (Intended, Vec<String>) {
        let before = self.intended.borrow().clone();
        assemble::intended(files, running, Some(&before), &self.store, &self.events)
    }

    fn files_mut(&self, change: impl FnOnce(&mut FilesInForce)) {
        change(&mut self.files.write().expect("nothing panics while it holds the files"));
    }
}

/// The files as they are on disk, and what they say or what is wrong with them, one problem each.
fn read(main: &Path) -> (Vec<Source>, Result<Config, Vec<String>>) {
    match config_files::read(main) {
        Ok(sources) => {
            let parsed = config::parse(&sources).map_err(|problems| lines(&problems));
            (sources, parsed)
        }
        Err(error) => (Vec::new(), Err(vec![with_causes(&error)])),
    }
}

/// The configuration that was accepted last, or why there is none.
fn accepted(store: &Store) -> Result<(Vec<Source>, Config), Option<String>> {
    let sources = store.accepted().map_err(Some)?.ok_or(None)?;
    let config = config::parse(&sources).map_err(|problems| Some(format!("the configuration accepted last: {problems}")))?;
    Ok((sources, config))
}

/// What runs: what the files say, or what was accepted last, with what is wrong with the files.
fn choose(
    reading: FirstReading,
    accepted: Result<(Vec<Source>, Config), Option<String>>,
) -> Result<(Vec<Source>, Config, Vec<String>), NothingToRun> {
    match (reading.parsed, accepted) {
        (Ok(config), _) => Ok((reading.sources, config, Vec::new())),
        (Err(problems), Ok((sources, config))) => Ok((sources, config, problems)),
        (Err(problems), Err(why)) => Err(NothingToRun { problems: problems.into_iter().chain(why).collect() }),
    }
}

fn lines(problems: &Problems) -> Vec<String> {
    problems.0.iter().map(ToString::to_string).collect()
}

/// Runs what reads and writes files where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("reading and writing files does not panic")
}

#[cfg(test)]
mod tests;
