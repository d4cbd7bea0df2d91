//! `adit daemon`

use clap::Args;

use super::{Ending, Failure, arguments::Files};
use crate::daemon::{Environment, Options, StartError};

/// Run the daemon in the foreground, as systemd does
///
/// It makes the configuration come true and keeps it so: SIGHUP reads the files again, SIGTERM drains every connector and stops.
/// When the files are bad at start, the configuration that was accepted last runs.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    files: Files,
}

/// Runs until the daemon ends.
pub(super) async fn run(arguments: Arguments, environment: Environment) -> Result<Ending, Failure> {
    let options = Options { config: arguments.files.main, environment };
    match crate::daemon::run(options).await {
        Ok(()) => Ok(Ending::Fine),
        Err(error @ StartError::NothingToRun(_)) => Err(Failure::of(error).ending_in(Ending::NothingToRun)),
        Err(error) => Err(Failure::of(error)),
    }
}
