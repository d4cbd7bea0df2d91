//! `adit import`
//!
//! ```text
//!  read (caller's rights) ─▶ translate ─▶ look at the tunnel ─▶ consent ─▶ adopt, define ─▶ ready? ─▶ stop the service ─▶ still ready?
//!                                                                             └──────────── no ───────────┴──────▶ way back
//! ```
//!
//! No secret leaves the caller's hands: the daemon asks Cloudflare for the tunnel's own, so that what a file says about a tunnel is
//! never taken for true.

mod service;
mod source;
mod takeover;

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use self::source::Found;
use super::{
    Context, Ending, Failure, Output, arguments::Yes, completion, confirm::confirm, programs::Programs, render::plain,
    when::duration,
};
use crate::{
    config::{self, Service, Source, tunnel_toml},
    control::api::{AdoptTunnel, CheckOrigins, Problem, TunnelAdoption},
    counted::counted,
    daemon::Environment,
    import::{CONFIG_FILE, tunnel_name},
    name::TunnelName,
    plan::definition_of,
    suggestion::question_or_list,
};

/// Take over a tunnel that cloudflared runs on this host
///
/// It reads cloudflared's config.yml, or with --service the unit of the installed service, with your rights; shows the translation,
/// what is left out and why, the tunnel as Cloudflare has it, and whether its origins answer the daemon. Then it asks. Adit's connector is
/// started beside the old one and must serve before the old service is stopped; when anything fails, or Ctrl-C ends it, all is as it was
/// before. DNS records stay as they are (dns = false); when Cloudflare keeps the tunnel's configuration, that one counts and not the file's.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit import --dry-run                      look at /etc/cloudflared/config.yml
  adit import ./config.yml --name web
  sudo adit import --service --yes           the installed service, which is stopped when Adit serves")]
pub(super) struct Arguments {
    /// cloudflared's configuration file.
    #[arg(default_value = CONFIG_FILE, conflicts_with = "service")]
    file: PathBuf,
    /// Import what this systemd service runs, and stop and disable it when Adit's connector serves.
    #[arg(long, value_name = "UNIT", num_args = 0..=1, default_missing_value = "cloudflared.service")]
    service: Option<String>,
    /// Leave the service running.
    #[arg(long, requires = "service")]
    keep_service: bool,
    /// The name in Adit; when left out, what the tunnel is called at Cloudflare, made valid.
    #[arg(long)]
    name: Option<TunnelName>,
    /// Its Cloudflare account, by the name in the configuration.
    #[arg(long, add = completion::accounts())]
    account: Option<String>,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    /// How long Adit's connector may take to serve.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    timeout: std::time::Duration,
    #[command(flatten)]
    yes: Yes,
}

/// What is to be taken over, as it was shown.
struct Import {
    name: TunnelName,
    /// What is asked of the daemon, with the hash of what was shown.
    asked: AdoptTunnel,
    /// Its definition.
    definition: Map<String, Value>,
}

pub(super) async fn run(arguments: Arguments, environment: &Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let programs = Programs::on(environment.path.as_deref());
    let found = match &arguments.service {
        Some(unit) => service::read(unit, &programs).await?,
        None => source::read_config(&arguments.file)?,
    };
    let import = look(&arguments, found, context).await?;
    if arguments.dry_run {
        context.terminal.tell("nothing was changed (--dry-run)");
        return Ok(Ending::Fine);
    }
    confirm(context.terminal, arguments.yes.yes, &format!("Import it as tunnel {:?}", import.name.as_str()))?;
    takeover::run(&arguments, import, &programs, context).await
}

/// Shows everything that is known before anything is changed.
async fn look(arguments: &Arguments, found: Found, context: &mut Context<'_>) -> Result<Import, Failure> {
    let provisional = arguments.name.clone().or_else(|| found.tunnel_name.as_deref().and_then(tunnel_name));
    let name = provisional.unwrap_or_else(|| "imported".parse().expect("it is a name"));
    let mut asked = AdoptTunnel { id: Some(found.id.to_string()), account: arguments.account.clone(), ..AdoptTunnel::default() };
    asked.define_later = true;
    check_account(arguments.account.as_deref(), context).await?;
    let look = async |name: &TunnelName| {
        let looking = context.client.look_at_tunnel(name.as_str(), &asked).await;
        looking.map_err(|trouble| Failure::from(trouble).while_doing(format!("cannot import tunnel {}", found.id)))
    };
    let mut shown = look(&name).await?;
    let called = || arguments.name.clone().or_else(|| tunnel_name(&shown.cloudflare_name));
    let name = called().ok_or_else(|| {
        let message = format!("cannot make a name of {:?}, as the tunnel is called at Cloudflare", shown.cloudflare_name);
        Failure::new(Ending::Usage, message).with_hint("--name says what it is called here")
    })?;
    if context.client.tunnel(name.as_str()).await.is_ok() {
        let message = format!("cannot import as {:?}: there is a tunnel of that name", name.as_str());
        return Err(Failure::new(Ending::Conflict, message).with_hint("--name gives it another"));
    }
    if shown.tunnel != name.as_str() {
        shown = look(&name).await?;
    }
    asked.hash = Some(shown.hash.clone());
    let definition = definition(&found, &shown)?;
    show(context, &name, &found, &shown, &definition)?;
    check_definition(&name, &definition)?;
    let services = services(&definition);
    for origin in context.client.check_origins(&CheckOrigins { services }).await? {
        if origin.reachable.is_some() {
            context.terminal.tell(&format!("origin {}: {}", plain(&origin.service), plain(&origin.answer)));
        }
    }
    Ok(Import { name, asked, definition })
}

