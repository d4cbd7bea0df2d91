//! `adit route …`

mod adopt;
mod private;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{
    Context, Ending, Failure,
    arguments::{Rule, Wait, Yes},
    completion,
    confirm::confirm,
    render::{self, Look},
    tunnel::tell,
    wait::{Goal, wait},
    watch::{self, Picture, Watch},
};
use crate::control::{
    Client, Trouble,
    api::{ErrorKind, TunnelRoute},
};

use crate::suggestion::question;

/// Lead hostnames and private networks to tunnels
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(List),
    Add(Add),
    Remove(Remove),
    Adopt(adopt::Adopt),
}

/// List every route of every tunnel
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  adit route list\n  adit route list web --watch\n  adit route list -o json | jq -r '.[].hostname'"
)]
pub(super) struct List {
    /// Only those of this tunnel.
    #[arg(add = completion::tunnels())]
    tunnel: Option<String>,
    #[command(flatten)]
    watch: Watch,
}

/// Lead a hostname or a private network to a tunnel that was made over the socket
///
/// The rule of a hostname is put before the first one that would hide it. A DNS record is made unless --no-dns; a record of someone
/// else in its place is a conflict and is left alone. A private network or a private hostname is for devices of the organisation; to
/// add one takes an admin.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit route add web --hostname api.example.com --service http://localhost:9000 --wait\n  \
                        adit route add web --network 10.20.0.0/16 --virtual-network lab\n  \
                        adit route add web --private-hostname wiki.internal.example")]
pub(super) struct Add {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    tunnel: String,
    #[command(flatten)]
    rule: Rule,
    #[command(flatten)]
    private: private::Arguments,
    #[command(flatten)]
    wait: Wait,
}

/// Remove a route, with what Adit made for it at Cloudflare
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit route remove web --hostname api.example.com --yes\n  \
                        adit route remove web --network 10.20.0.0/16 --virtual-network lab --yes")]
pub(super) struct Remove {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    tunnel: String,
    /// The route's hostname.
    #[arg(long, required_unless_present_any = ["network", "private_hostname"], add = completion::hostnames())]
    hostname: Option<String>,
    /// The route's path, if it has one.
    #[arg(long, value_name = "REGEX", requires = "hostname")]
    path: Option<String>,
    #[command(flatten)]
    private: private::Arguments,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn run(command: Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::List(List { tunnel, watch }) => watch::show(&Routes { tunnel }, &watch, context).await,
        Command::Add(arguments) => add(arguments, context).await,
        Command::Remove(arguments) => remove(arguments, context).await,
        Command::Adopt(arguments) => adopt::adopt(arguments, context).await,
    }
}

/// The routes, of one tunnel or of all.
struct Routes {
    tunnel: Option<String>,
}

impl Picture for Routes {
    type Value = Vec<TunnelRoute>;

    async fn ask(&self, client: &Client) -> Result<Vec<TunnelRoute>, Trouble> {
        let mut routes = client.routes().await?;
        if let Some(tunnel) = &self.tunnel {
            routes.retain(|route| route.tunnel == *tunnel);
            if routes.is_empty() {
                // A mistyped name is an error, and not a tunnel without routes.
                client.tunnel(tunnel).await?;
            }
        }
        Ok(routes)
    }

    fn render(&self, routes: &Vec<TunnelRoute>, now: Timestamp, look: Look) -> String {
        let routes = routes.iter().map(|TunnelRoute { tunnel, route }| (tunnel.as_str(), route));
        render::routes(routes, now, look).expending(&["DNS", "KIND", "SERVICE", "CHECKED"]).render(look)
    }

    fn ending(&self, _routes: &Vec<TunnelRoute>) -> Ending {
        Ending::Fine
    }
}

async fn add(arguments: Add, context: &mut Context<'_>) -> Result<Ending, Failure> {
    if let Some(route) = arguments.private.route() {
        let changed = context.client.add_route(&arguments.tunnel, &private::value(&route)).await?;
        tell(context, &changed, "accepted; the route is being made")?;
        return wait(&arguments.wait, context, &arguments.tunnel, &Goal::Serving).await;
    }
    let (Some(rule), Some(_), Some(_)) = (arguments.rule.value(), &arguments.rule.hostname, &arguments.rule.service) else {
        let missing = match (&arguments.rule.hostname, &arguments.rule.service) {
            (Some(_), None) => "--service",
            (None, Some(_)) => "--hostname",
            (_, _) => "--hostname and --service",
        };
        let failure = Failure::new(Ending::Usage, format!("cannot add a route without {missing}"));
        let hint = "such as --hostname app.example.com --service http://localhost:8080, --network 10.20.0.0/16 or \
                    --private-hostname wiki.internal.example";
        return Err(failure.with_hint(hint));
    };
    let changed = context.client.add_route(&arguments.tunnel, &rule).await?;
    tell(context, &changed, "accepted; the route is being made")?;
    wait(&arguments.wait, context, &arguments.tunnel, &Goal::Serving).await
}

/// The failure, with the hostname that may be meant when there is no route for this one: of one tunnel, or of all.
async fn with_suggestion(trouble: Trouble, hostname: &str, tunnel: Option<&str>, context: &Context<'_>) -> Failure {
    let is_unknown = trouble.kind() == Some(ErrorKind::NotFound);
    let failure = Failure::from(trouble);
    if !is_unknown {
        return failure;
    }
    let routes = context.client.routes().await.unwrap_or_default();
    let of_tunnel = routes.iter().filter(|route| tunnel.is_none_or(|tunnel| route.tunnel == tunnel));
    failure.maybe_hint(question(hostname, of_tunnel.filter_map(|route| route.route.hostname.as_deref())))
}

async fn remove(arguments: Remove, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let private = arguments.private.route();
    let path = arguments.path.as_deref();
    let hostname = arguments.hostname.unwrap_or_default();
    let described = match &private {
        Some(route) => private::describe(route),
        None => format!("{hostname}{}", path.map(|path| format!(" {path}")).unwrap_or_default()),
    };
    confirm(context.terminal, arguments.yes.yes, &format!("Remove the route {described} from tunnel {:?}", arguments.tunnel))?;
    let changed = match private {
        Some(route) => context.client.remove_named_route(&arguments.tunnel, &route).await?,
        None => match context.client.remove_route(&arguments.tunnel, &hostname, path).await {
            Ok(changed) => changed,
            Err(trouble) => return Err(with_suggestion(trouble, &hostname, Some(&arguments.tunnel), context).await),
        },
    };
    tell(context, &changed, "accepted; the route is being removed")?;
    wait(&arguments.wait, context, &arguments.tunnel, &Goal::Serving).await
}
