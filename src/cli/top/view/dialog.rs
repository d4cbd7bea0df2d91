//! What stands above everything: help, questions, refusals.

use ratatui::text::Span;

use super::span;
use crate::cli::{
    render::{Tone, plain},
    top::{
        model::{Confirm, Cuts, Dialog, Model, Verb},
        rights::may,
    },
};

/// How many connectors a question names; the rest are counted.
const CONNECTORS_MAX: usize = 8;

/// What the keys do.
const KEYS: [(&str, &str); 13] = [
    ("j k", "select a tunnel, or scroll"),
    ("enter", "all about the tunnel"),
    ("e", "events"),
    ("l", "log of the tunnel"),
    ("tab", "next pane"),
    ("esc", "back to the tunnels"),
    ("/", "filter by name, state, hostname"),
    ("s", "sort"),
    ("p", "pause, go on"),
    ("r", "restart, a successor first"),
    ("d", "drain and stop"),
    ("S", "start what was stopped"),
    ("q", "quit"),
];

/// What a dialog says.
pub(super) struct DialogText {
    /// What it is about.
    pub(super) title: String,
    /// What there is to know; each is wrapped where it is too long.
    pub(super) lines: Vec<Span<'static>>,
    /// Which keys answer it.
    pub(super) answer: &'static str,
}

/// The text of a dialog.
pub(super) fn text(model: &Model, dialog: &Dialog) -> DialogText {
    match dialog {
        Dialog::Help => DialogText { title: "help".to_owned(), lines: help(model), answer: "any key" },
        Dialog::Confirm(confirm) => {
            let title = format!("{} {}?", confirm.verb.word(), plain(&confirm.tunnel));
            DialogText { title, lines: question(confirm), answer: answer(confirm) }
        }
        Dialog::Told(title, told) => {
            let lines = told.iter().map(|line| span(line, Tone::Plain)).collect();
            DialogText { title: format!("{}: not done", plain(title)), lines, answer: "any key" }
        }
    }
}

fn help(model: &Model) -> Vec<Span<'static>> {
    let tunnel = model.cursor.as_deref().unwrap_or_default();
    let key = |(keys, what): &(&str, &str)| {
        let verb = match *keys {
            "r" => Some(Verb::Restart),
            "d" => Some(Verb::Stop),
            "S" => Some(Verb::Start),
            _ => None,
        };
        let refused = verb.is_some_and(|verb| may(model.data.who.as_ref(), verb, tunnel).is_err());
        let (text, tone) = if refused { (" (not for your role)", Tone::Faint) } else { ("", Tone::Plain) };
        span(&format!("{keys:<8}  {what}{text}"), tone)
    };
    let columns = [
        "REQ/S     requests a second",
        "ERR/S     those that did not get to their origin",
        "RST/H     restarts of connectors in the last hour",
        "RTT       median round trip to the edge (QUIC)",
    ];
    KEYS.iter().map(key).chain(columns.map(|column| span(column, Tone::Faint))).collect()
}

fn question(confirm: &Confirm) -> Vec<Span<'static>> {
    let what = match confirm.verb {
        Verb::Restart => "Its connectors are replaced one after another, each when its successor serves.",
        Verb::Stop => "Its connectors finish their requests and stop, until somebody starts them.",
        Verb::Start => "Its connectors are started.",
    };
    let mut lines = vec![Span::raw(what)];
    match &confirm.cuts {
        Cuts::Asked => lines.push(span("asking what that would cut", Tone::Faint)),
        Cuts::Nothing if confirm.verb == Verb::Start => {}
        Cuts::Nothing => lines.push(Span::raw("No connector of it runs: nothing is cut.")),
        Cuts::Unknown(why) => lines.push(span(&format!("What that would cut is not known: {why}"), Tone::Notice)),
        Cuts::Known(replaces) => {
            let tone = |open: Option<u64>| if open == Some(0) { Tone::Plain } else { Tone::Notice };
            let shown = replaces.iter().take(CONNECTORS_MAX);
            lines.extend(shown.map(|replaced| span(&replaced.sentence(), tone(replaced.open_requests))));
            if replaces.len() > CONNECTORS_MAX {
                lines.push(Span::raw(format!("and {} more connectors", replaces.len() - CONNECTORS_MAX)));
            }
        }
    }
    lines
}

fn answer(confirm: &Confirm) -> &'static str {
    match (confirm.sent, &confirm.cuts) {
        (true, _) => "asked the daemon",
        (false, Cuts::Asked) => "n no",
        (false, Cuts::Nothing | Cuts::Known(_) | Cuts::Unknown(_)) => "y yes   n no",
    }
}
