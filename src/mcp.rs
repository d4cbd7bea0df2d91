//! A server of the Model Context Protocol: what a model may see and do of Adit, on behalf of whoever started it.
//!
//! ```text
//!  client ── JSON-RPC on stdin, stdout ──▶ server ─┬─ tools ─────┬─▶ offer (role, tunnels) ─▶ reader ─▶ daemon's socket
//!                                                  ├─ resources ─┘            │
//!                                                  └─ prompts          answer, failure: cleaned, bounded, marked
//! ```
//!
//! It is a client of the daemon's socket like every other command, so that it can never do more than its user may; by its role it
//! offers less. It keeps nothing: what a change would do is named by a hash, and the hash is all that the second step needs.

mod answer;
mod arguments;
mod change;
mod check;
mod failure;
mod foreign;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hash;
mod offer;
mod prompts;
mod read;
mod resources;
mod schema;
mod server;
mod subscriptions;
mod tool;
mod transport;
mod turnstile;
mod view;

use rmcp::service::{ServerInitializeError, serve_server};

pub use offer::{Limits, role_of_word};

use crate::control::Client;

/// Why a server ended before its client was done.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client never began as the protocol says.
    #[error("cannot begin with the client")]
    Begin(#[source] Box<ServerInitializeError>),
    /// A part of the server failed.
    #[error("cannot go on serving the client")]
    Broken(#[source] tokio::task::JoinError),
}

/// Serves the client on stdin and stdout until it closes them. Nothing but the protocol is written to stdout.
///
/// # Errors
///
/// When the client does not begin as the protocol says.
pub async fn serve(client: Client, limits: Limits) -> Result<(), ServeError> {
    let server = server::Server::new(read::Reader { client, limits });
    match serve_server(server, transport::Pipes::of_process()).await {
        Ok(running) => running.waiting().await.map(|_reason| ()).map_err(ServeError::Broken),
        // It was started and never used.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(ServeError::Begin(Box::new(error))),
    }
}
