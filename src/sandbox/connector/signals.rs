//! Signals as cloudflared takes them: the first SIGTERM or SIGINT stops gracefully, a second one kills, SIGQUIT dumps, SIGHUP keeps its
//! default action.
//!
//! They are blocked and read from a descriptor. Until then, and again after the first one, the default action holds.

use std::{fs, io, io::Write};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use tokio::{io::unix::AsyncFd, sync::watch};

use super::raw;
use crate::sandbox::switchboard::Switches;

/// The signals that are blocked in this process.
pub(super) struct Signals {
    descriptor: AsyncFd<SignalFd>,
    stops: SigSet,
}

impl Signals {
    /// Blocks the signals and begins to read them. Threads that are to be spared from them start later.
    ///
    /// # Errors
    ///
    /// When the system is out of descriptors.
    pub(super) fn install() -> io::Result<Self> {
        let ignored = ignored_at_exec();
        // An interrupt that was ignored when this program was executed stays ignored.
        let stops: SigSet =
            [Signal::SIGTERM, Signal::SIGINT].into_iter().filter(|signal| ignored >> (*signal as i32 - 1) & 1 == 0).collect();
        // The last three mean nothing to a Go program, and would kill this one.
        let others: SigSet = [Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM].into_iter().collect();
        let all: SigSet = stops.iter().chain(others.iter()).collect();
        all.thread_block()?;
        let descriptor = SignalFd::with_flags(&all, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { descriptor: raw::watch(descriptor)?, stops })
    }

    /// Waits for the signal that starts a graceful stop and gives its name as Go spells it. From then on the next one kills.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be read.
    pub(super) async fn stop(&self, switches: &watch::Receiver<Switches>) -> io::Result<&'static str> {
        loop {
            let mut ready = self.descriptor.readable().await?;
            let Some(information) = self.descriptor.get_ref().read_signal()? else {
                ready.clear_ready();
                continue;
            };
            let name = match i32::try_from(information.ssi_signo).map(Signal::try_from) {
                Ok(Ok(Signal::SIGTERM)) => "terminated",
                Ok(Ok(Signal::SIGINT)) => "interrupt",
                Ok(Ok(Signal::SIGQUIT)) => dump(),
                _ => continue,
            };
            if switches.borrow().ignore_sigterm {
                continue;
            }
            self.stops.thread_unblock()?;
            return Ok(name);
        }
    }
}

/// The set of signals that this process ignores, a bit each.
fn ignored_at_exec() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Go's answer to SIGQUIT: where every goroutine stands, and exit code 2.
fn dump() -> ! {
    // A reader that is gone misses nothing it could act on.
    io::stderr().write_all(b"SIGQUIT: quit\nPC=0x0 m=0 sigcode=0\n\ngoroutine 1 [select]:\nmain.main()\n").ok();
    std::process::exit(2)
}
