//! The typed client of Cloudflare's API (v4): the only place that knows its URLs and its JSON.
//!
//! ```text
//!  Client::tunnels(…) ─▶ Call ─▶ gate (pacer: one budget per credential) ─▶ http ─▶ Cloudflare
//!                                                                            │
//!     typed result ◀─ pages (complete?) ◀─ decode ◀─ envelope ◀── answer ────┘
//!            Error ◀─ classify, retry ◀───────────────┘
//! ```
//!
//! One [`Client`] stands for one credential; its clones share the pacer, so that all tasks of the daemon together stay within
//! the credential's budget. What callers may rely on:
//!
//! - A list is whole, or it is an [`Error`]: a short page, an HTML page, a `null` is never "nothing there".
//! - A POST is sent once. When its answer is lost, [`Error::may_have_happened`] says so and the caller looks.
//! - A call never waits out a block: it fails with [`Kind::RateLimited`] and [`Error::retry_after`].
//! - No token is in any error, whatever the other side echoes.

mod access;
mod book;
mod call;
mod classify;
mod configuration;
mod configuration_text;
mod dns;
mod envelope;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod hostname_routes;
mod http;
mod lenient;
mod load_balancers;
mod monitors;
mod networks;
mod pacer;
mod pages;
mod permission;
mod pools;
mod rate_limit;
mod record_document;
mod retry;
mod text;
mod token_kind;
mod tokens;
mod transport;
mod tunnel_secret;
mod tunnels;
mod zones;

#[cfg(test)]
mod tests;

use std::{fmt, path::PathBuf, sync::Arc};

use reqwest::Url;
use tokio::sync::watch;

use crate::secret::Secret;

pub use self::{
    access::AccessApp,
    book::CredentialId,
    configuration::Configuration,
    configuration_text::ConfigurationText,
    dns::{Batch, BatchAnswer, DnsRecord, NewRecord, RecordPatch},
    error::{Conflict, Error, Kind},
    hostname_routes::{HostnameRoute, NewHostnameRoute},
    load_balancers::{LoadBalancer, LoadBalancerPatch, NewLoadBalancer},
    monitors::{Monitor, NewMonitor},
    networks::{NetworkRoute, NewNetworkRoute, VirtualNetwork},
    pacer::Budget,
    permission::Permission,
    pools::{NewPool, Pool},
    record_document::RecordDocument,
    token_kind::TokenKind,
    tokens::{TokenState, TokenStatus},
    transport::{Exchange, Observer},
    tunnels::{ConfigSource, EdgeConnection, EdgeConnector, Tunnel, TunnelStatus},
    zones::{Account, Plan, Zone, ZoneStatus},
};
pub(crate) use text::tame;

use self::{book::Book, gate::Gate, http::Http, http::Limits, pacer::Pacer, transport::Transport};

/// What a [`Client`] is made of.
pub struct Settings {
    /// Where the API is, such as `https://api.cloudflare.com/client/v4`. `http` only on a loopback address.
    pub api_base: Url,
    /// Requests a second that the credential may use in the long run, at least 0.01.
    ///
    /// Cloudflare grants 1,200 in 5 minutes, which is 4/s; up to there the client's bursts stay within it too. More is for
    /// credentials whose limit Cloudflare has raised.
    pub budget_per_second: f64,
    /// The `User-Agent` of every request.
    pub user_agent: String,
    /// The API token. It is read anew for every request, so that it can be replaced at any time; `None` until there is one.
    pub token: watch::Receiver<Option<Secret>>,
    /// Told of every HTTP exchange.
    pub observer: Observer,
    /// Where is kept what the credential has spent, so that the next client goes on from there; nowhere when `None`.
    pub book: Option<PathBuf>,
}

/// The API as one credential sees it. Cheap to clone; clones share one budget and one set of connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

impl Client {
    /// A client for one credential. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] when the base URL or the budget cannot be used, or the host has no CA certificates.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::with_limits(settings, &Limits::default())
    }

    fn with_limits(settings: Settings, limits: &Limits) -> Result<Self, Error> {
        let Settings { api_base, budget_per_second, user_agent, token, observer, book } = settings;
        if !(budget_per_second.is_finite() && budget_per_second >= pacer::BUDGET_MIN) {
            let task = format!("use a budget of {budget_per_second} requests a second");
            return Err(Error::settings(task, format!("it must be at least {}", pacer::BUDGET_MIN)));
        }
        let transport = Transport {
            http: Http::new(&api_base, &user_agent, limits)?,
            gate: Gate::new(Pacer::new(budget_per_second), book.as_deref().and_then(Book::open)),
            token,
            observer,
            pause_first: limits.pause_first,
        };
        Ok(Self { transport: Arc::new(transport) })
    }

    /// Which token is in use, without telling it; `None` while there is none.
    pub fn credential_id(&self) -> Option<CredentialId> {
        self.transport.token.borrow().as_ref().map(CredentialId::of)
    }

    /// What is left of the credential's share, as far as Cloudflare has said.
    pub fn budget(&self) -> Budget {
        self.transport.gate.budget()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("http", &self.transport.http).finish_non_exhaustive()
    }
}
