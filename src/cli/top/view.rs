//! The model as a frame: pure. Everything that is foreign goes through [`plain`] before it is drawn.

mod detail;
mod dialog;
mod feeds;
mod footer;
mod header;
mod tunnels;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Padding, Paragraph},
};

use self::dialog::DialogText;
use super::{
    layout::places,
    model::{Model, Pane},
    rows::rows,
};
use crate::cli::render::{Tone, plain};

/// Draws one frame.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let rows = rows(model);
    let header = header::lines(model, area.width);
    let places = places(area, model.focus, model.below, rows.len(), header.len());
    frame.render_widget(Paragraph::new(header), places.header);
    for (pane, place) in &places.panes {
        match pane {
            Pane::Tunnels => tunnels::draw(frame, *place, model, &rows),
            Pane::Detail => detail::draw(frame, *place, model),
            Pane::Events => feeds::draw_events(frame, *place, model),
            Pane::Log => feeds::draw_log(frame, *place, model),
        }
    }
    frame.render_widget(Paragraph::new(footer::line(model, area.width)), places.footer);
    if let Some(dialog) = &model.dialog {
        draw_dialog(frame, area, dialog::text(model, dialog));
    }
}

/// A frame around the lines, in the middle of everything. What has to be answered stands on the frame, so that it is seen where
/// there is no room for all lines.
fn draw_dialog(frame: &mut Frame<'_>, area: Rect, dialog: DialogText) {
    let DialogText { title, lines, answer } = dialog;
    let inner = usize::from(area.width.saturating_sub(4)).clamp(1, DIALOG_WIDTH_MAX);
    let lines: Vec<Line<'_>> = lines.into_iter().flat_map(|span| wrapped(Span::raw(""), &span, inner)).collect();
    let longest = lines.iter().map(Line::width).chain([title.len() + 2, answer.len() + 2]).max().unwrap_or(0);
    let width = u16::try_from(longest + 4).unwrap_or(area.width).min(area.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(area.height).min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = Block::new()
        .borders(Borders::ALL)
        .title(format!(" {title} "))
        .title_bottom(Line::from(Span::styled(format!(" {answer} "), Style::new().bold())))
        .padding(Padding::horizontal(1));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}

/// The columns of a dialog's text, where there is room.
const DIALOG_WIDTH_MAX: usize = 76;

/// `text` behind `label` on lines of at most `width` columns, cut between words where that is possible. The second line and those
/// behind it are indented as far as the label is long, or a little where that would leave no room.
fn wrapped(label: Span<'static>, text: &Span<'_>, width: usize) -> Vec<Line<'static>> {
    let indent = match label.width() {
        0 => 2,
        label if label * 2 < width => label,
        _ => 2.min(width / 4),
    };
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), label.width());
    for word in text.content.split(' ') {
        let length = Span::raw(word).width();
        if !line.trim_start().is_empty() && used + 1 + length > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            used = indent;
        } else if !line.trim_start().is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push(line);
    let mut lines: Vec<Line<'static>> = lines.into_iter().map(|line| Line::from(Span::styled(line, text.style))).collect();
    if let Some(first) = lines.first_mut() {
        first.spans.insert(0, label);
    }
    lines
}

/// The frame of a pane: a line above it with its title, bright where the keys go to.
fn titled(model: &Model, pane: Pane, title: String) -> Block<'static> {
    let style = if model.focus == pane { Style::new().bold() } else { style(Tone::Faint) };
    Block::new().borders(Borders::TOP).border_style(self::style(Tone::Faint)).title(Span::styled(format!(" {title} "), style))
}

/// How a tone looks.
fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Notice => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Tone::Faint => Style::new().add_modifier(Modifier::DIM),
    }
}

/// Foreign text in a tone.
fn span(text: &str, tone: Tone) -> Span<'static> {
    Span::styled(plain(text).into_owned(), style(tone))
}

/// A rate as a person reads it.
fn rate(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value < 9.95 => format!("{value:.1}"),
        Some(value) if value < 99_999.5 => format!("{value:.0}"),
        Some(value) if value < 9_999_500.0 => format!("{:.0}k", value / 1e3),
        Some(value) => format!("{:.0}M", value / 1e6),
    }
}

/// A count as a person reads it.
fn count(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
