//! What happens, as a change of the model and a list of what is to be done: pure.

use jiff::Timestamp;
use ratatui::crossterm::event::KeyEvent;

use super::{
    model::{Cuts, Dialog, EVENTS_MAX, LINES_MAX, Log, Model, Verb},
    press::press,
};
use crate::control::api::{Change, ConnectorTraffic, Event, Followed, LogLine, Replaced, Status, WhoAmI};

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has this many columns and lines.
    Resized(u16, u16),
    /// It is this late.
    Clock(Timestamp),
    /// The daemon told everything at one look.
    Status(Box<Status>),
    /// The daemon does not answer, and why.
    Lost(String),
    /// Who the daemon takes the caller for.
    Who(WhoAmI),
    /// What connectors carry.
    Traffic(Vec<ConnectorTraffic>),
    /// An event.
    Event(Followed<Event>),
    /// A line of a tunnel's log.
    Line(String, Followed<LogLine>),
    /// A tunnel's log cannot be read, and why.
    NoLog(String, String),
    /// What a change would cut.
    Planned(String, Result<Vec<Replaced>, String>),
    /// What came of a change that was asked for.
    Done(Verb, String, Result<Change, Vec<String>>),
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask what a change to this tunnel would cut.
    Plan(String),
    /// Ask the daemon for a change.
    Do(Verb, String),
    /// Follow the log of this tunnel, or none.
    FollowLog(Option<String>),
    /// Give the terminal back until somebody continues this.
    Stop,
    /// Draw everything anew.
    Redraw,
    /// End.
    Quit,
}

/// Takes `message` in.
pub(super) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    // Lines and events come by the thousand and move no tunnel.
    let moves_tunnels = matches!(message, Message::Key(_) | Message::Status(_));
    match message {
        Message::Key(key) => effects = press(model, key),
        Message::Resized(columns, lines) => model.size = (columns, lines),
        Message::Clock(now) => {
            model.data.now = now;
            model.data.restarts.forget(now);
        }
        Message::Status(status) => {
            model.data.lost = None;
            model.data.status = Some((model.data.now, *status));
        }
        Message::Lost(why) => {
            let since = model.data.lost.as_ref().map_or(model.data.now, |(since, _)| *since);
            model.data.lost = Some((since, why));
        }
        Message::Who(who) => model.data.who = Some(who),
        Message::Traffic(readings) => model.data.traffic.take(readings),
        Message::Event(event) => take_event(model, event),
        Message::Line(tunnel, line) => take_line(&mut model.data.log, &tunnel, line),
        Message::NoLog(tunnel, why) => {
            if model.data.log.tunnel.as_deref() == Some(&tunnel) {
                model.data.log.refused = Some(why);
            }
        }
        Message::Planned(tunnel, planned) => take_plan(model, &tunnel, planned),
        Message::Done(verb, tunnel, result) => take_result(model, verb, &tunnel, result),
    }
    if moves_tunnels {
        model.keep_cursor();
    }
    effects.extend(follow_log(model));
    effects
}

fn take_event(model: &mut Model, event: Followed<Event>) {
    match event {
        Followed::Item(event) => {
            let data = &mut model.data;
            // After a break some may come again.
            if data.events.back().is_some_and(|last| last.id >= event.id) {
                return;
            }
            data.restarts.take(&event);
            let in_scope = event
                .subject
                .tunnel
                .as_deref()
                .is_none_or(|tunnel| model.scope.as_ref().is_none_or(|scope| scope.matches(tunnel)));
            if in_scope {
                data.events.push_back(event);
            }
            if data.events.len() > EVENTS_MAX {
                data.events.pop_front();
            }
        }
        Followed::Missed(count) => model.notice = Some(format!("{count} events were left out: too slow to read them")),
    }
}

fn take_line(log: &mut Log, tunnel: &str, line: Followed<LogLine>) {
    if log.tunnel.as_deref() != Some(tunnel) {
        return;
    }
    if let Followed::Item(line) = line {
        log.refused = None;
        log.lines.push_back(line);
        if log.lines.len() > LINES_MAX {
            log.lines.pop_front();
        }
    }
}

fn take_plan(model: &mut Model, tunnel: &str, planned: Result<Vec<Replaced>, String>) {
    if let Some(Dialog::Confirm(confirm)) = &mut model.dialog
        && confirm.tunnel == tunnel
        && confirm.cuts == Cuts::Asked
    {
        confirm.cuts = match planned {
            Ok(replaces) if replaces.is_empty() => Cuts::Nothing,
            Ok(mut replaces) => {
                if confirm.verb == Verb::Stop {
                    // The same connectors, and nothing takes their place.
                    replaces.iter_mut().for_each(|replaced| "unwanted".clone_into(&mut replaced.why));
                }
                Cuts::Known(replaces)
            }
            Err(why) => Cuts::Unknown(why),
        };
    }
}

fn take_result(model: &mut Model, verb: Verb, tunnel: &str, result: Result<Change, Vec<String>>) {
    let is_open = matches!(&model.dialog, Some(Dialog::Confirm(confirm)) if confirm.sent && confirm.tunnel == tunnel && confirm.verb == verb);
    if is_open {
        model.dialog = None;
    }
    let word = verb.word();
    match result {
        Ok(Change::Accepted) => model.notice = Some(format!("{word} of tunnel {tunnel:?}: accepted")),
        Ok(Change::Unchanged) => model.notice = Some(format!("{word} of tunnel {tunnel:?}: nothing had to change")),
        // A dialog about something else is not pushed aside.
        Err(lines) if model.dialog.is_none() => model.dialog = Some(Dialog::Told(format!("{word} {tunnel}"), lines)),
        Err(lines) => model.notice = lines.into_iter().next(),
    }
}

/// Begins to follow another log when another one is to be shown.
fn follow_log(model: &mut Model) -> Option<Effect> {
    let wanted = model.wanted_log().map(str::to_owned);
    if wanted == model.data.log.tunnel {
        return None;
    }
    model.data.log = Log { tunnel: wanted.clone(), ..Log::default() };
    Some(Effect::FollowLog(wanted))
}
