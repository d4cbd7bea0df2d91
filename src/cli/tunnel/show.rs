//! `adit tunnel list`, `adit tunnel show`

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    cli::{
        Context, Ending, Failure, Output,
        render::{self, Cell, Table, Tone},
    },
    control::api::{Tunnel, TunnelDetail},
};

/// List every tunnel
#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

/// Show one tunnel: what runs, what leads to it, and how it is defined
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The tunnel's name.
    name: String,
}

pub(super) async fn list(context: &mut Context<'_>) -> Result<Ending, Failure> {
    let tunnels = context.client.tunnels().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&tunnels)?,
        Output::Table => {
            let text = table(&tunnels).render(context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(Ending::Fine)
}

fn table(tunnels: &[Tunnel]) -> Table<7> {
    let mut table = Table::new(["TUNNEL", "STATE", "REPLICAS", "ROUTES", "ACCOUNT", "ID", "DEFINED IN"]);
    for tunnel in tunnels {
        table.row([
            Cell::new(&tunnel.name),
            Cell::toned(tunnel.state.word(), Tone::of_state(tunnel.state)),
            Cell::new(tunnel.replicas.to_string()),
            Cell::new(tunnel.routes.len().to_string()),
            Cell::new(&tunnel.account),
            Cell::maybe(tunnel.id.as_ref()),
            Cell::new(&tunnel.origin),
        ]);
    }
    table
}

pub(super) async fn show(arguments: Show, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let detail = context.client.tunnel(&arguments.name).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&detail)?,
        Output::Table => {
            let text = render::detail(&detail.tunnel, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
            context.terminal.print(&format!("\n{}", definition(&detail)))?;
        }
    }
    Ok(Ending::Fine)
}

/// The definition as it would stand in a file.
fn definition(detail: &TunnelDetail) -> String {
    let tunnels = Map::from_iter([(detail.tunnel.name.clone(), detail.definition.clone())]);
    let file = Map::from_iter([("tunnels".to_owned(), Value::Object(tunnels))]);
    let text = toml::to_string(&file).unwrap_or_else(|_| render::json(&file));
    text.lines().map(|line| format!("{}\n", render::plain(line))).collect()
}
