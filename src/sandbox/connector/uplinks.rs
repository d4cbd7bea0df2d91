//! All connections to the edge: how many, when they are tried again, and over which protocol (cloudflared `supervisor/`).

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Connector,
    backoff::Backoff,
    go,
    log::Level,
    uplink::{self, UplinkError},
};
use crate::sandbox::edge::wire::Protocol;

/// The least bound of a connection's own waits.
const RETRY_BASE: Duration = Duration::from_secs(1);

/// The least bound of the wait that connections share after they were connected once.
const SHARED_RETRY_BASE: Duration = Duration::from_secs(10);

/// The pause between the starts of two connections.
const START_INTERVAL: Duration = Duration::from_secs(1);

/// The warning before HTTP/2 takes over.
const UDP_WARNING: &str = "If this log occurs persistently, and cloudflared is unable to connect to Cloudflare Network with `quic` \
    protocol, then most likely your machine/network is getting its egress UDP to port 7844 (or others) blocked or dropped. Make sure \
    to allow egress connectivity as per \
    https://developers.cloudflare.com/cloudflare-one/connections/connect-apps/configuration/ports-and-ips/";

/// What one of the connections remembers from try to try.
struct Attempt {
    index: u8,
    protocol: Protocol,
    backoff: Backoff,
    /// How often another address was taken.
    rotations: usize,
    failed_dials: u32,
}

impl Attempt {
    fn new(connector: &Connector, index: u8, protocol: Protocol) -> Self {
        let backoff = Backoff::new(RETRY_BASE, connector.settings.retries);
        Self { index, protocol, backoff, rotations: 0, failed_dials: 0 }
    }
}

type Ended = (Attempt, Result<(), UplinkError>);

/// Keeps the connections up until a graceful stop.
///
/// # Errors
///
/// The reason for which cloudflared gives up: it only does before the first connection is registered.
pub(super) async fn run(connector: Arc<Connector>, edge: Arc<[SocketAddr]>) -> Result<(), UplinkError> {
    let mut uplinks = JoinSet::new();
    let wanted = connector.settings.ha_connections.min(edge.len());
    if wanted < connector.settings.ha_connections {
        let requested = connector.settings.ha_connections;
        connector.log.info(&format!("You requested {requested} HA connections but I can give you at most {wanted}."));
    }
    let mut registrations = connector.registrations.subscribe();
    uplinks.spawn(first(Arc::clone(&connector), Arc::clone(&edge)));
    tokio::select! {
        Some(ended) = uplinks.join_next() => {
            let (_, result) = ended.expect("a connection's task neither panics nor is cancelled");
            return result.inspect_err(|error| {
                let event = connector.log.event(Level::Error).with("error", error.to_string());
                event.write("initial tunnel connection failed");
            });
        }
        () = connector.shutdown.cancelled() => return Ok(()),
        _ = registrations.wait_for(|count| *count > 0) => {}
    }
    let protocol = if connector.tracker.has_connected_with(Protocol::Quic) { Protocol::Quic } else { Protocol::Http2 };
    for index in 1..u8::try_from(wanted).unwrap_or(u8::MAX) {
        let attempt = Attempt::new(&connector, index, protocol);
        uplinks.spawn(attempt_once(Arc::clone(&connector), Arc::clone(&edge), attempt));
        // Not even a stop interrupts this.
        sleep(connector.scaled(START_INTERVAL)).await;
    }
    maintain(&connector, &edge, uplinks, wanted).await;
    Ok(())
}

/// The first connection: tried again by itself for as long as the failure is one that passes.
async fn first(connector: Arc<Connector>, edge: Arc<[SocketAddr]>) -> Ended {
    let mut attempt = Attempt::new(&connector, 0, connector.settings.protocol);
    loop {
        let (again, result) = attempt_once(Arc::clone(&connector), Arc::clone(&edge), attempt).await;
        match result {
            Ok(()) => return (again, Ok(())),
            Err(UplinkError::Dial(_) | UplinkError::ControlStream | UplinkError::StreamListener) => {}
            // A tunnel that was made a moment ago is not known everywhere yet.
            Err(UplinkError::Refused(reason)) if reason.contains("Unauthorized") => {}
            Err(error @ (UplinkError::Refused(_) | UplinkError::EdgeClosed)) => return (again, Err(error)),
        }
        attempt = again;
    }
}

