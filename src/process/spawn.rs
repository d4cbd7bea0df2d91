//! Starting a connector.

mod hand_over;
#[cfg(test)]
mod tests;

use std::{
    ffi::{CString, OsString},
    fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use tokio::sync::watch;

use self::hand_over::hand_over;
use super::{
    binary::{Access, HeldBinary},
    cgroup::{Leaf, Subtree},
    command_line::{self, Places},
    generation_record::{Content, FOLDER, GenerationRecord, RecordedProcess},
    handle::Process,
    identity::{self, Owner},
    landlock::{Confinement, Own, is_short},
    limits::DescriptorLimit,
    out_of_memory::OutOfMemory,
    own_folder::own_folder,
    privileges,
    raw::{
        self,
        start::{Start, StartError, Started, Step, Undo, start},
    },
};
use crate::{
    config::CONNECTOR_METRICS,
    connector::{Generation, Launch, LaunchFacts, Reason, SlotId, SpawnFailure},
    error_text::with_causes,
    failpoint::{self, Point},
};

/// Starts connectors.
pub struct Spawner {
    directory: PathBuf,
    /// The same for the system call.
    working_directory: CString,
    notify: Option<PathBuf>,
    pub(super) owner: Owner,
    nothing: fs::File,
    descriptors: Option<DescriptorLimit>,
    undo: Undo,
    /// `None` where the kernel has no Landlock.
    confinement: Option<Confinement>,
    told: Told,
    pub(super) out_of_memory: Arc<OutOfMemory>,
}

/// Where a spawner keeps things, and what it keeps from connectors.
#[derive(Debug)]
pub struct SpawnerSettings {
    /// For records and the like: a folder that only the daemon's user can enter.
    pub directory: PathBuf,
    /// The socket that connectors report to.
    pub notify: Option<PathBuf>,
    /// Folders that no connector may open, but for its own configuration and log in them.
    pub closed: Vec<PathBuf>,
    /// Files that no connector may open; a change holds from the next start on.
    pub secrets: watch::Receiver<Vec<PathBuf>>,
    /// The limit of open descriptors that connectors get, when the daemon raised its own.
    pub descriptors: Option<DescriptorLimit>,
    /// Where each connector gets a cgroup of its own.
    pub subtree: Option<Subtree>,
}

/// What is to be started.
pub struct SpawnRequest {
    /// The slot.
    pub slot: SlotId,
    /// The generation.
    pub generation: Generation,
    /// How.
    pub launch: Arc<Launch>,
    /// What is executed.
    pub program: Arc<HeldBinary>,
}

/// Where what a connector says goes.
pub struct ConnectorOutput {
    /// For its stdout and stderr: a file, as a pipe or socket can stop or kill cloudflared.
    pub stderr: OwnedFd,
    /// The file that cloudflared writes its log to.
    pub logfile: PathBuf,
}

/// What was started.
pub struct Spawned {
    /// The process.
    pub process: Process,
    /// Where its metrics server answers as soon as it opens. Until then connections wait.
    pub metrics: SocketAddr,
}

/// What was said already, and is not said again for each connector.
#[derive(Default)]
struct Told {
    cgroup: AtomicBool,
    landlock: AtomicBool,
}

impl Spawner {
    /// A spawner. It looks at the kernel and at the daemon's own process, and makes the folder of the records.
    pub fn new(settings: SpawnerSettings) -> io::Result<Self> {
        let SpawnerSettings { directory, notify, closed, secrets, descriptors, subtree } = settings;
        fs::create_dir_all(&directory)?;
        own_folder(&directory.join(FOLDER))?;
        Ok(Self {
            working_directory: CString::new(directory.as_os_str().as_bytes())?,
            owner: Owner::of(&directory, subtree)?,
            nothing: fs::File::open("/dev/null")?,
            undo: privileges::of_this_process(),
            confinement: Confinement::new(closed, secrets).ok(),
            told: Told::default(),
            out_of_memory: Arc::new(OutOfMemory::new()),
            directory,
            notify,
            descriptors,
        })
    }

    /// The version of Landlock that keeps connectors from Adit's files, from 1; `None` where the kernel has none.
    pub fn landlock(&self) -> Option<u32> {
        self.confinement.as_ref().map(Confinement::version)
    }

    /// Makes ahead what the next starts need. It blocks for about a millisecond, and is best called when a start is done.
    pub fn prepare(&self) {
        // What cannot be made ahead is made when it is needed, and the trouble told then.
        let _ = self.confinement.as_ref().map(Confinement::prepare);
    }

    /// Starts a connector. It blocks, for a millisecond. `output` is asked when what does not depend on it is done. It must be called
    /// within a tokio runtime.
    pub fn spawn(
        &self,
        request: SpawnRequest,
        output: impl FnOnce() -> io::Result<ConnectorOutput>,
    ) -> Result<Spawned, SpawnFailure> {
        let stem = self.directory.join(FOLDER).join(Content::stem(&request.slot, request.generation));
        let (secret, config) = hand_over(&request.launch, &stem)?;
        failpoint::hit(Point::HandedOver);
        self.start(&request, output, &secret, config.clone()).inspect_err(|_| {
            if let Some(config) = config {
                let _ = fs::remove_file(config);
            }
        })
    }

    fn start(
        &self,
        request: &SpawnRequest,
        output: impl FnOnce() -> io::Result<ConnectorOutput>,
        secret: &OwnedFd,
        config: Option<PathBuf>,
    ) -> Result<Spawned, SpawnFailure> {
        let SpawnRequest { slot, generation, launch, program } = request;
        let executed = executed(program)?;
        // Bound and listening here, accepted from there: the port is known before the start and can be nobody else's.
        let listener = TcpListener::bind((CONNECTOR_METRICS, 0)).map_err(cannot_spawn)?;
        let metrics = listener.local_addr().map_err(cannot_spawn)?;
        let begun = identity::ticks();
        let instance = self.owner.home.instance(slot, *generation, begun);
        let facts = LaunchFacts { binary: Some(program.binary().id), ..launch.facts() };
        let leaf = self.leaf(slot, *generation);
        let mut content = Content::new(slot, *generation, self.owner.boot_id.clone(), instance.clone(), facts, metrics);
        content.begun = Some(begun);
        content.leaf = leaf.as_ref().map(|leaf| leaf.path().to_owned());
        let record = GenerationRecord::create(&self.directory.join(FOLDER), slot, content);
        failpoint::hit(Point::GenerationRecorded);
        let started = (|| {
            // As late as possible: it is made meanwhile.
            let no_output = |error| failure("no-output", format!("cannot open a file for its output: {error}"), false);
            let ConnectorOutput { stderr, logfile } = output().map_err(no_output)?;
            let ruleset = self.ruleset(&Own { program: &executed, logfile: &logfile, config: config.as_deref() })?;
            let places = Places {
                metrics,
                logfile: &logfile,
                config: config.as_deref(),
                home: &self.directory,
                notify: self.notify.as_deref(),
                instance: &instance,
                facts: &facts,
            };
            let name = std::iter::once(OsString::from(program.name()));
            let arguments = c_strings(name.chain(command_line::arguments(launch, &places))).map_err(cannot_spawn)?;
            let environment = c_strings(command_line::environment(launch, &places)).map_err(cannot_spawn)?;
            let started = start(&Start {
                program: &c_string(executed.into()).map_err(cannot_spawn)?,
                arguments: &arguments,
                environment: &environment,
                directory: &self.working_directory,
                descriptors: [self.nothing.as_fd(), stderr.as_fd(), stderr.as_fd(), listener.as_fd(), secret.as_fd()],
                open_files: self.descriptors.map(DescriptorLimit::for_children),
                undo: self.undo,
                ruleset: ruleset.as_ref().map(AsFd::as_fd),
                cgroup: leaf.as_ref().map(Leaf::as_fd),
            });
            started.map_err(|error| not_started(&launch.binary, &error))
        })();
        match started {
            Ok(started) => {
                failpoint::hit(Point::ProcessStarted);
                let process = self.take_charge(started, record, config, leaf).map_err(cannot_spawn)?;
                // What was killed before cannot be this one; it is not in the way of its start here.
                self.out_of_memory.pass_over();
                Ok(Spawned { process, metrics })
            }
            Err(failure) => {
                record.remove();
                let _ = leaf.map(|leaf| leaf.remove(Duration::ZERO));
                Err(failure)
            }
        }
    }

    /// From here on there is a child: it is either watched or killed.
    fn take_charge(
        &self,
        started: Started,
        record: GenerationRecord,
        config: Option<PathBuf>,
        leaf: Option<Leaf>,
    ) -> io::Result<Process> {
        let Started { pid, pidfd, cgroup_trouble, landlock_trouble } = started;
        // Without a leaf it runs all the same: its record and its instance id prove it too.
        let leaf = match cgroup_trouble {
            Some(error) => {
                self.tell(&self.told.cgroup, &error, "Cannot start connectors in control groups of their own");
                let _ = leaf.map(|leaf| leaf.remove(Duration::ZERO));
                None
            }
            None => leaf,
        };
        if let Some(error) = landlock_trouble {
            self.tell(&self.told.landlock, &error, "Cannot keep connectors from Adit's own files");
        }
        let completed = (|| {
            let inode = raw::process_inode(&pidfd);
            let start_time = identity::start_time(pid)?;
            let process = RecordedProcess { pid: pid.as_raw_nonzero().get().unsigned_abs(), start_time, inode };
            failpoint::hit(Point::ProcessWatched);
            // A record without the process is still enough to find it by its instance id.
            let _ = record.update(|content| content.process = Some(process));
            failpoint::hit(Point::ProcessRecorded);
            raw::watch(pidfd.try_clone()?)
        })();
        match completed {
            Ok(pidfd) => Ok(Process::new(pid, pidfd, record, config, leaf, Arc::clone(&self.out_of_memory))),
            Err(error) => {
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
                record.remove();
                Err(error)
            }
        }
    }

    fn leaf(&self, slot: &SlotId, generation: Generation) -> Option<Leaf> {
        let made = self.owner.subtree.as_ref()?.make_leaf(slot, generation);
        made.inspect_err(|error| self.tell(&self.told.cgroup, error, "Cannot make control groups for connectors")).ok()
    }

    fn ruleset(&self, own: &Own<'_>) -> Result<Option<OwnedFd>, SpawnFailure> {
        let Some(confinement) = &self.confinement else { return Ok(None) };
        match confinement.ruleset(own) {
            Ok(ruleset) => Ok(Some(ruleset)),
            // That goes by, and in a moment it can have its box.
            Err(error) if is_short(&error) => Err(cannot_spawn(error)),
            Err(error) => {
                // A connector that is not in its box is better than none.
                self.tell(&self.told.landlock, &error, "Cannot keep connectors from Adit's own files");
                Ok(None)
            }
        }
    }

    fn tell(&self, told: &AtomicBool, error: &io::Error, what: &str) {
        if !told.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "{what}");
        }
    }
}

