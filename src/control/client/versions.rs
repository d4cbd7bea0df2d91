//! Changes of a tunnel that nobody else changed since it was looked at.

use hyper::Method;
use serde_json::Value;

use super::{ANSWER_TIME_MAX, Client, Trouble, tunnel_path};
use crate::control::api::Changed;

impl Client {
    /// Replaces a tunnel's definition, if its version is that of [`crate::control::api::TunnelDetail`] still: else it is `changed`.
    pub async fn replace_tunnel_if(&self, name: &str, definition: &Value, version: &str) -> Result<Changed, Trouble> {
        self.change_if(Method::PUT, name, definition, version).await
    }

    /// Changes parts of a tunnel's definition, as [`Client::patch_tunnel`] does, if its version is that one still.
    pub async fn patch_tunnel_if(&self, name: &str, patch: &Value, version: &str) -> Result<Changed, Trouble> {
        self.change_if(Method::PATCH, name, patch, version).await
    }

    async fn change_if(&self, method: Method, name: &str, body: &Value, version: &str) -> Result<Changed, Trouble> {
        // What cannot be a version is none, and no header either.
        let version: String = version.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '-').collect();
        let tag = format!("\"{version}\"");
        self.exchange_with(method, &tunnel_path(name, ""), Some(body), &[("if-match", &tag)], ANSWER_TIME_MAX).await
    }
}
