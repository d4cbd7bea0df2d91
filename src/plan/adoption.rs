//! What an operator is shown before a tunnel that others made becomes ours. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Refusal, RefusalKind,
    difference::configuration_difference,
    document::Document,
    merge::{already_there, merge},
    shared::shared_rules,
};
use crate::{
    config::Ownership,
    desired::DesiredTunnel,
    id::{AccountId, RecordId, TunnelId, ZoneId},
    name::{AccountName, Hostname, TunnelName},
    observed::ObservedRecord,
    plan::PlanHash,
    record::{ConfigurationSource, InstallId, Records},
};

/// A tunnel at Cloudflare, as it is before it becomes ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunnelOffer {
    /// The name that it gets here.
    pub tunnel: TunnelName,
    /// The account, by its name in the configuration.
    pub account: AccountName,
    /// The account's id.
    pub account_id: AccountId,
    /// Its id.
    pub id: TunnelId,
    /// Its name at Cloudflare, which it keeps.
    pub cloudflare_name: String,
    /// The other installation of Adit that made it, by its name.
    pub install: Option<String>,
    /// `inactive`, `healthy`, `degraded` or `down`.
    #[serde(skip)]
    pub status: String,
    /// Where its configuration lives.
    pub source: ConfigurationSource,
    /// Whose its configuration is from then on.
    pub ownership: Ownership,
    /// The connectors that run it, wherever they are. They come and go by themselves, ours among them, and nothing of them is
    /// taken over.
    #[serde(skip)]
    pub connectors: Vec<OtherConnector>,
    /// The version of its stored configuration.
    pub version: Option<i64>,
    /// Its stored configuration; `Null` when nothing is stored.
    pub document: Value,
    /// What Adit changes of the configuration then, a line each; none when it is as it is wanted.
    pub changes: Vec<String>,
    /// The DNS records that lead to it.
    pub records: Vec<OfferedRecord>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Whether it is ours already, just so.
    #[serde(skip)]
    pub is_ours: bool,
}

/// A connector that somebody runs.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherConnector {
    /// The id of this run of it.
    pub id: String,
    /// cloudflared's version.
    pub version: String,
    /// Where it comes from.
    pub addresses: BTreeSet<String>,
}

/// A DNS record that leads to a tunnel which is to become ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfferedRecord {
    /// Its zone.
    pub zone_id: ZoneId,
    /// Its id.
    pub record_id: RecordId,
    /// Its name.
    pub name: String,
    /// Whether Cloudflare's edge answers for it, as it has to.
    pub proxied: bool,
    /// The comment on it.
    pub comment: Option<String>,
    /// What becomes of it.
    pub fate: RecordFate,
}

/// What becomes of a DNS record whose tunnel becomes ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordFate {
    /// It becomes ours with the tunnel: a route leads there.
    Taken,
    /// It is ours already.
    Ours,
    /// No route of the tunnel is for its name, so it stays theirs.
    Unwanted,
    /// It is marked as the record of another installation of Adit, and stays theirs.
    OtherInstall(String),
}

impl TunnelOffer {
    /// What names exactly what was shown.
    pub fn hash(&self) -> PlanHash {
        PlanHash::of(self)
    }
}

/// Whether a tunnel may become ours under a name, by what is on record. `Ok(true)`: it is ours already.
///
/// # Errors
///
/// When the name has another tunnel, or the tunnel another name.
pub fn may_adopt(records: &Records, tunnel: &TunnelName, id: &TunnelId, gone: bool) -> Result<bool, Refusal> {
    let refuse = |why: String| Refusal::new(RefusalKind::Conflict, format!("cannot adopt {id} as tunnel {tunnel}: {why}"));
    if let Some(seal) = &records.seal {
        return Err(Refusal::new(RefusalKind::Hold, format!("cannot adopt tunnel {tunnel}: {seal}")));
    }
    if let Some(why) = records.held.get(tunnel) {
        return Err(Refusal::new(RefusalKind::Hold, format!("cannot adopt tunnel {tunnel}: {why}")));
    }
    if let Some(other) = records.tunnels.values().find(|other| other.id.as_ref() == Some(id) && other.name != *tunnel) {
        return Err(refuse(format!("it is ours already, as tunnel {}", other.name))
            .with_hint(format!("renamed_from = \"{}\" gives it another name", other.name)));
    }
    match records.tunnels.get(tunnel).map(|record| record.id.as_ref()) {
        Some(Some(known)) if known == id => Ok(true),
        Some(Some(known)) if !gone => Err(refuse(format!("{tunnel} is {known} already"))
            .with_hint(format!("`adit tunnel delete {tunnel}` or `adit tunnel forget {tunnel}` ends that"))),
        // One that was deleted at Cloudflare, or whose creation never came about because this one has its name.
        Some(Some(_) | None) | None => Ok(false),
    }
}

