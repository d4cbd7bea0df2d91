//! `adit top`
//!
//! ```text
//!  terminal ─ keys, sizes ─▶ update(model, message) ─▶ effects ─▶ sources ─▶ daemon
//!  sources ─ status, traffic, events, lines ─▶ ┘ └─▶ model ─▶ view::draw ─▶ terminal
//! ```
//!
//! Everything that is decided is decided in `update` and `press`, over the model, which knows no terminal and no daemon.

mod layout;
mod live;
mod model;
mod press;
mod rates;
mod restarts;
mod rights;
mod rows;
mod sources;
mod update;
mod view;

#[cfg(test)]
mod tests;

use std::time::Duration;

use clap::Args;

use self::{live::Live, model::Model};
use super::{Context, Ending, Failure, Output, when::duration};
use crate::{
    config::Pattern,
    daemon::Environment,
    screen::{Ability, Screen},
};

/// The shortest time between two looks: the daemon reads connectors' figures once a second for everybody.
const REFRESH_MIN: Duration = Duration::from_millis(200);

/// Watch everything live: tunnels, requests, errors, restarts, events, logs
///
/// Rates come from the connectors' own metrics, which the daemon reads while somebody watches. The keys restart, stop and start
/// tunnels, after showing which requests that would cut; "?" tells them all. It goes on over a restart of the daemon.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit top
  adit top --tunnel 'web-*'
  NO_COLOR=1 adit top --refresh 5s")]
pub(super) struct Arguments {
    /// Only tunnels whose name is like this: * stands for any text, ? for one character.
    #[arg(long, value_name = "PATTERN")]
    tunnel: Option<Pattern>,
    /// How often everything is looked at anew; events and log lines come at once.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = refresh)]
    refresh: Duration,
}

pub(super) async fn run(arguments: Arguments, environment: &Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    if context.output == Output::Json {
        return Err(Failure::new(Ending::Usage, "cannot show the live view as JSON: it is for people").with_hint(
            "\"adit status -o json --watch\" is the same for programs, and \"adit events -f -o json\" tells what happens",
        ));
    }
    let instead = "\"adit status\" prints everything once, with --watch again and again";
    context.terminal.check_takeable("the live view", instead)?;
    // A daemon that is not there, or that answers nothing to this caller, is better told before the screen is taken.
    context.client.who_am_i().await?;
    context.client.version().await?;
    let ability = Ability { colour: context.terminal.look.colour, unicode: environment.is_unicode() };
    let screen = Screen::open(ability)?;
    let model = Model::new(context.terminal.now(), screen.size()?, arguments.tunnel);
    Live::start(context.client.clone(), arguments.refresh, model, screen)?.run().await
}

fn refresh(text: &str) -> Result<Duration, String> {
    let refresh = duration(text)?;
    if refresh < REFRESH_MIN {
        return Err(format!("it must be at least {} ms", REFRESH_MIN.as_millis()));
    }
    Ok(refresh)
}
