//! The table of endpoints as a router.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Extension, Request, State},
    http::{self, Uri},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::{MethodFilter, MethodRouter, on},
};

use super::{
    Shared, body,
    connections::too_many,
    gate::{Guarded, HINT, guard},
    handlers,
    operations::operate,
    parameters::check_asked,
};
use crate::control::{
    api::{Error, ErrorKind},
    backend::Backend,
    peer::Principal,
    table::{Action, ENDPOINTS, Method},
};

use crate::suggestion::question;

/// The router of everything in the table, each endpoint behind the gate.
pub(super) fn build<B: Backend>(shared: &Arc<Shared<B>>) -> Router {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let guarded = Guarded { endpoint, shared: Arc::clone(shared) };
        let handler = handler::<B>(endpoint.action, filter(endpoint.method));
        // The layer that is added last comes first.
        let handler = handler
            .route_layer(from_fn_with_state(endpoint.action, check_asked))
            .route_layer(from_fn_with_state(guarded.clone(), guard::<B>))
            .route_layer(from_fn_with_state(guarded, operate::<B>));
        router = router.route(endpoint.path, handler);
    }
    router
        .fallback(no_such_path::<B>)
        .method_not_allowed_fallback(no_such_method::<B>)
        // `Document` has the bound, and the one shape of errors.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(shared))
}

/// The router for connections beyond the bounds: it answers that there are too many.
pub(super) fn busy() -> Router {
    Router::new().fallback(|request: Request| async {
        // Whoever is still sending would read that the connection is broken, and not why.
        let _ = body::read(request).await;
        ([(http::header::CONNECTION, "close")], too_many())
    })
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

#[rustfmt::skip]
fn handler<B: Backend>(action: Action, filter: MethodFilter) -> MethodRouter<Arc<Shared<B>>> {
    match action {
        Action::WhoAmI => on(filter, handlers::who_am_i),
        Action::Version => on(filter, handlers::version::<B>),
        Action::Health => on(filter, handlers::health::<B>),
        Action::Status => on(filter, handlers::status::<B>),
        Action::Tunnels => on(filter, handlers::tunnels::<B>),
        Action::CreateTunnel => on(filter, handlers::create_tunnel::<B>),
        Action::Tunnel => on(filter, handlers::tunnel::<B>),
        Action::ReplaceTunnel => on(filter, handlers::replace_tunnel::<B>),
        Action::PatchTunnel => on(filter, handlers::patch_tunnel::<B>),
        Action::DeleteTunnel => on(filter, handlers::delete_tunnel::<B>),
        Action::StartTunnel => on(filter, handlers::start_tunnel::<B>),
        Action::StopTunnel => on(filter, handlers::stop_tunnel::<B>),
        Action::RestartTunnel => on(filter, handlers::restart_tunnel::<B>),
        Action::PlanRestart => on(filter, handlers::plan_restart::<B>),
        Action::RotateTunnel => on(filter, handlers::rotate_tunnel::<B>),
        Action::Logs => on(filter, handlers::logs::<B>),
        Action::Routes => on(filter, handlers::routes::<B>),
        Action::AddRoute => on(filter, handlers::add_route::<B>),
        Action::RemoveRoute => on(filter, handlers::remove_route::<B>),
        Action::Events => on(filter, handlers::events::<B>),
        Action::Plan => on(filter, handlers::plan::<B>),
        Action::Apply => on(filter, handlers::apply::<B>),
        Action::Configuration => on(filter, handlers::configuration::<B>),
        Action::ReloadConfiguration => on(filter, handlers::reload_configuration::<B>),
        Action::Credentials => on(filter, handlers::credentials::<B>),
        Action::CheckCredentials => on(filter, handlers::check_credentials::<B>),
        Action::CheckOrigins => on(filter, handlers::check_origins::<B>),
        Action::LookAtTunnel => on(filter, handlers::look_at_tunnel::<B>),
        Action::AdoptTunnel => on(filter, handlers::adopt_tunnel::<B>),
        Action::ForgetTunnel => on(filter, handlers::forget_tunnel::<B>),
        Action::LookAtRoute => on(filter, handlers::look_at_route::<B>),
        Action::AdoptRoute => on(filter, handlers::adopt_route::<B>),
        Action::Identity => on(filter, handlers::identity::<B>),
        Action::TakeOverIdentity => on(filter, handlers::take_over_identity::<B>),
        Action::NewIdentity => on(filter, handlers::new_identity::<B>),
        Action::Orphans => on(filter, handlers::orphans::<B>),
        Action::DeleteOrphans => on(filter, handlers::delete_orphans::<B>),
        Action::OpenApi => on(filter, handlers::openapi),
        Action::Operations => on(filter, handlers::operations::<B>),
        Action::Operation => on(filter, handlers::operation::<B>),
        Action::Doctor => on(filter, handlers::doctor::<B>),
        Action::Diagnose => on(filter, handlers::diagnose::<B>),
        Action::Audit => on(filter, handlers::audit::<B>),
        Action::Traffic => on(filter, handlers::traffic::<B>),
    }
}

async fn no_such_path<B: Backend>(
    State(shared): State<Arc<Shared<B>>>,
    Extension(principal): Extension<Arc<Principal>>,
    uri: Uri,
) -> impl IntoResponse {
    let message = format!("cannot find {:?}: the control socket has no such path", uri.path());
    let hint = question(uri.path(), ENDPOINTS.iter().map(|endpoint| endpoint.path));
    let hint = hint.unwrap_or_else(|| "every path begins with /v1/".to_owned());
    known(&shared, &principal, Error::new(ErrorKind::NotFound, message).with_hint(hint)).await
}

async fn no_such_method<B: Backend>(
    State(shared): State<Arc<Shared<B>>>,
    Extension(principal): Extension<Arc<Principal>>,
    method: http::Method,
    uri: Uri,
) -> impl IntoResponse {
    let message = format!("cannot {method} {:?}: that path has no such method", uri.path());
    let methods: Vec<String> =
        ENDPOINTS.iter().filter(|endpoint| endpoint.is_of(uri.path())).map(|endpoint| endpoint.method.to_string()).collect();
    let hint = format!("it has {}", methods.join(", "));
    known(&shared, &principal, Error::new(ErrorKind::MethodNotAllowed, message).with_hint(hint)).await
}

/// `error`, for those who may anything at all; the others learn nothing.
async fn known<B: Backend>(shared: &Shared<B>, principal: &Principal, error: Error) -> Error {
    if shared.may_anything(principal).await {
        return error;
    }
    Error::new(ErrorKind::NotPermitted, format!("cannot serve user {:?}: they have no role", principal.who())).with_hint(HINT)
}
