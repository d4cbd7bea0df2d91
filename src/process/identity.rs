//! What makes a process this one and no other.
//!
//! ```text
//!   record ────┐
//!              ├─▶ evidence: leaf, birth, instance ─▶ verdict: proved, unproved, a stranger
//!   sighting ──┘
//! ```
//!
//! A number alone is never believed: the kernel gives it to another process as soon as the first is gone.

mod evidence;
mod instance;
mod owner;
mod sighting;

use std::{fs, io, time::Duration};

use rustix::process::Pid;

#[cfg(any(test, fuzzing))]
pub(super) use self::sighting::{argument, parse_user};
pub(super) use self::{
    evidence::{Evidence, Verdict, judge},
    instance::{Home, Instance, is_born_from, resolved},
    owner::Owner,
    sighting::{Seen, Sighting, variable},
};

use crate::boot;

/// How many ticks a second has in what the kernel shows to programs.
const TICKS: u64 = 100;

/// The present time, in ticks of 10 ms since boot: comparable with when a process was started.
pub(super) fn ticks() -> u64 {
    let age = boot::age();
    age.as_secs() * TICKS + u64::from(age.subsec_millis()) * TICKS / 1000
}

/// When the process was started, in ticks since boot. It does not change when the process executes another program.
pub(super) fn start_time(pid: Pid) -> io::Result<u64> {
    Ok(stat(pid)?.start_time)
}

/// The version 2 cgroup of the process, as the kernel names it.
pub(super) fn cgroup(pid: Pid) -> io::Result<String> {
    let membership = fs::read_to_string(file(pid, "cgroup"))?;
    super::cgroup::path_of(&membership).map(str::to_owned).ok_or_else(|| unknown_shape(pid, "cgroup"))
}

/// The processor time that the process has used, in its own code and in the kernel's.
pub(super) fn processor_time(pid: Pid) -> io::Result<Duration> {
    Ok(Duration::from_millis(stat(pid)?.processor_ticks.saturating_mul(1000 / TICKS)))
}

/// What is told apart in a `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    session: i32,
    processor_ticks: u64,
    pub(super) start_time: u64,
}

fn stat(pid: Pid) -> io::Result<Stat> {
    parse_stat(&text(pid, "stat")?).ok_or_else(|| unknown_shape(pid, "stat"))
}

/// Fields 6, 14 with 15, and 22. The second field is a name in brackets, which may hold spaces and brackets itself.
pub(super) fn parse_stat(stat: &str) -> Option<Stat> {
    const FIRST_BEHIND_NAME: usize = 3;
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_ascii_whitespace();
    let session = fields.nth(6 - FIRST_BEHIND_NAME)?.parse().ok()?;
    let own: u64 = fields.nth(14 - 6 - 1)?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    let start_time = fields.nth(22 - 15 - 1)?.parse().ok()?;
    Some(Stat { session, processor_ticks: own.saturating_add(kernel), start_time })
}

/// A file of the kernel's about a process. It holds the process's name, which may be any bytes: those of a program's file, cut at the
/// 15th in the middle of a character.
fn text(pid: Pid, name: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(file(pid, name))?).into_owned())
}

fn file(pid: Pid, name: &str) -> String {
    format!("/proc/{}/{name}", pid.as_raw_nonzero())
}

fn unknown_shape(pid: Pid, name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cannot read {}: its shape is unknown", file(pid, name)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_of_the_kernel_or_of_a_process_is_a_panic(text in "(\\PC|[ ():./0-9\n])*") {
            let _ = parse_stat(&text);
            let _ = Home::of(Path::new("/")).parse(&text);
            let _ = variable(text.as_bytes(), "A");
            let _ = crate::process::cgroup::path_of(&text);
            let _ = crate::process::cgroup::parse_stem(&text);
        }
    }

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields: Vec<String> = (4..=30).map(|field| field.to_string()).collect();
        for name in ["cloudflared", "a b", "x) (y", ")", ""] {
            let stat = format!("77 ({name}) S {}\n", fields.join(" "));
            assert_eq!(parse_stat(&stat), Some(Stat { session: 6, processor_ticks: 14 + 15, start_time: 22 }), "{name:?}");
        }
        for torn in ["", "77", "77 (x", "77 (x) S 1 2 3"] {
            assert_eq!(parse_stat(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn a_process_that_works_uses_processor_time() {
        let own = rustix::process::getpid();
        let before = processor_time(own).unwrap();
        while processor_time(own).unwrap() < before + Duration::from_millis(20) {}
    }

    #[test]
    fn a_process_keeps_its_start_time_and_was_started_before_now() {
        let own = rustix::process::getpid();
        assert_eq!(start_time(own).unwrap(), start_time(own).unwrap());
        assert!(start_time(own).unwrap() <= ticks());
    }
}
