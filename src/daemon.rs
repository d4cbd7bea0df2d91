//! The composition root: builds every part, wires the channels, owns start order and shutdown.
//!
//! ```text
//!  start   files → state directory (lock) → recorder → socket (lock) → intent → tokens, reconciler, supervisor → metrics → READY
//!  stop    connectors drain → control socket → reconciler → recorder
//! ```
//!
//! Nothing that may take long stands between the start and READY: tokens, Cloudflare and the connectors are the loops' own affair.
//! A task that panics ends the daemon (the release build aborts), and systemd starts it again.

mod allocator;
mod audit;
mod backend;
mod check;
mod cleanup;
mod credential_check;
mod derived;
mod descriptor_store;
mod exporter;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod listeners;
mod logging;
mod metrics_listener;
mod metrics_server;
mod negotiation;
mod options;
mod page_reader;
mod places;
mod program_pages;
mod refused;
mod relay;
mod reload;
mod reported;
mod rights;
mod route_checks;
mod run;
mod run_mark;
mod signals;
mod socket_guard;
mod status_line;
mod systemd;
mod tokens;

pub use allocator::be_frugal;
pub use check::{Check, check, runtime_dirs};
pub use cleanup::{Cleanup, CleanupError, clean_up};
pub use credential_check::try_token;
pub use descriptor_store::PassedDescriptors;
pub use options::{Environment, Options};
pub use rights::DAEMON_USER;
pub use run::{StartError, run};
