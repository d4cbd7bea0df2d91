//! An embedded Cloudflare on loopback: the API, the edge, a public front and a stand-in connector.
//!
//! ```text
//!  Cloudflare client ─HTTP─▶ Api ──▶ World ◀── Dashboard, Faults, snapshot ── test, demo
//!                                     │ ▲
//!              changes, resolve, configuration, registrations (Directory)
//!                                     ▼ │
//!  visitor ─DNS─▶ resolver
//!  visitor ─HTTP/1.1─▶ front ──▶ edge ─HTTP/2, roles reversed─▶ connector ─HTTP/1.1─▶ origin
//!                                                                   │
//!                                                switchboard: hang, crash, … on demand
//! ```
//!
//! [`world::World`] is the state and its rules; it speaks no HTTP. The API server carries requests to it, one operation per
//! function, and answers as Cloudflare is known to answer: envelope, codes, limits, permissions. [`faults::Faults`] makes it
//! misbehave on request. The [`connector`] is a real child process that behaves as cloudflared does, and a [`stage::Stage`] is all
//! of it at once.

pub mod connector;
pub mod edge;
pub mod faults;
pub mod front;
pub mod origin;
pub mod resolver;
pub mod stage;
pub mod switchboard;
pub mod world;

mod api;
mod directory;

pub use api::server::{Api, start_api};
