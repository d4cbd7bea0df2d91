//! Each step with what is there before and after it, for whoever looks at a plan. The hash of a plan does not depend on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Input, Plan, Step};
use crate::{
    id::{RecordId, ZoneId},
    name::{Hostname, TunnelName},
    observed::Part,
};

/// One step as a plan shows it. The names are stable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What it does, in one word, such as `create-record`.
    pub step: &'static str,
    /// `+`, `~` or `-`.
    pub sign: char,
    /// The tunnel that it is about.
    pub tunnel: TunnelName,
    /// The hostname, when it is about a DNS record.
    pub hostname: Option<Hostname>,
    /// What it does and why, for a person.
    pub sentence: String,
    /// Whether it waits for a confirmation.
    pub waits: bool,
    /// What is at Cloudflare; null when nothing is, or when it was not read.
    pub before: Value,
    /// What is there after it; null when nothing is, or when nothing changes at Cloudflare.
    pub after: Value,
    /// What it costs in money, for a person; null when nothing.
    pub cost: Option<&'static str>,
    /// The difference for people, one line each, beginning with `+`, `-` or `~`.
    pub lines: Vec<String>,
}

/// What each step of `plan` changes, in its order: first those that can be done at once, then those that wait.
pub fn explain(input: &Input<'_>, plan: &Plan) -> Vec<Change> {
    let now = plan.steps.iter().map(|step| change(input, step, false));
    now.chain(plan.waiting.iter().map(|step| change(input, step, true))).collect()
}

/// How many calls of Cloudflare's API the steps of `plan` take when all goes well, beside the reads of the pass: one for a tunnel
/// that is made, two for one that is deleted (the deletion is proved), two for its connections (it is read whose they are), two for a
/// configuration (it is read again first, unless the tunnel is made in this plan), one for each batch of DNS records.
pub fn calls(input: &Input<'_>, plan: &Plan) -> usize {
    let made: BTreeSet<&TunnelName> =
        plan.steps.iter().filter(|step| matches!(step, Step::CreateTunnel { .. })).map(Step::tunnel).collect();
    let (mut calls, mut changed, mut deleted) = (0, BTreeMap::new(), BTreeMap::new());
    for step in plan.steps.iter().chain(&plan.waiting) {
        match step {
            Step::CreateTunnel { .. } => calls += 1,
            Step::DeleteConnections { .. } | Step::DeleteTunnel { .. } => calls += 2,
            Step::WriteRules { .. } => calls += 2,
            Step::Network(step) => calls += step.calls(),
            Step::Balancer(step) => calls += step.calls(),
            Step::Rotation(step) => calls += step.calls(),
            Step::PutConfiguration { tunnel, .. } => calls += if made.contains(tunnel) { 1 } else { 2 },
            Step::CreateRecord { zone_id, .. } | Step::RepairRecord { zone_id, .. } | Step::MoveRecord { zone_id, .. } => {
                *changed.entry(zone_id).or_insert(0_usize) += 1;
            }
            Step::DeleteRecord { zone_id, .. } => *deleted.entry(zone_id).or_insert(0_usize) += 1,
            Step::RenameTunnel { .. }
            | Step::KeepTunnel { .. }
            | Step::OrphanTunnel { .. }
            | Step::SettleCreation { .. }
            | Step::TakeRecord { .. }
            | Step::ForgetRecord { .. }
            | Step::NoteVersion { .. }
            | Step::RetireTunnel { .. }
            | Step::DrainTunnel { .. }
            | Step::EndParting { .. }
            | Step::NoteDocument { .. }
            | Step::Access(_)
            | Step::ForgetTunnel { .. } => {}
        }
    }
    let batches = |(zone_id, count): (&ZoneId, usize)| {
        let zone = input.observed.zones.complete().and_then(|zones| zones.iter().find(|zone| zone.id == *zone_id));
        count.div_ceil(zone.map_or(1, |zone| zone.batch_max).max(1))
    };
    calls + changed.into_iter().chain(deleted).map(batches).sum::<usize>()
}

