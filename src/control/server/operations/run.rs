//! Carries a request out as an operation.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Beginning, Running, preference::respond_async};
use crate::{
    control::{
        api::{Error, ErrorBody, ErrorKind, Operation, Tunnel},
        backend::Backend,
        goal::{Goal, Outlook, outlook},
        peer::Principal,
        progress::Told,
        server::{
            Shared,
            answer::{self, AnswerTunnel},
            auditing::Audited,
            gate::{Guarded, tunnel_in_path},
        },
        table::{Action, Endpoint},
    },
    name::TunnelName,
};

/// How long whoever waits for the answer itself is kept waiting. Behind that they are told which operation goes on.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);

/// How long it is waited until what was accepted is in force: Cloudflare may be out of reach for a while, and a thousand tunnels
/// wait for its rate limit.
const IN_FORCE_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// Lets a request pass that changes nothing; carries out one that does as an operation.
pub(in crate::control::server) async fn operate<B: Backend>(
    State(guarded): State<Guarded<B>>,
    request: Request,
    next: Next,
) -> Response {
    let Guarded { endpoint, shared } = guarded;
    let Some(kind) = kind(&endpoint) else { return next.run(request).await };
    let (mut parts, body) = request.into_parts();
    let principal = parts.extensions.get::<Arc<Principal>>().expect("a connection adds its principal to each request");
    let (by, uid) = (principal.who(), principal.uid);
    let tunnel = tunnel_in_path(&mut parts).await.ok().flatten();
    let prefers = respond_async(&parts.headers);
    let beginning = Beginning { kind, tunnel: tunnel.clone(), by, uid, need: endpoint.need };
    let running = match shared.operations.begin(beginning) {
        Ok(running) => Arc::new(running),
        Err(error) => return error.into_response(),
    };
    let seen = tunnel.and_then(|name| TunnelName::try_from(name).ok()).and_then(|name| shared.backend.tunnel(&name));
    let goal = prefers.and_then(|_| goal(endpoint.action, seen.as_ref()));
    parts.extensions.insert(running.progress());
    let request = Request::from_parts(parts, body);
    // A task of its own: what has begun goes on when its client is gone.
    let work = shared.changes.spawn({
        let (shared, running) = (Arc::clone(&shared), Arc::clone(&running));
        async move { shared.cut.run_until_cancelled(carry_out(&shared, &running, goal, next.run(request))).await }
    });
    let answer = async {
        match work.await {
            Ok(Some(response)) => response,
            Ok(None) => cut_off().into_response(),
            // It is never aborted, so it has panicked; a release build ends there.
            Err(_) => answer::mistake("the request").into_response(),
        }
    };
    match prefers {
        Some(wait) => {
            let begun = async {
                // Who is refused at once, or done, gets that as the answer.
                let entry = running.shown().await;
                tokio::time::sleep(wait.min(ANSWER_TIME_MAX)).await;
                entry
            };
            tokio::select! {
                biased;
                response = answer => response,
                entry = begun => accepted(&shared.operations.get(running.id()).unwrap_or(entry).operation),
            }
        }
        None => timeout(ANSWER_TIME_MAX, answer).await.unwrap_or_else(|_| {
            // Whoever is sent there finds it.
            running.progress().say("it goes on");
            goes_on(running.id()).into_response()
        }),
    }
}

