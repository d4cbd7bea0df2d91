//! What tests count and compare: the requests that came in, and a tap on whole exchanges.

use std::{collections::VecDeque, fmt, sync::Arc};

use hyper::Method;
use tokio::time::Instant;

/// How many requests are kept, the newest ones; enough for the first provisioning of 1,000 tunnels, several times over.
const REQUESTS_MAX: usize = 20_000;

/// One request that reached the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path behind `/client/v4`.
    pub path: String,
    /// The query as it was sent, without the `?`; empty when there was none.
    pub query: String,
    /// The status of the answer, or `None` when the connection was to close or hang without one.
    pub status: Option<u16>,
    /// When the answer was made.
    pub at: Instant,
}

/// One request with its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The path behind `/client/v4`.
    pub path: String,
    /// The query's names and values, decoded.
    pub query: Vec<(String, String)>,
    /// The body of the request; empty when there was none.
    pub request_body: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer, before a fault cut it off.
    pub response_body: Vec<u8>,
    /// Whether a fault made an answer on purpose that no contract describes.
    pub damaged: bool,
}

/// What is called for every exchange.
pub type Tap = Arc<dyn Fn(&Exchange) + Send + Sync>;

/// The newest requests, how many there were in all, and the tap.
#[derive(Default)]
pub(crate) struct Log {
    requests: VecDeque<Request>,
    count: u64,
    pub(crate) tap: Option<Tap>,
}

impl Log {
    pub(crate) fn push(&mut self, request: Request) {
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
        self.count += 1;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").field("count", &self.count).finish_non_exhaustive()
    }
}
