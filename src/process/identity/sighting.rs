//! One look at one process, of which everything is certainly about that process.

use std::{fs, io, os::fd::OwnedFd, str::FromStr};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::process::{
    command_line::{FACTS, INSTANCE},
    handle::is_readable,
    raw,
};

/// What was seen of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::process) struct Seen {
    pub(in crate::process) pid: u32,
    /// In ticks since boot.
    pub(in crate::process) start_time: u64,
    /// The kernel's number for this process alone, which is never given again in this boot; where the kernel has them (6.9).
    pub(in crate::process) inode: Option<u64>,
    /// Connectors lead a session of their own, from before they are cloudflared. What they start does not.
    pub(in crate::process) leads_session: bool,
    /// The user it runs as.
    pub(in crate::process) user: u32,
    /// In the same pid namespace as this process. One of a container may have the same paths and mean others.
    pub(in crate::process) is_near: bool,
    pub(in crate::process) cgroup: Option<String>,
    /// The instance id in its environment, where that can be read.
    pub(in crate::process) instance: Option<String>,
    /// The facts of its launch in its environment.
    pub(in crate::process) facts: Option<String>,
}

/// A process that lived when it was looked at.
#[derive(Debug)]
pub(in crate::process) struct Sighting {
    pub(in crate::process) pid: Pid,
    /// It refers to this process for ever, whoever gets its number.
    pub(in crate::process) pidfd: OwnedFd,
    pub(in crate::process) seen: Seen,
}

impl Sighting {
    /// Looks at a process; `None` when it does not exist or has ended.
    ///
    /// # Errors
    ///
    /// When it lives and cannot be looked at.
    pub(in crate::process) fn of(number: u32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(number.cast_signed()) else { return Ok(None) };
        // Opened first: what is read after that, and before it is seen to live still, is about the process of the pidfd.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(None) };
        let seen = look(pid, &pidfd);
        if is_readable(&pidfd) {
            return Ok(None);
        }
        Ok(Some(Self { pid, pidfd, seen: seen? }))
    }

    /// The value of an option in its command line, where it can be read and while it lives.
    pub(in crate::process) fn argument<T: FromStr>(&self, option: &str) -> Option<T> {
        let command_line = fs::read(super::file(self.pid, "cmdline")).ok()?;
        if is_readable(&self.pidfd) {
            return None;
        }
        argument(&command_line, option)?.parse().ok()
    }
}

/// The word behind an option.
pub(in crate::process) fn argument<'a>(command_line: &'a [u8], option: &str) -> Option<&'a str> {
    let mut words = command_line.split(|byte| *byte == 0).skip_while(|word| *word != option.as_bytes());
    std::str::from_utf8(words.nth(1)?).ok()
}

fn look(pid: Pid, pidfd: &OwnedFd) -> io::Result<Seen> {
    let number = pid.as_raw_nonzero().get();
    let stat = super::stat(pid)?;
    let environment = fs::read(super::file(pid, "environ")).unwrap_or_default();
    let variable = |name: &str| variable(&environment, name).and_then(|value| String::from_utf8(value.to_vec()).ok());
    Ok(Seen {
        pid: number.unsigned_abs(),
        start_time: stat.start_time,
        inode: raw::process_inode(pidfd),
        leads_session: stat.session == number,
        user: user(pid)?,
        is_near: is_near(pid),
        cgroup: super::cgroup(pid).ok(),
        instance: variable(INSTANCE),
        facts: variable(FACTS),
    })
}

/// The value of an environment variable.
pub(in crate::process) fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// The real user. The owner of the folder in /proc is root's where the program's file cannot be read by its user.
fn user(pid: Pid) -> io::Result<u32> {
    parse_user(&super::text(pid, "status")?).ok_or_else(|| super::unknown_shape(pid, "status"))
}

pub(in crate::process) fn parse_user(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().next()?.parse().ok()
}

fn is_near(pid: Pid) -> bool {
    let own = fs::read_link("/proc/self/ns/pid");
    matches!((fs::read_link(super::file(pid, "ns/pid")), own), (Ok(theirs), Ok(own)) if theirs == own)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_living_process_is_seen_and_one_that_ended_is_not() {
        let mut child = Command::new("sleep").arg("600").env_clear().env(INSTANCE, "a:b").spawn().unwrap();
        // Between fork and exec it still has our environment.
        let sighting = loop {
            let sighting = Sighting::of(child.id()).unwrap().unwrap();
            if sighting.seen.instance.as_deref() == Some("a:b") {
                break sighting;
            }
        };
        let Seen { pid: number, start_time, leads_session, user, is_near, facts, .. } = sighting.seen.clone();
        assert_eq!((number, leads_session, is_near, facts), (child.id(), false, true, None));
        assert_eq!(user, rustix::process::getuid().as_raw());
        assert!(start_time <= crate::process::identity::ticks());
        assert_eq!(sighting.argument::<u32>("sleep"), Some(600));
        assert_eq!(Sighting::of(child.id()).unwrap().unwrap().seen, sighting.seen, "a second look sees the same");

        child.kill().unwrap();
        while !is_readable(&sighting.pidfd) {}
        assert!(Sighting::of(child.id()).unwrap().is_none(), "a zombie has ended");
        assert_eq!(sighting.argument::<u32>("sleep"), None);
        child.wait().unwrap();
        assert!(Sighting::of(child.id()).unwrap().is_none());
    }

    #[test]
    fn a_process_is_seen_though_the_kernel_cut_its_name_within_a_character() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("cloudflared-daß");
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program).arg("600").spawn().unwrap();
        // Between fork and exec it still has our name.
        while fs::read(format!("/proc/{}/comm", child.id())).is_ok_and(|name| str::from_utf8(&name).is_ok()) {}
        let sighting = Sighting::of(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(sighting.unwrap().unwrap().seen.user, rustix::process::getuid().as_raw());
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let environment = b"A=1\0AB=2\0B=\0";
        assert_eq!(variable(environment, "AB"), Some(&b"2"[..]));
        assert_eq!(variable(environment, "B"), Some(&b""[..]));
        assert_eq!(variable(environment, "C"), None);
    }
}
