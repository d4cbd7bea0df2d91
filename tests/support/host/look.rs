//! Looking at the host: once, or again and again until something has come true.

use std::time::Duration;

use adit::control::api::{Connector, Route, RouteState, State, Status, Tunnel};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

use super::{Host, processes::Process};

/// How long anything may take to come true on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Host {
    /// Everything that the daemon's socket shows at one look.
    pub(crate) async fn status(&self) -> Status {
        self.client.status().await.unwrap_or_else(|error| panic!("no status: {error}\n{}", self.log_tail()))
    }

    /// The tunnel of this name.
    pub(crate) async fn tunnel(&self, name: &str) -> Tunnel {
        self.client.tunnel(name).await.unwrap_or_else(|error| panic!("no tunnel {name}: {error}\n{}", self.log_tail())).tunnel
    }

    /// The connector of this tunnel's first replica.
    pub(crate) async fn connector(&self, tunnel: &str) -> Connector {
        self.tunnel(tunnel).await.connectors.into_iter().next().expect("the tunnel has a connector")
    }

    /// The route of this hostname.
    pub(crate) async fn route(&self, hostname: &str) -> Route {
        let routes = self.client.routes().await.unwrap();
        let route = routes.into_iter().find(|route| route.route.hostname.as_deref() == Some(hostname));
        route.unwrap_or_else(|| panic!("no route {hostname}")).route
    }

    /// The page of metrics, over its Unix socket.
    pub(crate) async fn metrics(&self) -> String {
        let mut stream = UnixStream::connect(self.path("metrics.sock")).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("\nadit_build_info"), "{answer}");
        answer
    }

    /// Waits until all that is configured is in force: every connector runs and every route leads to it.
    pub(crate) async fn until_all_serve(&self) {
        self.until("every tunnel serves", async |host| host.client.status().await.is_ok_and(|status| all_serve(&status))).await;
    }

    /// Waits until so many passes over the accounts have ended well, counted from here.
    pub(crate) async fn until_synced(&self, passes: u32) {
        for _ in 0..passes {
            let before = self.status().await.overview.accounts[0].synced_at;
            self.until("a pass ends well", async |host| host.status().await.overview.accounts[0].synced_at > before).await;
        }
    }

    /// Has the daemon make a pass over every account, with a fresh look at everything, and waits for its end.
    pub(crate) async fn pass(&self) {
        self.client.apply(None).await.unwrap_or_else(|error| panic!("no pass: {error}\n{}", self.log_tail()));
    }

    /// Waits until `holds`.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        self.within(PATIENCE, what, holds).await;
    }

    /// Waits until `holds`, where the daemon itself has to wait long.
    pub(crate) async fn within(&self, patience: Duration, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        self.look(patience, what, async |host| holds(host).await.then_some(())).await;
    }

    /// Waits until `look` finds something.
    pub(crate) async fn found<T>(&self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        self.look(PATIENCE, what, look).await
    }

    async fn look<T>(&self, patience: Duration, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + patience;
        loop {
            // A look that hangs is as bad as one that finds nothing.
            match timeout(PATIENCE, look(self)).await {
                Ok(Some(found)) => return found,
                Ok(None) | Err(_) if Instant::now() < deadline => {}
                Ok(None) | Err(_) => {
                    let status = timeout(LOOK_EVERY * 100, self.client.status()).await.ok().and_then(Result::ok);
                    let status = status.map(|status| serde_json::to_string_pretty(&status).unwrap()).unwrap_or_default();
                    panic!("not within {} s: {what}\n--- status\n{status}\n{}", patience.as_secs(), self.log_tail());
                }
            }
            if let Some(status) = self.daemon_status() {
                panic!("the daemon ended ({status}) before: {what}\n{}", self.log_tail());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a process that is not the daemon has ended.
    pub(crate) async fn until_gone(&self, pid: u32) {
        let deadline = Instant::now() + PATIENCE;
        while Process::find(pid).is_some() {
            assert!(Instant::now() < deadline, "process {pid} does not end");
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether every tunnel has all its connectors ready, all its routes live and nothing more to do.
fn all_serve(status: &Status) -> bool {
    status.tunnels.iter().all(serves)
}

/// Whether a tunnel has all its connectors ready, all its routes live and nothing more to do.
pub(crate) fn serves(tunnel: &Tunnel) -> bool {
    tunnel.settled
        && tunnel.state == State::Ready
        && tunnel.connectors.len() == usize::from(tunnel.replicas)
        && tunnel.connectors.iter().all(|connector| connector.state == State::Ready)
        && tunnel.routes.iter().all(|route| route.state == RouteState::Live)
}
