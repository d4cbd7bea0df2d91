//! Starting a connector.

use std::{
    ffi::{CString, OsString},
    fs, io,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{ffi::OsStringExt, fs::OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn},
    sys::signal::SigSet,
};
use rustix::{
    fs::{MemfdFlags, SealFlags},
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open},
};

use super::{
    binary::Binaries,
    command_line::{self, Places, TOKEN_PATH},
    exec_helper::EXEC_HELPER,
    generation_record::{Content, FOLDER, GenerationRecord, RecordedProcess},
    handle::Process,
    identity,
    out_of_memory::OutOfMemory,
    raw,
};
use crate::connector::{Generation, Launch, LaunchConfiguration, Reason, SlotId, SpawnFailure};

/// Starts connectors.
pub struct Spawner {
    helper: PathBuf,
    directory: PathBuf,
    notify: Option<PathBuf>,
    boot_id: String,
    binaries: Binaries,
    pub(super) out_of_memory: Arc<OutOfMemory>,
}

/// What is to be started.
pub struct SpawnRequest {
    /// The slot.
    pub slot: SlotId,
    /// The generation.
    pub generation: Generation,
    /// How.
    pub launch: Arc<Launch>,
    /// Where its stdout and stderr go: a file, as a pipe or socket can stop or kill cloudflared.
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

impl Spawner {
    /// A spawner that keeps records and the like in `directory`, which only the daemon's user can enter. `helper` is the `adit`
    /// program, `notify` the socket that connectors report to.
    pub fn new(helper: PathBuf, directory: PathBuf, notify: Option<PathBuf>) -> io::Result<Self> {
        fs::create_dir_all(directory.join(FOLDER))?;
        Ok(Self {
            helper,
            directory,
            notify,
            boot_id: identity::boot_id()?,
            binaries: Binaries::default(),
            out_of_memory: Arc::new(OutOfMemory::new()),
        })
    }

