//! What was not done, as whoever asked for it hears it.

use super::{OPERATION_TIME_MAX, REQUEST_TIME_MAX};
use crate::{
    config::Problems,
    control::api::{Error, ErrorKind, Problem},
    intent::ChangeError,
    reconciler::RequestError,
    store::StoreError,
    supervisor,
};

/// A change that was not made, as its caller hears it.
pub(super) fn refused(error: ChangeError) -> Error {
    let message = format!("cannot make the change: {error}");
    match error {
        ChangeError::NotFound(name) => Error::no_such_tunnel(name.as_str()).with_hint("\"adit tunnel list\" shows every tunnel"),
        ChangeError::Held { name, .. } => Error::new(ErrorKind::Hold, message)
            .with_hint(format!("mend its definition or take it away, or replace it with `adit tunnel create {name}`")),
        ChangeError::Exists(name) => {
            Error::new(ErrorKind::Conflict, message).with_hint(format!("change it with `adit tunnel update {name}`"))
        }
        ChangeError::Stale(_) => Error::new(ErrorKind::Changed, message)
            .with_hint("look at it again, make the change to what is there now, and name that version"),
        ChangeError::ReadOnly { .. } => {
            Error::new(ErrorKind::ReadOnly, message).with_hint("edit the file and run `adit config reload`")
        }
        ChangeError::Definition(_) => {
            Error::new(ErrorKind::Invalid, message).with_hint("\"adit config schema\" has the grammar of a definition")
        }
        ChangeError::Problems(problems) => definition_problems(problems),
        ChangeError::Store(StoreError::Sealed(_)) => Error::new(ErrorKind::Hold, message).with_hint(IDENTITY),
        ChangeError::Store(_) => Error::new(ErrorKind::Unavailable, message)
            .with_hint("nothing was changed; mend the state directory or its disk, and repeat the change"),
    }
}

pub(super) fn definition_problems(problems: Problems) -> Error {
    let details = problems.0.into_iter().map(|problem| {
        let text = match &problem.help {
            Some(help) => format!("{} ({help})", problem.message),
            None => problem.message.clone(),
        };
        Problem { at: Some(problem.key).filter(|key| !key.is_empty()), problem: text }
    });
    Error { details: details.collect(), ..Error::new(ErrorKind::Invalid, "cannot use the definition") }
}

pub(super) fn invalid(message: &str, problems: Vec<String>) -> Error {
    let details = problems.into_iter().map(|problem| Problem { at: None, problem }).collect();
    Error { details, ..Error::new(ErrorKind::Invalid, message) }
}

/// A request that the reconciler did not carry out.
pub(super) fn not_asked(error: RequestError) -> Error {
    let message = error.to_string();
    let (kind, hint) = match error {
        RequestError::Busy => (ErrorKind::Busy, "\"adit operation list --running\" shows what goes on"),
        RequestError::Stopping => (ErrorKind::Unavailable, "ask again when it runs again"),
        RequestError::Changed { .. } => (ErrorKind::Conflict, "\"adit plan\" shows it as it is now, with its hash"),
        RequestError::OrphansChanged { .. } => (ErrorKind::Conflict, "\"adit gc\" shows it as it is now, with its hash"),
        RequestError::NoSuchOrphan(_) => (ErrorKind::NotFound, "\"adit gc\" shows the items"),
        RequestError::ObserveOnly => (ErrorKind::Hold, "\"adit plan\" shows what would be done"),
        RequestError::OrphanKept { .. } => (ErrorKind::Hold, "\"adit gc\" shows why each item stays"),
        RequestError::StillWanted(_) => (ErrorKind::Hold, "take it out of the configuration first"),
        RequestError::NotRotated { .. } | RequestError::Held { .. } => {
            (ErrorKind::Hold, "\"adit status\" shows what it waits for")
        }
    };
    Error::new(kind, message).with_hint(hint)
}

/// What helps where the state is of another machine.
pub(super) const IDENTITY: &str = "\"adit identity\" shows what happened and what can be done";

/// A look at Cloudflare that takes too long.
pub(super) fn slow() -> Error {
    let message = format!("cannot get what was asked for: Cloudflare did not answer within {} s", REQUEST_TIME_MAX.as_secs());
    Error::new(ErrorKind::Unavailable, message).with_hint("try again; \"adit status\" shows whether Cloudflare answers at all")
}

/// A change that takes too long.
pub(super) fn endless() -> Error {
    let message = format!("cannot wait longer: it takes more than {} min", OPERATION_TIME_MAX.as_secs() / 60);
    Error::new(ErrorKind::Unavailable, message).with_hint("what was begun goes on by itself; \"adit status\" shows how far it is")
}

/// A restart that the supervisor did not take.
pub(super) fn not_restarted(error: supervisor::RequestError) -> Error {
    let (kind, message, hint) = match &error {
        supervisor::RequestError::Busy => (ErrorKind::Busy, format!("cannot restart: {error}"), "ask again in a moment"),
        supervisor::RequestError::Stopping => {
            (ErrorKind::Unavailable, format!("cannot restart: {error}"), "ask again when it runs again")
        }
        supervisor::RequestError::UnknownTunnel { .. } | supervisor::RequestError::Refused { .. } => {
            (ErrorKind::Conflict, error.to_string(), "\"adit status\" shows its connectors, and why each is as it is")
        }
    };
    Error::new(kind, message).with_hint(hint)
}
