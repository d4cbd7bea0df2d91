//! The configuration: from the text of the files to types that cannot be wrong.
//!
//! ```text
//!  Source ─▶ tree ─▶ check against the grammar ─▶ merge, defaults ─▶ types ─▶ what clashes ─▶ Config
//!             └─────────────────┴──────────────────────┴───────────────┴────────────┴───────▶ Problems
//! ```
//!
//! Nothing here reads a file: [`parse`] is given text. Every step reports what it finds and goes on with the rest, so that all
//! mistakes are seen at once. The grammar is one table, from which the check, the defaults, the JSON Schema ([`schema()`]) and the
//! reference ([`reference()`]) are made.

mod access;
mod account;
mod bytes;
mod check;
mod clash;
mod cloudflared;
mod daemon;
mod days;
mod definition;
mod duration;
mod forbidden;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod grammar;
mod health;
mod hooks;
mod ingress;
mod load_balancer;
mod merge;
mod origin_request;
mod path_regex;
mod paths;
mod private_route;
mod problem;
mod read_tunnel;
mod reference;
mod removal;
mod report;
mod schema;
mod section;
mod service;
mod tree;
mod tunnel;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use crate::name::{AccountName, TunnelName};

use self::{
    forbidden::Own,
    read_tunnel::Context,
    report::{Report, Reported},
    section::Section,
    tree::Node,
};

pub use self::{
    access::{Access, Grant, Pattern, Role, Who},
    account::{Account, Budget, TokenSource},
    bytes::Bytes,
    cloudflared::{Cloudflared, JournalLines},
    daemon::{ApplyMode, Control, Daemon, Metrics, MetricsListen},
    definition::{DefinitionError, tunnel_toml},
    forbidden::{CONNECTOR_METRICS, forbidden_address, is_public_address},
    health::{HealthChecks, HttpCheck, OriginHealth, OutsideHealth, RouteHealth},
    hooks::{Hooks, Webhook},
    ingress::IngressRule,
    load_balancer::{LoadBalancer, Monitor, SessionAffinity, SteeringPolicy},
    private_route::{PrivateNetwork, PrivateRoute},
    problem::{Problem, Problems, Severity},
    reference::{KeyReference, keys, reference},
    removal::{UnknownRemoval, unknown_removal},
    schema::{rule_schema, schema, tunnel_schema},
    service::{Scheme, Service, ServiceError, ServiceUrl},
    tunnel::{AccessDemand, ConfigurationMode, OnDrift, Origin, Ownership, Protocol, Tunnel},
};

/// One file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path, for problems and origins.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A configuration without mistakes. Serialized it is a file that says the same with all defaults written out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where the daemon keeps things, and when it acts.
    pub daemon: Daemon,
    /// The socket over which it is controlled.
    pub control: Control,
    /// Where metrics are served.
    pub metrics: Metrics,
    /// Who is told of events.
    pub hooks: Hooks,
    /// How often routes are checked, and from where.
    pub health: HealthChecks,
    /// How connectors are run.
    pub cloudflared: Cloudflared,
    /// The Cloudflare accounts.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Who may do what.
    pub access: Access,
    /// The tunnels. Each one's account is in `accounts`.
    pub tunnels: BTreeMap<TunnelName, Tunnel>,
    /// What does not do what it says.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}

/// Reads the main file and then the others, as one configuration. No file at all is a configuration with nothing but defaults.
///
/// # Errors
///
/// Everything that is wrong, in order of file and line.
pub fn parse(sources: &[Source]) -> Result<Config, Problems> {
    let nothing = [Source { path: PathBuf::new(), text: String::new() }];
    let sources = if sources.is_empty() { &nothing } else { sources };
    let mut report = Report::new(sources);
    let root = merge::read_all(sources.len(), &grammar::FILE, &mut report);
    let config = config(&root, sources, &mut report);
    let warnings = report.finish()?;
    Ok(Config { warnings, ..config.expect("what could not be built was reported, and finish answers with it") })
}

/// Of files that [`parse`] refused, what can be told without their accounts and tunnels: each other section as it is written, or by
/// default where that is wrong. `None` when it cannot be told where the daemon keeps its state.
pub fn salvage(sources: &[Source]) -> Option<Config> {
    let defaults = parse(&[]).expect("no file at all is a configuration");
    let mut report = Report::new(sources);
    let root = merge::read_all(sources.len(), &grammar::FILE, &mut report);
    let root = Section::of(&root)?;
    let daemon = daemon::daemon(root.section("daemon")?, &mut report).ok()?;
    let control = root.section("control").and_then(|section| daemon::control(section, Ok(&daemon), &mut report).ok());
    let metrics = root.section("metrics").and_then(|section| daemon::metrics(section, &mut report).ok());
    let health = root.section("health").and_then(|section| health::checks(section, &mut report).ok());
    let cloudflared = root.section("cloudflared").and_then(|section| cloudflared::cloudflared(section, &mut report).ok());
    let access = root.section("access").and_then(|section| access::access(section, &mut report).ok());
    let hooks = root.section("hooks").and_then(|section| hooks::hooks(section, &mut report).ok());
    Some(Config {
        daemon,
        control: control.unwrap_or(defaults.control),
        metrics: metrics.unwrap_or(defaults.metrics),
        health: health.unwrap_or(defaults.health),
        cloudflared: cloudflared.unwrap_or(defaults.cloudflared),
        access: access.unwrap_or(defaults.access),
        hooks: hooks.unwrap_or(defaults.hooks),
        ..defaults
    })
}

