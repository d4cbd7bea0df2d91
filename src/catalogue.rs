//! Every word that programs may rely on, with what it means and what to do: the reference of events and reason codes.
//!
//! Kinds of events and codes of holds are types, so that one without its meaning does not compile. The others are plain words where
//! they are used; a test finds them in the source and compares. `ADIT_UPDATE=1 cargo test --test events_reference` writes the page.

mod checks;
mod findings;
mod reasons;

use std::fmt::Write as _;

pub use self::{
    checks::{CHECK_REASONS, ROUTE_FINDINGS},
    findings::FINDINGS,
    reasons::{CONNECTOR_REASONS, PROGRAM_REASONS},
};
use crate::{
    connector::RestartReason,
    event::{EventKind, Hook, Level, PassResult},
    event_kind::Reasons,
    plan::HoldCode,
};

/// A stable word, what it means, and what to do; empty where nothing is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The word.
    pub word: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What to do, in one sentence.
    pub action: &'static str,
}

/// What there is to do where nothing is to be done.
const NOTHING: &str = "";

const fn code(word: &'static str, meaning: &'static str, action: &'static str) -> Code {
    Code { word, meaning, action }
}

/// The page `events.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page += "| kind | level | names | reason | meaning |\n| --- | --- | --- | --- | --- |\n";
    for kind in EventKind::ALL.iter().filter(|kind| !kind.levels().contains(&Level::Reading)) {
        let levels = list(kind.levels().iter().map(|level| level.as_str()));
        let fields = list(kind.fields().iter().map(|field| format!("`{}`", field.as_str())));
        row(&mut page, &[&format!("`{}`", kind.as_str()), &levels, &fields, &of_reasons(kind.reasons()), kind.meaning()]);
    }
    page += READINGS;
    page += "| kind | names | meaning |\n| --- | --- | --- |\n";
    for kind in EventKind::ALL.iter().filter(|kind| kind.levels().contains(&Level::Reading)) {
        let fields = list(kind.fields().iter().map(|field| format!("`{}`", field.as_str())));
        row(&mut page, &[&format!("`{}`", kind.as_str()), &fields, kind.meaning()]);
    }
    section(&mut page, CONNECTORS, CONNECTOR_REASONS.iter().copied());
    page += RESTARTS;
    page += "| code | meaning |\n| --- | --- |\n";
    for reason in RestartReason::ALL {
        row(&mut page, &[&format!("`{}`", reason.as_str()), of_restart(reason)]);
    }
    section(&mut page, PROGRAM, PROGRAM_REASONS.iter().copied());
    section(&mut page, CHECKS, CHECK_REASONS.iter().copied());
    section(&mut page, HOLDS, HoldCode::ALL.iter().map(|held| code(held.as_str(), held.meaning(), held.action())));
    section(&mut page, HEALTH, FINDINGS.iter().copied());
    section(&mut page, ROUTES, ROUTE_FINDINGS.iter().copied());
    page
}

const INTRODUCTION: &str = "\
# Events and reason codes

What happens is an event: a line in the log, an entry of `adit events`, a message to [hooks](hooks.md), a count in
`adit_events_total{kind,level}`. Kinds and codes are stable: programs may rely on them. Sentences are for people and change.

As JSON (`adit events -o json`, `GET /v1/events`, hooks) an event has `id` (grows and is never used twice), `at`, `kind`, `level`
(`info`, `warn`, `error`), the names of what it is about, `reason` where there is one, and `sentence`. In the journal the kind is
the field `ADIT_EVENT`, beside `ADIT_TUNNEL`, `ADIT_CONNECTOR`, `ADIT_ACCOUNT` and `ADIT_REASON`.

## Events

";

const READINGS: &str = "
### Readings

They change what `adit status` and the metrics show, and nothing more: no log line, no entry, no hook.

";

const CONNECTORS: &str = "
## Why a connector is as it is

In events, `adit status`, `adit_connector_reason`. `no-uplink` and `up` are also of the host's uplink as a whole.

";

const RESTARTS: &str = "
## Why a connector was started again

In `adit_connector_restarts_total{tunnel,reason}` and in events of starts and replacements.

";

const PROGRAM: &str = "
## Why a cloudflared cannot be used

";

const CHECKS: &str = "
## What a check of a route found

In events of origins and public hostnames, and in `adit status TUNNEL`.

";

const ROUTES: &str = "
## What is wrong with a route

In `adit route list` and the routes of `GET /v1/tunnels`; `origin-down` and `probe-failed` are findings of the host's health as well.

";

const HOLDS: &str = "
## Why something is held

A hold leaves something at Cloudflare as it is; everything else goes on. In events, `adit status`, `adit plan` and `adit_hold`.

";

const HEALTH: &str = "
## What health finds

`adit status`, `GET /v1/health` and systemd's status line show findings. Beside these they have the codes of holds, of the program and
`no-uplink`, from the tables above.

";

fn section(page: &mut String, introduction: &str, codes: impl Iterator<Item = Code>) {
    *page += introduction;
    *page += "| code | meaning | what to do |\n| --- | --- | --- |\n";
    for Code { word, meaning, action } in codes {
        row(page, &[&format!("`{word}`"), meaning, action]);
    }
}

fn row(page: &mut String, cells: &[&str]) {
    writeln!(page, "| {} |", cells.join(" | ")).expect("a string takes everything");
}

fn list(words: impl Iterator<Item = impl ToString>) -> String {
    words.map(|word| word.to_string()).collect::<Vec<_>>().join(", ")
}

/// Where the reasons of a kind of event are, for people.
fn of_reasons(reasons: Reasons) -> String {
    match reasons {
        Reasons::None => String::new(),
        Reasons::Connector => "[why it is so](#why-a-connector-is-as-it-is)".to_owned(),
        Reasons::Restart => "[why again](#why-a-connector-was-started-again)".to_owned(),
        Reasons::Program => "[why](#why-a-cloudflared-cannot-be-used)".to_owned(),
        Reasons::Check => "[what was found](#what-a-check-of-a-route-found)".to_owned(),
        Reasons::Hold => "[why it is held](#why-something-is-held)".to_owned(),
        Reasons::Step => "the step's word, as in `adit plan -o json`".to_owned(),
        Reasons::Pass => list(
            [PassResult::Clean, PassResult::Changed, PassResult::Held, PassResult::Failed].map(|result| result.as_str()).iter(),
        ),
        Reasons::Verb => "the verb, as in `adit audit`".to_owned(),
        Reasons::Hook => list(Hook::ALL.iter().map(|hook| format!("`{}`", hook.as_str()))),
        Reasons::Words(words) => {
            words.iter().map(|(word, meaning)| format!("`{word}`: {meaning}")).collect::<Vec<_>>().join("<br>")
        }
    }
}

/// What the reason of a restart means.
fn of_restart(reason: RestartReason) -> &'static str {
    match reason {
        RestartReason::Exit => "It exited by itself.",
        RestartReason::NotReady => "It did not get as far as answering in time.",
        RestartReason::Uplink => "It had no connection when the edge could be reached again.",
        RestartReason::Hung => "It stopped answering.",
        RestartReason::Oom => "The kernel killed it for want of memory.",
        RestartReason::Upgrade => "The cloudflared binary changed.",
        RestartReason::Rotate => "Its token changed.",
        RestartReason::Config => "Another part of how it is started changed.",
        RestartReason::Operator => "An operator asked.",
        RestartReason::Transport => "Its transport could not work.",
        RestartReason::Signal => "A signal that Adit did not send ended it.",
        RestartReason::Flapping => "It used up a processor over connections that did not last.",
    }
}
