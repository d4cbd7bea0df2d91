//! The control socket: HTTP and JSON over a Unix socket, decided by the peer's user and groups.
