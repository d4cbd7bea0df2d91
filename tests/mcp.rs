//! `adit mcp` as a client meets it: the built program over its stdin and stdout, in front of a real daemon.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/description.rs"]
mod description;
#[path = "support/host.rs"]
mod host;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/service_manager.rs"]
mod service_manager;
#[path = "support/visitor.rs"]
mod visitor;

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
