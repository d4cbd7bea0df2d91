//! The demo's screen: what exists, what is healthy and why, and what a visitor notices of it.

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Table},
};

use super::load::Tally;
use crate::control::api::{Event, Level, Route, RouteState, State, Status};

/// Everything that the screen shows.
pub(super) struct Shown<'a> {
    /// The daemon's answer, or why there is none.
    pub status: Result<&'a Status, &'a str>,
    /// The last events, oldest first.
    pub events: &'a [Event],
    /// What became of the visitors' requests.
    pub tally: Tally,
    /// Where everything is: lines of a label and a text to copy.
    pub places: &'a [(&'a str, String)],
    /// What the last key did.
    pub note: &'a str,
    /// Whether the API is failing on request.
    pub api_fails: bool,
}

/// What each key does, as the last lines say it. Each fits a terminal of 80 columns.
const KEYS: [&str; 2] = [
    "k kill a connector   h hang one   d delete a DNS record   r restart web",
    "c change a route     a API fails on/off                   q quit",
];

/// Draws one frame.
pub(super) fn draw(frame: &mut Frame<'_>, shown: &Shown<'_>) {
    let places_height = u16::try_from(shown.places.len()).unwrap_or(4) + 1;
    let tunnels_height = tunnel_rows(shown).map_or(1, |rows| u16::try_from(rows).unwrap_or(10)) + 3;
    let areas = Layout::vertical([
        Constraint::Length(places_height),
        Constraint::Length(tunnels_height),
        Constraint::Length(2),
        Constraint::Min(3),
        Constraint::Length(3),
    ])
    .split(frame.area());
    frame.render_widget(places(shown), areas[0]);
    match shown.status {
        Ok(status) => frame.render_widget(tunnels(status), areas[1]),
        Err(why) => frame.render_widget(Paragraph::new(why).block(titled("tunnels")), areas[1]),
    }
    frame.render_widget(visitors(shown), areas[2]);
    frame.render_widget(events(shown.events, usize::from(areas[3].height)), areas[3]);
    frame.render_widget(
        Paragraph::new(vec![Line::from(shown.note).style(Style::new().italic()), Line::from(KEYS[0]), Line::from(KEYS[1])]),
        areas[4],
    );
}

fn titled(title: &str) -> Block<'_> {
    Block::new().borders(Borders::TOP).title(format!(" {title} "))
}

fn tunnel_rows(shown: &Shown<'_>) -> Option<usize> {
    let status = shown.status.ok()?;
    Some(status.tunnels.iter().map(|tunnel| tunnel.connectors.len().max(tunnel.routes.len()).max(1)).sum())
}

fn places<'a>(shown: &Shown<'a>) -> Paragraph<'a> {
    let mut lines =
        vec![Line::from("adit demo: an embedded Cloudflare, a real daemon, real processes").style(Style::new().bold())];
    lines.extend(shown.places.iter().map(|(label, text)| Line::from(format!("{label:>8}  {text}"))));
    Paragraph::new(lines)
}

/// A row for each connector and each route of each tunnel, side by side.
fn tunnels(status: &Status) -> Table<'_> {
    let mut rows = Vec::new();
    for tunnel in &status.tunnels {
        let height = tunnel.connectors.len().max(tunnel.routes.len()).max(1);
        for index in 0..height {
            let connector = tunnel.connectors.get(index);
            let route = tunnel.routes.get(index);
            let name = if index == 0 { tunnel.name.as_str() } else { "" };
            let state = connector.map_or(if index == 0 { Some(tunnel.state) } else { None }, |connector| Some(connector.state));
            let why = connector.and_then(|connector| connector.reason.as_ref()).or(tunnel.reason.as_ref().filter(|_| index == 0));
            rows.push(Row::new([
                Line::from(name),
                state.map_or(Line::default(), state_cell),
                Line::from(connector.map_or(String::new(), |connector| format!("{}/4", connector.connections))),
                Line::from(connector.and_then(|connector| connector.pid).map_or(String::new(), |pid| pid.to_string())),
                Line::from(connector.map_or(String::new(), |connector| connector.restarts_total.to_string())),
                Line::from(route.map_or(String::new(), Route::label)),
                route.map_or(Line::default(), |route| route_cell(route.state)),
                Line::from(why.map_or("", |reason| reason.sentence.as_str())),
            ]));
        }
    }
    let widths = [
        Constraint::Length(8),
        Constraint::Length(12),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(22),
        Constraint::Length(9),
        Constraint::Min(10),
    ];
    let header = Row::new(["tunnel", "state", "conns", "pid", "restarts", "route", "dns", "why"]);
    Table::new(rows, widths).header(header.style(Style::new().add_modifier(Modifier::DIM))).block(titled("tunnels"))
}

fn state_cell(state: State) -> Line<'static> {
    let colour = match state {
        State::Ready => Color::Green,
        State::Starting | State::Pending | State::Draining | State::Degraded => Color::Yellow,
        State::BackingOff | State::Blocked | State::Quarantined => Color::Red,
        State::Stopped => Color::Gray,
    };
    Line::from(Span::styled(state.word(), Style::new().fg(colour)))
}

fn route_cell(state: RouteState) -> Line<'static> {
    let colour = match state {
        RouteState::Live => Color::Green,
        RouteState::Pending => Color::Yellow,
        RouteState::Conflict | RouteState::Orphaned => Color::Red,
        RouteState::Off => Color::Gray,
    };
    Line::from(Span::styled(state.word(), Style::new().fg(colour)))
}

fn visitors(shown: &Shown<'_>) -> Paragraph<'static> {
    let Tally { sent, planned_failed, crash_failed, at_stake, .. } = shown.tally;
    let api = if shown.api_fails { "   the API answers 500" } else { "" };
    let text = format!(
        "{sent} requests sent, {planned_failed} lost by planned changes, {crash_failed} of {at_stake} in flight lost by crashes{api}"
    );
    let style = if planned_failed > 0 { Style::new().fg(Color::Red) } else { Style::new() };
    Paragraph::new(Line::from(text).style(style)).block(titled("visitors"))
}

fn events(events: &[Event], height: usize) -> Paragraph<'static> {
    let shown = height.saturating_sub(1);
    let lines = events.iter().skip(events.len().saturating_sub(shown)).map(|event| {
        let time = event.at.to_string();
        let time = time.get(11..19).unwrap_or(&time).to_owned();
        let colour = match event.level {
            Level::Error => Color::Red,
            Level::Warn => Color::Yellow,
            Level::Info => Color::Reset,
        };
        let tunnel = event.subject.tunnel.as_ref().map_or(String::new(), |tunnel| format!("{tunnel}: "));
        Line::from(vec![
            Span::styled(time, Style::new().add_modifier(Modifier::DIM)),
            Span::raw("  "),
            Span::styled(format!("{tunnel}{}", event.sentence), Style::new().fg(colour)),
        ])
    });
    Paragraph::new(lines.collect::<Vec<_>>()).block(titled("events"))
}
