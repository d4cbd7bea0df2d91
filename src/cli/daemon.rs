//! `adit daemon`

use clap::Args;

use super::{Context, Ending, Failure, Output, arguments::Files, render::plain_lines};
use crate::{
    counted::counted,
    daemon::{Check, Environment, Options, StartError},
};

/// Run the daemon in the foreground, as systemd does
///
/// It makes the configuration come true and keeps it so: SIGHUP reads the files again, SIGTERM drains every connector and stops,
/// SIGUSR1 ends the daemon and leaves the connectors to the next one. When the files are bad at start, the configuration that was
/// accepted last runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit daemon --check                        before an upgrade: would this program start here?
  adit daemon --config ./adit.toml")]
pub struct Arguments {
    #[command(flatten)]
    files: Files,
    /// Only look whether this program would start here and adopt the connectors that run, and say everything that is in the way.
    ///
    /// Nothing is started, written or locked, and a daemon that runs is not disturbed. Run it as root, which goes on with the rights of
    /// the daemon's user, or as that user. Ends with 0 when nothing is in the way, and with 1 when something is.
    #[arg(long)]
    check: bool,
}

/// Runs until the daemon ends.
pub(super) async fn run(arguments: Arguments, environment: Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let options = Options { config: arguments.files.main, environment };
    if arguments.check {
        return show(&crate::daemon::check(options).await, context);
    }
    match crate::daemon::run(options).await {
        Ok(()) => Ok(Ending::Fine),
        Err(error @ StartError::NothingToRun(_)) => {
            let hint = "\"adit config check\" names each mistake; \"adit setup\" makes the first configuration of a host";
            Err(Failure::of(error).ending_in(Ending::NothingToRun).with_hint(hint))
        }
        Err(error) => Err(Failure::of(error)),
    }
}

fn show(check: &Check, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match context.output {
        Output::Json => context.terminal.print_json(check)?,
        Output::Table => {
            for problem in &check.problems {
                context.terminal.print(&plain_lines(problem))?;
            }
            for note in &check.notes {
                context.terminal.tell(note);
            }
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let (tunnels, records) = (counted(check.tunnels, "tunnel"), counted(check.records, "running connector"));
    if check.problems.is_empty() {
        context.terminal.tell(&format!("adit {version} would start here: {tunnels}, {records} to adopt"));
        return Ok(Ending::Fine);
    }
    context.terminal.tell(&format!("adit {version} should not be started here: {}", counted(check.problems.len(), "problem")));
    Ok(Ending::Failed)
}
