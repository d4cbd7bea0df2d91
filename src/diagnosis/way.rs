//! From the hostname to the tunnel: the rule, the Access application, and what leads there.

use super::{Case, Facts, Fresh, FreshRecord, Match, Way, broken, fine, not_checked, unknown};
use crate::{
    config::{AccessDemand, IngressRule},
    control::api::{DiagnosisLink, Link},
    name::{Hostname, TunnelName},
    plan::{Conflict, Hold, HoldCode, RECORD_CHANGES, RouteState, RouteStatus, Scope},
};

/// The link of a hostname that no tunnel has.
pub(super) fn not_configured(facts: &Facts<'_>) -> DiagnosisLink {
    let (hostname, at) = (facts.hostname, Some(facts.at));
    if let Match::Left(left) = facts.found {
        let sentence = format!("tunnel {} had a rule for {hostname}, and {}", left.tunnel, left.reason);
        return broken(Link::Configuration, sentence, "add the rule to a tunnel again, as with `adit route add`", at);
    }
    let sentence = format!("no tunnel that you may see has a rule for {hostname}");
    let action = match facts.found {
        Match::Nothing { similar: Some(similar) } => {
            format!("did you mean {similar}? otherwise add a rule, as with `adit route add`")
        }
        Match::Nothing { similar: None } | Match::Left(_) | Match::Tunnel { .. } if facts.mistakes > 0 => {
            "the configuration's files have mistakes and are not in force: `adit config check` names each".to_owned()
        }
        Match::Nothing { similar: None } | Match::Left(_) | Match::Tunnel { .. } => {
            format!("add one: `adit route add TUNNEL --hostname {hostname} --service URL`")
        }
    };
    broken(Link::Configuration, sentence, action, at)
}

/// The rule that takes the request.
pub(super) fn configuration(case: &Case<'_>, rule: Option<(usize, &IngressRule)>, beside: &[&TunnelName]) -> DiagnosisLink {
    let (name, at) = (case.name(), Some(case.facts.at));
    if let Some(why) = case.facts.intended.held.get(name) {
        let sentence = format!("the definition of tunnel {name} cannot be read: {why}");
        return broken(Link::Configuration, sentence, format!("repair it, or replace it with `adit tunnel update {name}`"), at);
    }
    if let (None, Way::Private(hostname)) = (rule, case.way) {
        let sentence = format!("tunnel {name} ({}) has the private hostname {hostname}", case.tunnel.origin);
        return fine(Link::Configuration, sentence, at);
    }
    let Some((index, rule)) = rule else {
        let sentence = format!(
            "tunnel {name} ({}) has rules for {}, but none takes the path {:?}, so cloudflared answers 404",
            case.tunnel.origin, case.facts.hostname, case.facts.path
        );
        let action = "add a rule without a path behind the others, or ask for another path with --path".to_owned();
        return broken(Link::Configuration, sentence, action, at);
    };
    let own = match &rule.hostname {
        Some(own) if own == case.facts.hostname => String::new(),
        Some(own) => format!(" by {own}"),
        None => " by the rule for every hostname".to_owned(),
    };
    let path = rule.path.as_ref().map(|path| format!(" and path {path:?}")).unwrap_or_default();
    let others: Vec<&str> = beside.iter().map(|name| name.as_str()).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!("; behind the same load balancer: {}", others.join(", ")),
    };
    let sentence = format!(
        "rule {} of tunnel {name} ({}) takes it{own}{path} and leads to {}{others}",
        index + 1,
        case.tunnel.origin,
        rule.service
    );
    fine(Link::Configuration, sentence, at)
}

/// The Access application that the rule demands.
pub(super) fn access(case: &Case<'_>, rule: Option<&IngressRule>) -> DiagnosisLink {
    match rule.map(|rule| case.tunnel.access_of(rule)) {
        None => return not_checked(Link::Access, "there is no rule that could demand an Access application"),
        Some(AccessDemand::Off) => return not_checked(Link::Access, "the rule demands no Access application"),
        Some(AccessDemand::Required) => {}
    }
    let read_at = case.read_at();
    if read_at.is_none() {
        return unknown(Link::Access, "the account was not read yet", Some(WAIT.to_owned()), None);
    }
    match case.route_hold(|hold| hold.code == HoldCode::AccessMissing) {
        Some(hold) => {
            let action = "make an Access application that covers it, or write access = \"off\" to that rule";
            broken(Link::Access, hold.why.clone(), action, read_at)
        }
        None => fine(Link::Access, "an Access application covers it", read_at),
    }
}

/// What helps when nothing was read yet.
const WAIT: &str = "`adit status` says what the account waits for";

