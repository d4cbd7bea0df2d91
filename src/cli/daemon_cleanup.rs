//! `adit daemon-cleanup`

use clap::Args;

use super::{Context, Ending, Failure, arguments::Files};
use crate::daemon::{Cleanup, Environment, clean_up, runtime_dirs};

/// End the connectors that a daemon left behind, if systemd is stopping its unit
///
/// The unit runs it after every end of the daemon. After a crash, or in a restart, it does nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The daemon's unit.
    #[arg(long)]
    unit: String,
    #[command(flatten)]
    files: Files,
}

pub(super) async fn run(arguments: Arguments, environment: &Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let folders = runtime_dirs(&arguments.files.main, environment);
    let leftovers = match clean_up(&arguments.unit, &folders, environment).await.map_err(Failure::of)? {
        Cleanup::Stopping(leftovers) => leftovers,
        Cleanup::NotStopping { job } => {
            let job = job.map_or("none".to_owned(), |job| format!("\"{job}\""));
            let unit = arguments.unit;
            context
                .terminal
                .tell(&format!("connectors are left to the next daemon: {unit} is not being stopped (its job: {job})"));
            return Ok(Ending::Fine);
        }
    };
    for ended in &leftovers.ended {
        context.terminal.tell(&format!("killed what the daemon left behind: {ended}"));
    }
    for left in &leftovers.left {
        context.terminal.tell(&format!("left alone: {left}"));
    }
    Ok(if leftovers.left.is_empty() { Ending::Fine } else { Ending::Attention })
}
