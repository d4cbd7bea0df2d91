//! `adit demo`: the sandbox and a real daemon in a temporary directory, shown live and broken on request.

mod live;
mod load;
mod scene;
mod script;
mod view;

use std::{
    io::{Write as _, stdout},
    time::Duration,
};

use crate::screen::{Ability, Ends};

/// How `adit demo` was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Play the fixed script instead of showing the live view.
    pub plain: bool,
    /// How long: the script goes on at least that long, the live view ends after it. `None`: 20 s for the script, until `q` for the
    /// live view.
    pub duration: Option<Duration>,
    /// What the terminal of the live view is able to show.
    pub ability: Ability,
}

/// How long the script goes on when nothing is said.
const SCRIPT_DURATION: Duration = Duration::from_secs(20);

/// Runs the demo. `true`: everything healed, and no planned change lost a request. A signal that asks for it ends the demo early and
/// takes everything away that belongs to it; of a script nothing is known then.
///
/// # Errors
///
/// When the scene cannot be set: no port, no temporary directory, or a daemon that does not start.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    let mut ends = Ends::new()?;
    let shown = async {
        if options.plain {
            script::play(options.duration.unwrap_or(SCRIPT_DURATION)).await
        } else {
            live::show(options.duration, options.ability).await
        }
    };
    tokio::select! {
        result = shown => result,
        // What is dropped here kills what it started and gives the terminal back.
        () = ends.next() => {
            say("ended by a signal");
            Ok(!options.plain)
        }
    }
}

/// Nobody may be there to read it, and what the demo started is to be ended all the same.
fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
