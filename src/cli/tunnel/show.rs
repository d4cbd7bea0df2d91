//! `adit tunnel list`, `adit tunnel show`

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    cli::{
        Context, Ending, Failure, completion,
        render::{self, Cell, Look, Table, Tone},
        watch::{self, Picture, Watch},
    },
    control::{
        Client, Trouble,
        api::{Tunnel, TunnelDetail},
    },
};

/// List every tunnel
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  adit tunnel list\n  adit tunnel list --watch\n  adit tunnel list -o json | jq -r '.[].name'"
)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    watch: Watch,
}

/// Show one tunnel: what runs, what leads to it, and how it is defined
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit tunnel show web\n  adit tunnel show web -o json | jq .definition")]
pub(in crate::cli) struct Show {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    #[command(flatten)]
    watch: Watch,
}

pub(super) async fn list(arguments: List, context: &mut Context<'_>) -> Result<Ending, Failure> {
    watch::show(&Tunnels, &arguments.watch, context).await
}

pub(super) async fn show(arguments: Show, context: &mut Context<'_>) -> Result<Ending, Failure> {
    watch::show(&Detail { name: arguments.name }, &arguments.watch, context).await
}

/// Every tunnel.
struct Tunnels;

impl Picture for Tunnels {
    type Value = Vec<Tunnel>;

    async fn ask(&self, client: &Client) -> Result<Vec<Tunnel>, Trouble> {
        client.tunnels().await
    }

    fn render(&self, tunnels: &Vec<Tunnel>, _now: Timestamp, look: Look) -> String {
        table(tunnels).render(look)
    }

    fn ending(&self, _tunnels: &Vec<Tunnel>) -> Ending {
        Ending::Fine
    }
}

/// One tunnel with its definition.
struct Detail {
    name: String,
}

impl Picture for Detail {
    type Value = TunnelDetail;

    async fn ask(&self, client: &Client) -> Result<TunnelDetail, Trouble> {
        client.tunnel(&self.name).await
    }

    fn render(&self, detail: &TunnelDetail, now: Timestamp, look: Look) -> String {
        format!("{}\n{}", render::detail(&detail.tunnel, now, look), definition(detail))
    }

    fn ending(&self, _detail: &TunnelDetail) -> Ending {
        Ending::Fine
    }
}

fn table(tunnels: &[Tunnel]) -> Table<7> {
    let mut table =
        Table::new(["TUNNEL", "STATE", "REPLICAS", "ROUTES", "ACCOUNT", "ID", "DEFINED IN"]).expending(&["ID", "DEFINED IN"]);
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

/// The definition as it would stand in a file.
fn definition(detail: &TunnelDetail) -> String {
    let tunnels = Map::from_iter([(detail.tunnel.name.clone(), detail.definition.clone())]);
    let file = Map::from_iter([("tunnels".to_owned(), Value::Object(tunnels))]);
    let text = toml::to_string(&file).unwrap_or_else(|_| render::json(&file));
    render::plain_lines(&text)
}