/// By what a program is executed: its name, or its descriptor where the name stands for another file or for none.
fn executed(program: &HeldBinary) -> Result<PathBuf, SpawnFailure> {
    match program.access() {
        Some(Access::Path(path)) => Ok(path.to_owned()),
        Some(Access::Descriptor(descriptor)) => Ok(format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into()),
        None => Err(cannot_spawn(io::Error::new(io::ErrorKind::NotFound, "the program file was written over in place"))),
    }
}

fn not_started(program: &Path, error: &StartError) -> SpawnFailure {
    match error.step {
        Step::Execute => {
            // The file is there (its version was asked for), so these are about what it is.
            let lasting = matches!(error.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
                || error.source.raw_os_error() == Some(libc::ENOEXEC);
            failure("cannot-execute", format!("cannot execute {program:?}: {}", error.source), lasting)
        }
        Step::Clone | Step::Session | Step::Descriptors | Step::Directory | Step::Limits | Step::Privileges => {
            failure("cannot-spawn", with_causes(error), false)
        }
    }
}

fn cannot_spawn(error: io::Error) -> SpawnFailure {
    failure("cannot-spawn", format!("cannot start a process: {error}"), false)
}

fn failure(code: &'static str, sentence: String, lasting: bool) -> SpawnFailure {
    SpawnFailure { reason: Reason::new(code, sentence), lasting }
}

fn c_string(word: OsString) -> io::Result<CString> {
    CString::new(word.into_vec()).map_err(io::Error::from)
}

fn c_strings(words: impl IntoIterator<Item = OsString>) -> io::Result<Vec<CString>> {
    words.into_iter().map(c_string).collect()
}
