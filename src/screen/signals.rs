//! The signals that concern a program on a screen.

use std::io;

use rustix::process::{Signal as Kind, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// A signal that concerns a program on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It is to end, or its terminal is gone.
    End,
    /// It is to stop until it is continued.
    Stop,
    /// It is continued; its terminal may have been in other hands.
    Continue,
}

/// The signals that end what somebody watches: they ask for it, the terminal is gone, or Ctrl-C was pressed.
pub struct Ends([tokio::signal::unix::Signal; 3]);

impl Ends {
    /// Listens from here on: the signals do not end the process by themselves any more.
    ///
    /// # Errors
    ///
    /// When the kernel refuses it.
    pub fn new() -> io::Result<Self> {
        Ok(Self([of(Kind::TERM)?, of(Kind::HUP)?, of(Kind::INT)?]))
    }

    /// The next one. Cancel-safe: a signal that came is kept until it is received.
    pub async fn next(&mut self) {
        let [terminate, hang_up, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// All signals that concern a program on a screen, as they come.
pub struct Signals {
    ends: Ends,
    stop: tokio::signal::unix::Signal,
    resume: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from here on.
    ///
    /// # Errors
    ///
    /// When the kernel refuses it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { ends: Ends::new()?, stop: of(Kind::TSTP)?, resume: of(Kind::CONT)? })
    }

    /// The next one. Cancel-safe: a signal that came is kept until it is received.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            () = self.ends.next() => Signal::End,
            _ = self.stop.recv() => Signal::Stop,
            _ = self.resume.recv() => Signal::Continue,
        }
    }
}

fn of(kind: Kind) -> io::Result<tokio::signal::unix::Signal> {
    signal(SignalKind::from_raw(kind.as_raw()))
}

/// Stops this process until somebody continues it, as Ctrl-Z would have done.
///
/// # Errors
///
/// When the kernel refuses it.
pub fn stop_here() -> io::Result<()> {
    // SIGTSTP is caught, so that the terminal can be given back first; this one cannot be.
    Ok(kill_process(getpid(), Kind::STOP)?)
}
