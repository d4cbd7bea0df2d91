//! `[hooks]`: who is told of events outside of Adit.

use serde::Serialize;
use url::Url;

use super::{
    access::Pattern,
    account::{TokenSource, argument, checked_url, serialize_url, token_source},
    report::{Report, Reported},
    section::{Section, as_text},
};
use crate::{
    event_kind::{EventKind, Level},
    suggestion::{nearest, question},
};

/// Who is told of which events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hooks {
    /// The program that is run for each event, and its arguments; none when empty.
    pub on_event: Vec<String>,
    /// The kinds of events that hooks are told of.
    pub events: Vec<Pattern>,
    /// How loud an event must be at least.
    pub level: Level,
    /// The address that events are sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// An address that events are sent to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Webhook {
    /// `https`, or `http` on a loopback address.
    #[serde(serialize_with = "serialize_url")]
    pub url: Url,
    /// Where the secret comes from that every delivery is signed with.
    pub secret: TokenSource,
}

impl Hooks {
    /// Whether hooks are told of events of this kind and level.
    pub fn want(&self, kind: &str, level: Level) -> bool {
        let is_for_hooks = EventKind::ALL.iter().any(|known| known.as_str() == kind && known.is_for_hooks());
        is_for_hooks && level >= self.level && self.events.iter().any(|pattern| pattern.matches(kind))
    }
}

pub(super) fn hooks(section: Section<'_>, report: &mut Report<'_>) -> Result<Hooks, Reported> {
    let on_event = on_event(section, report);
    let events = events(section, report);
    let level = match section.get("level") {
        Some(_) => section.word("level", &[("info", Level::Info), ("warn", Level::Warn), ("error", Level::Error)]),
        // Who names kinds wants them however loud they are.
        None if section.items("events").is_empty() => Ok(Level::Warn),
        None => Ok(Level::Info),
    };
    let webhook = section.section("webhook").map(|section| webhook(section, report)).transpose();
    Ok(Hooks { on_event: on_event?, events: events?, level: level?, webhook: webhook? })
}

fn on_event(section: Section<'_>, report: &mut Report<'_>) -> Result<Vec<String>, Reported> {
    let command = section.list("on_event", report, argument)?;
    match (command.first(), section.get("on_event")) {
        (Some(program), Some(node)) if !program.starts_with('/') => {
            let message = format!("cannot run {program:?}: the program needs an absolute path, as nothing is looked up");
            Err(report.error_with_help(&node.place, message, "as in [\"/usr/local/bin/notify\", \"--quiet\"]; there is no shell"))
        }
        _ => Ok(command),
    }
}

/// The patterns; each must be of some kind that hooks can be told of.
fn events(section: Section<'_>, report: &mut Report<'_>) -> Result<Vec<Pattern>, Reported> {
    let Some(node) = section.get("events") else { return Ok(vec!["*".parse().expect("a star is a pattern")]) };
    let patterns = section.list("events", report, str::parse::<Pattern>)?;
    if patterns.is_empty() {
        return Err(report.error_with_help(
            &node.place,
            "with no kind of event hooks are told of nothing",
            "leave it out for every kind",
        ));
    }
    let mut wrong = None;
    for (text, place) in section.items("events").iter().filter_map(as_text) {
        let pattern: Pattern = text.parse().map_err(|_| Reported)?;
        let met: Vec<EventKind> = EventKind::ALL.iter().copied().filter(|kind| pattern.matches(kind.as_str())).collect();
        if met.iter().any(|kind| kind.is_for_hooks()) {
            continue;
        }
        let message = match met[..] {
            [] => format!("cannot use {text:?}: there is no such kind of event"),
            [..] => format!("cannot use {text:?}: hooks are never told of readings, nor of hooks themselves"),
        };
        let kinds = EventKind::ALL.iter().filter(|kind| kind.is_for_hooks()).map(|kind| kind.as_str());
        let help = match text.strip_suffix("-*") {
            Some(family) => {
                let near = nearest(family, kinds.filter_map(|kind| Some(kind.split_once('-')?.0)));
                near.map(|near| format!("did you mean \"{near}-*\"?"))
            }
            None => question(text, kinds),
        };
        let help = help.unwrap_or_else(|| "see /usr/share/doc/adit/events.md".to_owned());
        wrong = Some(report.error_with_help(place, message, help));
    }
    wrong.map_or(Ok(patterns), Err)
}

fn webhook(section: Section<'_>, report: &mut Report<'_>) -> Result<Webhook, Reported> {
    let url = section.required("url", report, url);
    let secret = match section.section("secret") {
        Some(section) => token_source(section, "the secret", report),
        None => Err(Reported),
    };
    Ok(Webhook { url: url?, secret: secret? })
}

fn url(text: &str) -> Result<Url, String> {
    let url = checked_url(text, "http would send what happens here in clear: only a loopback address may be told without TLS")?;
    if url.fragment().is_some() {
        return Err("nothing behind a # is ever sent".to_owned());
    }
    Ok(url)
}
