//! The table of tunnels.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::{Modifier, Style},
    text::{Line, Text},
    widgets::{Cell, Paragraph, Row as TableRow, Table, TableState},
};

use super::{count, rate, span, style, titled};
use crate::cli::{
    render::{Tone, plain},
    top::{
        model::{Model, Pane, Sort},
        rows::Row,
    },
};

/// A column of the table.
struct Column {
    title: &'static str,
    /// Its width; the last one takes what is left.
    width: u16,
    /// From which width of the table on it is shown.
    from: u16,
    /// Whether numbers stand at its right side.
    is_number: bool,
    cell: fn(&Row<'_>) -> (String, Tone),
}

/// The columns, in their order. On a narrow terminal the less important ones are left out; details tell them all.
const COLUMNS: [Column; 12] = [
    text("STATE", 11, 0, |row| (row.tunnel.state.word().to_owned(), Tone::of_state(row.tunnel.state))),
    number("READY", 5, 50, |row| {
        let (serving, wanted) = (row.serving(), usize::from(row.tunnel.replicas));
        (format!("{serving}/{wanted}"), if serving < wanted { Tone::Notice } else { Tone::Plain })
    }),
    number("CONN", 5, 70, |row| (format!("{}/{}", row.connections(), u32::from(row.tunnel.replicas) * 4), Tone::Plain)),
    number("REQ/S", 6, 0, |row| (rate(row.figures.requests), Tone::Plain)),
    number("ERR/S", 6, 0, |row| {
        let tone = if row.figures.errors.is_some_and(|errors| errors > 0.0) { Tone::Bad } else { Tone::Plain };
        (rate(row.figures.errors), tone)
    }),
    number("OPEN", 5, 60, |row| (count(row.figures.open), Tone::Plain)),
    number("RTT", 6, 96, |row| {
        (row.figures.round_trip.map_or_else(|| "-".to_owned(), |millis| format!("{millis:.0}ms")), Tone::Plain)
    }),
    number("RST/H", 5, 76, |row| (row.restarts.to_string(), if row.restarts > 0 { Tone::Notice } else { Tone::Plain })),
    number("HOSTS", 5, 104, |row| (row.hostnames().to_string(), Tone::Plain)),
    text("UNREAD", 6, 130, |row| {
        let unread = row.figures.unread;
        (if unread == 0 { String::new() } else { unread.to_string() }, Tone::Notice)
    }),
    text("CLOUDFLARE", 10, 120, |row| (row.tunnel.cloudflare_status.clone().unwrap_or_default(), Tone::Plain)),
    text("WHY", 8, 66, |row| (row.why(), Tone::Plain)),
];

const fn text(title: &'static str, width: u16, from: u16, cell: fn(&Row<'_>) -> (String, Tone)) -> Column {
    Column { title, width, from, is_number: false, cell }
}

const fn number(title: &'static str, width: u16, from: u16, cell: fn(&Row<'_>) -> (String, Tone)) -> Column {
    Column { title, width, from, is_number: true, cell }
}

/// The narrowest and the widest column of names.
const NAME_WIDTHS: (u16, u16) = (8, 24);

/// Draws the table; the selected tunnel stays in sight.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, rows: &[Row<'_>]) {
    let total = model.shown().tunnels().len();
    let block = titled(model, Pane::Tunnels, title(model, rows.len(), total));
    if rows.is_empty() {
        let why = match (&model.shown().status, total) {
            (None, _) => "",
            (Some(_), 0) => "no tunnels; \"adit tunnel create\" makes one",
            (Some(_), _) => "no tunnel is like that; esc takes the filter away",
        };
        frame.render_widget(Paragraph::new(why).block(block), area);
        return;
    }
    let longest = rows.iter().map(|row| row.tunnel.name.len()).max().unwrap_or(0);
    let name_max = NAME_WIDTHS.1.min((area.width / 3).max(NAME_WIDTHS.0));
    let name = u16::try_from(longest).unwrap_or(name_max).clamp(NAME_WIDTHS.0, name_max);
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| area.width >= column.from).collect();
    let mut widths = vec![Constraint::Length(name)];
    widths.extend(columns.iter().map(|column| match column.title {
        "WHY" => Constraint::Min(column.width),
        _ => Constraint::Length(column.width),
    }));
    let aligned = |column: &Column, line: Line<'static>| if column.is_number { line.right_aligned() } else { line };
    let header = [Line::from("TUNNEL")].into_iter().chain(columns.iter().map(|column| aligned(column, Line::from(column.title))));
    let body = rows.iter().map(|row| {
        let name = Cell::from(plain(&row.tunnel.name).into_owned());
        TableRow::new([name].into_iter().chain(columns.iter().map(|column| {
            let (text, tone) = (column.cell)(row);
            Cell::from(Text::from(aligned(column, Line::from(span(&text, tone)))))
        })))
    });
    let selected = rows.iter().position(|row| Some(row.tunnel.name.as_str()) == model.cursor.as_deref());
    let table = Table::new(body, widths)
        .header(TableRow::new(header).style(style(Tone::Faint)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(block);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(selected));
}

fn title(model: &Model, shown: usize, total: usize) -> String {
    let mut title = if shown == total { format!("tunnels {total}") } else { format!("tunnels {shown} of {total}") };
    if model.sort != Sort::Name {
        title.push_str(&format!(" · by {}", model.sort.word()));
    }
    if model.filtering || !model.filter.is_empty() {
        title.push_str(&format!(" · /{}{}", plain(&model.filter), if model.filtering { "_" } else { "" }));
    }
    title
}
