//! `adit mcp` as a client meets it: the built program over its stdin and stdout, in front of a real daemon.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "support/host.rs"]
mod host;

#[path = "control/backend.rs"]
mod backend;

#[path = "mcp/session.rs"]
mod session;

#[path = "mcp/change.rs"]
mod change;
#[path = "mcp/foreign.rs"]
mod foreign;
#[path = "mcp/look.rs"]
mod look;
#[path = "mcp/offer.rs"]
mod offer;
#[path = "mcp/robust.rs"]
mod robust;
