//! What happens: events and log lines, the last one at the bottom.

use std::collections::VecDeque;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{span, titled, wrapped};
use crate::{
    cli::{
        render::{Tone, plain},
        top::model::{Model, Pane},
    },
    control::api::{Event, LogLine},
};

/// How many characters of a log line are shown.
const LINE_CHARS_MAX: usize = 1_000;

/// Draws the events.
pub(super) fn draw_events(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    draw(frame, area, model, Pane::Events, "events".to_owned(), model.shown().events.iter(), event);
}

/// Draws the log of the selected tunnel.
pub(super) fn draw_log(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let log = &model.shown().log;
    let title = log.tunnel.as_deref().map_or_else(|| "log".to_owned(), |tunnel| format!("log of {}", plain(tunnel)));
    if let Some(why) = &log.refused {
        let why = Paragraph::new(wrapped(Span::raw(""), &span(why, Tone::Notice), usize::from(area.width)));
        frame.render_widget(why.block(titled(model, Pane::Log, title)), area);
        return;
    }
    draw(frame, area, model, Pane::Log, title, log.lines.iter(), line);
}

/// Draws the newest entries that there is room for, or those above them as far as it is scrolled.
fn draw<'a, T: 'a>(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    pane: Pane,
    title: String,
    entries: impl DoubleEndedIterator<Item = &'a T>,
    entry: fn(&T) -> (Span<'static>, Span<'static>),
) {
    let room = usize::from(area.height.saturating_sub(1));
    let scrolled = if model.focus == pane { model.scrolled } else { 0 };
    let title = if scrolled > 0 { format!("{title} · {scrolled} more below") } else { title };
    let mut lines = VecDeque::with_capacity(room);
    for next in entries.rev().skip(scrolled) {
        let (label, text) = entry(next);
        wrapped(label, &text, usize::from(area.width)).into_iter().rev().for_each(|line| lines.push_front(line));
        if lines.len() >= room {
            break;
        }
    }
    let shown: Vec<Line<'static>> = lines.into_iter().rev().take(room).rev().collect();
    frame.render_widget(Paragraph::new(shown).block(titled(model, pane, title)), area);
}

fn event(event: &Event) -> (Span<'static>, Span<'static>) {
    let subject = &event.subject;
    // The sentences about connectors name them.
    let about = match (&subject.tunnel, subject.replica, &subject.account) {
        (Some(_), Some(_), _) => String::new(),
        (Some(tunnel), None, _) => format!("{tunnel}: "),
        (None, _, Some(account)) => format!("{account}: "),
        (None, _, None) => String::new(),
    };
    let label = span(&event.at.strftime("%H:%M:%S ").to_string(), Tone::Faint);
    (label, span(&format!("{about}{}", event.sentence), Tone::of_level(event.level)))
}

fn line(line: &LogLine) -> (Span<'static>, Span<'static>) {
    let label = format!("{} {} ", line.at.strftime("%H:%M:%S"), line.replica);
    // A line may be as long as a screen and more; its beginning tells what it is.
    let text: String = line.text.chars().take(LINE_CHARS_MAX).collect();
    (span(&label, Tone::Faint), span(&text, Tone::Plain))
}
