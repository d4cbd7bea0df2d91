//! `adit setup`
//!
//! ```text
//!  who and where ─▶ what is there ─▶ token ─▶ account ─▶ tunnel ─▶ rights ─▶ encrypt ─▶ write ─▶ start
//!  └───────────────────── nothing is changed ───────────────────────────────────────┘
//! ```
//!
//! The token is in memory alone until it is written, and reaches a child process only by its standard input. Each step that changes
//! something leaves what works, and a second call goes on from there.

mod account;
mod draft;
mod files;
mod fragment;
mod host;
mod keeping;
mod service;
mod token;
mod tunnel;
mod writing;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::Serialize;

use self::{
    draft::{Draft, Ground},
    host::Host,
    keeping::{Kept, Place},
    service::Outcome,
    tunnel::FirstTunnel,
    writing::{Done, Mode, Plan},
};
use super::{Context, Ending, Failure, Output, arguments::Rule, cloudflared};
use crate::{
    cloudflare::Client,
    config::Config,
    control::api::DoctorResult,
    daemon::Environment,
    id::AccountId,
    name::{AccountName, TunnelName},
    secret::Secret,
};

/// How often a tunnel that cannot be used is asked for again.
const TRIES_MAX: usize = 3;

/// Make the first configuration of this host, or add an account
///
/// Asks for the API token of a Cloudflare account (on a terminal without showing it; else all of stdin is the token), tries it and
/// names each right that is missing, keeps it encrypted by systemd where the host can, writes conf.d/account-NAME.toml, and with
/// --tunnel conf.d/tunnel-NAME.toml, and starts the service. Nothing that is there is written over, and nothing is written before
/// everything was tried. Run it again after anything went wrong: it goes on from where it was.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo adit setup
  sudo adit setup --tunnel web --hostname app.example.com --service http://localhost:8080
  sudo adit setup --dry-run < token          what would be done and written
  sudo adit setup --name second              another account, with a token of its own
  sudo adit setup --replace                  another token in the place of the one that is there
  adit setup --config ./adit.toml            for a daemon that you start yourself, without root")]
pub(super) struct Arguments {
    /// What the account is called in the configuration.
    #[arg(long, default_value = "default")]
    name: AccountName,
    /// The Cloudflare account, by its id; asked for where the token sees several.
    #[arg(long, value_name = "ID")]
    account_id: Option<AccountId>,
    /// Make a first tunnel of this name.
    #[arg(long, value_name = "NAME", requires = "service")]
    tunnel: Option<TunnelName>,
    #[command(flatten)]
    rule: Rule,
    /// Where the token is kept: as an encrypted credential of systemd, in a file of mode 0600, or in a file where systemd cannot.
    #[arg(long, value_enum, value_name = "auto|systemd|file", default_value_t = Store::Auto, hide_possible_values = true)]
    store: Store,
    /// Ask for the token of an account that has one, and put it in the place of that one.
    #[arg(long)]
    replace: bool,
    /// Take the token without trying it at Cloudflare.
    #[arg(long)]
    offline: bool,
    /// Only write the files: enable and start nothing.
    #[arg(long)]
    no_start: bool,
    /// Only show what would be done and written.
    #[arg(long)]
    dry_run: bool,
    /// The API's address, where it is not Cloudflare's own.
    #[arg(long, value_name = "URL")]
    api_base: Option<String>,
    /// The main file of a daemon that you start yourself: the token goes into a file beside it, and systemd is left alone.
    #[arg(long = "config", value_name = "FILE")]
    main: Option<PathBuf>,
}

/// Where the token is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// As a credential where systemd can, else in a file.
    Auto,
    /// As an encrypted credential of systemd.
    Systemd,
    /// In a file.
    File,
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Summary {
    account: String,
    /// Its id at Cloudflare, as far as it is known.
    account_id: Option<AccountId>,
    /// Where its token is.
    token: String,
    tunnel: Option<String>,
    /// What was changed, one sentence each.
    done: Vec<String>,
    /// What became of the service.
    service: Outcome,
    dry_run: bool,
}

pub(super) async fn run(arguments: Arguments, environment: &Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    if arguments.tunnel.is_none() && arguments.rule.value().is_some() {
        let failure = Failure::new(Ending::Usage, "cannot make a tunnel without a name");
        return Err(failure.with_hint("--tunnel web, with --hostname and --service"));
    }
    let host = Host::of(arguments.main.as_deref(), environment)?;
    carry_out(&arguments, &host, context).await
}

async fn carry_out(arguments: &Arguments, host: &Host, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut done = Done::default();
    let summary = match steps(arguments, host, &mut done, context).await {
        Ok(summary) => summary,
        Err(failure) => return Err(done.before(failure)),
    };
    match context.output {
        Output::Json => context.terminal.print_json(&summary)?,
        Output::Table if summary.dry_run => context.terminal.tell("nothing was changed (--dry-run)"),
        Output::Table => {}
    }
    if summary.service.is_up() { service::show(summary.tunnel.as_deref(), context).await } else { Ok(Ending::Fine) }
}

/// A folder that other calls keep away from.
struct Claim(File);

