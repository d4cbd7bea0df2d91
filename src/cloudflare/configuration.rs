//! The configuration of a tunnel that Cloudflare keeps and sends to its connectors.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::id::{AccountId, TunnelId};

use super::{
    Client, ConfigSource, Error,
    call::{Call, Method, Resource},
    lenient,
    transport::Answer,
};

/// A stored configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Configuration {
    /// It grows with every change, by whomever.
    pub version: i64,
    /// Where connectors take their configuration from; `None` when the answer does not say.
    #[serde(default, deserialize_with = "lenient::known")]
    pub source: Option<ConfigSource>,
    /// The document, in cloudflared's own words; `None` before the first one was stored.
    #[serde(default)]
    pub config: Option<Value>,
    /// How often the document may have been written to bring this answer about: 0 for a read, more than 1 after a lost
    /// answer. So much may `version` have grown by our own doing.
    #[serde(skip)]
    pub writes: u32,
}

impl Client {
    /// The stored configuration of a tunnel.
    pub async fn configuration(&self, account: &AccountId, tunnel: &TunnelId) -> Result<Configuration, Error> {
        let call = configurations(Method::Get, account, tunnel, format!("read the configuration of tunnel {tunnel}"));
        Ok(self.transport.call(&call.reads(account)).await?.value)
    }

    /// Replaces the whole configuration of a tunnel. There is no precondition: whoever writes last wins, so compare what was
    /// read before and what comes back.
    pub async fn put_configuration(
        &self,
        account: &AccountId,
        tunnel: &TunnelId,
        config: &Value,
    ) -> Result<Configuration, Error> {
        let call = configurations(Method::Put, account, tunnel, format!("replace the configuration of tunnel {tunnel}"))
            .changes(account)
            .body(&json!({ "config": config }));
        let Answer { value, carried_out, .. } = self.transport.call::<Configuration>(&call).await?;
        Ok(Configuration { writes: carried_out, ..value })
    }
}

pub(super) fn configurations(method: Method, account: &AccountId, tunnel: &TunnelId, task: String) -> Call {
    let path = ["accounts", account.as_str(), "cfd_tunnel", tunnel.as_str(), "configurations"];
    Call::new(method, Resource::Configurations, path, task)
}
