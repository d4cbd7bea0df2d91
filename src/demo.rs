//! `adit demo`: the sandbox and a real daemon in a temporary directory, shown live and broken on request.

#![expect(clippy::print_stdout, reason = "the demo's words are what it is for")]

mod live;
mod load;
mod scene;
mod script;
mod view;

use std::time::Duration;

/// How `adit demo` was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Play the fixed script instead of showing the live view.
    pub plain: bool,
    /// How long: the script goes on at least that long, the live view ends after it. `None`: 20 s for the script, until `q` for the
    /// live view.
    pub duration: Option<Duration>,
}

/// How long the script goes on when nothing is said.
const SCRIPT_DURATION: Duration = Duration::from_secs(20);

/// Runs the demo. `true`: everything healed, and no planned change lost a request.
///
/// # Errors
///
/// When the scene cannot be set: no port, no temporary directory, or a daemon that does not start.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    if options.plain {
        script::play(options.duration.unwrap_or(SCRIPT_DURATION)).await
    } else {
        live::show(options.duration).await
    }
}

fn say(text: &str) {
    println!("{text}");
}
