//! The reconciler against the embedded Cloudflare, with real files and real HTTP.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "reconciler/configurations.rs"]
mod configurations;
#[path = "reconciler/balancers.rs"]
mod balancers;
#[path = "support/contract.rs"]
mod contract;
#[path = "support/openapi.rs"]
mod openapi;
#[path = "reconciler/failures.rs"]
mod failures;
#[path = "reconciler/confirmation.rs"]
mod confirmation;
#[path = "reconciler/harness.rs"]
mod harness;
#[cfg(debug_assertions)]
#[path = "reconciler/kill.rs"]
mod kill;
#[path = "reconciler/lifecycle.rs"]
mod lifecycle;
#[path = "reconciler/networks.rs"]
mod networks;
#[path = "reconciler/orphans.rs"]
mod orphans;
#[path = "reconciler/ownership.rs"]
mod ownership;
#[path = "reconciler/rotation.rs"]
mod rotation;
#[path = "reconciler/scale.rs"]
mod scale;
#[path = "support/settled.rs"]
mod settled;
#[path = "reconciler/teardown.rs"]
mod teardown;
#[path = "reconciler/weather.rs"]
mod weather;
