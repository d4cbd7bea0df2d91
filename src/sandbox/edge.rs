//! The edge: where connectors register and from where requests reach them.
//!
//! One listener on loopback takes every connector's connections. Each becomes a link (`edge/link.rs`), the registry
//! (`edge/registry.rs`) knows which links of a tunnel take requests, and [`Edge::send`] hands a request to one of them. A
//! connector that unregisters gets nothing more; its link is closed when what it carries has ended.

pub(in crate::sandbox) mod attached;
mod link;
pub(in crate::sandbox) mod listener;
mod registry;
mod stream;
pub(in crate::sandbox) mod wire;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::{Request, Response};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use self::{
    attached::AttachedBody,
    link::Link,
    listener::Listener,
    registry::{InFlight, Pick, Registry},
};
use crate::id::{AccountId, ConnectorId, TunnelId};

/// What the edge needs to know of the account's state.
///
/// It is a trait because there are two of them: the sandbox's world, and the small one of the data path's tests.
pub trait Directory: Send + Sync + 'static {
    /// Whether a connector with this secret (standard base64) may serve the tunnel.
    ///
    /// # Errors
    ///
    /// The refusal's text as cloudflared logs it, such as `Unauthorized: Invalid tunnel secret`.
    fn register(&self, account: &AccountId, tunnel: &TunnelId, secret_base64: &str) -> Result<(), String>;
    /// The version and the document of a tunnel's remote configuration, if it has one.
    fn configuration(&self, tunnel: &TunnelId) -> Option<(i64, serde_json::Value)>;
    /// Changes whenever an answer of [`Directory::configuration`] or [`Directory::resolve`] may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Which tunnel a public hostname leads to, by DNS.
    fn resolve(&self, hostname: &str) -> Option<TunnelId>;
    /// A connector's connection is registered.
    fn connection_opened(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8, version: &str);
    /// Whether a registered connection still counts. One that was forced off, or whose tunnel was deleted, does not: the edge
    /// closes it when [`Directory::changes`] tells of a change.
    fn has_connection(&self, _tunnel: &TunnelId, _connector: &ConnectorId, _index: u8) -> bool {
        true
    }
    /// A connection that was registered is not any more: the connector unregistered it, or it broke.
    fn connection_closed(&self, tunnel: &TunnelId, connector: &ConnectorId, index: u8);
    /// A connector said which version of the configuration it runs.
    fn config_version_reported(&self, tunnel: &TunnelId, connector: &ConnectorId, version: i64);
}

/// What a test or the demo can break at the edge. The default breaks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeSwitches {
    /// New connections are refused, and those that exist break at once.
    pub down: bool,
    /// New connections are accepted and never get an answer.
    pub silent: bool,
    /// Packets of "quic" connections never arrive; "http2" works.
    pub udp_blocked: bool,
    /// Every registration is refused with this text.
    pub refuse_registrations: Option<String>,
    /// Configurations are not pushed; on release the current one is.
    pub hold_configuration: bool,
}

/// The body of a request or an answer on its way through the edge.
pub type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Why a request got no answer through a tunnel.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// No connector of the tunnel takes requests; none has seen this one.
    #[error("cannot reach a connector of tunnel {tunnel}")]
    NoConnector {
        /// The tunnel that was asked for.
        tunnel: TunnelId,
    },
    /// The link broke after the request was handed to it.
    #[error("cannot tell whether the connector saw the request: its link broke")]
    Lost {
        /// The connector that had it.
        connector: ConnectorId,
        /// What broke, when HTTP/2 said so.
        source: Option<hyper::Error>,
    },
}

/// One registered connection of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The connector that holds it.
    pub connector: ConnectorId,
    /// Which of the connector's connections it is, from 0.
    pub index: u8,
    /// Requests that it carries at this moment.
    pub in_flight: usize,
}

/// Stands in the extensions of an answer: the connector that it came through.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Carrier(pub(in crate::sandbox) ConnectorId);

/// How long a request waits for a connector that has just registered, before the tunnel counts as having none.
const ARRIVAL_WAIT: Duration = Duration::from_secs(1);

/// How many links at once: 1,000 connectors with 4 each, and as many again while they are replaced.
const LINKS_MAX: usize = 8_000;

/// A running edge. Dropping it breaks every connection.
pub struct Edge {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// What the edge's tasks have in common.
struct Shared {
    directory: Arc<dyn Directory>,
    registry: Registry,
    switches: watch::Sender<EdgeSwitches>,
}

impl Edge {
    /// Starts an edge on a free port of `127.0.0.1`. It must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// When there is no port to listen on.
    pub fn start(directory: Arc<dyn Directory>) -> io::Result<Self> {
        allow_many_descriptors();
        let listener = Listener::bind()?;
        let address = listener.address();
        let shared = Arc::new(Shared { directory, registry: Registry::default(), switches: watch::Sender::default() });
        let accept = AbortOnDropHandle::new(tokio::spawn(accept(Arc::clone(&shared), listener)));
        let publish = AbortOnDropHandle::new(tokio::spawn(publish_configurations(Arc::clone(&shared))));
        Ok(Self { shared, address, _tasks: [accept, publish] })
    }

