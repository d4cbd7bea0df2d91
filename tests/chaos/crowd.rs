//! Visitors who ask without pause, and never twice.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::visitor::{Visit, visit};

/// How many visitors each hostname has.
const VISITORS: usize = 3;

/// How long each of them reads before the next request.
const PACE: Duration = Duration::from_millis(40);

/// Every so many requests a visitor asks for something slow, so that there is always something under way.
const SLOW_EVERY: u64 = 4;

/// Something slow, and something quick.
const PATHS: [&str; 2] = ["/?ms=150", "/"];

/// The visitors.
pub(crate) struct Crowd {
    end: watch::Sender<bool>,
    visitors: JoinSet<Visits>,
}

/// What the visitors saw.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    pub(crate) sent: u64,
    /// What they got in place of the whole answer of an origin.
    pub(crate) failed: Vec<String>,
}

impl Crowd {
    pub(crate) fn start(front: SocketAddr, hostnames: &[String]) -> Self {
        let end = watch::Sender::new(false);
        let mut visitors = JoinSet::new();
        for hostname in hostnames {
            let hostname: Arc<str> = hostname.as_str().into();
            for _ in 0..VISITORS {
                visitors.spawn(come_again(front, Arc::clone(&hostname), end.subscribe()));
            }
        }
        Self { end, visitors }
    }

    /// Lets every visitor finish, and counts.
    pub(crate) async fn go_home(self) -> Visits {
        self.end.send_replace(true);
        let mut all = Visits::default();
        for visits in self.visitors.join_all().await {
            all.sent += visits.sent;
            all.failed.extend(visits.failed);
        }
        all
    }
}

async fn come_again(front: SocketAddr, hostname: Arc<str>, end: watch::Receiver<bool>) -> Visits {
    let mut visits = Visits::default();
    while !*end.borrow() {
        visits.sent += 1;
        let path = if visits.sent.is_multiple_of(SLOW_EVERY) { PATHS[0] } else { PATHS[1] };
        match visit(front, &hostname, path).await {
            Ok(Visit { status: 200, .. }) => {}
            other => visits.failed.push(format!("{hostname}: {other:?}")),
        }
        sleep(PACE).await;
    }
    visits
}
