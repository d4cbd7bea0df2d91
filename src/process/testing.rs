//! What the tests of identity share: processes like connectors, and a piece of the real cgroup tree.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    cgroup::{Leaf, Subtree},
    command_line::{FACTS, INSTANCE},
    generation_record::{Content, FOLDER, GenerationRecord, RecordedProcess},
    identity::{self, Owner, Sighting},
};
use crate::connector::{Generation, SlotId, testing::launch};

/// A daemon's private folder, without a daemon.
pub(super) struct House {
    pub(super) directory: TempDir,
    pub(super) owner: Owner,
}

impl House {
    pub(super) fn new(subtree: Option<Subtree>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(FOLDER)).unwrap();
        let owner = Owner::of(directory.path(), subtree).unwrap();
        assert_eq!(owner.user, fs::metadata("/proc/self").unwrap().uid());
        Self { directory, owner }
    }

    /// Where the record of the generation is.
    pub(super) fn record_path(&self, generation: u64) -> PathBuf {
        self.directory.path().join(FOLDER).join(format!("web.0.{generation}.json"))
    }

    /// A process like a connector of this house.
    pub(super) fn connector(&self, generation: u64) -> Connector {
        let begun = identity::ticks();
        self.connector_begun(generation, begun)
    }

    /// The same, with an instance id that was made at another time.
    pub(super) fn connector_begun(&self, generation: u64, begun: u64) -> Connector {
        let instance = self.owner.home.instance(&slot(), Generation(generation), begun);
        Connector::start("read x", Some(instance), begun)
    }

    /// The same, which carries facts in a form that this release does not know.
    pub(super) fn connector_of_unknown_facts(&self, generation: u64) -> Connector {
        let begun = identity::ticks();
        let instance = self.owner.home.instance(&slot(), Generation(generation), begun);
        Connector::start_with("read x", Some(instance), begun, "{\"of\":\"another release\"}")
    }

    /// The record of a connector, as it is when its process is known.
    pub(super) fn content(&self, generation: u64, connector: &Connector) -> Content {
        let instance = connector.instance.clone().unwrap();
        let boot_id = self.owner.boot_id.clone();
        let mut content = Content::new(&slot(), Generation(generation), boot_id, instance, launch().facts(), metrics());
        let seen = Sighting::of(connector.pid()).unwrap().unwrap().seen;
        content.begun = Some(connector.begun);
        content.process = Some(RecordedProcess { pid: seen.pid, start_time: seen.start_time, inode: seen.inode });
        content
    }

    /// Writes a record.
    pub(super) fn record(&self, content: Content) {
        drop(GenerationRecord::create(&self.directory.path().join(FOLDER), &slot(), content));
    }

    /// The leaf of the generation.
    pub(super) fn leaf(&self, generation: u64) -> Leaf {
        self.owner.subtree.as_ref().unwrap().make_leaf(&slot(), Generation(generation)).unwrap()
    }
}

pub(super) fn slot() -> SlotId {
    SlotId::new("web".parse().unwrap(), 0)
}

pub(super) fn metrics() -> SocketAddr {
    "127.0.0.1:4000".parse().unwrap()
}

/// A process that leads a session, carries an instance id and does nothing until it is told to go on.
pub(super) struct Connector {
    child: Child,
    pub(super) instance: Option<String>,
    pub(super) begun: u64,
}

impl Connector {
    /// A shell that runs `script`, in an environment with this instance id.
    pub(super) fn start(script: &str, instance: Option<String>, begun: u64) -> Self {
        Self::start_with(script, instance, begun, &serde_json::to_string(&launch().facts()).unwrap())
    }

    fn start_with(script: &str, instance: Option<String>, begun: u64, facts: &str) -> Self {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", script, "connector", "--metrics", &metrics().to_string()]);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(instance) = &instance {
            command.env(INSTANCE, instance).env(FACTS, facts);
        }
        let connector = Self { child: command.spawn().unwrap(), instance, begun };
        // While it executes the shell it has no environment to be read.
        let is_shell = || fs::read(format!("/proc/{}/cmdline", connector.pid())).unwrap().starts_with(b"sh\0");
        until("it leads a session", || is_shell() && Sighting::of(connector.pid()).unwrap().unwrap().seen.leads_session);
        connector
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets its script go on behind `read x`.
    pub(super) fn go_on(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    pub(super) fn is_alive(&self) -> bool {
        is_alive(self.pid())
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // With what it started. It leads its group, and its number is its own until it is waited for.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Whether a process with this number runs.
pub(super) fn is_alive(pid: u32) -> bool {
    Sighting::of(pid).unwrap().is_some()
}

/// A cgroup of its own for one test, in the cgroup that the tests run in.
pub(super) struct Scratch {
    pub(super) directory: PathBuf,
}

impl Scratch {
    /// `None` where the host lets the tests make none.
    pub(super) fn new() -> Option<Self> {
        let directory = own_cgroup()?.join(format!("adit-test-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&directory).ok().map(|()| Self { directory })
    }

    pub(super) fn subtree(&self) -> Subtree {
        Subtree::at(&self.directory).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let folders = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        for folder in folders {
            let _ = fs::write(folder.join("cgroup.kill"), "1");
            until("a cgroup of the test can be removed", || fs::remove_dir(&folder).is_ok());
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

/// The directory of the cgroup that the tests run in.
pub(super) fn own_cgroup() -> Option<PathBuf> {
    let path = identity::cgroup(rustix::process::getpid()).ok()?;
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let directory = mounts.iter().map(|mount| Path::new(mount).join(path.trim_start_matches('/')));
    directory.rev().find(|directory| directory.join("cgroup.procs").exists() && Subtree::at(directory).is_ok())
}

/// Waits until `holds`.
#[expect(clippy::disallowed_methods, reason = "a test waits for real processes")]
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 20, "it does not come to pass that {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Waits until the runtime has looked at its descriptors once more: whatever was ready before has woken who waits for it.
pub(crate) async fn until_looked_at() {
    let (mut here, mut there) = tokio::net::UnixStream::pair().expect("there are descriptors");
    there.write_all(b"x").await.expect("it takes a byte");
    here.read_u8().await.expect("it was written");
}

/// Whether `waiting` goes on waiting although everything was looked at that is ready.
pub(crate) async fn is_quiet(waiting: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = waiting => false,
        () = until_looked_at() => true,
    }
}
