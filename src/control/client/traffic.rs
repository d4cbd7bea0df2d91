//! What connectors carry.

use super::{Client, Trouble};
use crate::control::api::ConnectorTraffic;

impl Client {
    /// What each connector carries, by its own metrics.
    pub async fn traffic(&self) -> Result<Vec<ConnectorTraffic>, Trouble> {
        self.get("/v1/traffic").await
    }
}