    /// Where connectors connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The value of `TUNNEL_EDGE` for a connector: the address four times, as cloudflared cuts the number of its connections to
    /// the number of addresses.
    pub fn tunnel_edge(&self) -> String {
        vec![self.address.to_string(); 4].join(",")
    }

    /// Changes what is broken.
    pub fn switch(&self, change: impl FnOnce(&mut EdgeSwitches)) {
        self.shared.switches.send_modify(change);
    }

    /// Breaks every connection of a tunnel, as deleting its connections by the API does. Its connectors register again if they may.
    pub fn disconnect(&self, tunnel: &TunnelId) {
        self.shared.registry.disconnect(tunnel);
    }

    /// The connections of a tunnel that take requests, in the order in which they registered.
    pub fn connections(&self, tunnel: &TunnelId) -> Vec<Connection> {
        self.shared.registry.connections(tunnel)
    }

    /// Hands a request to the next connector of the tunnel and gives its answer. A request whose link turns out to be dead
    /// before it was sent goes to another link; one that may have been seen does not.
    ///
    /// # Errors
    ///
    /// When no connector takes requests, or when the link broke under the request.
    pub async fn send(&self, tunnel: &TunnelId, mut request: Request<Body>) -> Result<Response<Body>, EdgeError> {
        loop {
            let Some((link, in_flight)) = self.pick(tunnel).await else {
                return Err(EdgeError::NoConnector { tunnel: tunnel.clone() });
            };
            if link.peer_is_gone() {
                self.shared.registry.remove(tunnel, &link);
                continue;
            }
            let mut sender = link.sender();
            let lost = |source| EdgeError::Lost { connector: link.describe().connector, source };
            let answer = tokio::select! {
                biased;
                answer = sender.try_send_request(request) => answer,
                // A request that is queued in the moment in which HTTP/2 ends can be forgotten by it, as the queue outlives its reader.
                () = link.is_over() => return Err(lost(None)),
            };
            match answer {
                Ok(mut response) => {
                    response.extensions_mut().insert(Carrier(link.describe().connector));
                    return Ok(response.map(|body| AttachedBody::new(body, in_flight).boxed_unsync()));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => {
                        self.shared.registry.remove(tunnel, &link);
                        request = unsent;
                    }
                    None => return Err(lost(Some(error.into_error()))),
                },
            }
        }
    }

    async fn pick(&self, tunnel: &TunnelId) -> Option<(Arc<Link>, InFlight)> {
        let mut changes = self.shared.registry.changes();
        let picked = timeout(ARRIVAL_WAIT, async {
            loop {
                match self.shared.registry.pick(tunnel) {
                    Pick::Link(link, in_flight) => return Some((link, in_flight)),
                    Pick::Arriving => changes.changed().await.ok()?,
                    Pick::Nobody => return None,
                }
            }
        });
        picked.await.ok().flatten()
    }
}

/// Raises this process's limit of open files to what it may have: every link needs a descriptor, and the usual 1,024 are spent with
/// 250 connectors.
fn allow_many_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With the old limit the edge is a smaller one.
    setrlimit(Resource::Nofile, limit).ok();
}

/// Accepts connections while the edge is up. The connections' tasks end with this one.
async fn accept(shared: Arc<Shared>, mut listener: Listener) {
    let mut switches = shared.switches.subscribe();
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            stream = listener.accept(), if links.len() < LINKS_MAX => {
                links.spawn(link::serve(Arc::clone(&shared), stream));
            }
            Some(_) = links.join_next() => {}
            changed = switches.changed() => {
                let down = changed.is_err() || switches.borrow_and_update().down;
                // A listener that cannot change its state stays as it is; the links break nevertheless.
                listener.set_up(!down).ok();
            }
        }
    }
}

/// Passes every new configuration on to the links of its tunnel, and closes those that do not count any more.
async fn publish_configurations(shared: Arc<Shared>) {
    let mut changes = shared.directory.changes();
    while changes.changed().await.is_ok() {
        for tunnel in shared.registry.tunnels() {
            shared.registry.publish(&tunnel, shared.directory.configuration(&tunnel));
            shared.registry.disconnect_if(&tunnel, |link| !link.counts(shared.directory.as_ref(), &tunnel));
        }
    }
}
