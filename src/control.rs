//! The control socket: HTTP/1.1 and JSON over a Unix socket, decided by the peer's user and groups.
//!
//! ```text
//!  client ─▶ socket ─▶ connections (who is it? how many?) ─▶ gate (may they?) ─▶ handlers ─▶ Backend
//!               ▲              SO_PEERCRED, bounds           table + access        api types
//!       bound in private/,
//!       then linked
//! ```
//!
//! The server is built from one table ([`ENDPOINTS`]) that says what each request needs. What it serves comes from a [`Backend`],
//! in the types of [`api`], which the [`Client`] at the other end reads.

pub mod api;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod view;

mod access;
mod audit;
mod backend;
mod client;
mod edit;
mod goal;
mod peer;
mod progress;
mod schema;
mod server;
mod socket;
mod table;

pub use audit::{Audit, AuditQuery};
pub use backend::{Backend, Definition, DiagnoseQuery, EventQuery, Feed, LogQuery, Reach};
pub use client::{Begun, Client, Follow, Trouble};
pub(crate) use edit::{PrivateRoute, add_route, merge, remove_route};
pub use goal::{Goal, Outlook, outlook};
pub use peer::{Identify, Principal, identify};
pub use progress::{Progress, Told};
pub use schema::openapi;
pub use server::Server;
pub use socket::{Lock, SocketError, SocketFile, adopt, bind, check_file_system, check_former, obstacles, private_folder};
pub use table::{Action, ENDPOINTS, Endpoint, Method, Need};
