//! The state of the embedded Cloudflare and its rules, shared by the API, the edge and the front. No HTTP is spoken here.
//!
//! A [`World`] is a handle: clones are cheap and show the same state. Its lock is held for moments and never across an await.

mod configuration;
mod connection;
mod dashboard;
mod error;
mod limiter;
mod log;
mod plan;
mod record;
mod resolve;
mod snapshot;
mod token;
mod zone;

pub(super) mod document;
pub(super) mod state;
pub(super) mod tunnel;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

pub(super) use self::{
    connection::{Connection, Connector},
    limiter::{Limiter, Quota, Verdict},
    record::{Record, RecordBody},
    token::Token,
    zone::Zone,
};
pub use self::{
    connection::{EdgeConnection, Refusal},
    dashboard::Dashboard,
    error::Error,
    limiter::RateLimit,
    log::{Exchange, Request, Tap},
    plan::Plan,
    record::RecordKind,
    snapshot::{RecordSnapshot, Snapshot, TunnelSnapshot},
    token::{Permission, TokenKind, TokenSpec, TokenStatus},
    zone::ZoneStatus,
};
use self::{log::Log, state::State, tunnel::ConfigSource};
use super::faults::Faults;
use crate::{
    id::{AccountId, ConnectorId, TunnelId, ZoneId},
    secret::Secret,
};

/// The account that every world begins with.
const ACCOUNT_ID: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// The embedded Cloudflare.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    account: AccountId,
    token: Secret,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    limiter: Mutex<Limiter>,
    log: Mutex<Log>,
    faults: Faults,
}

impl World {
    /// A world with one account, a user's token with every permission, a paid zone `example.com` and a free one `example.net`.
    pub fn new() -> Self {
        let account: AccountId = ACCOUNT_ID.parse().expect("the constant is an identifier");
        let mut state = State::default();
        let now = Timestamp::now();
        state.add_account(account.clone(), "Adit Sandbox", now);
        state.add_zone(account.clone(), "example.com", Plan::Pro, now);
        state.add_zone(account.clone(), "example.net", Plan::Free, now);
        let token = state.add_token(TokenSpec::full(&account)).text.clone();
        let changes = watch::Sender::new(state.revision);
        let shared = Shared {
            account,
            token,
            state: Mutex::new(state),
            changes,
            limiter: Mutex::default(),
            log: Mutex::default(),
            faults: Faults::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The account that the world began with.
    pub fn account_id(&self) -> AccountId {
        self.shared.account.clone()
    }

    /// A `cfut_` token with every permission on [`World::account_id`].
    pub fn api_token(&self) -> Secret {
        self.shared.token.clone()
    }

    /// Adds an account. Tokens that exist do not reach it.
    pub fn add_account(&self, name: &str) -> AccountId {
        let id: AccountId = state::new_hex().parse().expect("hexadecimal digits are an identifier");
        self.change(|state| state.add_account(id.clone(), name, Timestamp::now()));
        id
    }

    /// Adds an active zone to an account; every token that reaches the account reaches it.
    pub fn add_zone(&self, account: &AccountId, name: &str, plan: Plan) -> ZoneId {
        self.change(|state| state.add_zone(account.clone(), name, plan, Timestamp::now()))
    }

    /// The id of the zone of this name.
    pub fn zone_id(&self, name: &str) -> Option<ZoneId> {
        self.state().zones.values().find(|zone| zone.name == name).map(|zone| zone.id.clone())
    }

    /// Makes an API token.
    pub fn add_token(&self, spec: TokenSpec) -> Secret {
        self.change(|state| state.add_token(spec).text.clone())
    }

    /// Starts every budget over with another limit; `None` admits everything. A world begins with Cloudflare's own numbers.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        self.limiter().set(limit);
    }

    /// Whether a connector may register with this account, tunnel and base64 secret.
    ///
    /// # Errors
    /// The reason that the edge gives to cloudflared.
    pub fn tunnel_for_registration(&self, account: &AccountId, tunnel: &TunnelId, secret_base64: &str) -> Result<(), Refusal> {
        self.state().check_registration(account, tunnel, secret_base64)
    }

    /// The version and document that connectors of a live tunnel are to run; `None` before the first one is stored, and for a
    /// tunnel with a local configuration.
    pub fn configuration(&self, tunnel: &TunnelId) -> Option<(i64, Value)> {
        let state = self.state();
        let tunnel = state.tunnels.get(tunnel).filter(|tunnel| tunnel.is_live())?;
        match tunnel.source {
            ConfigSource::Local => None,
            ConfigSource::Cloudflare => tunnel.configuration.as_ref().map(|stored| (stored.version, stored.document.clone())),
        }
    }

    /// A number that grows with every change of tunnels, configurations or DNS, and when connections are forced off.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// The live tunnel that a request for `hostname` goes to: by a load balancer, a proxied CNAME or a wildcard one.
    pub fn resolve(&self, hostname: &str) -> Option<TunnelId> {
        self.state().resolve(hostname)
    }

    /// The edge registered a connection. One of the same connector and index is replaced.
    pub fn connection_opened(&self, tunnel: &TunnelId, connection: EdgeConnection) {
        self.change(|state| state.open_connection(tunnel, connection, Timestamp::now()));
    }

    /// A connection ended.
    pub fn connection_closed(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8) {
        self.change(|state| state.close_connection(tunnel, connector, index, Timestamp::now()));
    }

    /// Whether a connection still counts. Deleting a tunnel and forcing connections off end it here first; the edge, which
    /// hears of it by [`World::changes`], then has to close it.
    pub fn has_connection(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8) -> bool {
        self.state().has_connection(tunnel, connector, index)
    }

    /// A connector said which version of the configuration it runs.
    pub fn config_version_reported(&self, tunnel: &TunnelId, connector: &ConnectorId, version: i64) {
        self.change(|state| state.report_config_version(tunnel, connector, version));
    }

    /// Someone who edits behind everybody's back.
    pub fn dashboard(&self) -> Dashboard {
        Dashboard { world: self.clone() }
    }

    /// The newest requests in the order of their answers; at most 20,000.
    pub fn requests(&self) -> Vec<Request> {
        self.log().requests()
    }

    /// How many requests there have been.
    pub fn request_count(&self) -> u64 {
        self.log().count()
    }

    /// Calls `tap` for every exchange from here on, in the place of an earlier one.
    pub fn on_exchange(&self, tap: Tap) {
        self.log().tap = Some(tap);
    }

    /// What there is, to compare with what there will be.
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot()
    }

    /// The switches that make the API misbehave.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Runs a change under the lock and tells [`World::changes`] when it touched what the edge or the front looks at.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let answer = act(&mut state);
        self.shared.changes.send_if_modified(|revision| std::mem::replace(revision, state.revision) != state.revision);
        answer
    }

    pub(super) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.shared.limiter.lock().expect("nothing panics while it holds the limiter")
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.shared.log.lock().expect("nothing panics while it holds the log")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("nothing panics while it holds the state")
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("World").field("account", &self.shared.account).finish_non_exhaustive()
    }
}
