//! `adit status`

use clap::Args;
use jiff::Timestamp;

use super::{
    Context, Ending, Failure, completion,
    render::{self, Look},
    watch::{self, Picture, Watch},
};
use crate::control::{
    Client, Trouble,
    api::{State, Status, Tunnel, Verdict},
};

/// Everything at one look: tunnels, health with reasons, connectors, routes, drift, last change
///
/// Ends with 0 when all is as it should be and with 1 when something wants to be looked at.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  adit status\n  adit status web\n  adit status --watch\n  adit status -o json | jq '.health'"
)]
pub(super) struct Arguments {
    /// Only this tunnel, with all that is known of it.
    #[arg(add = completion::tunnels())]
    tunnel: Option<String>,
    #[command(flatten)]
    watch: Watch,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match arguments.tunnel {
        Some(name) => watch::show(&One { name }, &arguments.watch, context).await,
        None => watch::show(&All, &arguments.watch, context).await,
    }
}

/// Everything.
struct All;

impl Picture for All {
    type Value = Status;

    async fn ask(&self, client: &Client) -> Result<Status, Trouble> {
        client.status().await
    }

    fn render(&self, status: &Status, now: Timestamp, look: Look) -> String {
        render::overview(status, now, look)
    }

    fn ending(&self, status: &Status) -> Ending {
        match status.overview.health.verdict {
            Verdict::Healthy => Ending::Fine,
            Verdict::Attention | Verdict::Failing => Ending::Attention,
        }
    }
}

/// One tunnel.
struct One {
    name: String,
}

impl Picture for One {
    type Value = Tunnel;

    async fn ask(&self, client: &Client) -> Result<Tunnel, Trouble> {
        Ok(client.tunnel(&self.name).await?.tunnel)
    }

    fn render(&self, tunnel: &Tunnel, now: Timestamp, look: Look) -> String {
        render::detail(tunnel, now, look)
    }

    fn ending(&self, tunnel: &Tunnel) -> Ending {
        if is_well(tunnel) { Ending::Fine } else { Ending::Attention }
    }
}

fn is_well(tunnel: &Tunnel) -> bool {
    let waits = !tunnel.holds.is_empty() || tunnel.drift.is_some() || tunnel.routes.iter().any(|route| route.reason.is_some());
    matches!(tunnel.state, State::Ready | State::Stopped) && !waits
}
