//! The control socket as its clients meet it: real sockets, real HTTP, a backend that keeps what it is given.

#[path = "control/backend.rs"]
mod backend;
#[path = "control/access.rs"]
mod access;
#[path = "control/bad_input.rs"]
mod bad_input;
#[path = "support/description.rs"]
mod description;
#[path = "support/openapi.rs"]
mod openapi;
#[path = "control/described.rs"]
mod described;
#[path = "control/errors.rs"]
mod errors;
#[path = "control/operations.rs"]
mod operations;
#[path = "control/load.rs"]
mod load;
#[path = "control/patience.rs"]
mod patience;
#[path = "control/place.rs"]
mod place;
#[path = "control/raw.rs"]
mod raw;
#[path = "control/traffic.rs"]
mod traffic;
#[path = "control/tunnels.rs"]
mod tunnels;
#[path = "control/streams.rs"]
mod streams;
