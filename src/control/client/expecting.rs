//! Definitions with their versions, so that nobody writes over what they did not see.

use hyper::{
    Method,
    header::{ETAG, HeaderValue},
};
use tokio::time::timeout;

use super::{ANSWER_TIME_MAX, Client, Trouble, read, refusal, tunnel_path};
use crate::control::api::TunnelDetail;

/// The version of a definition, as the daemon gave it. It changes whenever the definition does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(HeaderValue);

impl Version {
    /// The version as text: printable ASCII.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("it was read as text")
    }
}

impl Client {
    /// One tunnel, with its definition and the version of that.
    ///
    /// # Errors
    ///
    /// As with every call; and when the answer tells no version.
    pub async fn tunnel_with_version(&self, name: &str) -> Result<(TunnelDetail, Version), Trouble> {
        let path = tunnel_path(name, "");
        let exchange = async {
            let response = self.request(Method::GET, &path, None).await?;
            if !response.status().is_success() {
                return Err(refusal(&path, response).await);
            }
            let tag = response.headers().get(ETAG).filter(|tag| tag.to_str().is_ok()).cloned();
            let tag = tag.ok_or_else(|| Trouble::broken(&path, "it tells no version"))?;
            let bytes = read(&path, response).await?;
            let detail = serde_json::from_slice(&bytes).map_err(|error| Trouble::broken(&path, error))?;
            Ok((detail, Version(tag)))
        };
        timeout(ANSWER_TIME_MAX, exchange).await.map_err(|_| Trouble::slow(&path, ANSWER_TIME_MAX))?
    }

    /// The same client, whose writes are refused unless the definition that they change still has this version.
    pub fn expecting(&self, version: &Version) -> Self {
        Self { expected: Some(version.0.clone()), ..self.clone() }
    }
}
