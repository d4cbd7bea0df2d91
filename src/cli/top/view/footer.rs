//! The last line: what the keys do, or what the last one did.

use ratatui::text::{Line, Span};

use super::{span, style};
use crate::cli::{
    render::Tone,
    top::{
        model::{Model, Verb},
        rights::may,
    },
};

/// The line for a terminal of `width` columns: as many keys as fit, the most needed first.
pub(super) fn line(model: &Model, width: u16) -> Line<'static> {
    if let Some(notice) = &model.notice {
        return Line::from(span(notice, Tone::Notice));
    }
    if model.filtering {
        return Line::from(span(&format!("/{}_  enter keeps it, esc takes it away", model.filter), Tone::Plain));
    }
    let allowed = |verb: Verb| {
        let tunnel = model.cursor.as_deref().unwrap_or_default();
        may(model.data.who.as_ref(), verb, tunnel).is_ok()
    };
    let keys = [
        ("?", "help", true),
        ("q", "quit", true),
        ("/", "filter", true),
        ("r", "restart", allowed(Verb::Restart)),
        ("d", "drain", allowed(Verb::Stop)),
        ("S", "start", allowed(Verb::Start)),
        ("e", "events", true),
        ("l", "log", allowed(Verb::Start)),
        ("p", "pause", true),
        ("s", "sort", true),
        ("enter", "detail", true),
        ("tab", "pane", true),
    ];
    let mut spans = Vec::new();
    let mut left = usize::from(width);
    for (key, word, is_allowed) in keys {
        let length = key.len() + word.len() + 3;
        if length > left + 2 {
            break;
        }
        left = left.saturating_sub(length);
        let tone = if is_allowed { Tone::Plain } else { Tone::Faint };
        spans.extend([Span::styled(key, style(tone).bold()), Span::styled(format!(" {word}  "), style(Tone::Faint))]);
        if !is_allowed {
            // Bold would undo it.
            let key = spans.len() - 2;
            spans[key].style = style(Tone::Faint);
        }
    }
    Line::from(spans)
}
