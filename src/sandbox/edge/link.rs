//! One connection of a connector, from the first byte to the last.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::{Request, body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::watch,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Body, Connection, Directory, EdgeSwitches, Shared,
    registry::Published,
    stream::SharedStream,
    wire::{
        self, CONFIGURATION_UPDATE, CONTROL_STREAM, ConfigurationAnswer, ConfigurationUpdate, Greeting, Protocol, Registration,
        UPGRADE_HEADER, Verdict, Welcome,
    },
};
use crate::id::{ConnectorId, TunnelId};

/// The data centre that registrations name.
const LOCATION: &str = "sbx01";

/// How long a connector may take for its greeting and registration.
const REGISTRATION_TIME_MAX: Duration = Duration::from_secs(15);

/// How long a connector may take to apply a configuration.
const PUSH_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a drained link may take to close.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// How long an answer may take from the task that received it to whoever waits for it.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_secs(1);

/// The longest answer to a pushed configuration in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A registered connection.
pub(super) struct Link {
    connector: ConnectorId,
    index: u8,
    sender: http2::SendRequest<Body>,
    stream: SharedStream,
    in_flight: watch::Sender<usize>,
    over: CancellationToken,
}

impl Link {
    /// A handle to send one request with.
    pub(super) fn sender(&self) -> http2::SendRequest<Body> {
        self.sender.clone()
    }

    /// Whether the connector has closed the connection.
    pub(super) fn peer_is_gone(&self) -> bool {
        self.stream.peer_is_gone()
    }

    /// How many requests it carries.
    pub(super) fn in_flight(&self) -> &watch::Sender<usize> {
        &self.in_flight
    }

    /// Whether the directory still counts it.
    pub(super) fn counts(&self, directory: &dyn Directory, tunnel: &TunnelId) -> bool {
        directory.has_connection(tunnel, &self.connector, self.index)
    }

    /// Breaks the connection, with whatever it carries.
    pub(super) fn disconnect(&self) {
        self.over.cancel();
    }

    /// Waits until nothing can come over the connection any more.
    pub(super) async fn is_over(&self) {
        self.over.cancelled().await;
        // Answers that came before the end may still be on their way through the tasks.
        sleep(LAST_WORDS_TIME_MAX).await;
    }

    pub(super) fn describe(&self) -> Connection {
        Connection { connector: self.connector.clone(), index: self.index, in_flight: *self.in_flight.borrow() }
    }
}

/// Serves one accepted connection until it ends or the edge goes down.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let mut switches = shared.switches.subscribe();
    tokio::select! {
        // A link has nobody to tell: the connector logs what it saw, and the directory was told.
        _ = serve_until_it_ends(&shared, stream) => {}
        _ = switches.wait_for(|switches| switches.down) => {}
    }
}

async fn serve_until_it_ends(shared: &Arc<Shared>, mut stream: TcpStream) -> io::Result<()> {
    // Pushes and requests are small; waiting to fill a packet would only add latency.
    stream.set_nodelay(true)?;
    let switches = shared.switches.borrow().clone();
    if switches.silent {
        return swallow(stream).await;
    }
    let greeting: Greeting = within(REGISTRATION_TIME_MAX, wire::receive(&mut stream)).await?;
    if switches.udp_blocked && greeting.protocol == Protocol::Quic {
        return swallow(stream).await;
    }
    wire::send(&mut stream, &Welcome {}).await?;
    let registration: Registration = within(REGISTRATION_TIME_MAX, wire::receive(&mut stream)).await?;
    if let Err(reason) = admit(shared, &switches, &registration) {
        return wire::send(&mut stream, &Verdict::Refused { reason }).await;
    }
    let connection = uuid::Uuid::new_v4().to_string();
    wire::send(&mut stream, &Verdict::Accepted { connection, location: LOCATION.to_owned() }).await?;
    carry(shared, stream, registration).await
}

fn admit(shared: &Shared, switches: &EdgeSwitches, registration: &Registration) -> Result<(), String> {
    match &switches.refuse_registrations {
        Some(reason) => Err(reason.clone()),
        None => shared.directory.register(&registration.account, &registration.tunnel, &registration.secret),
    }
}

