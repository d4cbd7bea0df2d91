//! People who visit a hostname, through the sandbox's front.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many visitors make up a load.
const VISITORS: usize = 4;

/// How long each of them reads before the next request.
const PACE: Duration = Duration::from_millis(5);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Visit {
    /// Whether it is the whole answer of the origin with this name.
    pub(crate) fn reached(&self, origin: &str) -> bool {
        self.status == 200 && self.body.trim_end() == origin
    }
}

/// Asks `front` for `path` at `host` over a connection of its own.
pub(crate) async fn visit(front: SocketAddr, host: &str, path: &str) -> io::Result<Visit> {
    let exchange = async {
        let mut stream = TcpStream::connect(front).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let broken = || io::Error::new(io::ErrorKind::InvalidData, format!("no whole answer: {answer:?}"));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| length != body.len()) {
            return Err(broken());
        }
        Ok(Visit { status, body: body.to_owned() })
    };
    timeout(PATIENCE, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Visitors who come again and again until the load is ended.
pub(crate) struct Load {
    end: watch::Sender<bool>,
    visitors: JoinSet<Tally>,
}

/// What became of a load.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that got the whole answer of an origin.
    pub(crate) answered: usize,
    /// What the others got.
    pub(crate) lost: Vec<String>,
}

impl Load {
    /// Visitors of `host` who take every answer with status 200 for a good one.
    pub(crate) fn start(front: SocketAddr, host: &str) -> Self {
        let end = watch::Sender::new(false);
        let mut visitors = JoinSet::new();
        for _ in 0..VISITORS {
            visitors.spawn(come_again(front, host.to_owned(), end.subscribe()));
        }
        Self { end, visitors }
    }

    /// Lets every visitor finish, and counts.
    pub(crate) async fn end(self) -> Tally {
        self.end.send_replace(true);
        let mut all = Tally::default();
        for tally in self.visitors.join_all().await {
            all.answered += tally.answered;
            all.lost.extend(tally.lost);
        }
        all
    }
}

impl Tally {
    /// Fails the test when a request was lost, or when there were too few to tell.
    #[track_caller]
    pub(crate) fn assert_nothing_lost(&self) {
        assert!(self.lost.is_empty(), "{} of {} requests were lost: {:?}", self.lost.len(), self.answered, self.lost);
        assert!(self.answered >= VISITORS, "only {} requests were answered", self.answered);
    }
}

async fn come_again(front: SocketAddr, host: String, end: watch::Receiver<bool>) -> Tally {
    let mut tally = Tally::default();
    while !*end.borrow() {
        match visit(front, &host, "/").await {
            Ok(Visit { status: 200, .. }) => tally.answered += 1,
            other => tally.lost.push(format!("{other:?}")),
        }
        sleep(PACE).await;
    }
    tally
}
