//! The end of `NOTIFY_SOCKET` that systemd has: hears what the daemon says of itself.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use tokio::net::UnixDatagram;
use tokio_util::task::AbortOnDropHandle;

/// The longest message that is heard; systemd takes no longer ones either.
const MESSAGE_MAX: usize = 4096;

/// Hears the daemon.
pub(crate) struct ServiceManager {
    lines: Arc<Mutex<Vec<String>>>,
    _listen: AbortOnDropHandle<()>,
}

impl ServiceManager {
    /// Listens at `socket`, which must not exist.
    pub(crate) fn listen(socket: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(socket)?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let listen = tokio::spawn(async move {
            let mut message = vec![0; MESSAGE_MAX];
            while let Ok(length) = socket.recv(&mut message).await {
                let text = String::from_utf8_lossy(&message[..length]);
                heard.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        Ok(Self { lines, _listen: AbortOnDropHandle::new(listen) })
    }

    /// A socket at `path` that takes what is said until it is full, and hears nothing.
    pub(crate) fn deaf(path: &Path) -> io::Result<UnixDatagram> {
        UnixDatagram::bind(path)
    }

    /// Everything that was said, one `NAME=VALUE` each.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Whether exactly this was said.
    pub(crate) fn heard(&self, line: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|heard| heard == line)
    }

    /// How often exactly this was said.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|heard| *heard == line).count()
    }

    /// The last `STATUS=`.
    pub(crate) fn status(&self) -> Option<String> {
        self.lines.lock().unwrap().iter().rev().find_map(|line| line.strip_prefix("STATUS=").map(str::to_owned))
    }

    /// Forgets what was said, as for another start.
    pub(crate) fn forget(&self) {
        self.lines.lock().unwrap().clear();
    }
}