/// Reads until the peer gives up, and answers nothing.
async fn swallow(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// Puts the link into the rotation, feeds it configurations, and takes it out when the connector unregisters or is lost.
async fn carry(shared: &Arc<Shared>, stream: TcpStream, registration: Registration) -> io::Result<()> {
    let Registration { tunnel, connector, index, version, .. } = registration;
    let stream = SharedStream::new(stream);
    let io = TokioIo::new(stream.clone());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(io::Error::other)?;
    let mut connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let link =
        Arc::new(Link { connector, index, sender, stream, in_flight: watch::Sender::new(0), over: CancellationToken::new() });
    let _end = End { over: link.over.clone(), stream: link.stream.clone() };
    // The directory knows the connection before the connector does, and requests wait for it from here on: whoever sees a
    // connector ready finds it at the edge.
    shared.directory.connection_opened(&tunnel, &link.connector, index, &version);
    let registered = Registered { shared, tunnel: &tunnel, link: &link };
    let announcement = shared.registry.announce(&tunnel);
    shared.registry.publish(&tunnel, shared.directory.configuration(&tunnel));
    let control = control_stream(link.sender()).await?;

    let mut configurations = announcement.configuration();
    let mut pushed = None;
    let mut switches = shared.switches.subscribe();
    // A connector without a configuration answers 503 to everything, so it gets the configuration before the first request.
    push_current(shared, &registered, &configurations, &switches, &mut pushed).await?;
    announcement.arrive(Arc::clone(&link));
    if !link.counts(shared.directory.as_ref(), &tunnel) {
        // It was forced off before anybody could find it here.
        link.disconnect();
    }

    let control_ended = control.collect();
    tokio::pin!(control_ended);
    let unregistered = loop {
        tokio::select! {
            // Cancel-safe: a pinned future, a task's handle, a token and two watch receivers.
            ended = &mut control_ended => break ended.is_ok(),
            _ = &mut connection => break false,
            () = link.over.cancelled() => break false,
            changed = configurations.changed() => changed.map_err(io::Error::other)?,
            changed = switches.changed() => changed.map_err(io::Error::other)?,
        }
        push_current(shared, &registered, &configurations, &switches, &mut pushed).await?;
    };
    drop(registered);
    if unregistered {
        drain(link, connection).await;
    }
    Ok(())
}

/// Ends a connection with the function that carries it. HTTP/2 alone would keep it for the requests that are in flight.
struct End {
    over: CancellationToken,
    stream: SharedStream,
}

impl Drop for End {
    fn drop(&mut self) {
        self.stream.close();
        self.over.cancel();
    }
}

/// Waits until the link carries nothing, then closes it.
async fn drain(link: Arc<Link>, mut connection: AbortOnDropHandle<hyper::Result<()>>) {
    let mut in_flight = link.in_flight.subscribe();
    tokio::select! {
        _ = in_flight.wait_for(|count| *count == 0) => {}
        _ = &mut connection => return,
    }
    // The last sender is the link's own: without it HTTP/2 says goodbye.
    drop(link);
    timeout(CLOSE_TIME_MAX, connection).await.ok();
}

/// Tells the directory and the registry that a connection is registered no more, however that came.
struct Registered<'a> {
    shared: &'a Shared,
    tunnel: &'a TunnelId,
    link: &'a Arc<Link>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shared.registry.remove(self.tunnel, self.link);
        self.shared.directory.connection_closed(self.tunnel, &self.link.connector, self.link.index);
    }
}

async fn control_stream(mut sender: http2::SendRequest<Body>) -> io::Result<Incoming> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let response = within(REGISTRATION_TIME_MAX, async {
        sender.send_request(internal_request(CONTROL_STREAM, body)).await.map_err(io::Error::other)
    });
    Ok(response.await?.into_body())
}

/// Pushes the current configuration if it is not the one that was pushed last and pushes are not held.
async fn push_current(
    shared: &Shared,
    registered: &Registered<'_>,
    configurations: &watch::Receiver<Option<Arc<Published>>>,
    switches: &watch::Receiver<EdgeSwitches>,
    pushed: &mut Option<i64>,
) -> io::Result<()> {
    let Some(published) = configurations.borrow().clone() else { return Ok(()) };
    if *pushed == Some(published.version) || switches.borrow().hold_configuration {
        return Ok(());
    }
    *pushed = Some(published.version);
    let config = serde_json::value::to_raw_value(&published.document)?;
    let update = serde_json::to_vec(&ConfigurationUpdate { version: published.version, config })?;
    let body = Full::new(Bytes::from(update)).map_err(|never| match never {}).boxed_unsync();
    let request = internal_request(CONFIGURATION_UPDATE, body);
    let answer = within(PUSH_TIME_MAX, async {
        let response = registered.link.sender().send_request(request).await.map_err(io::Error::other)?;
        Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(io::Error::other)
    });
    let answer: ConfigurationAnswer = serde_json::from_slice(&answer.await?.to_bytes())?;
    // -1 stands for "none yet": a first configuration that was refused is not a version.
    if answer.last_applied_version >= 0 {
        let version = answer.last_applied_version;
        shared.directory.config_version_reported(registered.tunnel, &registered.link.connector, version);
    }
    Ok(())
}

fn internal_request(kind: &str, body: Body) -> Request<Body> {
    Request::builder()
        .uri("http://edge.internal/")
        .header(UPGRADE_HEADER, kind)
        .body(body)
        .expect("the parts are constants that form a request")
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.map_err(|_: Elapsed| io::Error::from(io::ErrorKind::TimedOut))?
}
