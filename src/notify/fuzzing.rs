//! The laws of what connectors write to the socket.

use std::{cell::LazyCell, os::unix::net::UnixDatagram};

use rustix::net::sockopt::set_socket_passcred;

use super::{MESSAGE_MAX, receive, says_ready};

thread_local! {
    static SOCKETS: LazyCell<(UnixDatagram, UnixDatagram)> = LazyCell::new(|| {
        let (ours, theirs) = UnixDatagram::pair().expect("a process may have sockets");
        set_socket_passcred(&ours, true).expect("the kernel tells who writes");
        (ours, theirs)
    });
}

/// Any bytes as a message, by a socket.
pub fn messages(bytes: &[u8]) {
    SOCKETS.with(|sockets| {
        let (ours, theirs) = &**sockets;
        // The kernel takes no longer one at once.
        let sent = &bytes[..bytes.len().min(64 * 1024)];
        theirs.send(sent).expect("the queue is empty");
        let (pid, message) = receive(ours).expect("it was sent");
        assert_eq!(pid, Some(std::process::id()));
        assert_eq!(message, sent[..sent.len().min(MESSAGE_MAX)]);
        let lines = String::from_utf8_lossy(&message);
        assert_eq!(says_ready(&message), lines.split('\n').any(|line| line == "READY=1"));
    });
}