fn change(input: &Input<'_>, step: &Step, waits: bool) -> Change {
    let (before, after) = sides(input, step);
    let lines = match step {
        Step::PutConfiguration { .. } => rules(&before, &after),
        Step::RepairRecord { .. } | Step::MoveRecord { .. } => fields(&before, &after),
        Step::WriteRules { changes, .. } => changes.iter().map(ToString::to_string).collect(),
        Step::RenameTunnel { .. }
        | Step::KeepTunnel { .. }
        | Step::OrphanTunnel { .. }
        | Step::SettleCreation { .. }
        | Step::TakeRecord { .. }
        | Step::ForgetRecord { .. }
        | Step::NoteVersion { .. }
        | Step::CreateTunnel { .. }
        | Step::CreateRecord { .. }
        | Step::DeleteRecord { .. }
        | Step::DeleteConnections { .. }
        | Step::DeleteTunnel { .. }
        | Step::RetireTunnel { .. }
        | Step::DrainTunnel { .. }
        | Step::EndParting { .. }
        | Step::NoteDocument { .. }
        | Step::Network(_)
        | Step::Rotation(_)
        | Step::Balancer(_)
        | Step::Access(_)
        | Step::ForgetTunnel { .. } => Vec::new(),
    };
    let (tunnel, hostname) = (step.tunnel().clone(), step.hostname().cloned());
    Change {
        step: step.word(),
        sign: step.sign(),
        tunnel,
        hostname,
        sentence: step.describe(),
        waits,
        before,
        after,
        cost: step.cost(),
        lines,
    }
}

/// What is at Cloudflare before and after a step.
fn sides(input: &Input<'_>, step: &Step) -> (Value, Value) {
    let found = |zone_id: &ZoneId, record_id: &RecordId| {
        let records = input.observed.records.get(zone_id).and_then(Part::complete);
        let listed = records.into_iter().flatten().find(|record| record.id == *record_id);
        let named = || input.observed.answers.names.values().filter_map(Part::complete).flatten();
        let record = listed.or_else(|| named().find(|record| record.id == *record_id));
        record.map_or(Value::Null, |record| {
            json!({
                "type": record.kind, "name": record.name, "content": record.content,
                "proxied": record.proxied, "comment": record.comment,
            })
        })
    };
    let wanted = |tunnel: &TunnelName, hostname: &Hostname| {
        // The id of a tunnel that is still to be made is not known yet.
        let id = input.records.tunnels.get(tunnel).and_then(|record| record.id.as_ref());
        json!({
            "type": "CNAME", "name": hostname.as_str(), "content": id.map(|id| id.dns_target()),
            "proxied": true, "comment": input.records.install.marker(tunnel),
        })
    };
    match step {
        Step::CreateTunnel { cloudflare_name, source, .. } => {
            (Value::Null, json!({ "name": cloudflare_name, "configuration": source.to_string() }))
        }
        Step::PutConfiguration { tunnel, document, .. } => {
            let read = input.observed.answers.configurations.get(tunnel).and_then(Part::complete);
            (read.map_or(Value::Null, |read| read.document.clone()), document.clone())
        }
        Step::CreateRecord { tunnel, hostname, .. } => (Value::Null, wanted(tunnel, hostname)),
        Step::RepairRecord { tunnel, hostname, zone_id, record_id, .. }
        | Step::MoveRecord { tunnel, hostname, zone_id, record_id, .. } => (found(zone_id, record_id), wanted(tunnel, hostname)),
        Step::DeleteRecord { zone_id, record_id, .. } => (found(zone_id, record_id), Value::Null),
        Step::DeleteTunnel { tunnel, id } => {
            let name = input.records.tunnels.get(tunnel).map(|record| record.cloudflare_name.as_str());
            (json!({ "id": id.as_str(), "name": name }), Value::Null)
        }
        Step::RenameTunnel { .. }
        | Step::KeepTunnel { .. }
        | Step::OrphanTunnel { .. }
        | Step::SettleCreation { .. }
        | Step::TakeRecord { .. }
        | Step::ForgetRecord { .. }
        | Step::NoteVersion { .. }
        | Step::DeleteConnections { .. }
        | Step::RetireTunnel { .. }
        | Step::DrainTunnel { .. }
        | Step::EndParting { .. }
        | Step::NoteDocument { .. }
        | Step::Rotation(_)
        | Step::Access(_)
        | Step::ForgetTunnel { .. } => (Value::Null, Value::Null),
        Step::WriteRules { tunnel, rules, .. } => {
            let read = input.observed.answers.configurations.get(tunnel).and_then(Part::complete);
            (read.map_or(Value::Null, |read| read.document.clone()), json!({ "rules": rules }))
        }
        Step::Network(step) => (Value::Null, json!(step)),
        Step::Balancer(step) => (Value::Null, json!(step)),
    }
}

