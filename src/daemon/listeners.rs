//! The daemon's listeners: what systemd kept of the daemon before is taken back where it still is what the configuration says, and
//! everything else is bound.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::fstat,
    net::{Shutdown, shutdown},
};
use tokio::net::UnixListener;

use super::{
    descriptor_store::{DescriptorStore, Kept},
    metrics_listener::MetricsListener,
};
use crate::{
    config::{Control, MetricsListen},
    control::{self, Lock, SocketError, SocketFile},
};

/// The control socket.
///
/// # Errors
///
/// When it was not kept and cannot be bound.
pub(super) async fn control(
    store: &DescriptorStore,
    wanted: &Control,
    lock: &Lock,
) -> Result<(UnixListener, SocketFile), SocketError> {
    let fits = |descriptor: &OwnedFd| SocketFile::of(descriptor, &wanted.socket, wanted.socket_mode);
    if let Some((descriptor, file)) = take_back(store, Kept::Control, fits)
        && let Ok(listener) = control::adopt(descriptor)
    {
        return Ok((listener, file));
    }
    let (listener, file) = control::bind(&wanted.socket, wanted.socket_mode, lock).await?;
    store.keep(Kept::Control, &listener);
    Ok((listener, file))
}

/// The metrics listener; `None` when the configuration says off.
///
/// # Errors
///
/// When it was not kept and cannot be bound.
pub(super) async fn metrics(store: &DescriptorStore, wanted: &MetricsListen) -> io::Result<Option<MetricsListener>> {
    if let Some((descriptor, place)) = take_back(store, Kept::Metrics, |descriptor| MetricsListener::fits(descriptor, wanted))
        && let Ok(listener) = MetricsListener::adopt(descriptor, place)
    {
        return Ok(Some(listener));
    }
    let listener = MetricsListener::bind(wanted).await?;
    if let Some(listener) = &listener {
        store.keep(Kept::Metrics, listener);
    }
    Ok(listener)
}

/// The one kept listener that `fits`. Any other is closed and taken out of the store: whoever waits there would wait for ever.
fn take_back<T>(store: &DescriptorStore, kept: Kept, fits: impl Fn(&OwnedFd) -> Option<T>) -> Option<(OwnedFd, T)> {
    let mut fitting = None;
    let mut others = Vec::new();
    for descriptor in store.take(kept) {
        match fits(&descriptor) {
            Some(place) if fitting.is_none() => fitting = Some((descriptor, place)),
            Some(_) | None => others.push(descriptor),
        }
    }
    if others.is_empty() {
        return fitting;
    }
    store.forget(kept);
    for other in &others {
        let is_fitting = fitting.as_ref().is_some_and(|(descriptor, _)| is_same_socket(descriptor, other));
        if !is_fitting {
            end(other);
        }
    }
    if let Some((descriptor, _)) = &fitting {
        store.keep(kept, descriptor);
    }
    fitting
}

/// Ends the listening. systemd may hold its copy for a moment longer, so that closing ours would not.
pub(super) fn end(listener: impl AsFd) {
    let _ = shutdown(listener, Shutdown::Both);
}

/// Whether both are one and the same socket.
pub(super) fn is_same_socket(one: impl AsFd, other: impl AsFd) -> bool {
    let inode = |descriptor: BorrowedFd<'_>| fstat(descriptor).ok().map(|stat| (stat.st_dev, stat.st_ino));
    inode(one.as_fd()).is_some_and(|one| inode(other.as_fd()) == Some(one))
}
