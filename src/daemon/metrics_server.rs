//! Serving metrics where the configuration says, also when a reload says something else.

use std::{io, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    descriptor_store::{DescriptorStore, Kept},
    exporter::Exporter,
    listeners,
    metrics_listener::MetricsListener,
    socket_guard::SocketGuard,
};
use crate::{config::MetricsListen, intent::Intent};

/// The server with its present listener.
pub(super) struct MetricsServer {
    /// Where it listens.
    pub(super) stand: Stand,
    /// Says where to listen.
    pub(super) intent: Intent,
    /// Makes what is served.
    pub(super) exporter: Arc<Exporter>,
}

/// A listener in its place.
pub(super) struct Stand {
    /// The place.
    pub(super) place: MetricsListen,
    /// What listens there; `None` when metrics are off.
    pub(super) listener: Option<MetricsListener>,
    /// Where the listener is kept over a restart.
    pub(super) store: DescriptorStore,
    /// What keeps a Unix socket's path in place.
    pub(super) guard: SocketGuard,
}

impl MetricsServer {
    /// Answers until `shutdown` is cancelled, and then until the last scrape is answered.
    pub(super) async fn serve(mut self, shutdown: CancellationToken) -> Self {
        self.stand.guard_socket();
        let mut wanted = self.stand.place.clone();
        while !shutdown.is_cancelled() {
            let moved = shutdown.child_token();
            let serving = async {
                match &self.stand.listener {
                    Some(listener) => listener.serve(Arc::clone(&self.exporter), &moved).await,
                    None => moved.cancelled().await,
                }
            };
            let (next, ()) = tokio::join!(another(&self.intent, &wanted, &moved), serving);
            if let Some(next) = next {
                self.stand.move_to(&next).await;
                wanted = next;
            }
        }
        self
    }

    /// Ends the listening for good.
    pub(super) fn close(&mut self) {
        self.stand.close();
    }
}

impl Stand {
    /// Listens elsewhere from here on. Where that is not possible, it goes on where it is.
    async fn move_to(&mut self, place: &MetricsListen) {
        // Back from a place that could not be had.
        if *place == self.place {
            return;
        }
        let listener = match self.bind(place).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%place, %error, "cannot serve metrics where the configuration says; they stay where they are");
                return;
            }
        };
        self.close();
        self.take(place, listener);
        tracing::info!(%place, "metrics are served elsewhere");
    }

    /// Binds another place. The present listener makes way where it has the port, on all addresses or on one of them.
    async fn bind(&mut self, place: &MetricsListen) -> io::Result<Option<MetricsListener>> {
        let bound = MetricsListener::bind(place).await;
        let in_use = bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        if !in_use || !self.has_port_of(place) {
            return bound;
        }
        self.close();
        let bound = MetricsListener::bind(place).await;
        if bound.is_err() {
            let former = self.place.clone();
            match MetricsListener::bind(&former).await {
                Ok(listener) => self.take(&former, listener),
                Err(error) => tracing::error!(place = %former, %error, "cannot serve metrics where they were"),
            }
        }
        bound
    }

    fn has_port_of(&self, place: &MetricsListen) -> bool {
        match (&self.place, place) {
            (MetricsListen::Tcp(here), MetricsListen::Tcp(there)) => here.port() == there.port(),
            (MetricsListen::Off | MetricsListen::Unix(_), _) | (_, MetricsListen::Off | MetricsListen::Unix(_)) => false,
        }
    }

    fn take(&mut self, place: &MetricsListen, listener: Option<MetricsListener>) {
        if let Some(listener) = &listener {
            self.store.keep(Kept::Metrics, listener);
        }
        (self.place, self.listener) = (place.clone(), listener);
        self.guard_socket();
    }

    fn close(&mut self) {
        self.store.forget(Kept::Metrics);
        let Some(listener) = self.listener.take() else { return };
        listeners::end(&listener);
        if let Some(file) = listener.file() {
            self.guard.let_go(file);
            file.remove();
        }
    }

    fn guard_socket(&self) {
        if let Some(file) = self.listener.as_ref().and_then(MetricsListener::file) {
            self.guard.keep(file.clone());
        }
    }
}

/// Waits until the configuration says another place than `wanted`, and cancels `moved` then. `None` when that was cancelled before.
async fn another(intent: &Intent, wanted: &MetricsListen, moved: &CancellationToken) -> Option<MetricsListen> {
    let mut intended = intent.subscribe();
    let next = tokio::select! {
        () = moved.cancelled() => None,
        changed = intended.wait_for(|intended| intended.config.metrics.listen != *wanted) => {
            changed.ok().map(|intended| intended.config.metrics.listen.clone())
        }
    };
    moved.cancel();
    next
}

#[cfg(test)]
mod tests {
    use std::{
        net::{SocketAddr, TcpListener},
        os::fd::AsFd,
    };

    use rustix::net::getsockname;

    use super::*;
    use crate::daemon::descriptor_store::PassedDescriptors;

    async fn stand_at(place: &MetricsListen) -> Stand {
        let listener = MetricsListener::bind(place).await.unwrap();
        let store = DescriptorStore::open(&PassedDescriptors::default());
        Stand { place: place.clone(), listener, store, guard: SocketGuard::start() }
    }

    fn tcp(ip: [u8; 4], port: u16) -> MetricsListen {
        MetricsListen::Tcp((ip, port).into())
    }

    fn address(stand: &Stand) -> SocketAddr {
        getsockname(stand.listener.as_ref().unwrap().as_fd()).unwrap().try_into().unwrap()
    }

    #[tokio::test]
    async fn what_all_networks_could_reach_is_for_this_host_alone_after_a_move() {
        let mut stand = stand_at(&tcp([0, 0, 0, 0], 0)).await;
        let port = address(&stand).port();
        stand.place = tcp([0, 0, 0, 0], port);
        stand.move_to(&tcp([127, 0, 0, 1], port)).await;
        assert_eq!(address(&stand), SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(stand.place, tcp([127, 0, 0, 1], port));
    }

    #[tokio::test]
    async fn whoever_made_way_for_nothing_is_back_in_its_place() {
        let mut stand = stand_at(&tcp([127, 0, 0, 2], 0)).await;
        let port = address(&stand).port();
        stand.place = tcp([127, 0, 0, 2], port);
        let _other = TcpListener::bind(SocketAddr::from(([127, 0, 0, 3], port))).unwrap();
        stand.move_to(&tcp([127, 0, 0, 3], port)).await;
        assert_eq!(address(&stand), SocketAddr::from(([127, 0, 0, 2], port)));

        let before = stand.listener.as_ref().unwrap().as_fd().try_clone_to_owned().unwrap();
        stand.move_to(&tcp([127, 0, 0, 2], port)).await;
        let after = stand.listener.as_ref().unwrap();
        assert!(listeners::is_same_socket(&before, after), "it need not move to where it is");
    }
}
