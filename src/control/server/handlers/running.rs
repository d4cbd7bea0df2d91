//! Connectors of a tunnel: started, stopped, restarted, given another secret.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};

use super::{
    App,
    tunnels::{changed, existing, looked_at, tell_version},
};
use crate::control::{
    api::{Changed, Error, RestartPlan, Rotate},
    backend::Backend,
    progress::Progress,
    server::{answer, body::Document, gate::Caller},
};

pub(in crate::control::server) async fn start_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let start = async {
        let name = looked_at(&shared, &caller, &name, &headers)?;
        Ok(changed(&name, shared.backend.start(&caller.principal, &name).await?))
    };
    start.await.unwrap_or_else(|error| tell_version(&shared, &name, error))
}

pub(in crate::control::server) async fn stop_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let stop = async {
        let name = looked_at(&shared, &caller, &name, &headers)?;
        Ok(changed(&name, shared.backend.stop(&caller.principal, &name).await?))
    };
    stop.await.unwrap_or_else(|error| tell_version(&shared, &name, error))
}

pub(in crate::control::server) async fn restart_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let restart = async {
        let name = looked_at(&shared, &caller, &name, &headers)?;
        let replaces = shared.backend.restart_plan(&name).await;
        let change = shared.backend.restart(&caller.principal, &name).await?;
        Ok(answer::json(&Changed { tunnel: name.as_str().to_owned(), change, replaces }))
    };
    restart.await.unwrap_or_else(|error| tell_version(&shared, &name, error))
}

pub(in crate::control::server) async fn rotate_tunnel<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    progress: Progress,
    Document(Rotate { emergency }): Document<Rotate>,
) -> Response {
    let rotate = async {
        let name = looked_at(&shared, &caller, &name, &headers)?;
        Ok(changed(&name, shared.backend.rotate(&caller.principal, &name, emergency, &progress).await?))
    };
    rotate.await.unwrap_or_else(|error| tell_version(&shared, &name, error))
}

pub(in crate::control::server) async fn plan_restart<B: Backend>(
    State(shared): App<B>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = existing(&shared, &caller, &name)?;
    let replaces = shared.backend.restart_plan(&name).await;
    Ok(answer::json(&RestartPlan { tunnel: name.as_str().to_owned(), replaces }))
}
