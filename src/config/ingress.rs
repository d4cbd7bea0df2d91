//! A tunnel's routes: cloudflared's ingress rules, in the order in which they are tried.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value as Json};

use crate::name::Hostname;

use super::{
    forbidden::{self, Own},
    origin_request::{self, Scope},
    path_regex,
    problem::quoted,
    report::{Report, Reported},
    section::Section,
    service::Service,
    tree::{Node, Place},
    tunnel::AccessDemand,
};

/// The most rules of a tunnel: cloudflared tries them one after the other for every request.
const RULES_MAX: usize = 1_000;

/// One route. A request is served by the first rule that matches its hostname and path.
#[derive(Debug, Clone, PartialEq)]
pub struct IngressRule {
    /// The hostname; every hostname when `None`.
    pub hostname: Option<Hostname>,
    /// A regular expression that finds something in the path; every path when `None`.
    pub path: Option<String>,
    /// What answers.
    pub service: Service,
    /// Whether a DNS record points the hostname to the tunnel; false without a hostname.
    pub dns: bool,
    /// Whether an Access application must cover it; as the tunnel says when `None`. Only with a hostname.
    pub access: Option<AccessDemand>,
    /// How the origin is asked: cloudflared's keys, times in whole seconds.
    pub origin_request: Option<Map<String, Json>>,
}

impl Serialize for IngressRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(hostname) = &self.hostname {
            map.serialize_entry("hostname", hostname)?;
        }
        if let Some(path) = &self.path {
            map.serialize_entry("path", path)?;
        }
        map.serialize_entry("service", &self.service)?;
        // A rule without a hostname cannot have a record.
        if self.hostname.is_some() {
            map.serialize_entry("dns", &self.dns)?;
        }
        if let Some(access) = &self.access {
            map.serialize_entry("access", access)?;
        }
        if let Some(origin_request) = &self.origin_request {
            map.serialize_entry("originRequest", origin_request)?;
        }
        map.end()
    }
}

impl IngressRule {
    /// Whether cloudflared takes the rule as the last one: it matches every request.
    pub(super) fn is_catch_all(&self) -> bool {
        self.hostname.is_none() && self.path.is_none()
    }

    /// Whether requests for `hostname` may come to this rule.
    pub fn takes(&self, hostname: &Hostname) -> bool {
        self.hostname.as_ref().is_none_or(|own| own == hostname || own.matches(hostname.as_str()))
    }

    /// Whether requests for `path` may come to this rule, as cloudflared decides it: the expression finds something in it.
    pub fn takes_path(&self, path: &str) -> bool {
        self.path.as_deref().is_none_or(|expression| path_regex::finds(expression, path))
    }

    /// What the rule matches, in words.
    fn subject(&self) -> String {
        match (&self.hostname, &self.path) {
            (Some(hostname), Some(path)) => format!("{hostname} with path {}", quoted(path)),
            (Some(hostname), None) => hostname.to_string(),
            (None, Some(path)) => format!("path {}", quoted(path)),
            (None, None) => "everything".to_owned(),
        }
    }

    /// Whether every request that `other` matches is matched by this rule, as far as can be told: two different regular
    /// expressions are taken to find different paths.
    fn covers(&self, other: &IngressRule) -> bool {
        let hostname = match (&self.hostname, &other.hostname) {
            (None, _) => true,
            (Some(own), Some(other)) => own == other || own.matches(other.as_str()),
            (Some(_), None) => false,
        };
        let path = match &self.path {
            None => true,
            Some(path) => path_regex::finds_everything(path) || self.path == other.path,
        };
        hostname && path
    }
}

/// A rule and where it stands.
pub(super) type PlacedRule = (Place, IngressRule);

/// The rules of a tunnel, as many as are right.
pub(super) fn rules(items: &[Node], own: Own<'_>, report: &mut Report<'_>) -> (Vec<PlacedRule>, Result<(), Reported>) {
    let mut complete = Ok(());
    if let Some(node) = items.get(RULES_MAX) {
        complete = Err(report.error(&node.place, format!("a tunnel has at most {RULES_MAX} rules")));
    }
    let mut rules: Vec<PlacedRule> = Vec::new();
    for node in items.iter().take(RULES_MAX) {
        let Some(section) = Section::of(node) else { continue };
        match rule(section, own, report) {
            Ok(rule) => rules.push((node.place.clone(), rule)),
            Err(Reported) => complete = Err(Reported),
        }
    }
    for (index, (place, rule)) in rules.iter().enumerate() {
        if let Some((hiding_place, hiding)) = rules[..index].iter().find(|(_, earlier)| earlier.covers(rule)) {
            let hiding_at = report.location(hiding_place);
            let message = format!(
                "this rule ({}) can never match: {} ({}) in {hiding_at} comes first and takes all of it",
                rule.subject(),
                hiding_place.key,
                hiding.subject(),
            );
            complete = Err(report.error(place, message));
        }
    }
    (rules, complete)
}

fn rule(section: Section<'_>, own: Own<'_>, report: &mut Report<'_>) -> Result<IngressRule, Reported> {
    // cloudflared reads an empty hostname and * alone as every hostname.
    let hostname = match section.text("hostname") {
        Some(("" | "*", _)) => Ok(None),
        Some(_) | None => section.optional("hostname", report, str::parse::<Hostname>),
    };
    let path = section.optional("path", report, |text| path_regex::check(text).map(|()| text.to_owned()));
    let service = section.required("service", report, str::parse::<Service>);
    if let (Ok(service), Some((_, place))) = (&service, section.text("service"))
        && let Some(reason) = forbidden::reason(service, own)
    {
        return Err(report.error(place, format!("cannot publish {}: {reason}", quoted(&service.to_string()))));
    }
    if let (Ok(Service::SocksProxy), Some((_, place))) = (&service, section.text("service")) {
        report.warning(
            place,
            "cloudflared refuses every connection through it without ipRules, which Cloudflare's API does not take",
        );
    }
    let origin_request =
        section.section("originRequest").map(|section| origin_request::origin_request(section, Scope::Rule, report)).transpose();
    let hostname = hostname?;
    let dns = match (&hostname, section.boolean("dns")) {
        (None, Some(true)) => {
            let place = section.get("dns").map_or(section.place, |node| &node.place);
            return Err(report.error(place, "a rule without a hostname has no DNS record"));
        }
        (None, Some(false) | None) => false,
        (Some(_), dns) => dns.unwrap_or(true),
    };
    let access = section.get("access").map(|_| section.word("access", AccessDemand::MEANINGS)).transpose()?;
    if let (None, Some(_), Some(node)) = (&hostname, access, section.get("access")) {
        return Err(report.error(&node.place, "a rule without a hostname makes none public: say it where the hostname stands"));
    }
    Ok(IngressRule {
        hostname,
        access,
        path: path?.filter(|path| !path.is_empty()),
        service: service?,
        dns,
        origin_request: origin_request?.filter(|origin_request| !origin_request.is_empty()),
    })
}
