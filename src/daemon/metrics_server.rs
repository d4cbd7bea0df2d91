//! Serving metrics where the configuration says, also when a reload says something else.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    descriptor_store::{DescriptorStore, Kept},
    exporter::Exporter,
    metrics_listener::MetricsListener,
    socket_guard::SocketGuard,
};
use crate::{config::MetricsListen, intent::Intent};

/// The server with its present listener.
pub(super) struct MetricsServer {
    /// Where it listens; `None` when metrics are off.
    pub(super) listener: Option<MetricsListener>,
    /// Where the listener is kept over a restart.
    pub(super) store: DescriptorStore,
    /// What keeps a Unix socket's path in place.
    pub(super) guard: SocketGuard,
    /// Says where to listen.
    pub(super) intent: Intent,
    /// Makes what is served.
    pub(super) exporter: Arc<Exporter>,
}

impl MetricsServer {
    /// Answers until `shutdown` is cancelled, and then until the last scrape is answered.
    pub(super) async fn serve(mut self, shutdown: CancellationToken) -> Self {
        self.guard_socket();
        let mut wanted = self.wanted();
        while !shutdown.is_cancelled() {
            let moved = shutdown.child_token();
            let serving = async {
                match &self.listener {
                    Some(listener) => listener.serve(Arc::clone(&self.exporter), &moved).await,
                    None => moved.cancelled().await,
                }
            };
            let (next, ()) = tokio::join!(another(&self.intent, &wanted, &moved), serving);
            if let Some(next) = next {
                self.move_to(&next).await;
                wanted = next;
            }
        }
        self
    }

    /// Ends the listening for good.
    pub(super) fn close(&mut self) {
        self.store.forget(Kept::Metrics);
        if let Some(file) = self.listener.take().as_ref().and_then(MetricsListener::file) {
            self.guard.let_go(file);
            file.remove();
        }
    }

    /// Listens elsewhere from here on. Where that is not possible, it goes on where it is.
    async fn move_to(&mut self, listen: &MetricsListen) {
        let listener = match MetricsListener::bind(listen).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%listen, %error, "cannot serve metrics where the configuration says; they stay where they are");
                return;
            }
        };
        self.close();
        if let Some(listener) = &listener {
            self.store.keep(Kept::Metrics, listener);
        }
        self.listener = listener;
        self.guard_socket();
        tracing::info!(%listen, "metrics are served elsewhere");
    }

    fn guard_socket(&self) {
        if let Some(file) = self.listener.as_ref().and_then(MetricsListener::file) {
            self.guard.keep(file.clone());
        }
    }

    fn wanted(&self) -> MetricsListen {
        self.intent.intended().config.metrics.listen.clone()
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
