//! A tunnel's configuration as the text that Cloudflare keeps, for one that others edit too: what is not changed in it is sent
//! back byte for byte.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{AccountId, TunnelId};

use super::{Client, Error, call::Method, configuration::configurations, transport::Answer};

/// A stored configuration as text.
#[derive(Debug, Clone, Deserialize)]
pub struct ConfigurationText {
    /// It grows with every change, by whomever.
    pub version: i64,
    /// The document; `None` before the first one was stored.
    #[serde(default)]
    pub config: Option<Box<RawValue>>,
    /// As in [`Configuration`](super::Configuration).
    #[serde(skip)]
    pub writes: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    config: &'a RawValue,
}

impl Client {
    /// The stored configuration of a tunnel, as text.
    pub async fn configuration_text(&self, account: &AccountId, tunnel: &TunnelId) -> Result<ConfigurationText, Error> {
        let call = configurations(Method::Get, account, tunnel, format!("read the configuration of tunnel {tunnel}"));
        Ok(self.transport.call(&call.reads(account)).await?.value)
    }

    /// Replaces the whole configuration of a tunnel by this text, as [`Client::put_configuration`] does.
    pub async fn put_configuration_text(
        &self,
        account: &AccountId,
        tunnel: &TunnelId,
        config: &RawValue,
    ) -> Result<ConfigurationText, Error> {
        let call = configurations(Method::Put, account, tunnel, format!("replace the configuration of tunnel {tunnel}"))
            .changes(account)
            .body(&Written { config });
        let Answer { value, carried_out, .. } = self.transport.call::<ConfigurationText>(&call).await?;
        Ok(ConfigurationText { writes: carried_out, ..value })
    }
}
