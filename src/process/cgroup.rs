//! The part of the cgroup tree that was given to us, and a leaf in it for each connector.
//!
//! ```text
//!   adit.service/          the unit: an inner node, and no controllers, ever
//!   ├── daemon/            ourselves
//!   ├── .control/          systemd's, for the unit's other commands
//!   └── c-web.0.7/         what generation 7 of tunnel web's first replica started
//! ```
//!
//! A leaf says whose it is, outlives the daemon, and is killed as a whole. No controller is ever enabled: a unit with controllers
//! and living connectors cannot be started again (`facts/supervision.md` 2b). What the service manager did not mark as ours is left
//! alone, whatever our rights: a daemon that is run from a shell must not rearrange a session.

mod leaf;
mod name;
mod place;

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, Mode, OFlags};

pub(super) use leaf::Leaf;
pub(super) use name::parse_stem;
pub(super) use place::path_of;
#[cfg(any(test, fuzzing))]
pub(super) use {
    name::{of as name_of, parse as parse_name},
    place::{Mount, mount},
};

use self::place::Place;
use crate::connector::{Generation, SlotId};

/// The daemon's own leaf.
const DAEMON: &str = "daemon";
/// Where systemd runs the unit's other commands.
const CONTROL: &str = ".control";

/// The cgroup of the unit, given to us with everything below it.
#[derive(Debug)]
pub struct Subtree {
    unit: Place,
    /// Of the daemon's leaf, locked. Two daemons in one container would take each other's leaves for their own.
    lock: Option<OwnedFd>,
}

impl Subtree {
    /// The subtree that the service manager gave to this process; `None` when it gave none.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn delegated() -> io::Result<Option<Self>> {
        let Some(own) = Place::own()? else { return Ok(None) };
        // A process of the unit may be in a leaf of it already; the mark is on the unit.
        let inner = matches!(own.name(), DAEMON | CONTROL).then(|| own.parent()).flatten();
        let unit = inner.into_iter().chain([own]).find(|place| place::is_delegated(&place.directory));
        Ok(unit.map(|unit| Self { unit, lock: None }))
    }

    /// The subtree below a directory that is known to be ours.
    ///
    /// # Errors
    ///
    /// When the directory is in no version 2 cgroup tree.
    pub fn at(directory: &Path) -> io::Result<Self> {
        Ok(Self { unit: Place::of_directory(directory)?, lock: None })
    }

    /// Moves this process out of the unit's own cgroup into a leaf, so that the unit is an inner node, and keeps the subtree to itself
    /// until it ends. It is to be done before the service manager hears that the daemon is ready.
    ///
    /// # Errors
    ///
    /// When the subtree is ours by its mark only: the tree is mounted read-only, or belongs to another user or daemon.
    pub fn settle(&mut self) -> io::Result<()> {
        let daemon = self.unit.child(DAEMON).directory;
        make(&daemon)?;
        let lock = rustix::fs::open(&daemon, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        self.lock = Some(lock);
        fs::write(daemon.join("cgroup.procs"), "0")
    }

    /// The leaf of a generation, made if need be.
    pub(super) fn make_leaf(&self, slot: &SlotId, generation: Generation) -> io::Result<Leaf> {
        let name = name::of(slot, generation);
        make(&self.unit.child(&name).directory)?;
        let leaf = Leaf::open(&self.unit, &name)?;
        leaf.ok_or_else(|| io::Error::other(format!("leaf {name:?} cannot be known by its name")))
    }

    /// Every leaf of a connector that is there.
    pub(super) fn leaves(&self) -> io::Result<Vec<Leaf>> {
        let mut leaves = Vec::new();
        for entry in fs::read_dir(&self.unit.directory)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            match Leaf::open(&self.unit, &name) {
                Ok(leaf) => leaves.extend(leaf),
                // It went between the two looks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(leaves)
    }
}

/// The directory of the unit's cgroup, or of the one that this process is in where no unit was given to it; `None` without a
/// version 2 tree.
pub fn own_cgroup() -> Option<PathBuf> {
    let place = Place::own().ok()??;
    let unit = matches!(place.name(), DAEMON | CONTROL).then(|| place.parent()).flatten();
    Some(unit.unwrap_or(place).directory)
}

/// The file that counts what the kernel killed for want of memory in the unit or, where that has none, in the nearest cgroup around
/// it; `None` where no cgroup keeps count.
pub(super) fn memory_events() -> Option<PathBuf> {
    let mut place = Place::own().ok()??;
    if matches!(place.name(), DAEMON | CONTROL) {
        place = place.parent()?;
    }
    loop {
        let file = place.directory.join("memory.events");
        if file.exists() {
            return Some(file);
        }
        place = place.parent()?;
    }
}

fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
