//! A TCP listener that can be taken down and up again on the same port.

use std::{io, net::SocketAddr, os::fd::OwnedFd, time::Duration};

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, bind, getsockname, listen, shutdown, socket_with, sockopt};
use tokio::net::{TcpListener, TcpStream};

/// How many connections may wait to be accepted: hundreds of connectors dial at once when an outage ends.
const BACKLOG: i32 = 1024;

/// How long to wait after a failed accept. Long enough to spare the processor, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A listener on loopback. While it is down its port stays taken, and whoever connects is refused at once.
#[derive(Debug)]
pub(in crate::sandbox) struct Listener {
    /// The bound socket, whether it listens or not.
    socket: OwnedFd,
    address: SocketAddr,
    /// The same socket while it listens. It is made anew each time: Tokio never forgets that a socket was shut down.
    listening: Option<TcpListener>,
}

impl Listener {
    /// Listens on a free port of `127.0.0.1`. It must be called within a Tokio runtime.
    pub(in crate::sandbox) fn bind() -> io::Result<Self> {
        // Linux lets go of a port that it chose itself as soon as the socket stops listening. So one socket finds a free port and
        // keeps it until the other has asked for it by number.
        let finder = reusable_socket()?;
        bind(&finder, &SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = SocketAddr::try_from(getsockname(&finder)?)?;
        let socket = reusable_socket()?;
        bind(&socket, &address)?;
        let mut listener = Self { socket, address, listening: None };
        listener.set_up(true)?;
        Ok(listener)
    }

    pub(in crate::sandbox) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, or stops to. Linux keeps a socket bound when it leaves the listening state by a shutdown of its reading side.
    pub(in crate::sandbox) fn set_up(&mut self, up: bool) -> io::Result<()> {
        match (up, &self.listening) {
            (true, None) => {
                listen(&self.socket, BACKLOG)?;
                self.listening = Some(TcpListener::from_std(self.socket.try_clone()?.into())?);
            }
            (false, Some(_)) => {
                self.listening = None;
                shutdown(&self.socket, Shutdown::Read)?;
            }
            (true, Some(_)) | (false, None) => {}
        }
        Ok(())
    }

    /// The next connection. Cancel-safe. While the listener is down this waits for ever.
    pub(in crate::sandbox) async fn accept(&self) -> TcpStream {
        let Some(listening) = &self.listening else { return std::future::pending().await };
        accepted(|| listening.accept()).await.0
    }
}

/// What `accept` gives; when it fails it is tried again. Cancel-safe where `accept` is.
pub(in crate::sandbox) async fn accepted<T, F: Future<Output = io::Result<T>>>(accept: impl Fn() -> F) -> T {
    loop {
        match accept().await {
            Ok(accepted) => return accepted,
            // Out of descriptors, most likely: a pause lets some of them close.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn reusable_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_that_is_down_refuses_and_comes_back_on_its_port() {
        let mut listener = Listener::bind().unwrap();

        listener.set_up(false).unwrap();
        let refused = TcpStream::connect(listener.address()).await.unwrap_err();
        listener.set_up(true).unwrap();
        let (accepted, connected) = tokio::join!(listener.accept(), TcpStream::connect(listener.address()));

        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(accepted.peer_addr().unwrap(), connected.unwrap().local_addr().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn an_accept_that_fails_is_tried_again() {
        let tries = std::cell::Cell::new(0);
        let third = accepted(|| {
            tries.set(tries.get() + 1);
            std::future::ready(if tries.get() < 3 { Err(io::Error::other("out of descriptors")) } else { Ok(tries.get()) })
        });
        assert_eq!(third.await, 3);
    }
}
