//! `adit route …`

use clap::{Args, Subcommand};

use super::{
    Context, Ending, Failure, Output,
    arguments::{Rule, Wait, Yes},
    confirm::confirm,
    render::{Cell, Table, Tone},
    tunnel::tell,
    wait::{Goal, wait},
};
use crate::control::api::TunnelRoute;

/// Lead hostnames to tunnels
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(List),
    Add(Add),
    Remove(Remove),
}

/// List every route of every tunnel
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those of this tunnel.
    tunnel: Option<String>,
}

/// Lead a hostname to a tunnel that was made over the socket
///
/// The rule is put before the first one that would hide it. A DNS record is made unless --no-dns; a record of someone else in
/// its place is a conflict and is left alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit route add web --hostname api.example.com --service http://localhost:9000 --wait")]
pub(super) struct Add {
    /// The tunnel's name.
    tunnel: String,
    #[command(flatten)]
    rule: Rule,
    #[command(flatten)]
    wait: Wait,
}

/// Remove a route, with the DNS record that Adit made for it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit route remove web --hostname api.example.com --yes")]
pub(super) struct Remove {
    /// The tunnel's name.
    tunnel: String,
    /// The route's hostname.
    #[arg(long)]
    hostname: String,
    /// The route's path, if it has one.
    #[arg(long, value_name = "REGEX")]
    path: Option<String>,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn run(command: Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Add(arguments) => add(arguments, context).await,
        Command::Remove(arguments) => remove(arguments, context).await,
    }
}

async fn list(arguments: List, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut routes = context.client.routes().await?;
    if let Some(tunnel) = &arguments.tunnel {
        // A mistyped name is an error, and not a tunnel without routes.
        context.client.tunnel(tunnel).await?;
        routes.retain(|route| route.tunnel == *tunnel);
    }
    match context.output {
        Output::Json => context.terminal.print_json(&routes)?,
        Output::Table => {
            let text = table(&routes).render(context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(Ending::Fine)
}

fn table(routes: &[TunnelRoute]) -> Table<7> {
    let mut table = Table::new(["HOSTNAME", "PATH", "TUNNEL", "SERVICE", "DNS", "STATE", "WHY"]);
    for TunnelRoute { tunnel, route } in routes {
        table.row([
            Cell::new(route.hostname.as_deref().unwrap_or("*")),
            Cell::maybe(route.path.as_ref()),
            Cell::new(tunnel),
            Cell::maybe(route.service.as_ref()),
            Cell::new(if route.dns { "yes" } else { "no" }),
            Cell::toned(route.state.word(), Tone::of_route(route.state)),
            Cell::maybe(route.reason.as_ref()),
        ]);
    }
    table
}

async fn add(arguments: Add, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let (Some(rule), Some(_), Some(_)) = (arguments.rule.value(), &arguments.rule.hostname, &arguments.rule.service) else {
        let failure = Failure::new(Ending::Usage, "cannot add a route without --hostname and --service");
        return Err(failure.with_hint("such as --hostname app.example.com --service http://localhost:8080"));
    };
    let changed = context.client.add_route(&arguments.tunnel, &rule).await?;
    tell(context, &changed, "accepted; the route is being made")?;
    wait(&arguments.wait, context, &arguments.tunnel, &Goal::Serving).await
}

async fn remove(arguments: Remove, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let path = arguments.path.as_deref();
    let described = format!("{}{}", arguments.hostname, path.map(|path| format!(" {path}")).unwrap_or_default());
    confirm(context.terminal, arguments.yes.yes, &format!("Remove the route {described} from tunnel {:?}", arguments.tunnel))?;
    let changed = context.client.remove_route(&arguments.tunnel, &arguments.hostname, path).await?;
    tell(context, &changed, "accepted; the route is being removed")?;
    wait(&arguments.wait, context, &arguments.tunnel, &Goal::Serving).await
}