impl Case<'_> {
    /// What leads to the tunnel.
    pub(super) fn way(&self) -> DiagnosisLink {
        if self.known.and_then(|known| known.provisioned.as_deref()).is_none_or(|known| known.id.is_none())
            && self.conflict().is_none()
        {
            return not_checked(Link::Dns, "there is no tunnel at Cloudflare yet that anything could lead to");
        }
        if let Some(link) = self.fresh_records() {
            return link;
        }
        let read_at = self.read_at();
        if let Some(conflict) = self.conflict() {
            let action = match conflict {
                Conflict::Record { hostname, .. } | Conflict::Balancing { hostname, .. } => {
                    format!("`adit route adopt {hostname}` shows what is there and takes it over; or remove it in the dashboard")
                }
                Conflict::Tunnel { tunnel, .. } => format!("`adit tunnel adopt {tunnel}` shows it and takes it over"),
                Conflict::PrivateRoute { .. } => "remove that route in the dashboard, or leave this one out".to_owned(),
                Conflict::Rule { .. } => "change one of the two rules".to_owned(),
            };
            return broken(Link::Dns, conflict.to_string(), action, read_at);
        }
        if read_at.is_none() {
            return unknown(Link::Dns, "the account was not read yet", Some(WAIT.to_owned()), None);
        }
        match self.way {
            Way::Record(name) => self.record(name),
            Way::ForeignRecord(name) => {
                let sentence = format!("the record of {name} is not kept by Adit (dns = false)");
                unknown(Link::Dns, sentence, Some(format!("--fresh asks Cloudflare whether {name} leads here")), read_at)
            }
            Way::Balancer(name) => self.balancer(name),
            Way::Private(name) => self.private(name),
        }
    }

    fn record(&self, name: &Hostname) -> DiagnosisLink {
        let read_at = self.read_at();
        if let Some(hold) = self.route_hold(|hold| hold.code != HoldCode::Edited && hold.code != HoldCode::AccessMissing) {
            return broken(Link::Dns, format!("no record of {name} leads to the tunnel: {}", hold.why), remedy(hold), read_at);
        }
        let route = self.routes().find(|route| route.hostname.as_ref() == Some(name));
        let reason = |route: Option<&RouteStatus>| {
            route.and_then(|route| route.reason.clone()).unwrap_or_else(|| "it is still to be made".to_owned())
        };
        match route {
            Some(route) if route.record_id.is_some() && route.reason.as_deref() != Some(RECORD_CHANGES) => {
                let wildcard = if name == self.facts.hostname { "" } else { ", which covers it," };
                fine(Link::Dns, format!("the record of {name}{wildcard} leads to the tunnel and is proxied"), read_at)
            }
            route => {
                let sentence = format!("no record of {name} leads to the tunnel: {}", reason(route));
                let action = match self.account.and_then(|account| account.view.waiting.as_ref()) {
                    Some(waiting) => format!("`adit apply --plan {}` makes it, after `adit plan` showed it", waiting.hash),
                    None => "`adit apply` makes it at once, `adit status` says what it waits for".to_owned(),
                };
                broken(Link::Dns, sentence, action, read_at)
            }
        }
    }

    fn balancer(&self, name: &Hostname) -> DiagnosisLink {
        let read_at = self.read_at();
        let route = self.routes().find(|route| route.hostname.as_ref() == Some(name));
        let Some(route) = route else {
            let sentence = format!("the load balancer {name} is still to be made or joined");
            return broken(Link::Dns, sentence, "`adit status` says what it waits for", read_at);
        };
        let pool = route.service.as_deref().unwrap_or("the tunnel's pool");
        match (route.state, &route.reason) {
            (RouteState::Live, _) | (RouteState::Off, _) => {
                fine(Link::Dns, format!("the load balancer {name} has {pool}, which leads to the tunnel"), read_at)
            }
            (RouteState::Pending | RouteState::Conflict | RouteState::Orphaned, reason) if !is_of_connectors(reason) => {
                let why = reason.as_deref().unwrap_or("it is not in force");
                let sentence = format!("the load balancer {name} does not lead to the tunnel: {why}");
                broken(Link::Dns, sentence, "`adit plan` shows what is to be done", read_at)
            }
            (RouteState::Pending | RouteState::Conflict | RouteState::Orphaned, _) => {
                fine(Link::Dns, format!("the load balancer {name} has {pool}, which leads to the tunnel"), read_at)
            }
        }
    }

    fn private(&self, name: &Hostname) -> DiagnosisLink {
        let read_at = self.read_at();
        let routes = self.known.and_then(|known| known.provisioned.as_deref()).map(|known| known.private_routes.as_slice());
        let wanted = crate::config::PrivateRoute::hostname(name.clone());
        let route = routes.unwrap_or_default().iter().find(|route| route.route == wanted);
        match route {
            Some(route) if route.route_id.is_some() => {
                let sentence = format!("the private hostname {name} leads devices of the organisation to the tunnel");
                fine(Link::Dns, sentence, read_at)
            }
            route => {
                let why = route.and_then(|route| route.reason.as_deref()).unwrap_or("it is still to be made");
                let sentence = format!("the private hostname {name} does not lead to the tunnel: {why}");
                broken(Link::Dns, sentence, "`adit plan` shows what is to be done", read_at)
            }
        }
    }

    /// What Cloudflare says of the hostname's records, when it was asked.
    fn fresh_records(&self) -> Option<DiagnosisLink> {
        let Fresh { records, .. } = self.facts.fresh?;
        let (name, at) = (self.way.hostname(), Some(self.facts.at));
        let records = match records.as_ref()? {
            Ok(records) => records,
            Err(why) => return Some(unknown(Link::Dns, format!("the records of {name} cannot be read: {why}"), None, at)),
        };
        let id = self.known?.provisioned.as_deref()?.id.as_ref()?;
        let target = id.dns_target();
        let answers = |record: &&FreshRecord| matches!(record.kind.as_str(), "A" | "AAAA" | "CNAME");
        Some(match records.iter().find(answers) {
            None => {
                let action = match self.way {
                    Way::ForeignRecord(_) => format!("make a proxied CNAME record {name} that points to {target}"),
                    Way::Record(_) | Way::Balancer(_) | Way::Private(_) => {
                        "`adit apply` makes it again; whoever removed it is in the account's audit log".to_owned()
                    }
                };
                broken(Link::Dns, format!("Cloudflare has no record of {name}"), action, at)
            }
            Some(record) if !record.content.eq_ignore_ascii_case(&target) => {
                let sentence = format!("the record of {name} leads elsewhere: {} {}", record.kind, record.content);
                let action = format!("`adit route adopt {name}` shows it and puts ours in its place");
                broken(Link::Dns, sentence, action, at)
            }
            Some(record) if !record.proxied => {
                let sentence = format!("the record of {name} leads to the tunnel and is not proxied, so nobody reaches it");
                broken(Link::Dns, sentence, "`adit apply` repairs a record of ours; switch another one to proxied", at)
            }
            Some(_) => fine(Link::Dns, format!("the record of {name} leads to the tunnel and is proxied"), at),
        })
    }

    /// Who has the tunnel's name, or the hostname.
    fn conflict(&self) -> Option<&Conflict> {
        let of_tunnel = self.known.and_then(|known| known.provisioned.as_deref()).and_then(|known| known.conflict.as_ref());
        let conflicts = self.account.map(|account| account.view.conflicts.as_slice()).unwrap_or_default();
        let name = self.way.hostname();
        let is_of_way = |conflict: &&Conflict| {
            let route = conflict.private_route();
            conflict.tunnel() == self.name()
                && (conflict.hostname() == Some(name) || route == Some(&crate::config::PrivateRoute::hostname(name.clone())))
        };
        conflicts.iter().find(is_of_way).or(of_tunnel)
    }

    /// A hold on the very route, or on its zone.
    fn route_hold(&self, counts: impl Fn(&Hold) -> bool) -> Option<&Hold> {
        let holds = self.account.map(|account| account.view.holds.as_slice()).unwrap_or_default();
        holds.iter().filter(|hold| counts(hold)).find(|hold| match &hold.scope {
            Scope::Route { tunnel, hostname } => tunnel == self.name() && hostname == self.way.hostname(),
            Scope::Account | Scope::Zone { .. } | Scope::Tunnel { .. } | Scope::Networks | Scope::PrivateRoute { .. } => false,
        })
    }

    fn routes(&self) -> impl Iterator<Item = &RouteStatus> {
        self.known.and_then(|known| known.provisioned.as_deref()).into_iter().flat_map(|known| &known.routes)
    }
}

/// Whether a balancer's route waits for nothing but connectors, which are links of their own.
fn is_of_connectors(reason: &Option<String>) -> bool {
    reason.as_deref() == Some(crate::plan::NO_READY_CONNECTOR)
}

/// What ends a hold, as a part of a sentence.
pub(super) fn remedy(hold: &Hold) -> String {
    let mut sentence = hold.code.action().trim_end_matches('.').chars();
    sentence.next().into_iter().flat_map(char::to_lowercase).chain(sentence.as_str().chars()).collect()
}
