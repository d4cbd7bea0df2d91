//! Tunnels: looked at, made, changed and deleted.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{App, tunnel_name};
use crate::{
    config::unknown_removal,
    control::{
        api::{Change, Changed, CreateTunnel, Error, ErrorKind, TunnelDetail},
        backend::Backend,
        edit,
        progress::Progress,
        server::{
            Shared,
            answer::{self, AnswerBefore, AnswerTunnel, Tagged},
            body::{Document, Whole},
            gate::Caller,
            precondition::Tags,
        },
    },
    name::TunnelName,
};

pub(in crate::control::server) async fn tunnels<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    answer::tagged(&headers, seen(&shared, &caller).await)
}

/// The tunnels that the caller may see, as a JSON list.
pub(super) async fn seen<B: Backend>(shared: &Shared<B>, caller: &Caller) -> Tagged {
    if caller.sees_all() {
        return shared.listing.of(&shared.backend).await;
    }
    Tagged::new(answer::list(|each| caller.each_seen(&shared.backend, each)))
}

pub(in crate::control::server) async fn tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = tunnel_name(&shared, &caller, &name)?;
    let missing = || shared.no_such_tunnel(&caller, name.as_str());
    let tunnel = shared.backend.tunnel(&name).ok_or_else(missing)?;
    let definition = shared.backend.definition(&name).ok_or_else(missing)?;
    // The tag is of the definition: what a writer has to have looked at. What the tunnel does changes without it, so that no look at
    // it is spared by the tag.
    let tag = answer::entity_tag(&definition.version);
    let answer = answer::json(&TunnelDetail { tunnel, definition: definition.value, version: definition.version });
    Ok(([(header::ETAG, tag)], answer).into_response())
}

pub(in crate::control::server) async fn create_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Document(request): Document<CreateTunnel>,
) -> Response {
    let named = AnswerTunnel(request.name.clone());
    let result = create(&shared, &caller, request).await;
    let mut response = result.into_response();
    response.extensions_mut().insert(named);
    response
}

async fn create<B: Backend>(shared: &Shared<B>, caller: &Caller, request: CreateTunnel) -> Result<Response, Error> {
    let CreateTunnel { name, definition } = request;
    let name: TunnelName =
        name.parse().map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot create tunnel {name:?}: {error}")))?;
    caller.check_definition(&name, None, &with_account(shared, &definition))?;
    let change = shared.backend.create(&caller.principal, name.clone(), definition).await?;
    let status = match change {
        Change::Accepted => StatusCode::CREATED,
        Change::Unchanged => StatusCode::OK,
    };
    let mut response = (status, changed(&name, change)).into_response();
    // The same one again: what there is was there before.
    if let Some(definition) = shared.backend.definition(&name).filter(|_| change == Change::Unchanged) {
        response.extensions_mut().insert(AnswerBefore(definition.version));
    }
    Ok(response)
}

pub(in crate::control::server) async fn replace_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Whole(definition): Whole<Value>,
) -> Response {
    if Tags::not_to_match(&headers) == Some(Tags::Any) {
        let created = create(&shared, &caller, CreateTunnel { name: name.clone(), definition }).await;
        return created.unwrap_or_else(|error| tell_version(&shared, &name, already_there(&name, error)));
    }
    edit(&shared, &caller, &name, &headers, |value| {
        value.clone_from(&definition);
        Ok(())
    })
    .await
}

pub(in crate::control::server) async fn patch_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Document(patch): Document<Value>,
) -> Response {
    edit(&shared, &caller, &name, &headers, |value| {
        check_removals(&name, &patch)?;
        edit::merge(value, patch.clone());
        Ok(())
    })
    .await
}

/// Refuses to take away what no definition can have.
fn check_removals(name: &str, patch: &Value) -> Result<(), Error> {
    let Some(unknown) = unknown_removal(patch) else { return Ok(()) };
    let message = format!("cannot change tunnel {name:?}: unknown key {:?} cannot be removed", unknown.key);
    Err(Error { hint: unknown.help, ..Error::new(ErrorKind::Invalid, message) })
}

/// Reads a tunnel's definition, lets `change` change it, and writes it if nobody else did meanwhile; who did not say what they looked
/// at has their change made to what is there then.
pub(super) async fn edit<B: Backend>(
    shared: &Shared<B>,
    caller: &Caller,
    name: &str,
    headers: &HeaderMap,
    change: impl Fn(&mut Value) -> Result<(), Error>,
) -> Response {
    /// How often a change is made anew because somebody else's came in between. More often, people or programs work against each other.
    const ATTEMPTS_MAX: usize = 3;
    let is_conditional = Tags::to_match(headers).is_some();
    let mut attempts = 0;
    loop {
        attempts += 1;
        match edit_once(shared, caller, name, headers, &change).await {
            Err(error) if error.kind == ErrorKind::Changed && !is_conditional && attempts < ATTEMPTS_MAX => {}
            Err(error) => return tell_version(shared, name, error),
            Ok(response) => return response,
        }
    }
}

