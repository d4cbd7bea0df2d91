//! What is kept of a request that changes something: who, what, before and behind, and what came of it.
//!
//! Every endpoint with a verb in the table passes here, so none can be left out, and what it did is kept by the task that does it:
//! a client that asks and goes away has its change carried out and kept like any other.

use std::sync::Arc;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Shared,
    answer::{AnswerBefore, AnswerKind, AnswerObject, AnswerReason, AnswerTunnel, mistake},
    gate::Caller,
    operations::cut_off,
};
use crate::{
    config::Role,
    control::{
        api::Error,
        audit::Audit,
        backend::Backend,
        peer::Principal,
        table::{Action, Endpoint},
    },
    name::TunnelName,
};

/// A request that changes something.
pub(super) struct Audited<B> {
    pub(super) shared: Arc<Shared<B>>,
    pub(super) endpoint: Endpoint,
    pub(super) verb: &'static str,
    pub(super) principal: Arc<Principal>,
    /// The highest role that they have for what it is about.
    pub(super) role: Option<Role>,
    /// The tunnel in the path.
    pub(super) tunnel: Option<String>,
}

impl<B: Backend> Audited<B> {
    /// Keeps that it was refused.
    pub(super) fn refused(&self, error: Error) -> Response {
        let response = error.into_response();
        self.keep(None, &response);
        response
    }

    /// Carries it out, whether or not its client waits for the answer, and keeps what came of it. The answer holds this, for whoever
    /// waits until it is in force.
    pub(super) async fn carry_out(self, caller: Caller, mut request: Request, next: Next) -> Response {
        request.extensions_mut().insert(caller);
        let audited = Arc::new(self);
        let changes = audited.shared.changes.clone();
        let change = changes.spawn(async move {
            let before = audited.version(audited.tunnel.as_deref());
            // Cut off here and not from outside, so that it is kept: a part of it may have been done.
            let answered = audited.shared.cut.run_until_cancelled(next.run(request)).await;
            let mut response = answered.unwrap_or_else(|| cut_off().into_response());
            audited.keep(before, &response);
            response.extensions_mut().insert(audited);
            response
        });
        // It is never aborted, so what does not end well has panicked.
        change.await.unwrap_or_else(|_| mistake("the change").into_response())
    }

    /// Keeps that what was accepted did not come into force.
    pub(super) fn failed_later(&self, tunnel: Option<&str>, error: &Error) {
        let mut response = error.clone().into_response();
        let said = response.extensions_mut();
        said.insert(AnswerReason(format!("it was accepted, and is not in force: {}", error.message)));
        if let Some(tunnel) = tunnel {
            said.insert(AnswerTunnel(tunnel.to_owned()));
        }
        self.keep(None, &response);
    }

    fn keep(&self, before: Option<String>, response: &Response) {
        let said = response.extensions();
        let named = said.get::<AnswerTunnel>().map(|AnswerTunnel(name)| name.as_str());
        let tunnel = self.tunnel.as_deref().or(named);
        let reason = said.get::<AnswerReason>().map_or("", |AnswerReason(reason)| reason.as_str());
        let refused = said.get::<AnswerKind>().map(|AnswerKind(kind)| (*kind, reason));
        let before = said.get::<AnswerBefore>().map(|AnswerBefore(version)| version.clone()).or(before);
        let after = if refused.is_some() { None } else { self.version(tunnel) };
        let changed = refused.is_none() && before != after;
        self.shared.backend.audit(&Audit {
            by: &self.principal,
            role: self.role,
            needed: self.endpoint.need.role(),
            verb: self.verb,
            tunnel,
            object: said.get::<AnswerObject>().map(|AnswerObject(object)| object.as_str()),
            before: before.as_deref().filter(|_| changed),
            after: after.as_deref().filter(|_| changed),
            refused,
        });
    }

    /// The version of what the endpoint changes: of the tunnel's definition, or of the configuration.
    fn version(&self, tunnel: Option<&str>) -> Option<String> {
        if matches!(self.endpoint.action, Action::Apply | Action::ReloadConfiguration) {
            return Some(self.shared.backend.configuration_version());
        }
        let name = TunnelName::try_from(tunnel?.to_owned()).ok()?;
        Some(self.shared.backend.definition(&name)?.version)
    }
}