/// Runs the request's own handler, keeps what came of it, and waits until what follows from it is in force.
async fn carry_out<B: Backend>(
    shared: &Shared<B>,
    running: &Running,
    goal: Option<Goal>,
    handling: impl Future<Output = Response>,
) -> Response {
    let response = handling.await;
    let named = response.extensions().get::<AnswerTunnel>().map(|AnswerTunnel(name)| name.clone());
    let audited = response.extensions().get::<Arc<Audited<B>>>().cloned();
    if let Some(name) = &named {
        running.name_tunnel(name);
    }
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if parts.status.is_success() {
        // One that told nothing and waits for nothing was done at once: nobody looks for it.
        if goal.is_some() || shared.operations.get(running.id()).is_ok() {
            running.accept(serde_json::from_slice(&bytes).unwrap_or(Value::Null));
        }
        let failed = match goal {
            Some(goal) => until(shared, running, &goal).await.err(),
            None => None,
        };
        running.end(failed.clone());
        if let Some(error) = failed {
            // A stop of the daemon only ends the waiting.
            if let Some(audited) = audited.filter(|_| !shared.shutdown.is_cancelled()) {
                audited.failed_later(named.as_deref(), &error);
            }
            // Whoever waited for it is not told that all is well.
            return error.into_response();
        }
    } else {
        let told = serde_json::from_slice::<ErrorBody>(&bytes).map(|body| body.error);
        let unread = |_| Error::new(ErrorKind::Internal, format!("it was answered with status {}", parts.status));
        running.end(Some(told.unwrap_or_else(unread)));
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Waits until the operation's tunnel has come to `goal`.
async fn until<B: Backend>(shared: &Shared<B>, running: &Running, goal: &Goal) -> Result<(), Error> {
    let tunnel = shared.operations.get(running.id()).ok().and_then(|entry| entry.operation.tunnel);
    let Some(name) = tunnel.and_then(|name| TunnelName::try_from(name).ok()) else { return Ok(()) };
    let (progress, mut changes) = (running.progress(), shared.backend.watch());
    let deadline = Instant::now() + IN_FORCE_TIME_MAX;
    let mut last = Told::default();
    loop {
        changes.borrow_and_update();
        match outlook(goal, shared.backend.tunnel(&name).as_ref()) {
            Outlook::Reached => {
                if last.total > last.done {
                    progress.tell(Told { done: last.total, ..last });
                }
                return Ok(());
            }
            Outlook::Stuck(kind, why) => {
                let hint = "it was accepted and is stored; \"adit status\" shows what becomes of it";
                return Err(Error::new(kind, format!("tunnel \"{name}\" {why}")).with_hint(hint));
            }
            Outlook::Under { done, total, what } => {
                // Where connectors are not counted, the steps that were stay.
                let (done, total) = if total > 0 { (done, total) } else { running.steps() };
                let told = Told { done, total, sentence: what };
                if told != last {
                    progress.tell(told.clone());
                    last = told;
                }
            }
        }
        let changed = tokio::select! {
            // Nothing is done here that would have to end: a stop of the daemon does not wait for it.
            () = shared.shutdown.cancelled() => return Err(cut_off()),
            changed = timeout_at(deadline, changes.changed()) => changed,
        };
        match changed {
            Ok(Ok(())) => {}
            // Its sender is as old as the daemon.
            Ok(Err(_)) => return Err(cut_off()),
            Err(_) => {
                let minutes = IN_FORCE_TIME_MAX.as_secs() / 60;
                let message = format!("tunnel \"{name}\" is not as asked for after {minutes} min: {}", last.sentence);
                return Err(Error::new(ErrorKind::Unavailable, message).with_hint("it goes on by itself"));
            }
        }
    }
}

/// The word for what an endpoint does as an operation; `None` for one that does nothing that could take long.
pub(in crate::control) fn kind(endpoint: &Endpoint) -> Option<&'static str> {
    // It changes nothing, and takes long all the same.
    if endpoint.action == Action::CheckCredentials { Some("check credentials") } else { endpoint.audit }
}

/// What is waited for behind a request that was accepted, for whoever does not wait for the answer itself.
fn goal(action: Action, tunnel: Option<&Tunnel>) -> Option<Goal> {
    match action {
        Action::CreateTunnel
        | Action::ReplaceTunnel
        | Action::PatchTunnel
        | Action::AddRoute
        | Action::RemoveRoute
        | Action::StartTunnel => Some(Goal::Serving),
        Action::RestartTunnel => {
            let connectors = tunnel.into_iter().flat_map(|tunnel| &tunnel.connectors);
            Some(Goal::ServingAfresh(connectors.map(|connector| (connector.replica, connector.generation)).collect()))
        }
        Action::StopTunnel => Some(Goal::Stopped),
        Action::DeleteTunnel => Some(Goal::Gone),
        Action::RotateTunnel => Some(Goal::Rotated),
        // The answer itself says all that comes of it.
        Action::WhoAmI
        | Action::Version
        | Action::Health
        | Action::Status
        | Action::Tunnels
        | Action::Tunnel
        | Action::PlanRestart
        | Action::Logs
        | Action::Routes
        | Action::Events
        | Action::Plan
        | Action::Apply
        | Action::Configuration
        | Action::ReloadConfiguration
        | Action::Credentials
        | Action::CheckCredentials
        | Action::CheckOrigins
        | Action::LookAtTunnel
        | Action::AdoptTunnel
        | Action::ForgetTunnel
        | Action::LookAtRoute
        | Action::AdoptRoute
        | Action::Identity
        | Action::TakeOverIdentity
        | Action::NewIdentity
        | Action::Orphans
        | Action::DeleteOrphans
        | Action::OpenApi
        | Action::Audit
        | Action::Traffic
        | Action::Operations
        | Action::Operation
        | Action::Doctor
        | Action::Diagnose => None,
    }
}

fn accepted(operation: &Operation) -> Response {
    let mut response = answer::json(operation);
    *response.status_mut() = StatusCode::ACCEPTED;
    let location = HeaderValue::try_from(format!("/v1/operations/{}", operation.id)).expect("an id is letters, digits and -");
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async"));
    response
}

fn goes_on(id: &str) -> Error {
    let message = format!("cannot wait longer for the answer: it takes more than {} s", ANSWER_TIME_MAX.as_secs());
    Error::new(ErrorKind::Unavailable, message)
        .with_hint(format!("it goes on as operation {id}: \"adit operation wait {id}\" waits for its end"))
}

/// The error for what the daemon's stop ends.
pub(in crate::control::server) fn cut_off() -> Error {
    Error::new(ErrorKind::Unavailable, "cannot finish the request: the daemon is stopping")
        .with_hint("what was stored goes on when it runs again; \"adit status\" shows how things are")
}
