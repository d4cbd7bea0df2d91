//! How a connector is started: everything that, when it changes, needs a new process.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use super::Transport;
use crate::{
    id::{AccountId, TunnelId},
    secret::Secret,
};

/// All that the supervisor needs to start one connector of a tunnel; what tunnels have in common they share. Two equal launches of
/// one program file start equal processes, so a running connector needs a successor exactly when the launch or the file differs from
/// what it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The account that the tunnel belongs to, as the connector's metrics and records name it.
    pub account_id: AccountId,
    /// The tunnel's id at Cloudflare.
    pub tunnel_id: TunnelId,
    /// The connector token: it goes to the child through a descriptor, never through its arguments or environment.
    pub token: Secret,
    /// `cloudflared` as an absolute path: where the supervisor looks for it. All launches of a host name the same one, and another
    /// path alone needs no new process: another file there does.
    pub binary: Arc<Path>,
    /// Arguments that the operator adds: `tunnel EXTRA_ARGS run`.
    pub extra_args: Arc<[String]>,
    /// Variables that the operator adds to the child's otherwise empty environment.
    pub env: Arc<BTreeMap<String, String>>,
    /// `auto`, `quic` or `http2`, in cloudflared's words.
    pub protocol: String,
    /// How long a stopping connector may finish its requests; cloudflared takes at most three minutes.
    pub grace_period: Duration,
    /// Where the ingress rules come from.
    pub configuration: LaunchConfiguration,
    /// What Adit makes of the protocol where that is left open. Whoever wants a connector leaves it as it is by default.
    pub transport: Transport,
}

/// Where a connector gets its ingress rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchConfiguration {
    /// Pushed by Cloudflare's edge. The connector answers every request with 503 until the first push, so it counts as ready
    /// only with a configuration version.
    Remote,
    /// From a file that Adit writes for it: cloudflared's own format, as JSON (which YAML contains).
    Local(serde_json::Value),
}
