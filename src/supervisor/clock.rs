//! Noticing that the host's clock was set, or that the host slept.
//!
//! Connections do not outlive a long sleep, and whoever waits then may wait for a time that is long over. The kernel tells of both
//! by cancelling a timer on the real-time clock that was asked for that (`timerfd_create(2)`, `TFD_TIMER_CANCEL_ON_SET`); nothing
//! is polled.

use std::{io, os::fd::OwnedFd};

use rustix::{
    io::{Errno, read},
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::process::watch_descriptor;

/// A watch over the real-time clock.
#[derive(Debug)]
pub(super) struct Clock(AsyncFd<OwnedFd>);

/// When the timer would expire, in seconds since 1970, if that ever came: what counts is that it is cancelled.
const NEVER: i64 = i64::MAX;

impl Clock {
    /// Starts to watch. It must be called within a Tokio runtime.
    pub(super) fn watch() -> io::Result<Self> {
        Self::armed_for(NEVER)
    }

    fn armed_for(seconds: i64) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        arm(&timer, seconds)?;
        Ok(Self(watch_descriptor(timer)?))
    }

    /// Waits until the clock was set. It can be dropped at any time; a change in between is told by the next call.
    pub(super) async fn stepped(&self) -> io::Result<()> {
        loop {
            let expiry = self.0.async_io(Interest::READABLE, |timer| Ok(read(timer, &mut [0_u8; 8])?)).await;
            match told(&expiry) {
                Told::Stepped => return arm(self.0.get_ref(), NEVER),
                Told::Expired => {} // it was set to beyond the end of times, and stays armed for changes
                Told::Failed => return expiry.map(drop),
            }
        }
    }
}

/// What reading the timer says.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Stepped,
    Expired,
    Failed,
}

fn told(expiry: &io::Result<usize>) -> Told {
    match expiry {
        Ok(_) => Told::Expired,
        Err(error) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => Told::Stepped,
        Err(_) => Told::Failed,
    }
}

fn arm(timer: &OwnedFd, seconds: i64) -> io::Result<()> {
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: Timespec { tv_sec: seconds, tv_nsec: 0 } };
    match timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &once) {
        // The clock was set just then. The timer is armed all the same, and reading it would tell of that.
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::testing::is_quiet;

    #[tokio::test]
    async fn a_clock_that_runs_on_tells_nothing() {
        let clock = Clock::watch().unwrap();
        assert!(is_quiet(clock.stepped()).await);
    }

    #[tokio::test]
    async fn a_timer_that_expires_is_no_step_and_goes_on_watching() {
        let clock = Clock::armed_for(1).unwrap();
        assert!(is_quiet(clock.stepped()).await);
    }

    #[test]
    fn a_cancelled_timer_tells_of_a_step_and_every_other_failure_does_not() {
        assert_eq!(told(&Err(Errno::CANCELED.into())), Told::Stepped);
        assert_eq!(told(&Err(Errno::BADF.into())), Told::Failed);
        assert_eq!(told(&Ok(8)), Told::Expired);
    }
}
