//! One function for each endpoint: parse, ask the backend, answer. The gate has decided before any of them runs.

mod diagnosis;
mod audit;
mod feed;
mod host;
mod identity;
mod openapi;
mod operations;
mod origins;
mod orphans;
mod ownership;
mod person;
mod routes;
mod running;
mod traffic;
mod tunnels;

use std::{error::Error as _, sync::Arc};

use axum::extract::{State, rejection::QueryRejection};

use super::{Shared, complaint, gate::Caller};
use crate::{
    control::{
        api::{Error, ErrorKind},
        backend::Backend,
    },
    name::TunnelName,
};

pub(super) use audit::audit;
pub(super) use diagnosis::{diagnose, doctor};
pub(super) use feed::{events, logs};
pub(super) use host::{
    apply, check_credentials, configuration, credentials, health, plan, reload_configuration, status, version,
};
pub(super) use identity::{identity, new_identity, take_over_identity};
pub(super) use openapi::openapi;
pub(super) use operations::{operation, operations};
pub(super) use origins::check_origins;
pub(super) use orphans::{delete_orphans, orphans};
pub(super) use ownership::{adopt_route, adopt_tunnel, forget_tunnel, look_at_route, look_at_tunnel};
pub(super) use person::who_am_i;
pub(super) use routes::{add_route, remove_route, routes};
pub(super) use running::{plan_restart, restart_tunnel, rotate_tunnel, start_tunnel, stop_tunnel};
pub(super) use traffic::traffic;
pub(super) use tunnels::{create_tunnel, delete_tunnel, patch_tunnel, replace_tunnel, tunnel, tunnels};

/// What is read from a request's query.
pub(in crate::control) mod queries {
    pub(in crate::control) use super::{
        audit::Entries,
        diagnosis::{Diagnose, Doctor},
        feed::{Events, Logs},
        host::CheckCredentials,
        operations::{Listed as ListedOperations, One as OneOperation},
        routes::RemoveRoute,
    };
}

type App<B> = State<Arc<Shared<B>>>;

/// A name from a path as a tunnel's name, that of one which another took the place of included. What cannot be one names no tunnel.
fn tunnel_name<B: Backend>(shared: &Shared<B>, caller: &Caller, text: &str) -> Result<TunnelName, Error> {
    TunnelName::try_from(text.to_owned()).map_err(|_| shared.no_such_tunnel(caller, text))
}

fn bad_query(error: &QueryRejection) -> Error {
    // Without the words of the library around it.
    let complaint = error.source().map_or_else(|| error.body_text(), ToString::to_string);
    let message = format!("cannot read the request's query: {complaint}");
    Error { hint: complaint::suggested(&complaint), ..Error::new(ErrorKind::Malformed, message) }
}