/// Reads a tunnel that was made over the control socket: `source` has the table `[tunnels.NAME]` and nothing else. A tunnel of
/// `config` with the same name is replaced if it was made over the socket too.
///
/// # Errors
///
/// Everything that is wrong, also what clashes with a tunnel of `config`.
pub fn parse_tunnel(source: &Source, name: &TunnelName, config: &Config) -> Result<Tunnel, Problems> {
    let mut report = Report::new(std::slice::from_ref(source));
    let root = merge::read_all(1, &grammar::TUNNEL_FILE, &mut report);
    let accounts: Vec<AccountName> = config.accounts.keys().cloned().collect();
    let own = Own { daemon: Some(&config.daemon), control: Some(&config.control), metrics: Some(&config.metrics) };
    let context = Context { accounts: &accounts, own };
    let mut tunnels = match Section::of(&root).and_then(|section| section.section("tunnels")) {
        Some(section) => read_tunnel::tunnels(section, |_| Origin::Api, context, &mut report),
        None => BTreeMap::new(),
    };
    let wanted = tunnels.remove(name);
    for other in tunnels.values() {
        report.error(other.section.place, format!("only the table [tunnels.{name}] may stand here"));
    }
    match &wanted {
        Some(wanted) => clash::with_existing(wanted, &config.tunnels, &mut report),
        None if report.has_syntax_errors() => {}
        None => {
            report.error(&root.place, format!("the table [tunnels.{name}] is missing or has no valid name"));
        }
    }
    report.finish()?;
    let tunnel = wanted.and_then(|wanted| wanted.tunnel.ok());
    Ok(tunnel.expect("what could not be built was reported, and finish answers with it"))
}

/// The configuration as a file: what is in force, with all defaults written out. Where a secret comes from is shown; secrets
/// are not in the configuration.
pub fn show(config: &Config) -> String {
    toml::to_string(config).expect("a configuration is made of strings, numbers, lists and tables")
}

fn config(root: &Node, sources: &[Source], report: &mut Report<'_>) -> Result<Config, Reported> {
    let root = Section::of(root).ok_or(Reported)?;
    let section = |name| root.section(name).ok_or(Reported);
    let daemon = daemon::daemon(section("daemon")?, report);
    let control = daemon::control(section("control")?, daemon.as_ref().map_err(|reported| *reported), report);
    let metrics = daemon::metrics(section("metrics")?, report);
    let health = health::checks(section("health")?, report);
    let cloudflared = cloudflared::cloudflared(section("cloudflared")?, report);
    let access = access::access(section("access")?, report);
    let hooks = hooks::hooks(section("hooks")?, report);

    let mut accounts: BTreeMap<AccountName, Result<Account, Reported>> = BTreeMap::new();
    for (name, node) in section("accounts")?.entries() {
        let Some(section) = Section::of(node) else { continue };
        let account = account::account(section, report);
        if let Ok(name) = account::name(name, &node.place, report) {
            accounts.insert(name, account);
        }
    }
    let account_names: Vec<AccountName> = accounts.keys().cloned().collect();
    access::check_accounts(section("access")?, &account_names, report);

    let own = Own { daemon: daemon.as_ref().ok(), control: control.as_ref().ok(), metrics: metrics.as_ref().ok() };
    let context = Context { accounts: &account_names, own };
    let origin = |node: &Node| Origin::File(sources[node.place.file].path.clone());
    let tunnels = read_tunnel::tunnels(section("tunnels")?, origin, context, report);
    clash::between(&tunnels, report);

    Ok(Config {
        daemon: daemon?,
        control: control?,
        metrics: metrics?,
        hooks: hooks?,
        health: health?,
        cloudflared: cloudflared?,
        accounts: accounts.into_iter().map(|(name, account)| Ok((name, account?))).collect::<Result<_, _>>()?,
        access: access?,
        tunnels: tunnels.into_iter().map(|(name, read)| Ok((name, read.tunnel?))).collect::<Result<_, _>>()?,
        warnings: Vec::new(),
    })
}