/// Where a tunnel's configuration lives, if that is what the definition says.
///
/// # Errors
///
/// When it lives elsewhere, or Cloudflare does not say.
pub fn fitting_source(
    tunnel: &TunnelName,
    found: Option<ConfigurationSource>,
    wanted: Option<ConfigurationSource>,
) -> Result<ConfigurationSource, Refusal> {
    let refuse = |why: &str| Refusal::new(RefusalKind::Conflict, format!("cannot adopt it as tunnel {tunnel}: {why}"));
    match (found, wanted) {
        (Some(found), wanted) if wanted.is_none_or(|wanted| wanted == found) => Ok(found),
        (Some(ConfigurationSource::Local), _) => {
            Err(refuse("its configuration is local, and the definition says remote; Cloudflare cannot change that in place")
                .with_hint("set configuration = \"local\" with the rules of its config.yml"))
        }
        (Some(_), _) => {
            Err(refuse("its configuration is remote, and the definition says local; Cloudflare cannot change that in place")
                .with_hint("leave out configuration = \"local\""))
        }
        (None, _) => Err(refuse("Cloudflare does not say where its configuration lives")),
    }
}

/// What becomes of a DNS record that leads to a tunnel which is to become ours.
pub fn record_fate(
    install: &InstallId,
    wanted: &BTreeSet<Hostname>,
    known: &BTreeSet<RecordId>,
    found: &ObservedRecord,
) -> RecordFate {
    if known.contains(&found.id) {
        return RecordFate::Ours;
    }
    if let Some(other) = other_install(install, found.comment.as_deref()) {
        return RecordFate::OtherInstall(other);
    }
    if wanted.iter().any(|hostname| found.stands_at(hostname)) { RecordFate::Taken } else { RecordFate::Unwanted }
}

/// The installation of Adit that a comment names, if it is not this one.
pub(super) fn other_install(install: &InstallId, comment: Option<&str>) -> Option<String> {
    let (id, _tunnel) = comment?.strip_prefix("adit:")?.split_once(':')?;
    let other = InstallId::new(id)?;
    (other != *install).then(|| id.to_owned())
}

/// The installation of Adit that made a tunnel of this name at Cloudflare, if it is not this one.
pub fn install_of_tunnel(install: &InstallId, cloudflare_name: &str) -> Option<String> {
    let other = InstallId::new(cloudflare_name.rsplit_once(".adit-")?.1)?;
    (other != *install).then(|| other.as_str().to_owned())
}

/// What Adit changes of a stored configuration when the tunnel is its own, a line each.
pub fn configuration_changes(document: &Value, want: &DesiredTunnel) -> Vec<String> {
    match want.ownership {
        Ownership::Owned => configuration_difference(document, &want.document),
        Ownership::Shared => shared_changes(document, want),
    }
}

fn shared_changes(document: &Value, want: &DesiredTunnel) -> Vec<String> {
    let Ok(found) = Document::read(&document.to_string()) else { return Vec::new() };
    let rules = shared_rules(&want.document);
    let ours = already_there(&found, &rules);
    let merged = merge(&found, &ours, &rules);
    let taken = ours.iter().map(|own| format!("= {}: it stands there as it is wanted, and becomes ours", own.place));
    let changes = merged.changes.iter().map(ToString::to_string);
    let conflicts =
        merged.conflicts.iter().map(|conflict| format!("! {}: {}: {}", conflict.place, conflict.why, conflict.theirs));
    taken.chain(changes).chain(conflicts).collect()
}

/// The definition, in the configuration's grammar, that makes just this stored configuration. A hostname whose DNS record does not
/// become ours with the tunnel gets none: adopting a tunnel publishes nothing that was not public before.
pub fn definition_of(document: &Value, records: &[OfferedRecord]) -> Value {
    let mut rules: Vec<Value> = document.get("ingress").and_then(Value::as_array).cloned().unwrap_or_default();
    if rules.last() == Some(&json!({ "service": "http_status:404" })) {
        rules.pop(); // It is added where it is missing.
    }
    let known = |rule: &Value| {
        let keys = ["hostname", "path", "service", "originRequest"];
        let entries = keys
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), rule.get(*key).filter(|value| says_something(value))?.clone())));
        let mut rule = entries.collect::<Map<_, _>>();
        let hostname = rule.get("hostname").and_then(Value::as_str).and_then(|hostname| hostname.parse::<Hostname>().ok());
        if hostname.is_some_and(|hostname| !leads_here(&hostname, records)) {
            rule.insert("dns".to_owned(), Value::Bool(false));
        }
        Value::Object(rule)
    };
    let mut definition = Map::from_iter([("ingress".to_owned(), rules.iter().map(known).collect())]);
    if let Some(origin_request) = document.get("originRequest").filter(|value| says_something(value)) {
        definition.insert("originRequest".to_owned(), origin_request.clone());
    }
    Value::Object(definition)
}

fn leads_here(hostname: &Hostname, records: &[OfferedRecord]) -> bool {
    let stands = |record: &OfferedRecord| record.name.parse::<Hostname>().is_ok_and(|name| name == *hostname);
    let becomes_ours = |record: &OfferedRecord| match record.fate {
        RecordFate::Taken | RecordFate::Ours => true,
        RecordFate::Unwanted | RecordFate::OtherInstall(_) => false,
    };
    records.iter().any(|record| stands(record) && becomes_ours(record))
}

fn says_something(value: &Value) -> bool {
    !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty()) && value.as_str() != Some("")
}

/// The hostnames that a stored configuration has rules for.
pub fn hostnames_of(document: &Value) -> BTreeSet<Hostname> {
    let rules = document.get("ingress").and_then(Value::as_array).into_iter().flatten();
    rules.filter_map(|rule| rule.get("hostname")?.as_str()?.parse().ok()).collect()
}
