//! The server's end of the control socket.

mod answer;
mod auditing;
mod body;
mod complaint;
mod connections;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod gate;
mod handlers;
mod hang_up;
mod listing;
mod operations;
mod parameters;
mod precondition;
mod patient;
mod router;
mod stream;

use std::{sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::Service, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    api,
    backend::Backend,
    peer::{Identify, Principal},
};
pub(super) use answer::status;
use connections::{Admission, Connections, too_many};
use gate::Gate;
pub(super) use handlers::queries;
use hang_up::HangUp;
use listing::Listing;
use operations::Operations;
pub(super) use operations::kind as operation_kind;
use patient::Patient;

use crate::suggestion::question;

/// How long a client may take to send a request's head, counted from its connection or from its last request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// The most that a request's head may have, in bytes; every path and header of ours is far shorter.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long requests may go on after the server was told to stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// How long changes that are cut off may take to end: they drop what they do.
const CUT_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a client that was just let in may take to ask, when the server is told to stop. A client asks at once.
const FIRST_REQUEST_TIME_MAX: Duration = Duration::from_secs(1);

/// How long to wait after an accept that failed, which means that the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The control socket's server. It serves until its token is cancelled.
pub struct Server<B> {
    shared: Arc<Shared<B>>,
    identify: Identify,
}

/// What every request's handling needs.
struct Shared<B> {
    backend: B,
    gate: Gate,
    /// Ends the streams that are followed.
    shutdown: CancellationToken,
    /// The changes under way: they go on when their clients are gone.
    changes: TaskTracker,
    operations: Arc<Operations>,
    /// Ends the changes that did not end in time when the daemon stops.
    cut: CancellationToken,
    listing: Listing,
}

impl<B: Backend> Server<B> {
    /// A server of what `backend` has, for whoever `identify` finds at the other end, until `shutdown` is cancelled.
    pub fn new(backend: B, identify: Identify, shutdown: CancellationToken) -> Self {
        let shared = Shared {
            backend,
            gate: Gate::default(),
            shutdown,
            changes: TaskTracker::new(),
            operations: Arc::default(),
            cut: CancellationToken::new(),
            listing: Listing::default(),
        };
        Self { shared: Arc::new(shared), identify }
    }

    /// Serves what connects to `listener`. Returns when the token is cancelled and the last request has ended, or five seconds
    /// after it was cancelled.
    pub async fn serve(self, listener: UnixListener) {
        let router = TowerToHyperService::new(router::build(&self.shared));
        let busy = TowerToHyperService::new(router::busy());
        let connections = Connections::default();
        let tasks = TaskTracker::new();
        let shutdown = self.shared.shutdown.clone();
        loop {
            // Cancel-safe: a connection that was not accepted stays in the backlog.
            let stream = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _address)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection on the control socket");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Some((principal, admission)) = self.admit(&stream, &connections) else { continue };
            let service = match admission {
                Admission::Served(_) => router.clone(),
                Admission::Refused(_) => busy.clone(),
            };
            let shared = Arc::clone(&self.shared);
            tasks.spawn(async move {
                let principal = match admission {
                    Admission::Served(_) => shared.gate.with_user_name(principal).await,
                    // Who is only told that there are too many is told at once, whoever it is.
                    Admission::Refused(_) => principal,
                };
                converse(stream, service, principal, &shared.shutdown).await;
                drop(admission);
            });
        }
        tasks.close();
        let changes = &self.shared.changes;
        changes.close();
        let drained = async { tokio::join!(tasks.wait(), changes.wait()) };
        if tokio::time::timeout(DRAIN_TIME_MAX, drained).await.is_err() {
            let (open, changes) = (tasks.len(), changes.len());
            tracing::warn!(open, changes, "control connections were cut because they did not end in time");
        }
        self.shared.cut.cancel();
        // What is cut off still says so in the audit log.
        if tokio::time::timeout(CUT_TIME_MAX, changes.wait()).await.is_err() {
            tracing::warn!(changes = changes.len(), "changes did not end though they were cut off");
        }
    }

    fn admit(&self, stream: &UnixStream, connections: &Connections) -> Option<(Principal, Admission)> {
        let principal = match (self.identify)(stream) {
            Ok(principal) => principal,
            Err(error) => {
                tracing::warn!(%error, "cannot tell who connected to the control socket, so the connection was closed");
                return None;
            }
        };
        let Some(admission) = connections.admit(principal.uid) else {
            turn_away(stream);
            return None;
        };
        Some((principal, admission))
    }
}

/// Tells a client for whom there is not even room to be refused that there are too many, if it has asked already: an answer that
/// comes before its question is none.
fn turn_away(stream: &UnixStream) {
    let mut head = [0; 8 * 1024];
    if stream.try_read(&mut head).is_ok_and(|asked| asked > 0) {
        let body = serde_json::to_string(&api::ErrorBody { error: too_many() }).expect("an error is JSON");
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        );
        // Whoever does not take it has gone.
        let _ = stream.try_write(answer.as_bytes());
    }
}

/// Serves one connection until it ends.
async fn converse<R>(stream: UnixStream, service: R, principal: Principal, shutdown: &CancellationToken)
where
    R: Service<Request<Incoming>, Response = axum::response::Response, Error = std::convert::Infallible>,
{
    let principal = Arc::new(principal);
    let (asked, answered) = (CancellationToken::new(), CancellationToken::new());
    let (first_asked, first_answered) = (asked.clone(), answered.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        asked.cancel();
        request.extensions_mut().insert(Arc::clone(&principal));
        let (answer, answered) = (service.call(request), answered.clone());
        async move {
            let answer = answer.await;
            answered.cancel();
            answer
        }
    });
    let hang_up = HangUp::of(&stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    // Whoever was let in is answered: told to end before it has read anything, a connection just closes.
    let may_end = async {
        shutdown.cancelled().await;
        let _ = tokio::time::timeout(FIRST_REQUEST_TIME_MAX, first_asked.cancelled()).await;
    };
    // What was asked is done, whether or not the client waits for it. From its first answer on only reading it is left: a follower
    // that is gone is not told the news until there is some.
    let gone = async {
        first_answered.cancelled().await;
        if let Err(error) = async { hang_up?.happened().await }.await {
            tracing::debug!(%error, "whether a client is gone shows only when there is something to tell it");
            std::future::pending().await
        }
    };
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = gone => return,
        () = may_end => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error = &error as &dyn std::error::Error, "a control connection ended early");
    }
}

impl<B: Backend> Shared<B> {
    /// The error for a tunnel that is not there, with the name that may have been meant.
    fn no_such_tunnel(&self, caller: &gate::Caller, name: &str) -> api::Error {
        let names = caller.seen_names(&self.backend);
        let hint = question(name, names.iter().map(String::as_str));
        api::Error::no_such_tunnel(name).with_hint(hint.unwrap_or_else(|| "\"adit tunnel list\" shows every tunnel".to_owned()))
    }
}
