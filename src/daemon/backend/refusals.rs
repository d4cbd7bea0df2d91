//! What was not done, as whoever asked for it hears it.

use super::REQUEST_TIME_MAX;
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
    let message = error.to_string();
    match error {
        ChangeError::NotFound(_) => Error::new(ErrorKind::NotFound, message),
        ChangeError::Exists(name) => {
            Error::new(ErrorKind::Conflict, message).with_hint(format!("change it with `adit tunnel update {name}`"))
        }
        ChangeError::Stale(_) => Error::new(ErrorKind::Conflict, message).with_hint("look at it again and repeat the change"),
        ChangeError::ReadOnly { .. } => {
            Error::new(ErrorKind::ReadOnly, message).with_hint("edit the file and run `adit config reload`")
        }
        ChangeError::Definition(_) => Error::new(ErrorKind::Invalid, message),
        ChangeError::Problems(problems) => definition_problems(problems),
        ChangeError::Store(StoreError::Sealed(_)) => Error::new(ErrorKind::Hold, message),
        ChangeError::Store(_) => Error::new(ErrorKind::Unavailable, message),
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
    let kind = match error {
        RequestError::Busy => ErrorKind::Busy,
        RequestError::Stopping => ErrorKind::Unavailable,
        RequestError::Changed { .. } | RequestError::OrphansChanged { .. } => ErrorKind::Conflict,
        RequestError::NoSuchOrphan(_) => ErrorKind::NotFound,
        RequestError::ObserveOnly
        | RequestError::OrphanKept { .. }
        | RequestError::StillWanted(_)
        | RequestError::NotRotated { .. }
        | RequestError::Held { .. } => ErrorKind::Hold,
    };
    Error::new(kind, message)
}

pub(super) fn slow() -> Error {
    let message = format!("Cloudflare did not answer within {} s; what was begun goes on", REQUEST_TIME_MAX.as_secs());
    Error::new(ErrorKind::Unavailable, message)
}

/// A restart that the supervisor did not take.
pub(super) fn not_restarted(error: supervisor::RequestError) -> Error {
    let message = error.to_string();
    let kind = match error {
        supervisor::RequestError::Busy => ErrorKind::Busy,
        supervisor::RequestError::Stopping => ErrorKind::Unavailable,
        supervisor::RequestError::UnknownTunnel { .. } | supervisor::RequestError::Refused { .. } => ErrorKind::Conflict,
    };
    Error::new(kind, message)
}