/// The account is looked for first: a slip in its name is not the tunnel's fault.
async fn check_account(account: Option<&str>, context: &Context<'_>) -> Result<(), Failure> {
    let Some(account) = account else { return Ok(()) };
    let known = context.client.credentials().await?;
    let names = || known.iter().map(|credential| credential.account.as_str());
    if names().any(|name| name == account) {
        return Ok(());
    }
    let message = format!("cannot import into account {account:?}: the configuration has no [accounts.{account}]");
    Err(Failure::new(Ending::Failed, message).maybe_hint(question_or_list(account, names())))
}

/// The origins of a definition that the daemon tries, each once; of very many the first.
fn services(definition: &Map<String, Value>) -> Vec<String> {
    let rules = definition.get("ingress").and_then(Value::as_array).into_iter().flatten();
    let services = rules.filter_map(|rule| rule.get("service")?.as_str()).filter(|text| text.parse::<Service>().is_ok());
    let services: BTreeSet<&str> = services.collect();
    services.into_iter().take(ORIGINS_MAX).map(str::to_owned).collect()
}

/// The definition: of what Cloudflare has stored, where it keeps the configuration, and else of the file. Either way the DNS
/// records stay whose they are.
fn definition(found: &Found, shown: &TunnelAdoption) -> Result<Map<String, Value>, Failure> {
    let account = ("account".to_owned(), Value::from(shown.account.as_str()));
    if shown.configuration != REMOTE {
        let Some(translation) = &found.translation else {
            let message =
                "cannot import it: Cloudflare keeps no configuration for the tunnel, and the service names no file with one";
            return Err(Failure::new(Ending::Failed, message).with_hint("adit import FILE reads a config.yml"));
        };
        return Ok(translation.definition.clone().into_iter().chain([account]).collect());
    }
    let Value::Object(mut definition) = definition_of(&shown.document, &[]) else { return Ok(Map::from_iter([account])) };
    // How this host's connector reaches Cloudflare is the file's affair in both cases.
    let protocol = found.translation.as_ref().and_then(|translation| translation.definition.get_key_value("protocol"));
    definition.extend(protocol.map(|(key, value)| (key.clone(), value.clone())));
    definition.extend([account]);
    Ok(definition)
}

/// How many origins the daemon tries at once.
const ORIGINS_MAX: usize = 50;

/// Cloudflare's own word, as the daemon has it, for a configuration that it keeps.
const REMOTE: &str = "remote";

/// Holds the definition against the grammar before anything is asked for; the daemon, which knows the rest of the configuration,
/// does it again.
fn check_definition(name: &TunnelName, definition: &Map<String, Value>) -> Result<(), Failure> {
    let mut alone = definition.clone();
    alone.remove("account");
    let text = tunnel_toml(name, &alone).map_err(Failure::of)?;
    let text = format!("{text}\n[accounts.default]\napi_token = {{ file = \"/\" }}\n");
    config::parse(&[Source { path: PathBuf::from("translation"), text }]).map(drop).map_err(|problems| {
        let details =
            problems.0.iter().map(|problem| Problem { at: Some(problem.key.clone()), problem: problem.message.clone() });
        Failure::new(Ending::Failed, "cannot import it: Adit's grammar does not take it").with_details(details.collect())
    })
}

fn show(
    context: &mut Context<'_>,
    name: &TunnelName,
    found: &Found,
    shown: &TunnelAdoption,
    definition: &Map<String, Value>,
) -> Result<(), Failure> {
    match context.output {
        Output::Json => {
            let left_out = found.translation.iter().flat_map(|translation| &translation.left_out);
            let left_out: Vec<Value> =
                left_out.map(|remark| serde_json::json!({ "line": remark.line, "key": remark.key, "why": remark.why })).collect();
            let answer = serde_json::json!({
                "tunnel": name, "definition": definition, "left_out": left_out, "adoption": shown,
            });
            context.terminal.print_json(&answer)?;
        }
        Output::Table => {
            let toml = tunnel_toml(name, definition).map_err(Failure::of)?;
            context.terminal.print_file(&toml)?;
        }
    }
    let TunnelAdoption { cloudflare_name, id, cloudflare_status, connectors, records, notes, .. } = shown;
    let is_remote = shown.configuration == REMOTE;
    let tell = &mut |text: String| context.terminal.tell(&text);
    tell(format!("tunnel {cloudflare_name} ({id}) is {cloudflare_status}, {} connected", counted(connectors.len(), "connector")));
    if is_remote && found.translation.is_some() {
        tell("Cloudflare keeps its configuration: cloudflared ignores the rules of the file, and so does this".to_owned());
    } else {
        for remark in found.translation.iter().flat_map(|translation| &translation.left_out) {
            tell(format!("left out: {remark}"));
        }
    }
    for record in records {
        tell(format!("DNS record {} stays as it is", plain(&record.name)));
    }
    for note in notes {
        tell(format!("note: {note}"));
    }
    Ok(())
}
