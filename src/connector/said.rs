//! What a connector's log says of it.
//!
//! These are hints. A line may be lost or come late, and whatever it says is found out by a probe as well, only later; so each is
//! taken for what it is at that moment, and nothing waits for one.

use serde::{Deserialize, Serialize};

/// How a connector talks to the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Over UDP.
    Quic,
    /// Over TCP.
    Http2,
}

/// Something that a connector's log says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It took in a configuration from the edge.
    Configured,
    /// It could not use a configuration that the edge pushed, and keeps the one that it had.
    ConfigurationRefused {
        /// Which version, where it says so.
        version: Option<u64>,
        /// What it does not like.
        why: String,
    },
    /// It registered a connection.
    Registered {
        /// Over what, where it says so.
        protocol: Option<Protocol>,
    },
    /// It lost a connection.
    Lost,
    /// Its start-up checks have ended. They change nothing in cloudflared (`facts/cloudflared.md` 7.3).
    Prechecked {
        /// What they found to get through; `None` when nothing does.
        suggested: Option<Protocol>,
    },
    /// It could not reach the edge over QUIC.
    QuicDialFailed,
    /// It gave up QUIC by itself, for the rest of its life.
    FellBack,
    /// The edge refuses to register it, with these words. Only HTTP/2 says them.
    Refused {
        /// Cloudflare's words.
        why: String,
    },
    /// A connection was made and its registration failed. Over QUIC this is all that is said of a refusal, and a connection that
    /// breaks at that moment looks the same.
    RegistrationFailed,
}

impl Protocol {
    /// The protocol as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quic => "QUIC",
            Self::Http2 => "HTTP/2",
        }
    }

    /// The word as cloudflared writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Http2 => "http2",
        }
    }
}
