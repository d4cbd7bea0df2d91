//! What the world refuses, and why. The API gives each refusal its status and code in one place.
//!
//! The texts are Cloudflare's own where they are known, because clients show them to people.

/// A change that the world does not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No tunnel of that id, or a deleted one where a live one is needed.
    #[error("Tunnel not found")]
    TunnelNotFound,
    /// A live tunnel of the account has the name.
    #[error("You already have a tunnel with this name")]
    TunnelNameTaken,
    /// A tunnel with live connections is deleted only with `cascade`.
    #[error("Cannot delete tunnel because it has active connections")]
    TunnelHasConnections,
    /// A tunnel with private routes is deleted only with `cascade`.
    #[error("Cannot delete tunnel because it has private network routes")]
    TunnelHasRoutes,
    /// No connector of that id has a connection.
    #[error("Connector not found")]
    ConnectorNotFound,
    /// A configuration that the API does not store.
    #[error("Bad Configuration: Validation failed: {0}")]
    BadConfiguration(String),
    /// No zone of that name, or none for that hostname.
    #[error("Zone not found")]
    ZoneNotFound,
    /// No API token with that text.
    #[error("Token not found")]
    TokenNotFound,
    /// No record of that id, or of that name.
    #[error("Record does not exist.")]
    RecordNotFound,
    /// An A, AAAA or CNAME record of the name is in the way of a CNAME.
    #[error("An A, AAAA, or CNAME record with that host already exists.")]
    HostTaken,
    /// A CNAME record of the name is in the way of an A or AAAA record.
    #[error("A CNAME record with that host already exists.")]
    CnameTaken,
    /// The same TXT record exists.
    #[error("The record already exists.")]
    RecordExists,
    /// The same A, AAAA or CNAME record exists.
    #[error("An identical record already exists.")]
    IdenticalRecord,
    /// The zone is full.
    #[error("Record quota exceeded.")]
    RecordQuota,
    /// A record that breaks a rule; `code` is the inner code where one is known.
    #[error("{message}")]
    InvalidRecord {
        /// The code inside the error chain, such as 9021 for the TTL.
        code: Option<i64>,
        /// The rule that was broken.
        message: String,
    },
    /// More operations in one batch than the zone's plan allows.
    #[error("A batch must not have more than {0} operations")]
    BatchTooLarge(usize),
    /// Exactly this network has a live route in this virtual network.
    #[error("You already have a route defined for this exact IP subnet")]
    RouteTaken,
    /// No object of that id: a pool, a route, an application …
    #[error("Object not found")]
    DocumentNotFound,
    /// An account's limit on a kind of object.
    #[error("The limit of {max} {what} is reached")]
    Quota {
        /// The objects that are limited.
        what: &'static str,
        /// How many there can be.
        max: usize,
    },
    /// A value that breaks a rule.
    #[error("{0}")]
    Invalid(String),
}
