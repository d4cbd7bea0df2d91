//! Everything about the selected tunnel.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{count, rate, span, style, titled, wrapped};
use crate::{
    cli::{
        render::{Tone, age},
        top::model::{Data, Model, Pane},
    },
    control::api::{Connector, Route, Tunnel},
};

/// Draws it, scrolled as far as was asked for and there is something.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(tunnel) = model.selected() else {
        frame
            .render_widget(Paragraph::new("no tunnel is selected").block(titled(model, Pane::Detail, "detail".to_owned())), area);
        return;
    };
    let lines = lines(model.shown(), tunnel, usize::from(area.width));
    let room = usize::from(area.height.saturating_sub(1));
    let scrolled = if model.focus == Pane::Detail { model.scrolled.min(lines.len().saturating_sub(room)) } else { 0 };
    let rest = lines.len().saturating_sub(scrolled + room);
    let more = if rest > 0 { format!(" · {rest} more lines") } else { String::new() };
    let title = format!("{}{more}", crate::cli::render::plain(&tunnel.name));
    let shown: Vec<Line<'static>> = lines.into_iter().skip(scrolled).collect();
    frame.render_widget(Paragraph::new(shown).block(titled(model, Pane::Detail, title)), area);
}

fn lines(data: &Data, tunnel: &Tunnel, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![state(tunnel)];
    let mut tell = |label: &str, text: &str, tone: Tone| {
        lines.extend(wrapped(span(&format!("{label:<11}"), Tone::Faint), &span(text, tone), width));
    };
    if let Some(stop) = &tunnel.stop {
        tell("stopped", &format!("by {} {} ago (S starts it)", stop.by, age(stop.at, data.now)), Tone::Notice);
    }
    if let Some(reason) = tunnel.reason.as_ref().filter(|_| tunnel.stop.is_none()) {
        tell("why", &reason.sentence, Tone::of_state(tunnel.state));
    }
    for hold in &tunnel.holds {
        tell("waits", &hold.sentence, Tone::Notice);
    }
    if let Some(drift) = &tunnel.drift {
        tell("drift", &drift.sentence, Tone::Notice);
    }
    tell("id", tunnel.id.as_deref().unwrap_or("none yet"), Tone::Plain);
    tell("defined", &format!("{}, account {}", tunnel.origin, tunnel.account), Tone::Plain);
    let restarts = data.restarts.of_tunnel(&tunnel.name);
    if let (count, Some(reason)) = restarts {
        tell("restarts", &format!("{count} in the last hour, the last one for {reason}"), Tone::Notice);
    }
    lines.push(heading("REP  GEN     PID  STATE         FOR CONF CONN  REQ/S OPEN"));
    for replica in &tunnel.connectors {
        connector(data, tunnel, replica, width, &mut lines);
    }
    lines.push(heading("ROUTES"));
    lines.extend(tunnel.routes.iter().flat_map(|one| route(one, width)));
    lines
}

fn state(tunnel: &Tunnel) -> Line<'static> {
    let cloudflare = tunnel.cloudflare_status.as_deref().unwrap_or("nothing yet");
    let settled = if tunnel.settled { "" } else { ", a change is under way" };
    Line::from(vec![
        Span::styled(tunnel.state.word(), style(Tone::of_state(tunnel.state))),
        span(&format!("{settled}; Cloudflare says {cloudflare}"), Tone::Plain),
    ])
}

fn heading(text: &str) -> Line<'static> {
    Line::styled(text.to_owned(), Style::new().add_modifier(Modifier::DIM))
}

fn connector(data: &Data, tunnel: &Tunnel, connector: &Connector, width: usize, lines: &mut Vec<Line<'static>>) {
    let (figures, unread) = data.traffic.of_connector(&tunnel.name, connector.replica);
    let dash = || "-".to_owned();
    lines.push(Line::from(vec![
        Span::raw(format!(
            "{:<3}{:>5}{:>8}  ",
            connector.replica,
            connector.generation,
            connector.pid.map_or_else(dash, |pid| pid.to_string())
        )),
        Span::styled(format!("{:<12}", connector.state.word()), style(Tone::of_state(connector.state))),
        Span::raw(format!(
            "{:>5}{:>5}{:>5}{:>7}{:>5}",
            age(connector.since, data.now),
            connector.config_version.map_or_else(dash, |version| version.to_string()),
            format!("{}/4", connector.connections),
            rate(figures.requests),
            count(figures.open),
        )),
    ]));
    let trouble = [connector.reason.as_ref().map(|reason| reason.sentence.as_str()), unread];
    let indent = || Span::raw("    ");
    lines.extend(trouble.into_iter().flatten().flat_map(|why| wrapped(indent(), &span(why, Tone::Notice), width)));
    if let Some(exit) = &connector.last_exit {
        let text = format!("generation {} ended {} ago: {}", exit.generation, age(exit.at, data.now), exit.reason.sentence);
        lines.extend(wrapped(indent(), &span(&text, Tone::Faint), width));
    }
}

fn route(route: &Route, width: usize) -> Vec<Line<'static>> {
    let path = route.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
    let service = route.service.as_ref().map(|service| format!(" → {service}")).unwrap_or_default();
    let reason = route.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let state = Span::styled(format!("{:<9}", route.state.word()), style(Tone::of_route(route.state)));
    wrapped(state, &span(&format!("{}{path}{service}{reason}", route.label()), Tone::Plain), width)
}
