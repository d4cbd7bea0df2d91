//! The stand-in connector behaves like cloudflared, and the sandbox's data path loses nothing that it does not have to.
//!
//! Everything runs against real child processes. The tables of short runs and of lives need no edge: with `ADIT_TEST_CLOUDFLARED=PATH`
//! the same rows hold for that binary too, which is how the stand-in is compared with the original.

#![expect(clippy::unwrap_used, reason = "a helper that fails ends its test")]

#[path = "connector/data_path.rs"]
mod data_path;
#[path = "connector/forced_off.rs"]
mod forced_off;
#[path = "connector/harness.rs"]
mod harness;
#[path = "connector/lives.rs"]
mod lives;
#[path = "connector/misbehaviour.rs"]
mod misbehaviour;
#[path = "connector/process.rs"]
mod process;
#[path = "connector/short_runs.rs"]
mod short_runs;
#[path = "connector/subject.rs"]
mod subject;
