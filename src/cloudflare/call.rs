//! A call as a value: what is sent, what for, and what it takes to be allowed.

use serde::Serialize;

use crate::secret::Secret;

use super::Permission;

/// How a call acts on its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The method's name in HTTP.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it leaves everything as it is.
    pub(super) fn only_reads(self) -> bool {
        self == Self::Get
    }

    /// Whether sending it twice has the effect of sending it once. A second POST makes a second object.
    pub(super) fn may_be_repeated(self) -> bool {
        self != Self::Post
    }
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// The kinds of things that calls are about. The same error code means different things for different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Verify,
    Accounts,
    Zones,
    Tunnels,
    Configurations,
    Connections,
    DnsRecords,
    NetworkRoutes,
    VirtualNetworks,
    HostnameRoutes,
    LoadBalancing,
    Access,
}

impl Resource {
    /// A short word that never changes, for metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Accounts => "accounts",
            Self::Zones => "zones",
            Self::Tunnels => "tunnels",
            Self::Configurations => "configurations",
            Self::Connections => "connections",
            Self::DnsRecords => "dns_records",
            Self::NetworkRoutes => "network_routes",
            Self::VirtualNetworks => "virtual_networks",
            Self::HostnameRoutes => "hostname_routes",
            Self::LoadBalancing => "load_balancing",
            Self::Access => "access",
        }
    }
}

/// One call of the API. Every part is safe to show, except `body` and `secret`.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) resource: Resource,
    /// What is attempted, as it reads after `cannot`.
    pub(super) task: String,
    /// The permission group that the call needs, and the object that it needs it on.
    pub(super) permission: Option<(Permission, String)>,
    /// The path below the API's base, in segments that need no escaping.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    /// A secret within the body, which no error may repeat.
    pub(super) secret: Option<Secret>,
    /// Whether the answer holds a secret, so that nothing of it may be quoted.
    pub(super) answers_with_secret: bool,
}

impl Call {
    pub(super) fn new<const N: usize>(method: Method, resource: Resource, path: [&str; N], task: impl Into<String>) -> Self {
        Self {
            method,
            resource,
            task: task.into(),
            permission: None,
            path: path.map(str::to_owned).to_vec(),
            query: Vec::new(),
            body: None,
            secret: None,
            answers_with_secret: false,
        }
    }

    pub(super) fn needs(mut self, permission: Permission, object: impl Into<String>) -> Self {
        self.permission = Some((permission, object.into()));
        self
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).expect("what the client sends has text keys and no failing serializer"));
        self
    }

    pub(super) fn hiding(mut self, secret: &Secret) -> Self {
        self.secret = Some(secret.clone());
        self
    }

    pub(super) fn answering_with_secret(mut self) -> Self {
        self.answers_with_secret = true;
        self
    }

    /// Method and path, as errors show them.
    pub(super) fn line(&self) -> String {
        format!("{} /{}", self.method.as_str(), self.path.join("/"))
    }
}
