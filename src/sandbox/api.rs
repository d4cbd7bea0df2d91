//! The HTTP API: a request comes in, one operation acts on the world, an answer in Cloudflare's envelope goes out.
//!
//! ```text
//! server ─▶ pipeline ─▶ (fault?) ─▶ auth, rate limit ─▶ operations table ─▶ one function per operation ─▶ State
//!                           └──────────── the answer, perhaps damaged ◀──── envelope, headers ◀───────────┘
//! ```

pub(super) mod server;

mod access;
mod accounts;
mod answer;
mod auth;
mod batch;
mod call;
mod configurations;
mod connections;
mod failure;
mod hostname_routes;
mod load_balancers;
mod monitors;
mod operations;
mod pipeline;
mod pools;
mod query;
mod record_filter;
mod records;
mod reply;
mod resource;
mod routes;
mod tokens;
mod tunnel_filter;
mod tunnels;
mod virtual_networks;
mod zones;
