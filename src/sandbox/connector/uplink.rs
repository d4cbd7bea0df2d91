//! One connection to the edge: dialled, registered, served until it ends.
//!
//! The sandbox carries both protocols over TCP. What tells them apart is how they fail: "quic" has no refused connections, only a
//! time-out, and does not log why a registration was refused; "http2" says both.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, future::ready, stream};
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    header::HeaderValue,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{
    Connector, go,
    log::Level,
    proxy::{self, Via},
};
use crate::sandbox::edge::{
    Body,
    wire::{
        self, CONFIGURATION_UPDATE, CONTROL_STREAM, ConfigurationUpdate, Greeting, Protocol, Registration, UPGRADE_HEADER,
        Verdict, Welcome,
    },
};

/// How long the edge may take to answer a dial.
const QUIC_DIAL_TIME_MAX: Duration = Duration::from_secs(5);
const HTTP2_DIAL_TIME_MAX: Duration = Duration::from_secs(15);

/// How long the edge may take to answer a registration.
const REGISTRATION_TIME_MAX: Duration = Duration::from_secs(5);

/// How long it takes until a path that is silently dead is noticed: QUIC pings, over HTTP/2 only TCP's keep-alive does.
const QUIC_DEATH_TIME: Duration = Duration::from_millis(5_800);
const HTTP2_DEATH_TIME: Duration = Duration::from_secs(146);

/// What stays of these times however much they are scaled. A blocked UDP path costs nine QUIC dials, so that one is short.
const QUIC_DIAL_TIME_LEAST: Duration = Duration::from_millis(100);
const ANSWER_TIME_LEAST: Duration = Duration::from_secs(2);

/// The longest pushed configuration in bytes: 1,000 rules of 1 KiB.
const CONFIGURATION_BYTES_MAX: usize = 1024 * 1024;

/// Why a connection ended without a graceful stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UplinkError {
    #[error("{0}")]
    Dial(String),
    /// The edge's text. Only HTTP/2 knows it.
    #[error("{0}")]
    Refused(String),
    #[error("control stream encountered a failure while serving")]
    ControlStream,
    #[error("accept stream listener encountered a failure while serving")]
    StreamListener,
    #[error("connection with edge closed")]
    EdgeClosed,
}

/// Connects to the edge and waits for its first word.
pub(super) async fn dial(connector: &Connector, address: SocketAddr, protocol: Protocol) -> Result<TcpStream, UplinkError> {
    let limit = match protocol {
        Protocol::Quic => connector.scaled_limit(QUIC_DIAL_TIME_MAX, QUIC_DIAL_TIME_LEAST),
        Protocol::Http2 => connector.scaled_limit(HTTP2_DIAL_TIME_MAX, ANSWER_TIME_LEAST),
    };
    let deadline = Instant::now() + limit;
    let result = timeout_at(deadline, async {
        connector.path_works().await;
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        wire::send(&mut stream, &Greeting { protocol }).await?;
        let _: Welcome = wire::receive(&mut stream).await?;
        io::Result::Ok(stream)
    });
    let error = match (result.await, protocol) {
        (Ok(Ok(stream)), _) => return Ok(stream),
        (Ok(Err(_)) | Err(_), Protocol::Quic) => {
            // UDP knows no refusal: nothing comes back until the time is over.
            sleep_until(deadline).await;
            "failed to dial to edge with quic: timeout: no recent network activity".to_owned()
        }
        (Ok(Err(error)), Protocol::Http2) => {
            format!("DialContext error: dial tcp {address}: connect: {}", go::error_text(&error))
        }
        (Err(_), Protocol::Http2) => format!("DialContext error: dial tcp {address}: i/o timeout"),
    };
    Err(UplinkError::Dial(error))
}

/// Runs one connection from the dial to its end. The flag tells whether it was ever registered.
pub(super) async fn serve(
    connector: &Arc<Connector>,
    index: u8,
    address: SocketAddr,
    protocol: Protocol,
) -> (bool, Result<(), UplinkError>) {
    let via = Via { index, protocol, address: address.ip() };
    let registered = async {
        let mut stream = dial(connector, address, protocol).await?;
        let accepted = register(connector, &mut stream, via).await?;
        Ok((stream, accepted))
    };
    match registered.await {
        Ok((stream, accepted)) => (true, carry(connector, stream, via, accepted).await),
        Err(error) => (false, Err(error)),
    }
}

/// What the edge said of an accepted connection.
struct Accepted {
    connection: String,
    location: String,
}