/// Starts ended connections again, all that wait at the same moment, until a graceful stop has ended every one.
async fn maintain(connector: &Arc<Connector>, edge: &Arc<[SocketAddr]>, mut uplinks: JoinSet<Ended>, wanted: usize) {
    let mut backoff = Backoff::new(SHARED_RETRY_BASE, connector.settings.retries);
    let mut waiting: Vec<Attempt> = Vec::new();
    let mut restart_at: Option<Instant> = None;
    let mut registrations = connector.registrations.subscribe();
    let mut stopping = false;
    loop {
        tokio::select! {
            Some(ended) = uplinks.join_next() => {
                let (attempt, result) = ended.expect("a connection's task neither panics nor is cancelled");
                log_terminated(connector, attempt.index, &result);
                if result.is_err() && !stopping {
                    waiting.push(attempt);
                    if restart_at.is_none() {
                        let wait = backoff.next(Instant::now(), &mut rand::rng());
                        restart_at = Some(Instant::now() + connector.scaled(wait));
                    }
                } else if uplinks.is_empty() {
                    connector.log.error("no more connections active and exiting");
                    return;
                }
            }
            () = until(restart_at) => {
                restart_at = None;
                for attempt in waiting.drain(..) {
                    uplinks.spawn(attempt_once(Arc::clone(connector), Arc::clone(edge), attempt));
                }
            }
            // The sender lives in the connector, which outlives this loop.
            _ = registrations.changed() => {
                if waiting.is_empty() && connector.tracker.count() == wanted {
                    backoff.reset_later(Instant::now(), &mut rand::rng());
                }
            }
            () = connector.shutdown.cancelled(), if !stopping => stopping = true,
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// One try of a connection with the wait after it.
async fn attempt_once(connector: Arc<Connector>, edge: Arc<[SocketAddr]>, attempt: Attempt) -> Ended {
    // It lies as cloudflared's does: an attempt counts also while it waits for the next one.
    connector.counters.attempts.fetch_add(1, Relaxed);
    let ended = attempt_and_wait(&connector, &edge, attempt).await;
    connector.counters.attempts.fetch_sub(1, Relaxed);
    ended
}

async fn attempt_and_wait(connector: &Arc<Connector>, edge: &[SocketAddr], mut attempt: Attempt) -> Ended {
    let address = edge[(usize::from(attempt.index) + attempt.rotations) % edge.len()];
    let (registered, result) = if connector.may_connect().await {
        uplink::serve(connector, attempt.index, address, attempt.protocol).await
    } else {
        (false, Ok(()))
    };
    if registered {
        attempt.backoff.reset(Instant::now());
        attempt.failed_dials = 0;
    }
    if let Err(error) = &result {
        log_error(connector, attempt.index, address, attempt.protocol, error);
    }
    let exhausted = rotate(connector, &mut attempt, &result);
    let announced = attempt.backoff.announced(Instant::now());
    let event = connector.log.event(Level::Info).with("event", 0).with("ip", address.ip().to_string());
    event.with("connIndex", attempt.index).write(&format!("Retrying connection in up to {}", go::format_duration(announced)));
    let wait = connector.scaled(attempt.backoff.next(Instant::now(), &mut rand::rng()));
    tokio::select! {
        () = connector.shutdown.cancelled() => return (attempt, Ok(())),
        () = sleep(wait) => {}
    }
    if exhausted {
        fall_back(connector, &mut attempt, address);
    }
    (attempt, result)
}

/// Takes another address after a failed dial. Whether enough of them failed to try another protocol.
fn rotate(connector: &Connector, attempt: &mut Attempt, result: &Result<(), UplinkError>) -> bool {
    if !matches!(result, Err(UplinkError::Dial(_))) {
        return false;
    }
    attempt.rotations += 1;
    let exhausted = attempt.failed_dials >= connector.settings.edge_address_retries;
    attempt.failed_dials = if exhausted { 0 } else { attempt.failed_dials + 1 };
    exhausted
}

/// Goes over to HTTP/2, unless that is not allowed or QUIC has worked in this process.
fn fall_back(connector: &Connector, attempt: &mut Attempt, address: SocketAddr) {
    let quic_fails = attempt.protocol == Protocol::Quic && !connector.tracker.has_connected_with(Protocol::Quic);
    if !(quic_fails && connector.settings.may_fall_back) {
        return;
    }
    let event = |level| {
        let event = connector.log.event(level).with("event", 0).with("ip", address.ip().to_string());
        event.with("connIndex", attempt.index)
    };
    event(Level::Warn).write(UDP_WARNING);
    event(Level::Info).write("Switching to fallback protocol http2");
    attempt.protocol = Protocol::Http2;
    attempt.backoff.reset(Instant::now());
}

fn log_error(connector: &Connector, index: u8, address: SocketAddr, protocol: Protocol, error: &UplinkError) {
    let message = match (error, protocol) {
        (UplinkError::Dial(_), Protocol::Quic) => "Failed to dial a quic connection",
        (UplinkError::Dial(_), Protocol::Http2) => "Unable to establish connection with Cloudflare edge",
        (UplinkError::Refused(_), _) => "Register tunnel error from server side",
        (UplinkError::ControlStream, _) => "failed to serve tunnel connection",
        (UplinkError::StreamListener | UplinkError::EdgeClosed, _) => "Serve tunnel error",
    };
    let event = connector.log.event(connector.tracker.error_level()).with("event", 0).with("ip", address.ip().to_string());
    event.with("connIndex", index).with("error", error.to_string()).write(message);
}

fn log_terminated(connector: &Connector, index: u8, result: &Result<(), UplinkError>) {
    let mut event = connector.log.event(connector.tracker.error_level());
    if let Err(error) = result {
        event = event.with("error", error.to_string());
    }
    event.with("connIndex", index).write("Connection terminated");
}
