//! What becomes ours and what is given up.

use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use super::{Client, Trouble, query, tunnel_path, value};
use crate::control::api::{AdoptRoute, AdoptTunnel, Forgotten, RouteAdopted, RouteAdoption, TunnelAdopted, TunnelAdoption};

impl Client {
    /// What would become ours when a tunnel at Cloudflare is adopted under this name.
    pub async fn look_at_tunnel(&self, name: &str, asked: &AdoptTunnel) -> Result<TunnelAdoption, Trouble> {
        self.get_slow(&format!("{}{}", tunnel_path(name, "/adoption"), as_query(asked))).await
    }

    /// Makes it ours, if it is what was shown still.
    pub async fn adopt_tunnel(&self, name: &str, asked: &AdoptTunnel) -> Result<TunnelAdopted, Trouble> {
        self.send_slow(Method::POST, &tunnel_path(name, "/adoption"), Some(&value(asked))).await
    }

    /// Gives a tunnel up; nothing of it is deleted at Cloudflare.
    pub async fn forget_tunnel(&self, name: &str) -> Result<Forgotten, Trouble> {
        self.send_slow(Method::POST, &tunnel_path(name, "/forget"), None).await
    }

    /// What stands in the way of a hostname.
    pub async fn look_at_route(&self, asked: &AdoptRoute) -> Result<RouteAdoption, Trouble> {
        self.get_slow(&format!("/v1/routes/adoption{}", as_query(asked))).await
    }

    /// Puts our record in its place, if that is what was shown still.
    pub async fn adopt_route(&self, asked: &AdoptRoute) -> Result<RouteAdopted, Trouble> {
        self.send_slow(Method::POST, "/v1/routes/adoption", Some(&value(asked))).await
    }
}

fn as_query(asked: &impl Serialize) -> String {
    let Value::Object(fields) = value(asked) else { return String::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    query(fields.iter().map(|(key, value)| (key.as_str(), text(value))))
}
