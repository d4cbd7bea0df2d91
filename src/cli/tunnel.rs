//! `adit tunnel …`

mod adopt;
mod change;
mod create;
mod delete;
mod forget;
mod interview;
mod rotate;
mod run;
mod show;

use clap::Subcommand;

use super::{
    Context, Ending, Failure, Output,
    arguments::Wait,
    operation::{Lines, carry_out},
};
use crate::control::{
    Begun,
    api::{Change, Changed},
};

/// Make, change, start, stop and delete tunnels
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(show::List),
    Show(show::Show),
    Create(create::Create),
    Update(change::Update),
    Delete(delete::Delete),
    Start(run::Start),
    Stop(run::Stop),
    Restart(run::Restart),
    Adopt(adopt::Adopt),
    Forget(forget::Forget),
    Rotate(rotate::Rotate),
}

pub(super) async fn run(command: Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::List(arguments) => show::list(arguments, context).await,
        Command::Show(arguments) => show::show(arguments, context).await,
        Command::Create(arguments) => create::create(arguments, context).await,
        Command::Update(arguments) => change::update(arguments, context).await,
        Command::Delete(arguments) => delete::delete(arguments, context).await,
        Command::Start(arguments) => run::start(arguments, context).await,
        Command::Stop(arguments) => run::stop(arguments, context).await,
        Command::Restart(arguments) => run::restart(arguments, context).await,
        Command::Adopt(arguments) => adopt::adopt(arguments, context).await,
        Command::Forget(arguments) => forget::forget(arguments, context).await,
        Command::Rotate(arguments) => rotate::rotate(arguments, context).await,
    }
}

/// Watches a change until its end, if the arguments say so, and tells what came of it.
pub(super) async fn carried_out(
    begun: Begun<Changed>,
    waiting: &Wait,
    done: &str,
    context: &mut Context<'_>,
) -> Result<Changed, Failure> {
    let outcome = carry_out(begun, Lines::All, Some(waiting.timeout), context).await?;
    if let Some(changed) = &outcome.result {
        tell(context, changed, done)?;
    }
    outcome.result()
}

/// Tells that a change was accepted: as data for programs, as words for people.
pub(super) fn tell(context: &mut Context<'_>, changed: &Changed, done: &str) -> Result<(), Failure> {
    match (context.output, changed.change) {
        (Output::Json, Change::Accepted | Change::Unchanged) => context.terminal.print_json(changed)?,
        (Output::Table, Change::Accepted) => context.terminal.tell(&format!("{}: {done}", changed.tunnel)),
        (Output::Table, Change::Unchanged) => {
            context.terminal.tell(&format!("{}: nothing to change, it was so before", changed.tunnel));
        }
    }
    Ok(())
}
