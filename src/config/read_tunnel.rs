//! Builds a [`Tunnel`] from its table.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::{
    name::{AccountName, Hostname, TunnelName},
    suggestion::question,
};

use super::{
    bytes, days,
    forbidden::Own,
    health,
    ingress::{self, PlacedRule},
    load_balancer::load_balancer,
    origin_request::{self, Scope},
    private_route::PrivateNetwork,
    problem::quoted,
    report::{Report, Reported},
    section::Section,
    tree::Node,
    tunnel::{AccessDemand, ConfigurationMode, OnDrift, Origin, Ownership, Protocol, Tunnel},
};

/// The longest name of a virtual network that Cloudflare takes, in characters.
const VIRTUAL_NETWORK_NAME_MAX: usize = 256;

/// What a tunnel can refer to.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The names of all accounts, also of those with mistakes inside.
    pub(super) accounts: &'a [AccountName],
    pub(super) own: Own<'a>,
}

/// A tunnel as far as it could be read. What could be read takes part in the search for clashes, so that those are reported
/// together with the rest.
pub(super) struct ReadTunnel<'a> {
    pub(super) name: TunnelName,
    pub(super) section: Section<'a>,
    pub(super) rules: Vec<PlacedRule>,
    pub(super) tunnel: Result<Tunnel, Reported>,
}

/// Reads a tunnel; `None` if not even its name is one.
pub(super) fn tunnel<'a>(
    name: &str,
    node: &'a Node,
    origin: Origin,
    context: Context<'_>,
    report: &mut Report<'_>,
) -> Option<ReadTunnel<'a>> {
    let section = Section::of(node)?;
    let parsed_name: Result<TunnelName, Reported> = name
        .parse()
        .map_err(|error| report.error(&node.place, format!("cannot use {} as a tunnel's name: {error}", quoted(name))));
    let account = account(section, context.accounts, report);
    let replicas = section.integer("replicas");
    let configuration =
        section.word("configuration", &[("remote", ConfigurationMode::Remote), ("local", ConfigurationMode::Local)]);
    let ownership = section.word("ownership", &[("owned", Ownership::Owned), ("shared", Ownership::Shared)]);
    let on_drift = section.word("on_drift", &[("repair", OnDrift::Repair), ("report", OnDrift::Report)]);
    let protocol = section.word("protocol", &[("auto", Protocol::Auto), ("quic", Protocol::Quic), ("http2", Protocol::Http2)]);
    let memory_limit = section.optional("memory_limit", report, bytes::parse);
    let max_procs = section.get("max_procs").map(|_| section.integer("max_procs")).transpose();
    let rotate_every = section.optional("rotate_every", report, days::parse);
    let renamed_from = section.optional("renamed_from", report, str::parse::<TunnelName>);
    let (rules, complete) = ingress::rules(section.items("ingress"), context.own, report);
    let origin_request = section
        .section("originRequest")
        .map(|section| origin_request::origin_request(section, Scope::Tunnel, report))
        .transpose();
    let private_networks: Vec<_> = section
        .items("private_networks")
        .iter()
        .filter_map(Section::of)
        .map(|section| private_network(section, report))
        .collect();
    let hostname_routes = section.list("hostname_routes", report, str::parse::<Hostname>);
    let known_rules = complete.is_ok().then_some(rules.as_slice());
    let load_balancer = section.section("load_balancer").map(|section| load_balancer(section, known_rules, report)).transpose();
    let access = section.word("access", AccessDemand::MEANINGS);
    let health = section.section("health").ok_or(Reported).and_then(|section| health::of_tunnel(section, report));
    let shareable = shareable(section, ownership, configuration, &rules, report);

    let name = parsed_name.ok()?;
    let build = || {
        complete?;
        shareable?;
        Ok(Tunnel {
            name: name.clone(),
            origin,
            account: account?,
            replicas: replicas?,
            configuration: configuration?,
            ownership: ownership?,
            on_drift: on_drift?,
            protocol: protocol?,
            memory_limit: memory_limit?,
            max_procs: max_procs?,
            rotate_every: rotate_every?,
            renamed_from: renamed_from?,
            ingress: rules.iter().map(|(_, rule)| rule.clone()).collect(),
            origin_request: origin_request?.filter(|origin_request| !origin_request.is_empty()),
            private_networks: private_networks.into_iter().collect::<Result<_, _>>()?,
            hostname_routes: hostname_routes?,
            load_balancer: load_balancer?,
            access: access?,
            health: health?,
        })
    };
    let tunnel = build();
    Some(ReadTunnel { name, section, rules, tunnel })
}