    /// Starts a connector. It blocks: for a millisecond, or for as long as an unknown binary takes to say its version. It must be
    /// called within a tokio runtime.
    pub fn spawn(&self, request: SpawnRequest) -> Result<Spawned, SpawnFailure> {
        let SpawnRequest { slot, generation, launch, stderr, logfile } = request;
        self.binaries.check(&launch.binary)?;
        let stem = self.directory.join(FOLDER).join(Content::stem(&slot, generation));
        let (secret, config) = self.hand_over(&launch, &stem)?;
        let started = self.start(&slot, generation, &launch, &stderr, &logfile, &secret, config.clone());
        started.map_err(|error| {
            if let Some(config) = config {
                let _ = fs::remove_file(config);
            }
            failure("cannot-spawn", format!("cannot start a process: {}", super::with_cause(&error)))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request, taken apart by its only caller")]
    fn start(
        &self,
        slot: &SlotId,
        generation: Generation,
        launch: &Launch,
        stderr: &OwnedFd,
        logfile: &Path,
        secret: &OwnedFd,
        config: Option<PathBuf>,
    ) -> io::Result<Spawned> {
        // Bound and listening here, accepted from there: the port is known before the start and can be nobody else's.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let metrics = listener.local_addr()?;
        let instance = uuid::Uuid::new_v4().to_string();
        let places = Places {
            metrics,
            logfile,
            config: config.as_deref(),
            home: &self.directory,
            notify: self.notify.as_deref(),
            instance: &instance,
        };
        let arguments = self.helper_arguments(launch, &places)?;
        let environment = c_strings(command_line::environment(launch, &places))?;

        let folder = self.directory.join(FOLDER);
        let content = Content::new(slot, generation, self.boot_id.clone(), instance.clone(), launch.facts(), metrics);
        let record = GenerationRecord::create(&folder, slot, content)?;
        let nothing = fs::File::open("/dev/null")?;
        let descriptors =
            [(nothing.as_fd(), 0), (stderr.as_fd(), 1), (stderr.as_fd(), 2), (listener.as_fd(), 3), (secret.as_fd(), 4)];
        let pid = match execute(&self.helper, &arguments, &environment, &descriptors) {
            Ok(pid) => pid,
            Err(error) => {
                record.remove();
                return Err(error);
            }
        };
        self.take_charge(pid, record, config).map(|process| Spawned { process, metrics })
    }

    /// From here on there is a child: it is either watched or killed.
    fn take_charge(&self, pid: Pid, record: GenerationRecord, config: Option<PathBuf>) -> io::Result<Process> {
        let watched = (|| {
            let pidfd = raw::watch(pidfd_open(pid, PidfdFlags::empty())?)?;
            let process =
                RecordedProcess { pid: pid.as_raw_nonzero().get().unsigned_abs(), start_time: identity::start_time(pid)? };
            // A record without the process is still enough to find it by its instance id.
            let _ = record.update(|content| content.process = Some(process));
            Ok::<_, io::Error>(pidfd)
        })();
        match watched {
            Ok(pidfd) => Ok(Process::new(pid, pidfd, record, config, Arc::clone(&self.out_of_memory))),
            Err(error) => {
                // Our own child, not reaped, so the number is its own.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
                record.remove();
                Err(error)
            }
        }
    }

    fn helper_arguments(&self, launch: &Launch, places: &Places<'_>) -> io::Result<Vec<CString>> {
        let mut words: Vec<OsString> = vec!["adit".into(), EXEC_HELPER.into(), self.directory.clone().into()];
        words.push(launch.binary.clone().into());
        words.extend(command_line::arguments(launch, places));
        c_strings(words)
    }

    /// Puts the secret where only the child finds it, and the configuration, if Adit has to write one.
    fn hand_over(&self, launch: &Launch, stem: &Path) -> Result<(OwnedFd, Option<PathBuf>), SpawnFailure> {
        let cannot = |error: io::Error| failure("cannot-hand-over", format!("cannot hand over token or configuration: {error}"));
        match &launch.configuration {
            LaunchConfiguration::Remote => Ok((sealed(launch.token.expose().as_bytes()).map_err(cannot)?, None)),
            LaunchConfiguration::Local(configuration) => {
                let credentials = super::credentials::from_token(&launch.token).ok_or_else(|| SpawnFailure {
                    reason: Reason::new(
                        "bad-token",
                        "cannot make credentials of the connector token: it is not in Cloudflare's form",
                    ),
                    lasting: true,
                })?;
                let path = stem.with_extension(format!("{}.config", stem.extension().unwrap_or_default().display()));
                write_configuration(&path, configuration, launch).map_err(cannot)?;
                Ok((sealed(credentials.expose().as_bytes()).map_err(cannot)?, Some(path)))
            }
        }
    }
}

fn failure(code: &'static str, sentence: String) -> SpawnFailure {
    SpawnFailure { reason: Reason::new(code, sentence), lasting: false }
}

fn write_configuration(path: &Path, configuration: &serde_json::Value, launch: &Launch) -> io::Result<()> {
    let mut document = configuration.as_object().cloned().unwrap_or_default();
    document.insert("tunnel".to_owned(), launch.tunnel_id.as_str().into());
    document.insert("credentials-file".to_owned(), TOKEN_PATH.into());
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec_pretty(&document)?)
}

/// A file in memory with `content`, which nobody can change any more.
fn sealed(content: &[u8]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("adit-secret", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = fs::File::from(memory);
    file.write_all(content)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file.into())
}

/// The descriptors that a child gets are numbered below this one, so that moving one to its place never covers another.
const BEYOND_PLACES: i32 = 10;

fn execute(
    program: &Path,
    arguments: &[CString],
    environment: &[CString],
    descriptors: &[(std::os::fd::BorrowedFd<'_>, i32)],
) -> io::Result<Pid> {
    let mut actions = PosixSpawnFileActions::init()?;
    let mut held = Vec::new();
    for (descriptor, place) in descriptors {
        let copy = rustix::io::fcntl_dupfd_cloexec(descriptor, BEYOND_PLACES)?;
        actions.add_dup2(copy.as_raw_fd(), *place)?;
        held.push(copy);
    }
    let mut attributes = PosixSpawnAttr::init()?;
    // Its own session: a Ctrl-C on a daemon in the foreground must not reach it, and its group is its own from the start.
    let own_session = PosixSpawnFlags::from_bits_retain(libc::c_int::from(libc::POSIX_SPAWN_SETSID));
    attributes.set_flags(own_session | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK)?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_sigmask(&SigSet::empty())?;
    let pid = posix_spawn(program, &actions, &attributes, arguments, environment)?;
    drop(held);
    Pid::from_raw(pid.as_raw()).ok_or_else(|| io::Error::other("posix_spawn gave no process id"))
}

fn c_strings(words: Vec<OsString>) -> io::Result<Vec<CString>> {
    let c_string = |word: OsString| CString::new(word.into_vec()).map_err(io::Error::from);
    words.into_iter().map(c_string).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_sealed_secret_is_read_by_its_path_and_cannot_be_changed() {
        let secret = sealed(b"token").unwrap();
        let path = format!("/proc/self/fd/{}", secret.as_raw_fd());
        let mut text = String::new();
        fs::File::open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "token");
        assert!(fs::File::from(secret).write_all(b"x").is_err());
    }

    #[test]
    fn a_local_configuration_names_tunnel_and_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        let launch = crate::connector::testing::launch();
        let ingress = serde_json::json!({ "ingress": [{ "service": "http_status:404" }], "tunnel": "another" });
        write_configuration(&path, &ingress, &launch).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            written,
            serde_json::json!({
                "credentials-file": "/dev/fd/4",
                "ingress": [{ "service": "http_status:404" }],
                "tunnel": "11111111-2222-3333-4444-555555555555",
            })
        );
    }
}
