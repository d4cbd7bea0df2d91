//! Adit: the control plane for Cloudflare Tunnels on a Linux host.
//!
//! ```text
//!  config files ─▶ Config ─▶ Desired ────────┐
//!                                            ├─▶ plan ─▶ Plan ─▶ apply ─▶ Cloudflare API
//!  Cloudflare API ─▶ observe ─▶ Observed ────┤                    │
//!  state directory ─▶ TunnelRecord ──────────┘◀── store ──────────┘
//!                                                                 └─▶ connectors wanted (watch)
//!                                                                               │
//!  process: spawn, signal, reap ◀── Command ── connector machine ◀── supervisor ◀┘
//!               └────────── exits, probe results, deadlines ──────────▲
//!
//!  reconciler, supervisor ── Event ─▶ recorder ─┬─▶ log line
//!                                               ├─▶ metrics ──────────────▶ /metrics
//!                                               ├─▶ feed (kept on disk) ──▶ hook: a command, a webhook
//!                                               └─▶ Status ─▶ Health ─────▶ control socket ─▶ CLI
//!
//!  route_check ── Question ─▶ route_probe ── Outcome ─▶ route_check ── Event ─▶ recorder
//!  connectors' own metrics ─▶ probe ─▶ exposition ───────────────────────────────▶ /metrics
//! ```
//!
//! Fuzzing leaves out what reads nothing foreign, or only on behalf of whoever runs it: a third less to compile.
//!
//! The modules stand below in reading order. **A module may import from those on lines below it, never from those above; modules
//! that share a line never import each other.** `tests/tidy.rs` checks it.
//!
//! Architecture invariants:
//!
//! - Everything from [`health`] down performs no I/O, spawns nothing and reads no clock, file or environment. [`failpoint`] alone
//!   does, for tests: in a release build it is empty.
//! - Only [`process`] knows PIDs and signals, and [`command`] those of the other programs that it runs; only [`cloudflare`]
//!   knows the API's URLs and JSON; only [`control`] knows the control routes; only [`cli`] and [`demo`] print, and [`mcp`] writes its
//!   protocol to stdout. Only [`screen`] takes the terminal over, and stops its own process on Ctrl-Z.
//! - The reconciler and the supervisor share a `watch` channel and no code. Metrics, health and control only read; they change
//!   something by calling a handle.

// What the integration tests share with tests in here, and with fuzzing, names this crate as they do.
#[cfg(any(test, fuzzing))]
extern crate self as adit;

// line: fuzzing
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

// line: cli
#[cfg(not(fuzzing))]
pub mod cli;

// line: demo
#[cfg(not(fuzzing))]
pub mod demo;

// line: screen
#[cfg(not(fuzzing))]
pub mod screen;

// line: daemon
pub mod daemon;

// line: diagnosis | doctor
pub mod diagnosis;
pub mod doctor;

// line: sandbox | mcp
#[cfg(not(fuzzing))]
pub mod sandbox;
pub mod mcp;

// line: control
pub mod control;

// line: hook
pub mod hook;

// line: recorder
pub mod recorder;

// line: reconciler | supervisor | intent
pub mod reconciler;
pub mod supervisor;
pub mod intent;

// line: route_probe
pub mod route_probe;

// line: cloudflare | credential | output | process | probe | edge_probe | dns_lookup | notify | store | config_files
pub mod cloudflare;
pub mod credential;
pub mod output;
pub mod process;
pub mod probe;
pub mod edge_probe;
pub mod dns_lookup;
pub mod notify;
pub mod store;
pub mod config_files;

// line: command | whole_file | boot | http_client | host_names
pub mod command;
pub mod whole_file;
pub mod boot;
pub mod http_client;
pub mod host_names;

// line: metrics
pub mod metrics;

// line: catalogue
pub mod catalogue;

// line: health
pub mod health;

// line: status
pub mod status;

// line: event
pub mod event;

// line: route_check
pub mod route_check;

// line: plan | orphan
pub mod plan;
pub mod orphan;

// line: desired | observed
pub mod desired;
pub mod observed;

// line: record | connector | import
pub mod record;
pub mod connector;
pub mod import;

// line: config
pub mod config;

// line: backoff | name | id | secret | error_text | foreign_text | hexadecimal | counted | suggestion | exposition | event_kind | failpoint
pub mod backoff;
pub mod name;
pub mod id;
pub mod secret;
pub mod error_text;
pub mod foreign_text;
pub mod hexadecimal;
pub mod counted;
pub mod suggestion;
pub mod exposition;
pub mod event_kind;
pub mod failpoint;
