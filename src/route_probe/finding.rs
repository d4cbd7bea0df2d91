//! What came of a look.

use std::net::IpAddr;

/// What the origin did when it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginFinding {
    /// It is no server, or whoever asks says which.
    NoServer,
    /// It took a connection, and nothing more is known how to say to it.
    Connected,
    /// It answered `HEAD` for this path with this status.
    Answered {
        /// The path.
        path: String,
        /// The status.
        status: u16,
    },
    /// It took no connection: why.
    Refused(String),
    /// It took one, and then TLS or HTTP failed: why.
    Spoiled(String),
}

/// What a visitor meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicFinding {
    /// The resolver knows no address.
    NoAddress(String),
    /// The resolver does not say.
    NoResolver(String),
    /// The resolver knows only these, which no server on the internet has. None of them is asked.
    NotPublic(Vec<IpAddr>),
    /// Nobody answered at these addresses.
    Silent {
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// Why.
        why: String,
    },
    /// An answer came.
    Answered {
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// Its status.
        status: u16,
        /// Whether Cloudflare's edge says that it passed through it (`cf-ray`).
        through_cloudflare: bool,
        /// Whether it leads to Access's login.
        to_login: bool,
        /// The number on Cloudflare's own error page, where its body was looked at.
        error_code: Option<u16>,
    },
}

/// What a status says that the edge or a connector made because of trouble, and what to do.
pub fn meaning(status: u16) -> Option<(&'static str, &'static str)> {
    match status {
        502 => {
            Some(("the connector does not reach the origin", "see the origin above, and `adit logs` for the connector's words"))
        }
        503 => Some(("a connector without a configuration, or the origin itself", "see version and origin above")),
        530 => {
            Some(("the edge finds no connector of the tunnel", "see dns, tunnel and edge above; a new connector takes seconds"))
        }
        520..=527 => Some(("the edge did not get an answer", "see the origin above")),
        500..=599 => Some(("an error, of the origin or the edge", "look at the service's own log")),
        _ => None,
    }
}