async fn edit_once<B: Backend>(
    shared: &Shared<B>,
    caller: &Caller,
    name: &str,
    headers: &HeaderMap,
    change: impl Fn(&mut Value) -> Result<(), Error>,
) -> Result<Response, Error> {
    let name = tunnel_name(shared, caller, name)?;
    let definition = shared.backend.definition(&name).ok_or_else(|| shared.no_such_tunnel(caller, name.as_str()))?;
    check_conditions(headers, &name, &definition.version)?;
    let mut value = definition.value.clone();
    change(&mut value)?;
    // What stands there may have become another one since the gate looked, as a body takes its time.
    let former = with_account(shared, &definition.value);
    caller.check_definition(&name, Some(&former), &with_account(shared, &value))?;
    caller.check_access_kept(&name, &definition.value, &value)?;
    let change = shared.backend.replace(&caller.principal, &name, value, Some(&definition.version)).await?;
    let mut response = changed(&name, change);
    // It was replaced only if it was this one still.
    response.extensions_mut().insert(AnswerBefore(definition.version));
    Ok(response)
}

/// Refuses a change whose writer looked at another version than `version`.
fn check_conditions(headers: &HeaderMap, name: &TunnelName, version: &str) -> Result<(), Error> {
    let is_known = Tags::to_match(headers).is_none_or(|tags| tags.match_strongly(version));
    let is_unwanted = Tags::not_to_match(headers).is_some_and(|tags| tags.match_weakly(version));
    if is_known && !is_unwanted {
        return Ok(());
    }
    let message = format!("cannot change tunnel \"{name}\": its definition is another one than you looked at");
    Err(Error::new(ErrorKind::Changed, message).with_hint(LOOK_AGAIN))
}

/// What helps whoever looked at something else.
const LOOK_AGAIN: &str =
    "look at it again, make the change to what is there now, and name that version: the ETag of GET, as If-Match";

/// A tunnel that was to be made only where there is none.
fn already_there(name: &str, error: Error) -> Error {
    if error.kind != ErrorKind::Conflict {
        return error;
    }
    let message = format!("cannot create tunnel {name:?}: there is one of that name");
    Error::new(ErrorKind::Changed, message).with_hint("without \"If-None-Match: *\" its definition is replaced")
}

/// The answer to a refused change; to one that was made from another version, with the version that there is.
pub(super) fn tell_version<B: Backend>(shared: &Shared<B>, name: &str, error: Error) -> Response {
    let is_changed = error.kind == ErrorKind::Changed;
    let mut response = error.into_response();
    let definition = TunnelName::try_from(name.to_owned()).ok().and_then(|name| shared.backend.definition(&name));
    if let Some(definition) = definition.filter(|_| is_changed) {
        response.headers_mut().insert(header::ETAG, answer::entity_tag(&definition.version));
    }
    response
}

/// A definition as it is judged: one without an account is for the only one that there is, as in the files.
fn with_account<B: Backend>(shared: &Shared<B>, definition: &Value) -> Value {
    let accounts = shared.backend.overview().accounts;
    let mut definition = definition.clone();
    if let (Some(definition), [only]) = (definition.as_object_mut(), accounts.as_slice()) {
        definition.entry("account").or_insert_with(|| Value::String(only.name.clone()));
    }
    definition
}

pub(in crate::control::server) async fn delete_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    progress: Progress,
) -> Response {
    let deleted = delete(&shared, &caller, &name, &headers, &progress).await;
    deleted.unwrap_or_else(|error| tell_version(&shared, &name, error))
}

async fn delete<B: Backend>(
    shared: &Shared<B>,
    caller: &Caller,
    name: &str,
    headers: &HeaderMap,
    progress: &Progress,
) -> Result<Response, Error> {
    let name = existing(shared, caller, name)?;
    let definition = shared.backend.definition(&name).ok_or_else(|| shared.no_such_tunnel(caller, name.as_str()))?;
    // Whoever takes all of it away takes away what only an admin may write, too.
    caller.check_deletion(&name, &definition.value)?;
    check_conditions(headers, &name, &definition.version)?;
    let is_conditional = Tags::to_match(headers).is_some() || Tags::not_to_match(headers).is_some();
    let expected = is_conditional.then_some(definition.version.as_str());
    Ok(changed(&name, shared.backend.delete(&caller.principal, &name, expected, progress).await?))
}

pub(super) fn existing<B: Backend>(shared: &Shared<B>, caller: &Caller, name: &str) -> Result<TunnelName, Error> {
    let name = tunnel_name(shared, caller, name)?;
    match shared.backend.tunnel(&name) {
        Some(_) => Ok(name),
        None => Err(shared.no_such_tunnel(caller, name.as_str())),
    }
}

/// The tunnel of that name, if its definition is the one that the caller looked at.
pub(super) fn looked_at<B: Backend>(
    shared: &Shared<B>,
    caller: &Caller,
    name: &str,
    headers: &HeaderMap,
) -> Result<TunnelName, Error> {
    let name = existing(shared, caller, name)?;
    let definition = shared.backend.definition(&name).ok_or_else(|| shared.no_such_tunnel(caller, name.as_str()))?;
    check_conditions(headers, &name, &definition.version)?;
    Ok(name)
}

pub(super) fn changed(name: &TunnelName, change: Change) -> Response {
    answer::json(&Changed { tunnel: name.as_str().to_owned(), change, replaces: Vec::new() })
}
