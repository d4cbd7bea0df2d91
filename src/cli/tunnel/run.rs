//! `adit tunnel start`, `adit tunnel stop`, `adit tunnel restart`

use clap::Args;

use super::{carried_out, tell};
use crate::cli::{
    Context, Ending, Failure, Output,
    arguments::{Wait, Yes},
    completion,
    confirm::confirm,
    render::plain,
    wait::{Goal, wait},
};
use crate::control::api::Replaced;

/// Start a tunnel that an operator stopped
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit tunnel start web --wait")]
pub(in crate::cli) struct Start {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    #[command(flatten)]
    wait: Wait,
}

/// Stop a tunnel's connectors until somebody starts them
///
/// Requests that end within the grace period are finished. The stop lasts over restarts and reboots, and "adit status" shows who
/// it was.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit tunnel stop web --yes --wait")]
pub(in crate::cli) struct Stop {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

/// Replace a tunnel's connectors by fresh ones, one after the other
///
/// Each starts and serves before the former one is drained, so that no request is lost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit tunnel restart web --wait\n  adit tunnel restart web --plan")]
pub(in crate::cli) struct Restart {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    /// Only show which connectors would be replaced, and how many requests they carry.
    #[arg(long, conflicts_with = "wait")]
    plan: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn start(arguments: Start, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let changed = context.client.start_tunnel(&arguments.name).await?;
    tell(context, &changed, "accepted; its connectors are started")?;
    wait(&arguments.wait, context, &arguments.name, &Goal::Serving).await
}

pub(super) async fn stop(arguments: Stop, context: &mut Context<'_>) -> Result<Ending, Failure> {
    confirm(context.terminal, arguments.yes.yes, &format!("Stop tunnel {:?}", arguments.name))?;
    let changed = context.client.stop_tunnel(&arguments.name).await?;
    tell(context, &changed, "accepted; its connectors are drained")?;
    wait(&arguments.wait, context, &arguments.name, &Goal::Stopped).await
}

pub(super) async fn restart(arguments: Restart, context: &mut Context<'_>) -> Result<Ending, Failure> {
    if arguments.plan {
        let plan = context.client.plan_restart(&arguments.name).await?;
        match context.output {
            Output::Json => context.terminal.print_json(&plan)?,
            Output::Table => context.terminal.print(&render(&plan.replaces))?,
        }
        return Ok(if plan.replaces.is_empty() { Ending::Fine } else { Ending::ChangesPending });
    }
    let changed = if arguments.wait.wait {
        let begun = context.client.begin_restart_tunnel(&arguments.name).await?;
        carried_out(begun, &arguments.wait, "its connectors were replaced", context).await?
    } else {
        let changed = context.client.restart_tunnel(&arguments.name).await?;
        tell(context, &changed, "accepted; its connectors are replaced one after the other")?;
        changed
    };
    context.terminal.show(&render(&changed.replaces));
    Ok(Ending::Fine)
}

fn render(replaces: &[Replaced]) -> String {
    replaces.iter().map(|replaced| format!("  {}\n", plain(&replaced.sentence()))).collect()
}
