//! What makes a process this one and no other.

use std::{fs, io, path::Path};

use rustix::process::Pid;

use super::command_line::INSTANCE;

/// The kernel's name for the present boot.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// When the process was started, in ticks of 10 ms since boot. It does not change when the process executes another program.
pub(super) fn start_time(pid: Pid) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    start_time_of(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "cannot read /proc/PID/stat: its shape is unknown"))
}

/// Field 22. The second field is a name in brackets, which may hold spaces and brackets itself.
fn start_time_of(stat: &str) -> Option<u64> {
    const FIELD: usize = 22;
    const FIRST_BEHIND_NAME: usize = 3;
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(FIELD - FIRST_BEHIND_NAME)?.parse().ok()
}

/// Whether the process was started with this instance id in its environment. Where that cannot be read it was not.
pub(super) fn has_instance(process: &Path, instance: &str) -> bool {
    let wanted = format!("{INSTANCE}={instance}");
    fs::read(process.join("environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()))
}

/// The process that was started with this instance id, if one runs.
pub(super) fn find_instance(instance: &str) -> Option<Pid> {
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        has_instance(&entry.path(), instance).then(|| Pid::from_raw(number)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields: Vec<String> = (4..=30).map(|field| field.to_string()).collect();
        for name in ["cloudflared", "a b", "x) (y", ")", ""] {
            assert_eq!(start_time_of(&format!("77 ({name}) S {}\n", fields.join(" "))), Some(22), "{name:?}");
        }
        for torn in ["", "77", "77 (x", "77 (x) S 1 2 3"] {
            assert_eq!(start_time_of(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn a_process_keeps_its_start_time() {
        let own = rustix::process::getpid();
        assert_eq!(start_time(own).unwrap(), start_time(own).unwrap());
        assert!(!boot_id().unwrap().is_empty());
    }
}
