//! `originRequest`: how cloudflared asks an origin. Its keys and spelling are cloudflared's; the grammar knows their types.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::{
    duration, paths,
    report::{Report, Reported},
    section::{Section, parsed},
    tree::{Node, Value},
};

/// The keys that are times.
const TIMES: &[&str] = &["connectTimeout", "keepAliveTimeout", "tcpKeepAlive", "tlsTimeout"];

/// Whose `originRequest` it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Tunnel,
    Rule,
}

/// The `originRequest` as cloudflared reads it from Cloudflare: times in whole seconds.
pub(super) fn origin_request(section: Section<'_>, scope: Scope, report: &mut Report<'_>) -> Result<Map<String, Json>, Reported> {
    let mut result = Map::new();
    let mut failed = false;
    for (key, node) in section.entries() {
        let value = match key {
            "access" if scope == Scope::Tunnel => {
                let message = "cloudflared reads access only in a rule's originRequest: here it would protect nothing";
                Err(report.error_with_help(&node.place, message, "write it in each rule that it is meant for"))
            }
            "access" => access(node, report),
            "caPool" => parsed(node, report, |text| paths::absolute(text).map(|_| Json::from(text))),
            _ if TIMES.contains(&key) => seconds(node, report),
            _ => to_json(node),
        };
        match value {
            Ok(value) => {
                result.insert(key.to_owned(), value);
            }
            Err(Reported) => failed = true,
        }
    }
    if failed { Err(Reported) } else { Ok(result) }
}

/// The same with its times as `10s`: a file is read as YAML, where a bare number would mean nanoseconds
/// (`config/configuration.go`, `CustomDuration`).
pub(super) fn for_file(origin_request: &Map<String, Json>) -> Map<String, Json> {
    let spell = |(key, value): (&String, &Json)| match value.as_u64() {
        Some(seconds) if TIMES.contains(&key.as_str()) => (key.clone(), Json::from(format!("{seconds}s"))),
        Some(_) | None => (key.clone(), value.clone()),
    };
    origin_request.iter().map(spell).collect()
}

/// Seconds, or a duration that is whole seconds.
fn seconds(node: &Node, report: &mut Report<'_>) -> Result<Json, Reported> {
    match &node.value {
        Value::Integer(seconds) => Ok(Json::from(*seconds)),
        Value::Text(_) => parsed(node, report, |text| {
            let duration = duration::parse(text)?;
            if duration != Duration::from_secs(duration.as_secs()) {
                return Err("cloudflared takes whole seconds here".to_owned());
            }
            Ok(Json::from(duration.as_secs()))
        }),
        Value::Number(_) | Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => Err(Reported),
    }
}

fn access(node: &Node, report: &mut Report<'_>) -> Result<Json, Reported> {
    let section = Section::of(node).ok_or(Reported)?;
    // cloudflared checks tokens against the keys of the team: without its name none could ever be valid.
    if let Some(("", place)) = section.text("teamName") {
        return Err(report.error(place, "cannot use \"\": the team's name must not be empty"));
    }
    to_json(node)
}

fn to_json(node: &Node) -> Result<Json, Reported> {
    Ok(match &node.value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(integer) => Json::from(*integer),
        Value::Number(number) => Json::from(*number),
        Value::Boolean(boolean) => Json::from(*boolean),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Table(table) => {
            let entries = table.iter().map(|(key, node)| Ok((key.clone(), to_json(node)?)));
            Json::Object(entries.collect::<Result<_, _>>()?)
        }
        Value::Date => return Err(Reported),
    })
}
