//! `adit tunnel create`

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::{interview::interview, tell};
use crate::cli::{
    Context, Ending, Failure,
    arguments::{Rule, Wait},
    completion, definition,
    wait::{Goal, wait},
};

/// Make a tunnel
///
/// The same tunnel again is fine: nothing changes and the command succeeds. A tunnel of that name with another definition is a
/// conflict (5), which "adit tunnel update" is for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit tunnel create web --hostname app.example.com --service http://localhost:8080 --wait
  adit tunnel create --interactive
  adit tunnel create web --file web.toml
  echo '{\"replicas\": 2}' | adit tunnel create spare --file -")]
pub(in crate::cli) struct Create {
    /// The tunnel's name: 1 to 40 of a-z, 0-9 and -.
    #[arg(required_unless_present = "interactive")]
    name: Option<String>,
    /// Ask what the tunnel should be, question by question. Without it nothing is ever asked.
    #[arg(short, long, conflicts_with_all = ["file", "hostname", "service", "path", "no_dns", "account", "replicas"])]
    interactive: bool,
    #[command(flatten)]
    rule: Rule,
    /// The Cloudflare account, by its name in the configuration.
    #[arg(long, add = completion::accounts())]
    account: Option<String>,
    /// How many connectors run on this host.
    #[arg(long, value_name = "NUMBER")]
    replicas: Option<u8>,
    /// Read the definition from a file, or from stdin with -: TOML or JSON, as in the configuration.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hostname", "service", "path", "no_dns", "account", "replicas"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn create(arguments: Create, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let (name, definition) = match (&arguments.name, &arguments.file) {
        (name, _) if arguments.interactive => {
            let answers = interview(name.clone(), context).await?;
            (answers.name, answers.definition)
        }
        (Some(name), Some(file)) => (name.clone(), definition::read(file, name, context.terminal)?),
        (Some(name), None) => (name.clone(), typed(&arguments)?),
        (None, _) => return Err(Failure::new(Ending::Usage, "cannot create a tunnel without a name")),
    };
    let name = &name;
    let changed = context.client.create_tunnel(name, definition).await?;
    if observes(context).await {
        let why =
            "stored; nothing is made at Cloudflare while [daemon] apply is \"observe\": with \"ask\" or \"auto\" there it is";
        tell(context, &changed, why)?;
        return Ok(Ending::Fine);
    }
    tell(context, &changed, "accepted; the tunnel is being made")?;
    wait(&arguments.wait, context, name, &Goal::Serving).await
}

/// Whether the daemon only looks on, so that waiting would be in vain. Who may not see the configuration is told the usual.
async fn observes(context: &Context<'_>) -> bool {
    let configuration = context.client.configuration().await;
    configuration.is_ok_and(|configuration| configuration.value["daemon"]["apply"] == "observe")
}

fn typed(arguments: &Create) -> Result<Value, Failure> {
    let mut definition = Map::new();
    if let Some(account) = &arguments.account {
        definition.insert("account".to_owned(), account.clone().into());
    }
    if let Some(replicas) = arguments.replicas {
        definition.insert("replicas".to_owned(), replicas.into());
    }
    if let Some(rule) = arguments.rule.value() {
        if arguments.rule.service.is_none() {
            let failure = Failure::new(Ending::Usage, "cannot make a route without a service");
            return Err(failure.with_hint("--service http://localhost:8080 says where requests go"));
        }
        definition.insert("ingress".to_owned(), Value::Array(vec![rule]));
    }
    Ok(definition.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn parse(arguments: &[&str]) -> Result<Create, clap::Error> {
        let line = Line::try_parse_from([&["create"], arguments].concat())?;
        Ok(line.create)
    }

    #[test]
    fn flags_become_a_definition() {
        let create = parse(&["web", "--hostname", "app.example.com", "--service", "http://localhost:1", "--replicas", "2"]);
        let expected = json!({
            "replicas": 2, "ingress": [{ "hostname": "app.example.com", "service": "http://localhost:1" }],
        });
        assert_eq!(typed(&create.unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_route_needs_a_service_and_a_file_stands_alone() {
        assert!(typed(&parse(&["web", "--hostname", "app.example.com"]).unwrap()).is_err());
        assert!(parse(&["web", "--file", "web.toml", "--replicas", "2"]).is_err());
        assert!(parse(&["web", "--timeout", "1m"]).is_err(), "a time to wait without waiting");
    }
}
