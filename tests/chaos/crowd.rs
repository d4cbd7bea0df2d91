//! Visitors who ask without pause, and never twice.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{
    mem,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::visitor::{Visit, visit};

/// How many come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rush {
    /// How many visitors each hostname has.
    pub(crate) visitors: usize,
    /// How long each of them reads before the next request.
    pub(crate) pace: Duration,
}

/// Every so many requests a visitor asks for something slow, so that there is always something under way.
const SLOW_EVERY: u64 = 4;

/// Something slow, and something quick.
const PATHS: [&str; 2] = ["/?ms=150", "/"];

/// The visitors.
pub(crate) struct Crowd {
    end: watch::Sender<bool>,
    visitors: JoinSet<()>,
    visits: Arc<Mutex<Visits>>,
}

/// What the visitors saw.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    pub(crate) sent: u64,
    /// Those that did not get the whole answer of an origin.
    pub(crate) failed: Vec<Failed>,
}

/// A request that failed, as its visitor saw it.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) hostname: Arc<str>,
    /// What came in place of an origin's answer.
    pub(crate) saw: String,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

impl Crowd {
    pub(crate) fn start(front: SocketAddr, hostnames: &[String], rush: Rush) -> Self {
        let end = watch::Sender::new(false);
        let (mut visitors, visits) = (JoinSet::new(), Arc::default());
        for hostname in hostnames {
            let hostname: Arc<str> = hostname.as_str().into();
            for _ in 0..rush.visitors {
                visitors.spawn(come_again(front, Arc::clone(&hostname), rush.pace, end.subscribe(), Arc::clone(&visits)));
            }
        }
        Self { end, visitors, visits }
    }

    /// What was seen since the last call.
    pub(crate) fn take(&self) -> Visits {
        mem::take(&mut self.visits.lock().unwrap())
    }

    /// Lets every visitor finish, and gives what was seen since the last look.
    pub(crate) async fn go_home(mut self) -> Visits {
        self.end.send_replace(true);
        while self.visitors.join_next().await.is_some() {}
        self.take()
    }
}

async fn come_again(
    front: SocketAddr,
    hostname: Arc<str>,
    pace: Duration,
    end: watch::Receiver<bool>,
    visits: Arc<Mutex<Visits>>,
) {
    let mut sent: u64 = 0;
    while !*end.borrow() {
        sent += 1;
        let path = if sent.is_multiple_of(SLOW_EVERY) { PATHS[0] } else { PATHS[1] };
        let began = Instant::now();
        let failed = match visit(front, &hostname, path).await {
            Ok(Visit { status: 200, .. }) => None,
            other => Some(Failed { hostname: Arc::clone(&hostname), saw: format!("{other:?}"), began, ended: Instant::now() }),
        };
        {
            let mut visits = visits.lock().unwrap();
            visits.sent += 1;
            visits.failed.extend(failed);
        }
        sleep(pace).await;
    }
}