async fn register(connector: &Connector, stream: &mut TcpStream, via: Via) -> Result<Accepted, UplinkError> {
    let lost = match via.protocol {
        Protocol::Quic => UplinkError::ControlStream,
        Protocol::Http2 => UplinkError::EdgeClosed,
    };
    let registration = Registration {
        account: connector.credentials.account.clone(),
        tunnel: connector.credentials.tunnel.clone(),
        secret: connector.credentials.secret.expose().to_owned(),
        connector: connector.id.clone(),
        index: via.index,
        version: super::VERSION.to_owned(),
    };
    let deadline = Instant::now() + connector.scaled_limit(REGISTRATION_TIME_MAX, ANSWER_TIME_LEAST);
    let answer = timeout_at(deadline, async {
        wire::send(stream, &registration).await?;
        wire::receive::<Verdict>(stream).await
    });
    match answer.await {
        Ok(Ok(Verdict::Accepted { connection, location })) => Ok(Accepted { connection, location }),
        Ok(Ok(Verdict::Refused { reason })) => {
            connector.counters.refused_registrations.fetch_add(1, Relaxed);
            // The edge closes after its refusal; ours would follow anyway.
            stream.shutdown().await.ok();
            Err(match via.protocol {
                Protocol::Quic => UplinkError::ControlStream,
                Protocol::Http2 => UplinkError::Refused(reason),
            })
        }
        Ok(Err(_)) => Err(lost),
        Err(_) => {
            if via.protocol == Protocol::Http2 {
                // Nothing ends the wait but the edge.
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|length| length > 0) {}
            }
            Err(lost)
        }
    }
}

/// Serves the edge's requests until the connection ends.
async fn carry(connector: &Arc<Connector>, stream: TcpStream, via: Via, accepted: Accepted) -> Result<(), UplinkError> {
    let accepted = Arc::new(accepted);
    let service = service_fn(|request| {
        let (connector, accepted) = (Arc::clone(connector), Arc::clone(&accepted));
        async move { Ok::<_, Infallible>(answer(&connector, via, &accepted, request).await) }
    });
    // cloudflared sets no limit to the streams of a connection.
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(None);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // How it ended makes no difference: closed by the edge or broken.
            _ = &mut connection => break,
            () = notices_death(connector, via.protocol) => break,
            () = connector.shutdown.cancelled(), if !stopping => {
                stopping = true;
                log_unregistered(connector, via);
            }
        }
    }
    connector.tracker.gone(via.index);
    match (stopping, via.protocol) {
        (true, _) => Ok(()),
        (false, Protocol::Quic) => Err(UplinkError::StreamListener),
        (false, Protocol::Http2) => {
            connector.log.event(Level::Info).with("connIndex", via.index).write("Lost connection with the edge");
            Err(UplinkError::EdgeClosed)
        }
    }
}

/// Waits until the path has been dead for so long that it shows.
async fn notices_death(connector: &Connector, protocol: Protocol) {
    let time = match protocol {
        Protocol::Quic => QUIC_DEATH_TIME,
        Protocol::Http2 => HTTP2_DEATH_TIME,
    };
    loop {
        connector.path_dies().await;
        if timeout(connector.scaled(time), connector.path_works()).await.is_err() {
            return;
        }
    }
}

async fn answer(connector: &Arc<Connector>, via: Via, accepted: &Accepted, request: Request<Incoming>) -> Response<Body> {
    // On a dead path the request has not come; when it works again it does.
    connector.path_works().await;
    let kind = request.headers().get(UPGRADE_HEADER).map(HeaderValue::as_bytes);
    if kind == Some(CONTROL_STREAM.as_bytes()) {
        control_stream(connector, via, accepted)
    } else if kind == Some(CONFIGURATION_UPDATE.as_bytes()) {
        update_configuration(connector, request).await
    } else {
        proxy::proxy(connector, via, request).await
    }
}

/// The edge is ready for this connection: it counts as registered. The answer's end will unregister it.
fn control_stream(connector: &Arc<Connector>, via: Via, accepted: &Accepted) -> Response<Body> {
    connector.counters.registrations.fetch_add(1, Relaxed);
    connector.counters.connected_to(via.index, &accepted.location);
    if via.protocol == Protocol::Quic {
        connector.counters.over_quic(via.index);
    }
    connector
        .log
        .event(Level::Info)
        .with("event", 0)
        .with("connection", accepted.connection.as_str())
        .with("connIndex", via.index)
        .with("location", accepted.location.as_str())
        .with("ip", via.address.to_string())
        .with("protocol", via.protocol.to_string())
        .write("Registered tunnel connection");
    if !connector.shutdown.is_cancelled() {
        connector.tracker.registered(via.index, via.protocol, via.address);
    }
    connector.registrations.send_modify(|count| *count += 1);
    let end = stream::once(connector.shutdown.clone().cancelled_owned());
    let body = StreamBody::new(end.filter_map(|()| ready(None::<Result<Frame<Bytes>, hyper::Error>>)));
    Response::new(body.boxed_unsync())
}

async fn update_configuration(connector: &Connector, request: Request<Incoming>) -> Response<Body> {
    let body = Limited::new(request.into_body(), CONFIGURATION_BYTES_MAX).collect().await;
    let update = body.ok().and_then(|body| serde_json::from_slice::<ConfigurationUpdate>(&body.to_bytes()).ok());
    let Some(ConfigurationUpdate { version, config }) = update else {
        let mut response = Response::new(text_body(Vec::new()));
        *response.status_mut() = hyper::StatusCode::BAD_REQUEST;
        return response;
    };
    let answer = connector.configuration.update(version, config.get(), &connector.log);
    Response::new(text_body(serde_json::to_vec(&answer).expect("a number and a text can be written as JSON")))
}

fn text_body(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn log_unregistered(connector: &Connector, via: Via) {
    connector
        .log
        .event(Level::Info)
        .with("event", 0)
        .with("connIndex", via.index)
        .with("ip", via.address.to_string())
        .write("Unregistered tunnel connection");
}
