//! A port on which nobody listens, and nobody else can while it is held.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A socket that is bound and never listens: whoever connects is refused. A port that was only let go could be taken by
/// anybody else on the machine.
pub(crate) struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// Takes a free port of the loopback address.
    pub(crate) fn take() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self(socket)
    }

    /// Where it is, as `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }
}
