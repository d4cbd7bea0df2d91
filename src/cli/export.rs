//! `adit export`

use clap::Args;
use serde_json::{Map, Value};

use super::{Context, Ending, Failure, Output, completion};
use crate::{config::tunnel_toml, name::TunnelName};

/// Print the tunnels as configuration: TOML for adit.toml or conf.d
///
/// It is what is in force, whether it was written in files or made over the socket. No secret is in it, nor are accounts: a
/// tunnel moves to another host with "adit tunnel adopt", which asks Cloudflare for its secret.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit export > tunnels.toml\n  adit export web")]
pub(super) struct Arguments {
    /// Only this tunnel.
    #[arg(add = completion::tunnels())]
    tunnel: Option<String>,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let names = match arguments.tunnel {
        Some(name) => vec![name],
        None => context.client.tunnels().await?.into_iter().map(|tunnel| tunnel.name).collect(),
    };
    let (mut text, mut values, mut complete) = (String::new(), Map::new(), true);
    for name in names {
        let detail = context.client.tunnel(&name).await?;
        match &detail.definition {
            Value::Object(definition) => {
                text += &exported(&name, &detail.tunnel.origin, definition)?;
                values.insert(name, detail.definition);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                complete = false;
                text += &format!("# {name} has no definition: it is being deleted, or its definition cannot be read\n\n");
            }
        }
    }
    match context.output {
        Output::Json => context.terminal.print_json(&Value::from_iter([("tunnels", Value::Object(values))]))?,
        Output::Table => context.terminal.print_file(&text)?,
    }
    Ok(if complete { Ending::Fine } else { Ending::Attention })
}

/// One tunnel's table.
fn exported(name: &str, origin: &str, definition: &Map<String, Value>) -> Result<String, Failure> {
    let parsed: TunnelName = name.parse().map_err(Failure::of)?;
    let toml = tunnel_toml(&parsed, definition).map_err(Failure::of)?;
    Ok(format!("# from {}\n{toml}\n", super::render::plain(origin)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Source, parse};

    const ACCOUNT: &str = "[accounts.default]\napi_token = { file = \"/etc/token\" }\n";

    fn tunnels(text: &str) -> Vec<Value> {
        let config = parse(&[Source { path: "adit.toml".into(), text: format!("{ACCOUNT}\n{text}") }]).unwrap();
        config.tunnels.values().map(|tunnel| tunnel.definition()).collect()
    }

    #[test]
    fn what_is_exported_is_read_as_the_same_tunnel() {
        let written = "[tunnels.web]\nreplicas = 2\nprotocol = \"http2\"\nconfiguration = \"local\"\nmemory_limit = \"256MiB\"\n\
            originRequest = { connectTimeout = \"5s\" }\n\
            ingress = [{ hostname = \"*.example.com\", path = \"a\\\"b\", service = \"unix:/run/a\", dns = false },\n\
            { service = \"http_status:404\" }]\nhealth = { origin = { http = \"/up\" } }\n";
        let before = tunnels(written);
        let text = exported("web", "file:/etc/adit/adit.toml", before[0].as_object().unwrap()).unwrap();
        assert_eq!(tunnels(&text), before, "{text}");
    }

    #[test]
    fn where_it_comes_from_cannot_leave_its_comment() {
        let text = exported("web", "file:/a\n[access]", json!({ "account": "default" }).as_object().unwrap()).unwrap();
        assert_eq!(text.parse::<toml::Table>().unwrap().keys().collect::<Vec<_>>(), ["tunnels"]);
    }
}
