//! Whether a client is gone.
//!
//! One that has only ended its own sending, as `nc -N` does, still reads; one that is gone does not. `poll(2)` tells them apart: only
//! when both ends are closed does a socket hang up.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;

use crate::process::watch_descriptor_for;

/// Tells when the other end of a connection is closed, and not only its sending half. It reads nothing.
pub(super) struct HangUp(OwnedFd);

impl HangUp {
    /// For the connection `stream`. It keeps no connection open for the other end, but a descriptor of this process.
    pub(super) fn of(stream: impl AsFd) -> io::Result<Self> {
        Ok(Self(stream.as_fd().try_clone_to_owned()?))
    }

    /// Waits until it has happened.
    pub(super) async fn happened(self) -> io::Result<()> {
        // Of all that there is to wait for this is what a stream socket never has, so that neither what comes nor room for what goes
        // wakes anybody: the kernel tells of a hang-up unasked (`epoll_ctl(2)`, EPOLLHUP).
        let watched = watch_descriptor_for(self.0, Interest::PRIORITY)?;
        loop {
            let mut guard = watched.ready(Interest::PRIORITY).await?;
            if is_gone(watched.get_ref()) {
                return Ok(());
            }
            guard.clear_ready();
        }
    }
}

/// Whether the other end is closed, and not only its sending half.
pub(super) fn is_gone(stream: impl AsFd) -> bool {
    let mut asked = [PollFd::new(&stream, PollFlags::empty())];
    poll(&mut asked, Some(&Timespec::default())).is_ok_and(|found| found > 0) && asked[0].revents().contains(PollFlags::HUP)
}

#[cfg(test)]
mod tests {
    use std::{net::Shutdown, time::Duration};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
        time::timeout,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_or_reads_or_has_ended_its_sending_is_there_and_one_that_closed_is_gone() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut theirs = theirs.into_std().unwrap();
        let happened = HangUp::of(&ours).unwrap().happened();
        let mut happened = std::pin::pin!(happened);
        let mut is_there = async || timeout(Duration::from_secs(60), happened.as_mut()).await.is_err();
        assert!(is_there().await);
        std::io::Write::write_all(&mut theirs, b"what").unwrap();
        assert!(is_there().await && !is_gone(&ours));
        ours.write_all(b"that").await.unwrap();
        std::io::Read::read_exact(&mut theirs, &mut [0; 4]).unwrap();
        assert!(is_there().await && !is_gone(&ours));
        theirs.shutdown(Shutdown::Write).unwrap();
        assert!(is_there().await && !is_gone(&ours));
        drop(theirs);
        happened.await.unwrap();
        assert!(is_gone(&ours));
        let mut text = String::new();
        ours.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "what", "nothing was read");
    }

    #[tokio::test]
    async fn a_client_that_was_gone_before_anybody_looked_is_gone() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        HangUp::of(&ours).unwrap().happened().await.unwrap();
    }
}