impl Drop for Claim {
    fn drop(&mut self) {
        // Not by closing alone: a process that is being started still shares the descriptor.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Keeps other calls away for as long as it is held: each decides by what stands there when it begins, and a second one would put its
/// token in the place of the first one's. `None` where there is no folder yet.
fn claim(host: &Host) -> Result<Option<Claim>, Failure> {
    let folder = host.main.parent().unwrap_or(Path::new("/"));
    let failed = |error: io::Error| Failure::of(error).while_doing(format!("cannot set up what is in {folder:?}"));
    let claim = match File::open(folder) {
        Ok(claim) => claim,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match flock(&claim, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Claim(claim))),
        Err(Errno::WOULDBLOCK) => {
            let message = format!("cannot set up what is in {folder:?}: another \"adit setup\" is at work there");
            Err(Failure::new(Ending::Conflict, message).with_hint("nothing was changed; when that one has ended, run this again"))
        }
        Err(error) => Err(failed(error.into())),
    }
}

async fn steps(arguments: &Arguments, host: &Host, done: &mut Done, context: &mut Context<'_>) -> Result<Summary, Failure> {
    let mode = if arguments.dry_run { Mode::Tell } else { Mode::Do };
    let _claim = match mode {
        Mode::Do => claim(host)?,
        Mode::Tell => None,
    };
    let ground = Ground::look(host)?;
    if !arguments.no_start && mode == Mode::Do {
        service::look(host).await?;
    }
    tell_of_cloudflared(&ground.now, host, context).await;
    let mut draft = Draft::begin(arguments, host, &ground)?;
    let token = match draft.wants_token {
        true => Some(obtain(arguments, host, &ground, &mut draft, context).await?),
        false => {
            let (name, source) = (&arguments.name, &draft.source);
            context.terminal.tell(&format!("account \"{name}\" is configured already, its token is {source}"));
            None
        }
    };
    if draft.tunnel.is_none() && draft.wants_token && ground.now.tunnels.is_empty() {
        draft.tunnel = ask_tunnel(&draft, &ground, context)?;
    }
    let config = ground.with(&draft.files()?)?;
    let kept = match token {
        Some(token) => Some(token.keep(arguments, host, &config, mode, context).await?),
        None => None,
    };
    if let Some(kept) = &kept {
        draft.source = kept.target.source();
    }
    let files = ground.missing_main.iter().cloned().chain(draft.drop_in()).chain(draft.files()?);
    let plan = Plan { token: kept, files: files.collect() };
    plan.check()?;
    let written = plan.write(host, mode, done, context)?;
    let service = match (arguments.no_start, mode) {
        (true, _) => Outcome::LeftAlone,
        (false, Mode::Tell) => service::would_bring_up(host, context)?,
        (false, Mode::Do) => service::bring_up(host, &written, done, context).await?,
    };
    Ok(Summary {
        account: arguments.name.to_string(),
        account_id: draft.account_id,
        token: draft.source.to_string(),
        tunnel: draft.tunnel.map(|tunnel| tunnel.name.to_string()),
        done: done.0.clone(),
        service,
        dry_run: mode == Mode::Tell,
    })
}

/// Shows what would be done: data for people, and words beside a program's JSON.
fn show_plan(text: &str, context: &mut Context<'_>) -> Result<(), Failure> {
    match context.output {
        Output::Table => context.terminal.print(text)?,
        Output::Json => context.terminal.show(text),
    }
    Ok(())
}

/// A token that somebody gave, and where it is to go.
struct Obtained {
    token: Secret,
    place: Place,
    /// To try it with; `None` when it is not to be tried.
    client: Option<Client>,
}

/// Asks for the token, and Cloudflare for the account.
async fn obtain(
    arguments: &Arguments,
    host: &Host,
    ground: &Ground,
    draft: &mut Draft,
    context: &mut Context<'_>,
) -> Result<Obtained, Failure> {
    let place = keeping::place(host, arguments.store, &arguments.name, &ground.now)?;
    draft.source = place.target.source();
    // What was typed wrong is told before the token is asked for.
    let config = ground.with(&draft.files()?)?;
    let token = token::ask(context)?;
    let account = config.accounts.get(&arguments.name).expect("the draft has the account");
    let client = if arguments.offline { None } else { Some(account::client(account, &token)?) };
    if let Some(client) = &client {
        let given = draft.account_id.as_ref();
        let seen = account::look(client, given).await?;
        let chosen = account::choose(&seen, given, context)?;
        account::check_new(&chosen, &arguments.name, &ground.now)?;
        draft.account_id = Some(chosen);
    }
    Ok(Obtained { token, place, client })
}

impl Obtained {
    /// Tries the token with what `config` needs, and gets it ready to be written.
    async fn keep(
        self,
        arguments: &Arguments,
        host: &Host,
        config: &Config,
        mode: Mode,
        context: &mut Context<'_>,
    ) -> Result<Kept, Failure> {
        if let Some(client) = &self.client {
            account::check_rights(client, &arguments.name, config, context).await?;
        }
        match mode {
            Mode::Do => keeping::keep(host, &arguments.name, self.place, &self.token).await,
            Mode::Tell => Ok(keeping::would_keep(host, self.place)),
        }
    }
}

/// Asks for a first tunnel until the configuration can be used with it.
fn ask_tunnel(draft: &Draft, ground: &Ground, context: &mut Context<'_>) -> Result<Option<FirstTunnel>, Failure> {
    for _ in 0..TRIES_MAX {
        let Some(tunnel) = tunnel::ask(context)? else { return Ok(None) };
        let mut tried = draft.clone();
        tried.tunnel = Some(tunnel.clone());
        match ground.with(&tried.files()?) {
            Ok(_) => return Ok(Some(tunnel)),
            Err(failure) => context.terminal.show(&failure.report()),
        }
    }
    context.terminal.tell("no tunnel is made; \"adit tunnel create\" makes one later");
    Ok(None)
}

/// Tells what is wrong with cloudflared. It may be installed later as well.
async fn tell_of_cloudflared(config: &Config, host: &Host, context: &mut Context<'_>) {
    for check in cloudflared::checks(&config.cloudflared, host.path.as_deref()).await {
        if check.result != DoctorResult::Ok {
            context.terminal.tell(&format!("note: {}", check.sentence));
        }
    }
}
