//! What the control socket asks of the daemon.

use std::{collections::BTreeSet, future::Future, num::NonZeroU16, pin::Pin, sync::Arc};

use futures_util::Stream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    api::{
        AdoptRoute, AdoptTunnel, Applied, AuditEntry, Change, CheckOrigins, Configuration, ConnectorTraffic, Credential,
        CredentialCheck, DeleteOrphans, DeletedOrphans, Diagnosis, DoctorReport, Error, Event, Followed, Forgotten, Identity,
        LogLine, OriginCheck, Orphans, Overview, Plan, Reloaded, Replaced, RouteAdopted, RouteAdoption, Tunnel, TunnelAdopted,
        TunnelAdoption,
    },
    audit::{Audit, AuditQuery},
    peer::Principal,
    progress::Progress,
};
use crate::{
    config::Access,
    name::{AccountName, Hostname, TunnelName},
};

/// What the control socket can ask of the daemon. There are two: the daemon's own, and the one in the tests.
///
/// Access is decided before any of these is called; `by` says whose name goes into what is stored. Reading is quick and waits for
/// no call to Cloudflare; whatever takes longer has an end of its own and answers `busy` or `unavailable` then. What takes long tells
/// how far it is, from when it was found good and has begun.
pub trait Backend: Send + Sync + 'static {
    /// Who may do what, by the configuration in force.
    fn access(&self) -> Arc<Access>;

    /// The daemon's version.
    fn version(&self) -> String;

    /// The daemon without its tunnels.
    fn overview(&self) -> Overview;

    /// Hands each tunnel to `show`, by name. The status may be locked meanwhile, so `show` does nothing but look.
    fn tunnels(&self, show: &mut dyn FnMut(&Tunnel));

    /// Another number after every change of what [`Backend::tunnels`] hands out.
    fn revision(&self) -> u64;

    /// The tunnel of that name.
    fn tunnel(&self, name: &TunnelName) -> Option<Tunnel>;

    /// The definition of that tunnel.
    fn definition(&self, name: &TunnelName) -> Option<Definition>;

    /// Stores a tunnel and makes it come true. A tunnel of the same name and definition is fine ([`Change::Unchanged`]); one with
    /// another definition is a `conflict`.
    fn create(&self, by: &Principal, name: TunnelName, definition: Value) -> impl Future<Output = Result<Change, Error>> + Send;

    /// Replaces a tunnel's definition. With `expected`, only when that is the definition's version still: else it is `changed`.
    fn replace(
        &self,
        by: &Principal,
        name: &TunnelName,
        definition: Value,
        expected: Option<&str>,
    ) -> impl Future<Output = Result<Change, Error>> + Send;

    /// Deletes a tunnel, here and at Cloudflare. With `expected` as in [`Backend::replace`].
    fn delete(
        &self,
        by: &Principal,
        name: &TunnelName,
        expected: Option<&str>,
        progress: &Progress,
    ) -> impl Future<Output = Result<Change, Error>> + Send;

    /// Ends an operator's stop.
    fn start(&self, by: &Principal, name: &TunnelName) -> impl Future<Output = Result<Change, Error>> + Send;

    /// Stops a tunnel's connectors until somebody starts them.
    fn stop(&self, by: &Principal, name: &TunnelName) -> impl Future<Output = Result<Change, Error>> + Send;

    /// Replaces a tunnel's connectors by fresh ones.
    fn restart(&self, by: &Principal, name: &TunnelName) -> impl Future<Output = Result<Change, Error>> + Send;

    /// The connectors that a restart of a tunnel replaces, with the requests that are open.
    fn restart_plan(&self, name: &TunnelName) -> impl Future<Output = Vec<Replaced>> + Send;

    /// Gives a tunnel another secret; in an emergency, cuts off whoever else is connected to it.
    fn rotate(
        &self,
        by: &Principal,
        name: &TunnelName,
        emergency: bool,
        progress: &Progress,
    ) -> impl Future<Output = Result<Change, Error>> + Send;

    /// What would change, from the files on disk and a fresh look at Cloudflare.
    fn plan(&self) -> impl Future<Output = Result<Plan, Error>> + Send;

    /// Makes everything as wanted. With `hash`, only when the plan is exactly that one still: else a `conflict`.
    fn apply(
        &self,
        by: &Principal,
        hash: Option<&str>,
        progress: &Progress,
    ) -> impl Future<Output = Result<Applied, Error>> + Send;

    /// The last lines that a tunnel's connectors wrote, oldest first.
    fn logs(&self, name: &TunnelName, query: &LogQuery) -> impl Future<Output = Result<Vec<LogLine>, Error>> + Send;

    /// The same, and then every line as it is written.
    fn follow_logs(&self, name: &TunnelName, query: &LogQuery) -> impl Future<Output = Result<Feed<LogLine>, Error>> + Send;

    /// What happened, oldest first.
    fn events(&self, query: &EventQuery) -> impl Future<Output = Result<Vec<Event>, Error>> + Send;

    /// The same, and then every event as it happens.
    fn follow_events(&self, query: &EventQuery) -> impl Future<Output = Result<Feed<Event>, Error>> + Send;

    /// The configuration in force.
    fn configuration(&self) -> Configuration;

    /// Reads the configuration's files again. When they are bad, the one in force stays and the answer is `invalid`.
    fn reload(&self, by: &Principal) -> impl Future<Output = Result<Reloaded, Error>> + Send;

    /// The accounts' tokens, without the tokens.
    fn credentials(&self) -> Vec<Credential>;

    /// Tries what the token of that account, or of each, is able to do.
    fn check_credentials(
        &self,
        account: Option<&AccountName>,
        progress: &Progress,
    ) -> impl Future<Output = Result<Vec<CredentialCheck>, Error>> + Send;

    /// What would become ours when a tunnel at Cloudflare is adopted under this name. Changes nothing.
    fn look_at_tunnel(
        &self,
        name: &TunnelName,
        asked: &AdoptTunnel,
    ) -> impl Future<Output = Result<TunnelAdoption, Error>> + Send;

    /// Makes it ours, if it is what was shown with `asked.hash` still: else a `conflict`.
    fn adopt_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        asked: &AdoptTunnel,
        progress: &Progress,
    ) -> impl Future<Output = Result<TunnelAdopted, Error>> + Send;

    /// Gives a tunnel up: nothing of it is deleted at Cloudflare.
    fn forget_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        progress: &Progress,
    ) -> impl Future<Output = Result<Forgotten, Error>> + Send;

    /// What stands in the way of a hostname. Changes nothing.
    fn look_at_route(&self, asked: &AdoptRoute) -> impl Future<Output = Result<RouteAdoption, Error>> + Send;

    /// Puts our record in its place, if it is what was shown with `asked.hash` still: else a `conflict`.
    fn adopt_route(
        &self,
        by: &Principal,
        asked: &AdoptRoute,
        progress: &Progress,
    ) -> impl Future<Output = Result<RouteAdopted, Error>> + Send;

    /// Tries whether origins answer, as the user that connectors run as.
    fn check_origins(&self, request: &CheckOrigins) -> impl Future<Output = Result<Vec<OriginCheck>, Error>> + Send;

    /// Which installation the state directory is of.
    fn identity(&self) -> Identity;

    /// Goes on with state of another machine, because that one is gone.
    fn take_over_identity(&self, by: &Principal) -> impl Future<Output = Result<Identity, Error>> + Send;

    /// Becomes an installation that has made nothing, because this machine is a clone.
    fn new_identity(&self, by: &Principal) -> impl Future<Output = Result<Identity, Error>> + Send;

    /// What is left over at Cloudflare of this installation, from a fresh look.
    fn orphans(&self) -> impl Future<Output = Result<Orphans, Error>> + Send;

    /// Deletes what was chosen of it, if what can be deleted is exactly what was looked at still: else a `conflict`.
    fn delete_orphans(
        &self,
        by: &Principal,
        request: &DeleteOrphans,
        progress: &Progress,
    ) -> impl Future<Output = Result<DeletedOrphans, Error>> + Send;

    /// Looks at the host and the daemon. With `online` it asks Cloudflare as well, which takes a call or two of each account.
    fn doctor(&self, online: bool) -> impl Future<Output = Result<DoctorReport, Error>> + Send;

    /// Walks from a hostname to its origin, over all that the caller may see.
    fn diagnose(&self, question: &DiagnoseQuery) -> impl Future<Output = Result<Diagnosis, Error>> + Send;

    /// What each connector carries, by its own metrics. A connector that does not answer keeps nobody waiting.
    fn traffic(&self) -> impl Future<Output = Vec<ConnectorTraffic>> + Send;

    /// Keeps what somebody changed, or was refused to change.
    fn audit(&self, entry: &Audit<'_>);

    /// Changes whenever a tunnel may look different: whoever waits for something looks again.
    fn watch(&self) -> watch::Receiver<()>;

    /// Changes whenever the configuration in force does: letters and digits.
    fn configuration_version(&self) -> String;

    /// Who changed what, oldest first.
    fn audited(&self, query: &AuditQuery) -> impl Future<Output = Result<Vec<AuditEntry>, Error>> + Send;

    /// The same, and then every entry as it is written.
    fn follow_audited(&self, query: &AuditQuery) -> impl Future<Output = Result<Feed<AuditEntry>, Error>> + Send;
}

