//! Resolving names as this host does, without piling up questions that nobody waits for any more.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use tokio::sync::Semaphore;

/// How many names are being resolved at once. A resolver whose servers are silent blocks its thread for up to half a minute, long
/// after nobody waits for it, and a few questions that are asked meanwhile find out when a server is back.
const RESOLVING_MAX: usize = 16;

/// The host's resolver; clones share the count of the questions that are under way.
#[derive(Debug, Clone)]
pub struct HostNames {
    resolving: Arc<Semaphore>,
}

impl Default for HostNames {
    fn default() -> Self {
        Self::new()
    }
}

impl HostNames {
    /// One that was asked nothing yet.
    pub fn new() -> Self {
        Self { resolving: Arc::new(Semaphore::new(RESOLVING_MAX)) }
    }

    /// The addresses of `address` (`HOST:PORT`).
    ///
    /// # Errors
    ///
    /// When the name has none, or earlier questions still wait for the name servers.
    pub async fn resolve(&self, address: String) -> io::Result<Vec<SocketAddr>> {
        let Ok(permit) = Arc::clone(&self.resolving).try_acquire_owned() else {
            return Err(io::Error::other("the name servers have not answered earlier questions"));
        };
        let resolved = tokio::task::spawn_blocking(move || {
            let found = address.to_socket_addrs().map(Iterator::collect);
            drop(permit);
            found
        });
        resolved.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn name_servers_that_are_silent_are_asked_by_a_bounded_number() {
        let names = HostNames::new();
        let _all = Arc::clone(&names.resolving).acquire_many_owned(RESOLVING_MAX as u32).await.unwrap();
        let error = names.resolve("localhost:1".to_owned()).await.unwrap_err();
        assert!(error.to_string().contains("have not answered earlier questions"), "{error}");
    }
}
