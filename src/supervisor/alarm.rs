//! What wakes the loop when something is due.
//!
//! It is a timer of the kernel's. Tokio's own are kept in a wheel, for the turning of which it wakes up once or twice on the way to
//! every moment that is further off than 64 ms.

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::unix::AsyncFd;

use super::task::now;
use crate::process::watch_descriptor;

/// A timer that rings once.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    set_to: Option<Instant>,
}

impl Alarm {
    /// One that is not set. It must be called within a Tokio runtime.
    pub(super) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        Ok(Self { timer: watch_descriptor(timer)?, set_to: None })
    }

    /// Sets it to `at`, which may be over; `None` for never.
    pub(super) fn set(&mut self, at: Option<Instant>) -> io::Result<()> {
        if self.set_to == at {
            return Ok(());
        }
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let left = match at {
            // Nothing at all would disarm it.
            Some(at) => Timespec::try_from(at.saturating_duration_since(now()).max(Duration::from_nanos(1))),
            None => Ok(none),
        };
        let left = left.map_err(io::Error::other)?;
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: none, it_value: left })?;
        self.set_to = at;
        Ok(())
    }

    /// Waits until it rings, or rang since it was set. It can be dropped at any time. It may ring once for a time that was
    /// taken back.
    pub(super) async fn rings(&mut self) -> io::Result<()> {
        self.timer.readable().await?.clear_ready();
        self.set_to = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::testing::is_quiet;

    const A_MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn it_rings_once_for_each_time() {
        let mut alarm = Alarm::new().unwrap();
        for at in [now(), now() + A_MOMENT] {
            alarm.set(Some(at)).unwrap();
            alarm.rings().await.unwrap();
            assert!(now() >= at);
            assert!(is_quiet(alarm.rings()).await);
        }
    }

    #[tokio::test]
    async fn one_that_is_set_back_does_not_ring() {
        let (mut alarm, mut later) = (Alarm::new().unwrap(), Alarm::new().unwrap());
        alarm.set(Some(now() + Duration::from_secs(3600))).unwrap();
        assert!(is_quiet(alarm.rings()).await);
        let at = now() + A_MOMENT;
        alarm.set(Some(at)).unwrap();
        alarm.set(None).unwrap();
        later.set(Some(at)).unwrap();
        later.rings().await.unwrap();
        assert!(is_quiet(alarm.rings()).await);
    }
}