/// A stream that ends only with the daemon.
pub type Feed<T> = Pin<Box<dyn Stream<Item = Followed<T>> + Send>>;

/// What a tunnel was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The definition, in the configuration's grammar.
    pub value: Value,
    /// Changes whenever the definition does: letters, digits and `-`.
    pub version: String,
}

/// Which lines of a tunnel's connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// How many of those there are already, at most.
    pub lines: NonZeroU16,
    /// Only those after this one.
    pub since: Option<u64>,
    /// Only those of this replica.
    pub replica: Option<u8>,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// How many of those there are already, at most: the newest.
    pub limit: NonZeroU16,
    /// Only those after this one.
    pub since: Option<u64>,
    /// Only those from this time on.
    pub from: Option<Timestamp>,
    /// Only those of this tunnel.
    pub tunnel: Option<TunnelName>,
}

/// Which hostname, and how it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnoseQuery {
    /// The hostname.
    pub hostname: Hostname,
    /// The path, beginning with `/`.
    pub path: String,
    /// Whether Cloudflare is asked anew, with three calls at most.
    pub fresh: bool,
    /// Whether the public hostname is looked up and asked for, as a visitor would.
    pub outside: bool,
    /// The tunnels that the caller may see; there are no others for them.
    pub seen: Reach,
    /// Those for which the caller may spend calls.
    pub operated: Reach,
}

/// Tunnels for which somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    All,
    /// These.
    Only(BTreeSet<TunnelName>),
}

impl Reach {
    /// Whether `tunnel` is one of them.
    pub fn has(&self, tunnel: &TunnelName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(tunnel),
        }
    }
}
