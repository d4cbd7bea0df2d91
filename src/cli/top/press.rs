//! What a key does: pure.

#![expect(clippy::wildcard_enum_match_arm, reason = "a terminal has more keys than those that do something")]

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    layout,
    model::{Confirm, Cuts, Dialog, Model, Pane, Verb},
    rights::may,
    rows::rows,
    update::Effect,
};

/// How many lines a page is.
const PAGE: usize = 10;

/// The longest filter, in characters.
const FILTER_MAX: usize = 60;

/// Does what `key` says.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => vec![Effect::Quit],
            KeyCode::Char('z') => vec![Effect::Stop],
            KeyCode::Char('l') => vec![Effect::Redraw],
            _ => Vec::new(),
        };
    }
    model.notice = None;
    if model.dialog.is_some() {
        return answer(model, key.code);
    }
    if model.filtering {
        type_filter(model, key.code);
        return Vec::new();
    }
    match key.code {
        KeyCode::Char('q') => return vec![Effect::Quit],
        KeyCode::Char('r') => return ask(model, Verb::Restart),
        KeyCode::Char('d') => return ask(model, Verb::Stop),
        KeyCode::Char('S') => return ask(model, Verb::Start),
        KeyCode::Char('?' | 'h') => model.dialog = Some(Dialog::Help),
        KeyCode::Char('/') => {
            model.filtering = true;
            focus(model, Pane::Tunnels);
        }
        KeyCode::Char('s') => {
            model.sort = model.sort.next();
            model.notice = Some(format!("tunnels by {}", model.sort.word()));
        }
        KeyCode::Char('p') => pause(model),
        KeyCode::Char('e') => focus(model, Pane::Events),
        KeyCode::Char('l') => focus(model, Pane::Log),
        KeyCode::Enter => focus(model, Pane::Detail),
        KeyCode::Tab => focus(model, next(model.focus)),
        KeyCode::BackTab => focus(model, next(next(next(model.focus)))),
        KeyCode::Esc if model.focus != Pane::Tunnels => focus(model, Pane::Tunnels),
        KeyCode::Esc => model.filter.clear(),
        KeyCode::Up | KeyCode::Char('k') => go(model, -1),
        KeyCode::Down | KeyCode::Char('j') => go(model, 1),
        KeyCode::PageUp => go(model, -(PAGE as isize)),
        KeyCode::PageDown => go(model, PAGE as isize),
        KeyCode::Home | KeyCode::Char('g') => go(model, isize::MIN),
        KeyCode::End | KeyCode::Char('G') => go(model, isize::MAX),
        _ => {}
    }
    Vec::new()
}

fn answer(model: &mut Model, key: KeyCode) -> Vec<Effect> {
    match (&mut model.dialog, key) {
        (Some(Dialog::Confirm(confirm)), KeyCode::Char('y')) => {
            // What it would cut has to have been there to be read, and it is asked for once.
            if confirm.sent || confirm.cuts == Cuts::Asked {
                return Vec::new();
            }
            confirm.sent = true;
            vec![Effect::Do(confirm.verb, confirm.tunnel.clone())]
        }
        (Some(Dialog::Confirm(_)), KeyCode::Char('n' | 'q') | KeyCode::Esc) => {
            model.dialog = None;
            Vec::new()
        }
        // A letter that was meant for something else is no answer.
        (Some(Dialog::Confirm(_)), _) => Vec::new(),
        (Some(Dialog::Help | Dialog::Told(..)) | None, _) => {
            model.dialog = None;
            Vec::new()
        }
    }
}

fn type_filter(model: &mut Model, key: KeyCode) {
    match key {
        KeyCode::Enter => model.filtering = false,
        KeyCode::Esc => {
            model.filtering = false;
            model.filter.clear();
        }
        KeyCode::Backspace => drop(model.filter.pop()),
        KeyCode::Char(char) if !char.is_control() && model.filter.chars().count() < FILTER_MAX => model.filter.push(char),
        _ => {}
    }
}

/// Asks whether it is meant, and the daemon what it would cut.
fn ask(model: &mut Model, verb: Verb) -> Vec<Effect> {
    let Some(tunnel) = model.cursor.clone() else {
        model.notice = Some("no tunnel is selected".to_owned());
        return Vec::new();
    };
    if let Err(why) = may(model.data.who.as_ref(), verb, &tunnel) {
        model.dialog = Some(Dialog::Told(format!("{} {tunnel}", verb.word()), vec![why]));
        return Vec::new();
    }
    let (cuts, effects) = match verb {
        Verb::Restart | Verb::Stop => (Cuts::Asked, vec![Effect::Plan(tunnel.clone())]),
        Verb::Start => (Cuts::Nothing, Vec::new()),
    };
    model.dialog = Some(Dialog::Confirm(Confirm { verb, tunnel, cuts, sent: false }));
    effects
}

fn pause(model: &mut Model) {
    model.frozen = match model.frozen.take() {
        Some(_) => None,
        None => Some(Box::new(model.data.clone())),
    };
}

fn focus(model: &mut Model, pane: Pane) {
    model.focus = pane;
    model.scrolled = 0;
    if pane != Pane::Tunnels {
        model.below = pane;
    }
}

fn next(pane: Pane) -> Pane {
    match pane {
        Pane::Tunnels => Pane::Detail,
        Pane::Detail => Pane::Events,
        Pane::Events => Pane::Log,
        Pane::Log => Pane::Tunnels,
    }
}

/// Moves the cursor or scrolls, by so many lines.
fn go(model: &mut Model, lines: isize) {
    match model.focus {
        Pane::Tunnels => {
            let rows = rows(model);
            let at = rows.iter().position(|row| Some(row.tunnel.name.as_str()) == model.cursor.as_deref()).unwrap_or(0);
            let at = at.saturating_add_signed(lines).min(rows.len().saturating_sub(1));
            let name = rows.get(at).map(|row| row.tunnel.name.clone());
            model.cursor = name;
        }
        Pane::Detail => model.scrolled = model.scrolled.saturating_add_signed(lines).min(layout::DETAIL_LINES_MAX),
        // These are read from their end.
        Pane::Events => model.scrolled = scrolled_up(model.scrolled, lines, model.shown().events.len()),
        Pane::Log => model.scrolled = scrolled_up(model.scrolled, lines, model.shown().log.lines.len()),
    }
}

fn scrolled_up(scrolled: usize, lines: isize, length: usize) -> usize {
    scrolled.saturating_add_signed(lines.saturating_neg()).min(length.saturating_sub(1))
}
