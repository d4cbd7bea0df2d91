//! Each step with what is there before and after it, for whoever looks at a plan. The hash of a plan does not depend on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Input, Plan, Step,
    difference::configuration_difference,
    step::{Facts, Reach},
};
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
    let (mut calls, mut batched) = (0, BTreeMap::new());
    for step in plan.steps.iter().chain(&plan.waiting) {
        match step.facts().reach {
            Reach::Here => {}
            Reach::Calls(_) if matches!(step, Step::PutConfiguration { .. }) && made.contains(step.tunnel()) => calls += 1,
            Reach::Calls(count) => calls += count,
            Reach::Records(zone_id) => *batched.entry((step.sign() == '-', zone_id)).or_insert(0_usize) += 1,
        }
    }
    let batches = |((_, zone_id), count): ((bool, &ZoneId), usize)| {
        let zone = input.observed.zones.complete().and_then(|zones| zones.iter().find(|zone| zone.id == *zone_id));
        count.div_ceil(zone.map_or(1, |zone| zone.batch_max).max(1))
    };
    calls + batched.into_iter().map(batches).sum::<usize>()
}

fn change(input: &Input<'_>, step: &Step, waits: bool) -> Change {
    let (before, after, lines) = sides(input, step);
    let Facts { word, sign, tunnel, hostname, cost, .. } = step.facts();
    let (tunnel, hostname, sentence) = (tunnel.clone(), hostname.cloned(), step.describe());
    Change { step: word, sign, tunnel, hostname, sentence, waits, before, after, cost, lines }
}

/// What is at Cloudflare before and after a step, and the difference for people.
fn sides(input: &Input<'_>, step: &Step) -> (Value, Value, Vec<String>) {
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
    let stored = |tunnel: &TunnelName| {
        let read = input.observed.answers.configurations.get(tunnel).and_then(Part::complete);
        read.map_or(Value::Null, |read| read.document.clone())
    };
    match step {
        Step::CreateTunnel { cloudflare_name, source, .. } => {
            (Value::Null, json!({ "name": cloudflare_name, "configuration": source.to_string() }), Vec::new())
        }
        Step::PutConfiguration { tunnel, document, .. } => {
            let before = stored(tunnel);
            let lines = configuration_difference(&before, document);
            (before, document.clone(), lines)
        }
        Step::CreateRecord { tunnel, hostname, .. } => (Value::Null, wanted(tunnel, hostname), Vec::new()),
        Step::RepairRecord { tunnel, hostname, zone_id, record_id, .. }
        | Step::MoveRecord { tunnel, hostname, zone_id, record_id, .. } => {
            let (before, after) = (found(zone_id, record_id), wanted(tunnel, hostname));
            let lines = fields(&before, &after);
            (before, after, lines)
        }
        Step::DeleteRecord { zone_id, record_id, .. } => (found(zone_id, record_id), Value::Null, Vec::new()),
        Step::DeleteTunnel { tunnel, id } => {
            let name = input.records.tunnels.get(tunnel).map(|record| record.cloudflare_name.as_str());
            (json!({ "id": id.as_str(), "name": name }), Value::Null, Vec::new())
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
        | Step::ForgetTunnel { .. } => (Value::Null, Value::Null, Vec::new()),
        Step::WriteRules { tunnel, rules, changes, .. } => {
            (stored(tunnel), json!({ "rules": rules }), changes.iter().map(ToString::to_string).collect())
        }
        Step::Network(network) => side(step.sign(), json!(network)),
        Step::Balancer(balancer) => side(step.sign(), json!(balancer)),
    }
}

/// A private route or a part of load balancing, by what the step says of it: what goes was there before, everything else is after.
fn side(sign: char, object: Value) -> (Value, Value, Vec<String>) {
    if sign == '-' { (object, Value::Null, Vec::new()) } else { (Value::Null, object, Vec::new()) }
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
    fn a_record_shows_what_it_was_and_becomes() {
        let before = json!({ "type": "CNAME", "name": "a.example.com", "content": "x", "proxied": false });
        let after = json!({ "type": "CNAME", "name": "a.example.com", "content": "y", "proxied": true });
        assert_eq!(fields(&before, &after), ["~ content \"x\" -> \"y\"", "~ proxied false -> true"]);
    }
}