/// Which rules of a configuration go and come. Rules that only change their place are said to.
fn rules(before: &Value, after: &Value) -> Vec<String> {
    let list = |document: &Value| -> Vec<String> {
        document.get("ingress").and_then(Value::as_array).into_iter().flatten().map(rule).collect()
    };
    let (old, new) = (list(before), list(after));
    let kept_in_old: Vec<&String> = old.iter().filter(|rule| new.contains(rule)).collect();
    let kept_in_new: Vec<&String> = new.iter().filter(|rule| old.contains(rule)).collect();
    let mut lines: Vec<String> = old.iter().filter(|rule| !new.contains(rule)).map(|rule| format!("- {rule}")).collect();
    lines.extend(new.iter().filter(|rule| !old.contains(rule)).map(|rule| format!("+ {rule}")));
    if kept_in_old != kept_in_new {
        lines.push("~ the order of the rules".to_owned());
    }
    let other = |document: &Value| document.get("originRequest").filter(|value| *value != &json!({})).cloned();
    if !before.is_null() && other(before) != other(after) {
        lines.push("~ originRequest of all rules".to_owned());
    }
    lines
}

/// `app.example.com /api -> http://localhost:8080 (noTLSVerify=true)`.
fn rule(rule: &Value) -> String {
    let text = |key: &str| rule.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut line = text("hostname").unwrap_or("*").to_owned();
    if let Some(path) = text("path") {
        line.push_str(&format!(" {path}"));
    }
    line.push_str(&format!(" -> {}", text("service").unwrap_or("?")));
    let settings = rule.get("originRequest").and_then(Value::as_object).into_iter().flatten();
    let settings: Vec<String> = settings.map(|(key, value)| format!("{key}={value}")).collect();
    if !settings.is_empty() {
        line.push_str(&format!(" ({})", settings.join(", ")));
    }
    line
}

/// Which fields of a record change.
fn fields(before: &Value, after: &Value) -> Vec<String> {
    let fields = after.as_object().into_iter().flatten();
    let changed = fields.filter(|(key, value)| *key != "name" && before.get(key) != Some(value) && !before.is_null());
    changed.map(|(key, value)| format!("~ {key} {} -> {value}", before.get(key).unwrap_or(&Value::Null))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_shows_the_rules_that_go_and_come_and_their_order() {
        let document = |rules: &[(&str, &str)]| {
            let rules = rules.iter().map(|(hostname, service)| json!({ "hostname": hostname, "service": service }));
            json!({ "ingress": rules.collect::<Vec<_>>() })
        };
        let before = document(&[("a.example.com", "http://a"), ("b.example.com", "http://b"), ("c.example.com", "http://c")]);
        let after = document(&[("c.example.com", "http://c"), ("b.example.com", "http://b"), ("a.example.com", "http://x")]);
        let expected =
            ["- a.example.com -> http://a", "+ a.example.com -> http://x", "~ the order of the rules"].map(str::to_owned);
        assert_eq!(rules(&before, &after), expected);
        assert_eq!(rules(&Value::Null, &document(&[("a.example.com", "http://a")])), ["+ a.example.com -> http://a"]);
    }

    #[test]
    fn a_record_shows_what_it_was_and_becomes() {
        let before = json!({ "type": "CNAME", "name": "a.example.com", "content": "x", "proxied": false });
        let after = json!({ "type": "CNAME", "name": "a.example.com", "content": "y", "proxied": true });
        assert_eq!(fields(&before, &after), ["~ content \"x\" -> \"y\"", "~ proxied false -> true"]);
    }
}
