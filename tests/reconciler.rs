//! The reconciler against the embedded Cloudflare, with real files and real HTTP.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "reconciler/configurations.rs"]
mod configurations;
#[path = "reconciler/balancers.rs"]
mod balancers;
#[path = "support/contract.rs"]
mod contract;
#[path = "reconciler/failures.rs"]
mod failures;
#[path = "reconciler/harness.rs"]
mod harness;
#[path = "reconciler/lifecycle.rs"]
mod lifecycle;
#[path = "reconciler/networks.rs"]
mod networks;
#[path = "reconciler/ownership.rs"]
mod ownership;
#[path = "reconciler/rotation.rs"]
mod rotation;
#[path = "reconciler/scale.rs"]
mod scale;
