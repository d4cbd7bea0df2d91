//! Ending what a daemon left running when its unit is stopped for good.
//!
//! This may run as root for a daemon that does not. So it goes by what proves a connector, its user included, and removes files only
//! within a folder that it holds open: whoever owns that folder must not lead it elsewhere.

use std::{
    io,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{AtFlags, Mode, OFlags, open, openat, unlinkat},
    process::{Signal, pidfd_send_signal},
};

use super::{
    cgroup::Subtree,
    generation_record::FOLDER,
    identity::Owner,
    survivors::{Census, Found},
};

/// What came of ending leftovers: each names the connector and its process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Connectors that were ended.
    pub ended: Vec<String>,
    /// What was left alone, and why.
    pub left: Vec<String>,
}

/// Kills every connector of the daemon with this private folder that can be proved to be its own, and waits at most `time_max` for
/// them to be gone. Their records and cgroups are removed. No daemon may run meanwhile. It blocks, and needs no runtime.
///
/// # Errors
///
/// When `/proc` or the records' folder cannot be read: nothing was ended then.
pub fn end_leftovers(private: &Path, time_max: Duration) -> io::Result<Leftovers> {
    end(&Owner::of(private, Subtree::delegated()?)?, time_max)
}

fn end(owner: &Owner, time_max: Duration) -> io::Result<Leftovers> {
    let deadline = now() + time_max;
    let Census { found, void, unfinished, unreadable: _, strange, deserted } = Census::take(owner)?;
    let records = Records::open(&owner.private);
    let mut leftovers = Leftovers::default();
    // All are killed before any is waited for.
    let (proved, unproved): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.is_proved);
    for found in &proved {
        kill(found);
    }
    for leaf in &deserted {
        // Whether it worked is seen when the leaf is removed.
        let _ = leaf.kill();
    }
    for found in &proved {
        if has_ended(&found.sighting.pidfd, deadline)? {
            records.remove(&found.path);
            leftovers.ended.push(name(found));
        } else {
            leftovers.left.push(format!("{}: it was killed and has not ended yet", name(found)));
        }
    }
    for leaf in proved.iter().filter_map(|found| found.leaf.as_ref()).chain(&deserted) {
        if let Err(error) = leaf.remove(deadline.saturating_duration_since(now())) {
            leftovers.left.push(format!("cgroup {}: {error}", leaf.path()));
        }
    }
    leftovers.left.extend(unproved.iter().map(|found| format!("{}: it cannot be proved to be a connector of Adit", name(found))));
    leftovers.left.extend(strange.into_iter().map(|(pid, why)| format!("process {pid}: {why}")));
    for path in void.iter().chain(&unfinished) {
        records.remove(path);
    }
    Ok(leftovers)
}

fn name(found: &Found) -> String {
    format!("generation {} of connector {} (process {})", found.content.generation, found.slot, found.sighting.seen.pid)
}

fn kill(found: &Found) {
    // The one way to fail is that it has ended, which is seen right after.
    let _ = pidfd_send_signal(&found.sighting.pidfd, Signal::KILL);
    if let Some(leaf) = &found.leaf {
        let _ = leaf.kill();
    }
}

/// Whether a process ends by `deadline`.
fn has_ended(pidfd: &OwnedFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = Timespec::try_from(deadline.saturating_duration_since(now())).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The folder of the records, if there is one and it is no link to another place.
struct Records(Option<OwnedFd>);

impl Records {
    fn open(private: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = open(private, flags, Mode::empty()).and_then(|private| openat(private, FOLDER, flags, Mode::empty()));
        Self(folder.ok())
    }

    /// Removes a record, and the configuration that was written for its process.
    fn remove(&self, path: &Path) {
        let Self(Some(folder)) = self else { return };
        let config = path.with_extension("config");
        let is_record = path.extension().is_some_and(|extension| extension == "json");
        for file in [Some(path), is_record.then_some(config.as_path())].into_iter().flatten() {
            // What stays behind names a process that does not exist, which the next daemon sees.
            let _ = file.file_name().map(|name| unlinkat(folder, name, AtFlags::empty()));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the kernel is waited for, and it knows no virtual clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
