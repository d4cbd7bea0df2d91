//! What became of every request of the front.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    id::{ConnectorId, TunnelId},
    sandbox::edge::Body,
};

/// Why a request did not get the whole answer of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// The host leads to no tunnel.
    UnknownHost,
    /// The tunnel has no connector that takes requests.
    NoConnector,
    /// The connector's connection broke before the answer began.
    ConnectorLost,
    /// The answer began and broke off.
    Cut,
    /// The connector answered in the origin's place: it has no configuration, or it cannot reach the origin.
    AnsweredByConnector,
    /// The origin did not begin its answer in time.
    TimedOut,
    /// The client went away before the whole answer was sent.
    ClientGone,
}

/// How many requests there were. `sent` is the sum of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrontStats {
    /// Requests whose head was read.
    pub sent: u64,
    /// Requests that got the whole answer of an origin, whatever its status.
    pub ok: u64,
    /// The others that have ended, by what was wrong.
    pub failed: BTreeMap<FailureKind, u64>,
    /// Requests whose answer has not ended.
    pub in_flight: u64,
}

/// A request that did not get the whole answer of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What was wrong.
    pub kind: FailureKind,
    /// The tunnel that the host leads to, if it leads to one.
    pub tunnel: Option<TunnelId>,
    /// The connector that had it, if one may have.
    pub connector: Option<ConnectorId>,
    /// When it came in.
    pub began: Instant,
    /// When it was lost.
    pub ended: Instant,
}

/// How many losses are kept: whoever loses more has enough to look at.
const LOSSES_MAX: usize = 1_000;

/// The book that every request is entered in.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    stats: FrontStats,
    losses: Vec<Loss>,
}

/// A request that is not settled. Dropping it means that the client went away.
pub(super) struct Entry {
    ledger: Arc<Ledger>,
    began: Instant,
    tunnel: Option<TunnelId>,
    connector: Option<ConnectorId>,
    settled: bool,
}

impl Ledger {
    pub(super) fn open(self: &Arc<Self>) -> Entry {
        let mut book = self.lock();
        book.stats.sent += 1;
        book.stats.in_flight += 1;
        drop(book);
        Entry { ledger: Arc::clone(self), began: Instant::now(), tunnel: None, connector: None, settled: false }
    }

    pub(super) fn stats(&self) -> FrontStats {
        self.lock().stats.clone()
    }

    pub(super) fn take_losses(&self) -> Vec<Loss> {
        std::mem::take(&mut self.lock().losses)
    }

    pub(super) fn losses(&self) -> Vec<Loss> {
        self.lock().losses.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The request is for this tunnel.
    pub(super) fn is_for(&mut self, tunnel: &TunnelId) {
        self.tunnel = Some(tunnel.clone());
    }

    /// A connector has the request.
    pub(super) fn carried_by(&mut self, connector: ConnectorId) {
        self.connector = Some(connector);
    }

    pub(super) fn failed(mut self, kind: FailureKind) {
        self.settle(Err(kind));
    }

    /// Settles the entry by how the answer's body ends.
    pub(super) fn follow(mut self, body: Body) -> Body {
        if body.is_end_stream() {
            self.settle(Ok(()));
            return body;
        }
        FollowedBody { rest: body.size_hint().exact(), body, entry: self }.boxed_unsync()
    }

    fn settle(&mut self, result: Result<(), FailureKind>) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let mut book = self.ledger.lock();
        book.stats.in_flight -= 1;
        match result {
            Ok(()) => book.stats.ok += 1,
            Err(kind) => {
                *book.stats.failed.entry(kind).or_default() += 1;
                if book.losses.len() < LOSSES_MAX {
                    let (tunnel, connector) = (self.tunnel.take(), self.connector.take());
                    book.losses.push(Loss { kind, tunnel, connector, began: self.began, ended: Instant::now() });
                }
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.settle(Err(FailureKind::ClientGone));
    }
}

/// An answer's body that settles its entry.
struct FollowedBody {
    body: Body,
    /// How many bytes are still to come, when the answer said it. The server stops asking once it has them all.
    rest: Option<u64>,
    entry: Entry,
}

impl hyper::body::Body for FollowedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.rest = self.rest.map(|rest| rest.saturating_sub(length));
                if self.rest == Some(0) || self.body.is_end_stream() {
                    self.entry.settle(Ok(()));
                }
            }
            Some(Err(_)) => self.entry.settle(Err(FailureKind::Cut)),
            None => self.entry.settle(Ok(())),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    #[tokio::test]
    async fn a_request_counts_as_good_only_when_its_whole_answer_was_taken() {
        let ledger = Arc::new(Ledger::default());
        let whole = || Full::new(Bytes::from_static(b"hello")).map_err(|never| match never {}).boxed_unsync();

        ledger.open().follow(whole()).collect().await.unwrap();
        ledger.open().follow(Empty::new().map_err(|never| match never {}).boxed_unsync());
        drop(ledger.open().follow(whole()));
        ledger.open().failed(FailureKind::NoConnector);
        let connector: ConnectorId = "a-connector".parse().unwrap();
        let mut carried = ledger.open();
        carried.carried_by(connector.clone());
        carried.failed(FailureKind::ConnectorLost);
        let _open = ledger.open();

        let failed =
            BTreeMap::from([(FailureKind::ClientGone, 1), (FailureKind::NoConnector, 1), (FailureKind::ConnectorLost, 1)]);
        assert_eq!(ledger.stats(), FrontStats { sent: 6, ok: 2, failed, in_flight: 1 });
        let blamed: Vec<_> = ledger.losses().into_iter().map(|loss| (loss.kind, loss.connector)).collect();
        let nobody = [(FailureKind::ClientGone, None), (FailureKind::NoConnector, None)];
        assert_eq!(blamed, [&nobody[..], &[(FailureKind::ConnectorLost, Some(connector))]].concat());
    }
}
