//! `adit status`

use clap::Args;

use super::{Context, Ending, Failure, Output, render};
use crate::control::api::{State, Tunnel, Verdict};

/// Everything at one look: tunnels, health with reasons, connectors, routes, drift, last change
///
/// Ends with 0 when all is as it should be and with 1 when something wants to be looked at.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit status\n  adit status web\n  adit status -o json | jq '.health'")]
pub(super) struct Arguments {
    /// Only this tunnel, with all that is known of it.
    tunnel: Option<String>,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match arguments.tunnel {
        Some(name) => one(&name, context).await,
        None => all(context).await,
    }
}

async fn all(context: &mut Context<'_>) -> Result<Ending, Failure> {
    let status = context.client.status().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&status)?,
        Output::Table => {
            let text = render::overview(&status, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(match status.overview.health.verdict {
        Verdict::Healthy => Ending::Fine,
        Verdict::Attention | Verdict::Failing => Ending::Attention,
    })
}

async fn one(name: &str, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let tunnel = context.client.tunnel(name).await?.tunnel;
    match context.output {
        Output::Json => context.terminal.print_json(&tunnel)?,
        Output::Table => {
            let text = render::detail(&tunnel, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(if is_well(&tunnel) { Ending::Fine } else { Ending::Attention })
}

fn is_well(tunnel: &Tunnel) -> bool {
    let waits = !tunnel.holds.is_empty() || tunnel.drift.is_some() || tunnel.routes.iter().any(|route| route.reason.is_some());
    matches!(tunnel.state, State::Ready | State::Stopped) && !waits
}
