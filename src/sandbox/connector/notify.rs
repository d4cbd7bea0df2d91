//! `READY=1`, once, when the first connection is registered.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

/// Sends it to the socket that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name.
///
/// # Errors
///
/// When there is no such socket, or nobody listens.
pub(super) fn ready(socket: &str) -> io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(drop)
}
