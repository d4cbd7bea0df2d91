//! The built program as a daemon: real processes, sockets, files and signals, against the embedded sandbox.
//!
//! Every exchange with the sandbox's API is checked against the contract, and every test has a host of its own.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "support/closed_port.rs"]
mod closed_port;
#[path = "support/host.rs"]
mod host;
#[path = "support/host_has.rs"]
mod host_has;
#[path = "support/hook_receiver.rs"]
mod hook_receiver;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "support/tls_origin.rs"]
mod tls_origin;

#[path = "daemon/access.rs"]
mod access;
#[path = "daemon/adoption.rs"]
mod adoption;
#[path = "daemon/audit.rs"]
mod audit;
#[path = "daemon/away.rs"]
mod away;
#[path = "daemon/bad_answers.rs"]
mod bad_answers;
#[path = "daemon/bad_cloudflared.rs"]
mod bad_cloudflared;
#[path = "daemon/bad_credential.rs"]
mod bad_credential;
#[path = "daemon/bad_files.rs"]
mod bad_files;
#[path = "daemon/bad_requests.rs"]
mod bad_requests;
#[path = "daemon/balancers.rs"]
mod balancers;
#[path = "daemon/budget.rs"]
mod budget;
#[path = "daemon/causes.rs"]
mod causes;
#[path = "daemon/clients.rs"]
mod clients;
#[path = "daemon/commands.rs"]
mod commands;
#[path = "daemon/configuration.rs"]
mod configuration;
#[path = "daemon/conflict.rs"]
mod conflict;
#[path = "daemon/crash.rs"]
mod crash;
#[path = "daemon/credential_change.rs"]
mod credential_change;
#[path = "daemon/demo.rs"]
mod demo;
#[path = "daemon/diagnose.rs"]
mod diagnose;
#[path = "daemon/disk.rs"]
mod disk;
#[path = "daemon/doctor.rs"]
mod doctor;
#[path = "daemon/drift.rs"]
mod drift;
#[path = "daemon/import.rs"]
mod import;
#[path = "daemon/interrupted.rs"]
mod interrupted;
#[path = "daemon/operations.rs"]
mod operations;
#[path = "daemon/hooks.rs"]
mod hooks;
#[path = "daemon/health.rs"]
mod health;
#[path = "daemon/identity.rs"]
mod identity;
#[path = "daemon/observe.rs"]
mod observe;
#[path = "daemon/prune.rs"]
mod prune;
#[path = "daemon/memory.rs"]
mod memory;
#[path = "daemon/networks.rs"]
mod networks;
#[path = "daemon/outage.rs"]
mod outage;
#[path = "daemon/output.rs"]
mod output;
#[path = "daemon/ownership.rs"]
mod ownership;
#[path = "daemon/provision.rs"]
mod provision;
#[path = "daemon/relay.rs"]
mod relay;
#[path = "daemon/reload.rs"]
mod reload;
#[path = "daemon/replacement.rs"]
mod replacement;
#[path = "daemon/rollout.rs"]
mod rollout;
#[path = "daemon/rotation.rs"]
mod rotation;
#[path = "daemon/secrets.rs"]
mod secrets;
#[path = "daemon/sharing.rs"]
mod sharing;
#[path = "daemon/state.rs"]
mod state;
#[path = "daemon/stop.rs"]
mod stop;
#[path = "daemon/top.rs"]
mod top;
#[path = "daemon/traffic.rs"]
mod traffic;
#[path = "daemon/uplink.rs"]
mod uplink;

use host::{processes, visitor};
use host_has::host_has;
