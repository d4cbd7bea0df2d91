//! systemd's descriptor store: what is put there outlives the daemon.
//!
//! The daemon's listeners are in it, so that nobody who connects while no daemon runs is refused: connections wait in the listener's
//! queue for the next daemon, which is given the listener at its start. That holds over a restart, an upgrade and any death of the
//! daemon. systemd empties the store when the unit is stopped or has failed for good.
//!
//! ```text
//!  daemon ── FDSTORE=1, FDNAME=control, descriptor ──▶ systemd ── LISTEN_FDS, LISTEN_FDNAMES ──▶ next daemon
//! ```
//!
//! systemd does not say whether it kept anything (sd_notify(3)), so nothing here relies on it: a listener that is not given back, or
//! is not what the configuration says by now, is bound again.

mod raw;

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
        sendmsg_addr, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// How long systemd may take to take a message in. It does at once, unless it hangs; then nothing is stored.
const SEND_TIME_MAX: Duration = Duration::from_secs(2);

/// What is kept in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The control socket's listener.
    Control,
    /// The metrics listener.
    Metrics,
}

impl Kept {
    /// Its name in the store (`FDNAME=`).
    fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Metrics => "metrics",
        }
    }
}

/// What systemd says about descriptors in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassedDescriptors {
    /// `NOTIFY_SOCKET`: where to tell systemd something.
    pub notify_socket: Option<String>,
    /// `LISTEN_PID`: for whom the descriptors are.
    pub pid: Option<String>,
    /// `LISTEN_FDS`: how many there are.
    pub count: Option<String>,
    /// `LISTEN_FDNAMES`: their names, separated by colons.
    pub names: Option<String>,
}

/// The store. Without systemd it takes nothing in and gives nothing out.
#[derive(Clone)]
pub(super) struct DescriptorStore {
    systemd: Option<SocketAddrUnix>,
    /// What the store gave at the start and nobody has taken yet.
    given: Arc<Mutex<Vec<(String, OwnedFd)>>>,
}

impl DescriptorStore {
    /// Takes charge of what systemd passed. Called once, before anything else is opened.
    pub(super) fn open(passed: &PassedDescriptors) -> Self {
        let names = names(passed, std::process::id());
        let count = u16::try_from(names.len()).expect("the names were counted");
        let descriptors = raw::inherited(count).into_iter();
        // Passed without the mark, or they would not be here.
        let marked = descriptors.filter(|descriptor| fcntl_setfd(descriptor, FdFlags::CLOEXEC).is_ok());
        let given = names.into_iter().zip(marked).collect();
        let systemd = passed.notify_socket.as_deref().and_then(address);
        Self { systemd, given: Arc::new(Mutex::new(given)) }
    }

    /// What the store gave under this name. More than one when a daemon died between putting one in and taking another out.
    pub(super) fn take(&self, kept: Kept) -> Vec<OwnedFd> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.extract_if(.., |(name, _)| name == kept.name()).map(|(_, descriptor)| descriptor).collect()
    }

    /// Has exactly `descriptor` kept under this name. A store that has it already stays as it is.
    pub(super) fn keep(&self, kept: Kept, descriptor: impl AsFd) {
        // Polled, a listener would be dropped as soon as anything is wrong with it (`FDPOLL=`).
        let message = format!("FDSTORE=1\nFDNAME={}\nFDPOLL=0\n", kept.name());
        self.tell(&message, Some(descriptor.as_fd()));
    }

    /// Has nothing kept under this name any more.
    pub(super) fn forget(&self, kept: Kept) {
        self.tell(&format!("FDSTOREREMOVE=1\nFDNAME={}\n", kept.name()), None);
    }

    fn tell(&self, message: &str, descriptor: Option<BorrowedFd<'_>>) {
        let Some(systemd) = &self.systemd else { return };
        if let Err(error) = send(systemd, message, descriptor) {
            tracing::warn!(%error, "cannot reach systemd's descriptor store: clients may be refused while the daemon restarts");
        }
    }
}

