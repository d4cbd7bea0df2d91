//! The lines above everything: the verdict, the uplink, the accounts, what is wrong.

use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::{span, style};
use crate::{
    cli::{
        render::{Tone, age, plain},
        top::model::{Data, Model},
    },
    control::api::{Account, Status, UplinkState, Verdict},
};

/// How many reasons are shown; the rest are counted.
const REASONS_MAX: usize = 3;

/// A status that is older than this, in seconds, is told to be.
const STATUS_AGE_MAX: i64 = 5;

/// The lines for a terminal of `width` columns. The first is enough where there is room for one only.
pub(super) fn lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let data = model.shown();
    let Some((_, status)) = &data.status else {
        let waiting = waiting(data).unwrap_or_else(|| "waiting for the daemon".to_owned());
        return vec![Line::styled(waiting, Style::new().add_modifier(Modifier::REVERSED))];
    };
    let mut lines = vec![first(model, data, status, width)];
    lines.extend(accounts(data, status));
    let problems =
        status.overview.daemon.config_problems.iter().map(|problem| format!("an older configuration is in force: {problem}"));
    let findings = status.overview.health.reasons.iter().map(|finding| match &finding.tunnel {
        Some(tunnel) => format!("{tunnel}: {}", finding.sentence),
        None => finding.sentence.clone(),
    });
    let reasons: Vec<String> = problems.chain(findings).collect();
    let tone = Tone::of_verdict(status.overview.health.verdict);
    lines.extend(reasons.iter().take(REASONS_MAX).map(|reason| Line::from(span(&format!("! {reason}"), tone))));
    if reasons.len() > REASONS_MAX {
        let text = format!("! and {} more: \"adit status\" tells them all", reasons.len() - REASONS_MAX);
        *lines.last_mut().expect("there are reasons") = Line::from(span(&text, tone));
    }
    lines
}

fn first(model: &Model, data: &Data, status: &Status, width: u16) -> Line<'static> {
    let overview = &status.overview;
    let clock = data.now.strftime("%H:%M:%SZ").to_string();
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    let mut spans = Vec::new();
    if let Some(waiting) = waiting(&model.data) {
        spans.extend([Span::styled(plain(&waiting).into_owned(), reversed), Span::raw("  ")]);
    } else if model.frozen.is_some() {
        spans.extend([Span::styled(format!("paused at {clock} (p goes on)"), reversed), Span::raw("  ")]);
    }
    let verdict = match overview.health.verdict {
        Verdict::Healthy => "healthy",
        Verdict::Attention => "attention",
        Verdict::Failing => "failing",
    };
    let (uplink, tone) = match overview.uplink.state {
        UplinkState::Up => ("up", Tone::Plain),
        UplinkState::Lost => ("lost", Tone::Bad),
    };
    let daemon = &overview.daemon;
    spans.extend([
        Span::styled(verdict, style(Tone::of_verdict(overview.health.verdict)).bold()),
        span(" · uplink ", Tone::Faint),
        Span::styled(format!("{uplink} {}", age(overview.uplink.since, data.now)), style(tone)),
    ]);
    if let Some(since) = overview.uplink.braked_since {
        spans.push(Span::styled(format!(" · restarts braked {}", age(since, data.now)), style(Tone::Notice)));
    }
    spans.push(span(&format!(" · adit {} up {}", daemon.version, age(daemon.started_at, data.now)), Tone::Faint));
    let line = Line::from(spans);
    // The clock stands at the right end, where there is room for it.
    let free = usize::from(width).saturating_sub(line.width() + clock.len());
    if free < 2 {
        return line;
    }
    let mut spans = line.spans;
    spans.extend([Span::raw(" ".repeat(free)), Span::raw(clock)]);
    Line::from(spans)
}

/// That the daemon is being waited for, and why.
fn waiting(data: &Data) -> Option<String> {
    if let Some((since, why)) = &data.lost {
        return Some(format!("waiting for the daemon for {}: {why}", age(*since, data.now)));
    }
    let (at, _) = data.status.as_ref()?;
    (data.now.duration_since(*at).as_secs() > STATUS_AGE_MAX)
        .then(|| format!("waiting for the daemon: its last answer is {} old", age(*at, data.now)))
}

fn accounts(data: &Data, status: &Status) -> Vec<Line<'static>> {
    let line = |account: &Account| {
        let (text, tone) = match (account.holds.first(), account.synced_at) {
            (Some(hold), _) => (format!("waits: {}", hold.sentence), Tone::Notice),
            (None, Some(at)) => (format!("in sync {} ago", age(at, data.now)), Tone::Plain),
            (None, None) => ("not in sync yet".to_owned(), Tone::Notice),
        };
        let orphans = match account.orphans {
            0 => String::new(),
            count => format!(" · {count} left over (adit gc)"),
        };
        Line::from(vec![
            span(&format!("account {} ", account.name), Tone::Faint),
            span(&text, tone),
            span(&orphans, Tone::Notice),
        ])
    };
    status.overview.accounts.iter().take(2).map(line).collect()
}
