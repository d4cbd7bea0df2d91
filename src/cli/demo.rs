//! `adit demo`

use std::time::Duration;

use clap::Args;

use super::{Context, Ending, Failure, when::duration};
use crate::{daemon::Environment, demo::Options, screen::Ability};

/// See it work: a whole system on an embedded Cloudflare, without account, root or network
///
/// A real daemon provisions three tunnels at a sandbox on this host. Break things (a connector, a DNS record, the API) and watch
/// them heal. With --plain a fixed script does that without a terminal; it succeeds only if all of it healed and no planned
/// change lost a request.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit demo\n  adit demo --plain --for 20s")]
pub struct Arguments {
    /// Run the fixed script and print what happens, line by line.
    #[arg(long)]
    plain: bool,
    /// How long: the script goes on at least that long (20 s when it is not given), the live view ends after it.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    length: Option<Duration>,
}

/// Runs until the demo ends.
pub(super) async fn run(arguments: Arguments, environment: &Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Arguments { plain, length: duration } = arguments;
    if !plain {
        context.terminal.check_takeable("the demo", "\"adit demo --plain\" plays a script and prints what happens")?;
    }
    let ability = Ability { colour: context.terminal.look.colour, unicode: environment.is_unicode() };
    match crate::demo::run(Options { plain, duration, ability }).await {
        Ok(true) => Ok(Ending::Fine),
        Ok(false) => Ok(Ending::Attention),
        Err(error) => Err(Failure::of(error)),
    }
}
