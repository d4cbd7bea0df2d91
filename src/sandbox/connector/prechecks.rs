//! The start-up probes: which protocol would get through. They change nothing, they only say so.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{Connector, log::Level};
use crate::sandbox::edge::wire::{self, Greeting, Protocol, Welcome};

/// How long a probe waits: a blocked one makes the whole take 10.05 s.
const PROBE_TIME_MAX: Duration = Duration::from_secs(10);

/// What stays of this time however much it is scaled.
const PROBE_TIME_LEAST: Duration = Duration::from_millis(200);

/// Probes the edge over both protocols and logs the result.
pub(super) async fn run(connector: Arc<Connector>, edge: SocketAddr) {
    let deadline = Instant::now() + connector.scaled_limit(PROBE_TIME_MAX, PROBE_TIME_LEAST);
    let (quic, http2) = tokio::join!(probe(edge, Protocol::Quic, deadline), probe(edge, Protocol::Http2, deadline));
    let suggested = if quic { Protocol::Quic } else { Protocol::Http2 };
    for (target, passed) in [("quic", quic), ("http2", http2)] {
        connector
            .log
            .event(if passed { Level::Info } else { Level::Warn })
            .with("component", "transport")
            .with("target", target)
            .with("status", if passed { "pass" } else { "fail" })
            .write("precheck result");
    }
    connector
        .log
        .event(Level::Info)
        .with("hard_fail", !quic && !http2)
        .with("run_id", uuid::Uuid::new_v4().to_string())
        .with("suggested_protocol", suggested.to_string())
        .write("precheck complete");
}

async fn probe(edge: SocketAddr, protocol: Protocol, deadline: Instant) -> bool {
    let answered = timeout_at(deadline, async {
        let mut stream = TcpStream::connect(edge).await?;
        wire::send(&mut stream, &Greeting { protocol }).await?;
        wire::receive::<Welcome>(&mut stream).await
    });
    matches!(answered.await, Ok(Ok(_)))
}
