//! `adit tunnel adopt`

use clap::Args;
use serde_json::Value;

use crate::{
    cli::{
        Context, Ending, Failure, Output,
        arguments::{Wait, Yes},
        completion,
        confirm::confirm,
        render::plain,
        wait::{Goal, wait},
    },
    config::tunnel_toml,
    control::api::{self, Change, FoundRecord, TunnelAdoption},
    name::{TunnelName, is_uuid_shaped},
};

/// Take a tunnel over that others made
///
/// It shows what Adit will own: the tunnel, its connectors wherever they run, its stored configuration with what changes of it, and
/// the DNS records that lead to it. It asks, and acts only if all that is still so (else 5). What was there is kept in the state
/// directory. The tunnel keeps its id and its name at Cloudflare; connectors that run elsewhere are not stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit tunnel adopt web                         the one named so, or whose name is in the way
  adit tunnel adopt web --cloudflare-name prod  the one named prod there, as web here
  adit tunnel adopt web --id 5c2d… --from-cloudflare --yes --wait
  adit tunnel adopt web --id 5c2d… --define-later   and then add [tunnels.web] to the files")]
pub(in crate::cli) struct Adopt {
    /// The name that the tunnel has in the configuration, or gets with --from-cloudflare.
    name: String,
    /// Its id at Cloudflare.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    id: Option<String>,
    /// Its name at Cloudflare.
    #[arg(long, value_name = "NAME", conflicts_with = "id")]
    cloudflare_name: Option<String>,
    /// Make its definition from the configuration that Cloudflare has stored.
    #[arg(long)]
    from_cloudflare: bool,
    /// Take it before the configuration has it: nothing of it runs here or changes until then.
    #[arg(long, conflicts_with = "from_cloudflare")]
    define_later: bool,
    /// For one that the configuration does not have: its Cloudflare account, by the name there.
    #[arg(long, add = completion::accounts())]
    account: Option<String>,
    /// Take it also from this other installation of Adit, which must be gone for good: it would go on changing it.
    #[arg(long, value_name = "INSTALL")]
    from_install: Option<String>,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn adopt(arguments: Adopt, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let name = &arguments.name;
    let asked = api::AdoptTunnel {
        id: arguments.id,
        cloudflare_name: arguments.cloudflare_name,
        account: arguments.account,
        from_cloudflare: arguments.from_cloudflare,
        define_later: arguments.define_later,
        from_install: arguments.from_install,
        hash: None,
    };
    let shown = context.client.look_at_tunnel(name, &asked).await?;
    context.terminal.show(&render(&shown));
    if !shown.is_ours || shown.definition.is_some() {
        confirm(context.terminal, arguments.yes.yes, &format!("Adopt it as tunnel {name:?}"))?;
    }
    let asked = api::AdoptTunnel { id: Some(shown.id), cloudflare_name: None, hash: Some(shown.hash), ..asked };
    let adopted = context.client.adopt_tunnel(name, &asked).await?;
    match (context.output, adopted.change) {
        (Output::Json, Change::Accepted | Change::Unchanged) => context.terminal.print_json(&adopted)?,
        (Output::Table, Change::Unchanged) => context.terminal.tell(&format!("{name}: nothing to change, it is ours already")),
        (Output::Table, Change::Accepted) => {
            let next = if arguments.define_later {
                format!("add [tunnels.{name}] to the configuration, and its connectors start")
            } else {
                "its connectors are started here".to_owned()
            };
            context.terminal.tell(&format!("{name}: adopted; {next}"));
            for kept in &adopted.kept {
                context.terminal.tell(&format!("what was there is kept in {kept}"));
            }
            for left in &adopted.left {
                context.terminal.tell(&format!("left alone: {left} (`adit route adopt` takes it over)"));
            }
        }
    }
    wait(&arguments.wait, context, name, &Goal::Serving).await
}

fn render(shown: &TunnelAdoption) -> String {
    let TunnelAdoption { tunnel, account, id, cloudflare_name, configuration, ownership, .. } = shown;
    let mut lines = vec![
        format!("tunnel {tunnel} of account {account}: {cloudflare_name} ({id})"),
        format!("  status         {}", or_unknown(&shown.cloudflare_status)),
        format!("  configuration  {configuration}{}, {ownership} from then on", version(shown.version)),
    ];
    lines.push(match shown.connectors.len() {
        0 => "  connectors     none runs".to_owned(),
        count => {
            format!("  connectors     {count} run; those on other hosts stay connected, stop them there if they are not wanted")
        }
    });
    for connector in &shown.connectors {
        let from = connector.addresses.join(", ");
        lines.push(format!("    {} cloudflared {} from {}", connector.id, or_unknown(&connector.version), or_unknown(&from)));
    }
    if configuration == "remote" {
        let word = if shown.changes.is_empty() { "is as it is wanted" } else { "changes" };
        lines.push(format!("  what is stored {word}"));
    }
    lines.extend(shown.changes.iter().map(|change| format!("    {change}")));
    lines.push(match shown.records.len() {
        0 => "  DNS records    none leads to it".to_owned(),
        count => format!("  DNS records    {count} lead to it"),
    });
    lines.extend(shown.records.iter().map(record));
    lines.extend(shown.install.iter().map(|install| {
        format!("  ! another installation of Adit ({install}) made it and goes on changing it, unless it is gone for good")
    }));
    lines.extend(shown.notes.iter().map(|note| format!("  # {note}")));
    if let Some(definition) = &shown.definition {
        lines.push("  definition".to_owned());
        lines.extend(written(tunnel, definition).lines().map(|line| format!("    {line}")));
    }
    lines.into_iter().map(|line| format!("{}\n", plain(&line))).collect()
}

/// The definition as it would stand in a file.
fn written(tunnel: &str, definition: &Value) -> String {
    let name: Option<TunnelName> = tunnel.parse().ok();
    let toml = name.zip(definition.as_object()).and_then(|(name, definition)| tunnel_toml(&name, definition).ok());
    toml.unwrap_or_else(|| definition.to_string())
}

/// Cloudflare is not asked for what cannot be an id.
fn uuid(text: &str) -> Result<String, String> {
    if is_uuid_shaped(text) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a tunnel's id is a UUID; a name at Cloudflare is looked for by --cloudflare-name".to_owned())
}

fn record(record: &FoundRecord) -> String {
    let comment = record.comment.as_ref().map(|comment| format!(" ({comment:?})")).unwrap_or_default();
    let fate = match record.fate.as_str() {
        "taken" if !record.proxied => "becomes ours, and proxied",
        "taken" => "becomes ours",
        "ours" => "is ours",
        "other-install" => "stays: another installation of Adit marked it",
        _ => "stays: no route of the tunnel is for it",
    };
    format!("    {}{comment}: {fate}", record.name)
}

fn version(version: Option<i64>) -> String {
    version.map(|version| format!(" (version {version})")).unwrap_or_default()
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}