fn send(to: &SocketAddrUnix, message: &str, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(SEND_TIME_MAX))?;
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        let fits = ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        debug_assert!(fits, "there is room for one descriptor");
    }
    sendmsg_addr(&socket, to, &[IoSlice::new(message.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The names of the descriptors that were passed to this process, in their order. None when they are for another process, such as a
/// parent whose environment was handed on, or when names and numbers disagree.
pub(super) fn names(passed: &PassedDescriptors, own_pid: u32) -> Vec<String> {
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<u32>().ok());
    if number(&passed.pid) != Some(own_pid) {
        return Vec::new();
    }
    let names: Vec<String> = passed.names.iter().flat_map(|names| names.split(':')).map(str::to_owned).collect();
    let counts_agree = number(&passed.count).and_then(|count| usize::try_from(count).ok()) == Some(names.len());
    if counts_agree && u16::try_from(names.len()).is_ok() { names } else { Vec::new() }
}

/// The address in `NOTIFY_SOCKET`: a path, or an abstract name behind `@`.
pub(super) fn address(text: &str) -> Option<SocketAddrUnix> {
    match text.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()).ok(),
        None => SocketAddrUnix::new(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSliceMut;

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;

    fn passed(pid: &str, count: &str, names: &str) -> PassedDescriptors {
        let text = |text: &str| Some(text.to_owned());
        PassedDescriptors { notify_socket: None, pid: text(pid), count: text(count), names: text(names) }
    }

    #[test]
    fn only_what_was_passed_to_this_process_is_taken() {
        assert_eq!(names(&passed("7", "2", "control:metrics"), 7), ["control", "metrics"]);
        for (pid, count, listed) in [("8", "1", "control"), ("7", "2", "control"), ("7", "x", "control"), ("", "1", "control")] {
            assert!(names(&passed(pid, count, listed), 7).is_empty(), "{pid} {count} {listed}");
        }
        assert!(names(&PassedDescriptors::default(), 7).is_empty());
    }

    #[test]
    fn a_listener_goes_to_systemd_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let systemd = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let passed = PassedDescriptors { notify_socket: Some(path.to_str().unwrap().to_owned()), ..PassedDescriptors::default() };
        let store = DescriptorStore { systemd: address(passed.notify_socket.as_deref().unwrap()), given: Arc::default() };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        store.keep(Kept::Metrics, &listener);
        store.forget(Kept::Control);

        let (message, descriptors) = receive(&systemd);
        assert_eq!(message, "FDSTORE=1\nFDNAME=metrics\nFDPOLL=0\n");
        let kept = std::net::TcpListener::from(descriptors.into_iter().next().unwrap());
        assert_eq!(kept.local_addr().unwrap(), listener.local_addr().unwrap());
        let (message, descriptors) = receive(&systemd);
        assert_eq!((message.as_str(), descriptors.len()), ("FDSTOREREMOVE=1\nFDNAME=control\n", 0));
    }

    fn receive(socket: impl AsFd) -> (String, Vec<OwnedFd>) {
        let mut message = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut message)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
        let descriptors = ancillary.drain().flat_map(|part| {
            let RecvAncillaryMessage::ScmRights(descriptors) = part else { return Vec::new() };
            descriptors.collect()
        });
        (String::from_utf8(message[..received.bytes].to_vec()).unwrap(), descriptors.collect())
    }

    #[test]
    fn each_is_given_out_once_and_under_its_own_name() {
        let descriptor = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let given = ["control", "other", "metrics", "control"].map(|name| (name.to_owned(), descriptor()));
        let store = DescriptorStore { systemd: None, given: Arc::new(Mutex::new(given.into())) };
        assert_eq!([Kept::Control, Kept::Control, Kept::Metrics].map(|kept| store.take(kept).len()), [2, 0, 1]);
        store.keep(Kept::Control, descriptor());
        store.forget(Kept::Control);
    }
}
