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
    let run = uuid::Uuid::new_v4().to_string();
    for (component, passed, details) in [
        ("DNS Resolution", true, "DNS Resolved successfully"),
        ("UDP Connectivity", quic, if quic { "QUIC connection successful" } else { "QUIC connection failed" }),
        (
            "TCP Connectivity",
            http2,
            if http2 { "HTTP/2 connection successful" } else { "HTTP/2 connection is blocked or unreachable" },
        ),
    ] {
        let event = connector.log.event(Level::Info).with("run_id", run.as_str()).with("component", component);
        let event = event.with("target", edge.to_string()).with("status", if passed { "pass" } else { "fail" });
        event.with("details", details).write("precheck");
    }
    let event = connector.log.event(Level::Info).with("run_id", run).with("hard_fail", !quic && !http2);
    let event = match (quic, http2) {
        (true, _) => event.with("suggested_protocol", Protocol::Quic.to_string()),
        (false, true) => event.with("suggested_protocol", Protocol::Http2.to_string()),
        // Neither is suggested.
        (false, false) => event,
    };
    event.write("precheck complete");
}

async fn probe(edge: SocketAddr, protocol: Protocol, deadline: Instant) -> bool {
    let answered = timeout_at(deadline, async {
        let mut stream = TcpStream::connect(edge).await?;
        wire::send(&mut stream, &Greeting { protocol }).await?;
        wire::receive::<Welcome>(&mut stream).await
    });
    matches!(answered.await, Ok(Ok(_)))
}
