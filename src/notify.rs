//! The socket on which connectors say that they are connected.
//!
//! cloudflared speaks systemd's protocol: `READY=1` once, when its first connection to the edge is registered. All connectors are
//! given one socket; the kernel says which process wrote.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::AsFd,
    path::Path,
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt::set_socket_passcred};
use tokio::{io::Interest, net::UnixDatagram};

/// No message of this protocol is longer, in bytes; the rest of a longer one is not read.
const MESSAGE_MAX: usize = 512;

/// The socket.
pub struct Notifications(UnixDatagram);

impl Notifications {
    /// Listens at `path`, in place of whatever was there: the socket of an earlier daemon, whose connectors find this one.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let socket = UnixDatagram::bind(path)?;
        set_socket_passcred(&socket, true)?;
        Ok(Self(socket))
    }

    /// Waits until a process says that it is ready, and gives its id. Everything else that is written is passed over. It can be
    /// dropped at any time without losing a message.
    pub async fn ready(&self) -> io::Result<u32> {
        loop {
            let (pid, message) = self.0.async_io(Interest::READABLE, || receive(&self.0)).await?;
            if let Some(pid) = pid
                && says_ready(&message)
            {
                return Ok(pid);
            }
        }
    }
}

/// Whether one of the lines says so.
fn says_ready(message: &[u8]) -> bool {
    message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

fn receive(socket: impl AsFd) -> io::Result<(Option<u32>, Vec<u8>)> {
    let mut message = [0; MESSAGE_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut message)], &mut ancillary, RecvFlags::DONTWAIT)?;
    let pid = ancillary.drain().find_map(|part| {
        let RecvAncillaryMessage::ScmCredentials(credentials) = part else { return None };
        Some(credentials.pid.as_raw_nonzero().get().unsigned_abs())
    });
    Ok((pid, message[..received.bytes].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_which_process_is_ready_and_passes_over_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify.sock");
        let notifications = Notifications::bind(&path).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        for message in ["", "STATUS=NOT READY=1", "READY=0", &"x".repeat(5000)] {
            sender.send_to(message.as_bytes(), &path).await.unwrap();
        }
        sender.send_to(b"STATUS=up\nREADY=1\n", &path).await.unwrap();
        assert_eq!(notifications.ready().await.unwrap(), std::process::id());
    }

    #[tokio::test]
    async fn takes_the_place_of_an_earlier_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify.sock");
        drop(Notifications::bind(&path).unwrap());
        let notifications = Notifications::bind(&path).unwrap();
        UnixDatagram::unbound().unwrap().send_to(b"READY=1", &path).await.unwrap();
        assert_eq!(notifications.ready().await.unwrap(), std::process::id());
    }
}
