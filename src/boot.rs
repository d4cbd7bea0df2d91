//! Which boot of the host this is, and for how long it lasts: what lies on a tmpfs is only of one, and so are the times in it.

use std::{fs, io, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The kernel's name for the present boot.
///
/// # Errors
///
/// Where the kernel does not say it.
pub fn id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// For how long the host runs, sleep included: a clock that nobody sets, and that every daemon of this boot shares.
pub fn age() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_name_and_gets_older() {
        assert!(!id().unwrap().is_empty());
        assert_eq!(id().unwrap(), id().unwrap());
        let before = age();
        assert!(before > Duration::ZERO && age() >= before);
    }
}
