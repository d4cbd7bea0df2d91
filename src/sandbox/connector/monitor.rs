//! The HTTP server on the metrics address.

mod socket;

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

pub(super) use self::socket::{Inherited, open};
use super::{Connector, log::Level};
use crate::sandbox::edge::listener::accepted;

/// cloudflared's limit for reading a request.
const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// How many clients at once.
const CLIENTS_MAX: usize = 256;

/// Serves until it is dropped.
pub(super) async fn serve(connector: Arc<Connector>, listener: TcpListener) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = accepted(|| listener.accept()), if clients.len() < CLIENTS_MAX => {
                let connector = Arc::clone(&connector);
                let service = service_fn(move |request| answer(Arc::clone(&connector), request));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(READ_TIME_MAX)
                    .serve_connection(TokioIo::new(stream), service);
                // What a client does to its connection is its own affair.
                clients.spawn(async { connection.await.ok() });
            }
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn answer(connector: Arc<Connector>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // While it hangs a request is taken and never answered; on release it is.
    let mut switches = connector.switches.clone();
    if switches.wait_for(|switches| !switches.hang).await.is_err() {
        std::future::pending::<()>().await;
    }
    let (status, content_type, body) = page(&connector, request.uri().path());
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

fn page(connector: &Connector, path: &str) -> (StatusCode, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    const JSON: &str = "application/json";
    let ok = |content_type, body| (StatusCode::OK, content_type, body);
    match path {
        "/ready" => {
            let connections = connector.tracker.count();
            let status = if connections > 0 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let (code, id) = (status.as_u16(), &connector.id);
            (status, TEXT, format!(r#"{{"status":{code},"readyConnections":{connections},"connectorId":"{id}"}}"#))
        }
        "/healthcheck" => ok(TEXT, "OK\n".to_owned()),
        "/metrics" => {
            let page = connector.counters.render(connector.configuration.version());
            ok("text/plain; version=0.0.4; charset=utf-8", page + &connector.switches.borrow().more_metrics)
        }
        "/config" => ok(TEXT, connector.configuration.describe()),
        "/quicktunnel" => ok(TEXT, r#"{"hostname":""}"#.to_owned()),
        "/diag/tunnel" => ok(JSON, tunnel_state(connector)),
        "/diag/configuration" => ok(TEXT, configuration_state(connector)),
        "/debug/vars" => ok(JSON, json!({"cmdline": connector.command_line, "memstats": {}}).to_string()),
        "/debug/pprof/cmdline" => (StatusCode::FORBIDDEN, TEXT, "forbidden\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, TEXT, "404 page not found\n".to_owned()),
    }
}

fn log_collection(connector: &Connector, collector: &'static str) {
    for message in ["Collection started", "Collection finished"] {
        connector.log.event(Level::Info).with("collector", collector).write(message);
    }
}

fn configuration_state(connector: &Connector) -> String {
    log_collection(connector, "configuration");
    format!("{}\n", json!(connector.flags))
}

fn tunnel_state(connector: &Connector) -> String {
    log_collection(connector, "tunnel-state");
    let state = json!({
        "tunnelID": connector.credentials.tunnel,
        "connectorID": connector.id,
        "connections": connector.tracker.describe(),
        "icmp_sources": [],
    });
    format!("{state}\n")
}