/// What a tunnel cannot have whose configuration others edit too: anything that is not a rule of its own.
fn shareable(
    section: Section<'_>,
    ownership: Result<Ownership, Reported>,
    configuration: Result<ConfigurationMode, Reported>,
    rules: &[PlacedRule],
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    if ownership != Ok(Ownership::Shared) {
        return Ok(());
    }
    let mut result = Ok(());
    if let (Ok(ConfigurationMode::Local), Some(node)) = (configuration, section.get("configuration")) {
        let message = "a shared tunnel has a remote configuration: a local one has no place where others could edit it";
        result = Err(report.error(&node.place, message));
    }
    if let Some(node) = section.get("originRequest") {
        let message = "a shared tunnel has no originRequest for all rules: it would change the rules of others";
        result = Err(report.error_with_help(&node.place, message, "write it in each rule"));
    }
    if let Some((place, _)) = rules.iter().find(|(_, rule)| rule.is_catch_all()) {
        result = Err(report.error(place, "a shared tunnel's last rule, for every request, is that of the others"));
    }
    result
}

fn account(section: Section<'_>, accounts: &[AccountName], report: &mut Report<'_>) -> Result<AccountName, Reported> {
    let Some(name) = section.optional("account", report, str::parse::<AccountName>)? else {
        return match accounts {
            [only] => Ok(only.clone()),
            // The account may stand in the part that could not be read.
            _ if report.has_syntax_errors() => Err(Reported),
            [] => Err(report.error(section.place, "a tunnel needs an account: add a table such as [accounts.default]")),
            [..] => {
                let names: Vec<&str> = accounts.iter().map(AccountName::as_str).collect();
                let message = format!("the key \"account\" is missing: there are several accounts ({})", names.join(", "));
                Err(report.error(section.place, message))
            }
        };
    };
    if accounts.contains(&name) {
        return Ok(name);
    }
    if report.has_syntax_errors() {
        return Err(Reported);
    }
    let place = section.get("account").map_or(section.place, |node| &node.place);
    let message = format!("cannot use {:?}: there is no table [accounts.{name}]", name.as_str());
    Err(match question(name.as_str(), accounts.iter().map(AccountName::as_str)) {
        Some(help) => report.error_with_help(place, message, help),
        None => report.error(place, message),
    })
}

fn private_network(section: Section<'_>, report: &mut Report<'_>) -> Result<PrivateNetwork, Reported> {
    let network = section.required("network", report, network);
    let virtual_network = section.optional("virtual_network", report, |text| match text.chars().count() {
        1..=VIRTUAL_NETWORK_NAME_MAX if !text.contains(char::is_control) => Ok(text.to_owned()),
        _ => Err(format!("a virtual network's name is 1 to {VIRTUAL_NETWORK_NAME_MAX} characters on one line")),
    });
    Ok(PrivateNetwork { network: network?, virtual_network: virtual_network? })
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet =
        text.parse().map_err(|_| "a network is an address with a prefix length, as in 10.20.0.0/16".to_owned())?;
    if network.addr() != network.network() {
        return Err(format!("the address has bits behind the prefix; the network is {}", network.trunc()));
    }
    Ok(network)
}

/// Reads all tunnels of a table.
pub(super) fn tunnels<'a>(
    section: Section<'a>,
    origin: impl Fn(&Node) -> Origin,
    context: Context<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<TunnelName, ReadTunnel<'a>> {
    let read = section.entries().filter_map(|(name, node)| tunnel(name, node, origin(node), context, report));
    read.map(|tunnel| (tunnel.name.clone(), tunnel)).collect()
}
