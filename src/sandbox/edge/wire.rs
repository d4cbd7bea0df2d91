//! What the edge and the stand-in connector say to each other before and around the proxied requests.
//!
//! A connector dials the edge and sends a [`Greeting`]; the edge's [`Welcome`] says that the transport is up. Then one
//! [`Registration`] is answered by one [`Verdict`]. After an acceptance the roles are reversed, as in cloudflared's HTTP/2
//! transport: the edge speaks as the client of an HTTP/2 connection whose server is the connector.
//!
//! Two kinds of requests on it are not for an origin and carry [`UPGRADE_HEADER`]: the [`CONTROL_STREAM`], whose answer stays
//! open for as long as the connector wants requests (its end is the unregistration), and a [`CONFIGURATION_UPDATE`].

use std::{fmt, io};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::id::{AccountId, ConnectorId, TunnelId};

/// Marks a request that the edge makes for itself (cloudflared `connection/http2.go`).
pub(in crate::sandbox) const UPGRADE_HEADER: &str = "cf-cloudflared-proxy-connection-upgrade";

/// The value of [`UPGRADE_HEADER`] for the control stream.
pub(in crate::sandbox) const CONTROL_STREAM: &str = "control-stream";

/// The value of [`UPGRADE_HEADER`] for a pushed configuration.
pub(in crate::sandbox) const CONFIGURATION_UPDATE: &str = "update-configuration";

/// Says who made an answer: the origin, or cloudflared itself because it could not reach one.
pub(in crate::sandbox) const RESPONSE_META_HEADER: &str = "cf-cloudflared-response-meta";

/// The value of [`RESPONSE_META_HEADER`] when cloudflared made the answer itself.
pub(in crate::sandbox) const MADE_BY_CONNECTOR: &str = r#"{"src":"cloudflared"}"#;

/// The longest message in bytes. A registration is some 300 bytes long.
const MESSAGE_BYTES_MAX: u16 = 16 * 1024;

/// How a connector reaches the edge. In the sandbox both run over TCP; "quic" keeps QUIC's failures (see `connector/uplink.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::sandbox) enum Protocol {
    Quic,
    Http2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Quic => "quic",
            Self::Http2 => "http2",
        })
    }
}

/// The first message of a connector: which transport it is trying.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct Greeting {
    pub(in crate::sandbox) protocol: Protocol,
}

/// The edge's answer to a greeting: packets arrive in both directions.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct Welcome {}

/// What a connector shows to be let in. It has no `Debug`, because `secret` is one.
#[derive(Serialize, Deserialize)]
pub(in crate::sandbox) struct Registration {
    pub(in crate::sandbox) account: AccountId,
    pub(in crate::sandbox) tunnel: TunnelId,
    /// The tunnel's secret in standard base64, as it stands in the token.
    pub(in crate::sandbox) secret: String,
    pub(in crate::sandbox) connector: ConnectorId,
    /// Which of the connector's connections this is, from 0.
    pub(in crate::sandbox) index: u8,
    /// The connector's version, as in `2026.8.0`.
    pub(in crate::sandbox) version: String,
}

/// The edge's answer to a registration.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Verdict {
    Accepted {
        /// The connection's id: a UUID.
        connection: String,
        /// The data centre, as in `ams07`.
        location: String,
    },
    Refused {
        reason: String,
    },
}

/// The body of a pushed configuration.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct ConfigurationUpdate {
    pub(in crate::sandbox) version: i64,
    pub(in crate::sandbox) config: Box<serde_json::value::RawValue>,
}

/// A connector's answer to a pushed configuration.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct ConfigurationAnswer {
    /// -1 while the connector has none.
    pub(in crate::sandbox) last_applied_version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sandbox) err: Option<String>,
}

/// Sends one message: its length in two bytes, then JSON.
pub(in crate::sandbox) async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u16::try_from(body.len()).ok().filter(|length| *length <= MESSAGE_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"))?;
    let mut frame = Vec::with_capacity(2 + body.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await
}

/// Receives one message and not one byte more: HTTP/2 may follow at once.
pub(in crate::sandbox) async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = stream.read_u16().await?;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    let mut body = vec![0; usize::from(length)];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// Removes the headers that speak of one connection only (RFC 9110, section 7.6.1).
pub(in crate::sandbox) fn strip_hop_by_hop(headers: &mut hyper::HeaderMap) {
    const HOP_BY_HOP: [&str; 8] =
        ["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    let named: Vec<String> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_owned()))
        .collect();
    for name in HOP_BY_HOP.into_iter().chain(named.iter().map(String::as_str)) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_read_without_touching_what_follows() {
        let (mut here, mut there) = tokio::io::duplex(1024);
        send(&mut here, &Greeting { protocol: Protocol::Quic }).await.unwrap();
        here.write_all(b"PRI * HTTP/2.0").await.unwrap();
        drop(here);

        let greeting: Greeting = receive(&mut there).await.unwrap();
        let mut rest = String::new();
        there.read_to_string(&mut rest).await.unwrap();

        assert_eq!((greeting.protocol, rest.as_str()), (Protocol::Quic, "PRI * HTTP/2.0"));
    }

    #[test]
    fn headers_of_one_connection_do_not_travel_further() {
        let mut headers = hyper::HeaderMap::new();
        headers.insert("connection", "close, x-only-here".parse().unwrap());
        headers.insert("x-only-here", "1".parse().unwrap());
        headers.insert("transfer-encoding", "chunked".parse().unwrap());
        headers.insert("content-type", "text/plain".parse().unwrap());

        strip_hop_by_hop(&mut headers);

        assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["content-type"]);
    }
}
