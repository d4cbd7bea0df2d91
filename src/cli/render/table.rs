//! Tables that fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Look, Tone, plain};

/// The space between two columns.
const GAP: usize = 2;

/// A column is not made narrower than this, however narrow the terminal.
const COLUMN_MIN: usize = 8;

/// Rows below headers. A column that is empty in every row is left out.
#[derive(Debug)]
pub(in crate::cli) struct Table<const COLUMNS: usize> {
    headers: [&'static str; COLUMNS],
    rows: Vec<[Cell; COLUMNS]>,
}

/// One text in a table, harmless to a terminal.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell of `text`.
    pub(in crate::cli) fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    /// A cell of `text` in `tone`.
    pub(in crate::cli) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: plain(text.as_ref()).into_owned(), tone }
    }

    /// A cell of `text`, or an empty one.
    pub(in crate::cli) fn maybe(text: Option<impl ToString>) -> Self {
        Self::new(text.map(|text| text.to_string()).unwrap_or_default())
    }
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub(in crate::cli) fn new(headers: [&'static str; COLUMNS]) -> Self {
        Self { headers, rows: Vec::new() }
    }

    /// Adds a row.
    pub(in crate::cli) fn row(&mut self, cells: [Cell; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The table as lines. What does not fit is cut from its widest columns.
    pub(in crate::cli) fn render(&self, look: Look) -> String {
        let widths = self.widths(look.width);
        let shown: Vec<usize> = (0..COLUMNS).filter(|column| widths[*column] > 0).collect();
        let mut text = String::new();
        let headers = self.headers.map(|header| Cell::toned(header, Tone::Faint));
        for row in std::iter::once(&headers).chain(&self.rows) {
            let mut line = String::new();
            let mut owed = 0;
            for column in &shown {
                let cell = cut(&row[*column].text, widths[*column]);
                line.push_str(&" ".repeat(if cell.is_empty() { 0 } else { owed }));
                owed = if cell.is_empty() { owed } else { 0 } + widths[*column] - cell.width() + GAP;
                line.push_str(&row[*column].tone.paint(&cell, look));
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn widths(&self, total_max: Option<usize>) -> [usize; COLUMNS] {
        let mut widths = [0; COLUMNS];
        for (column, width) in widths.iter_mut().enumerate() {
            let widest = self.rows.iter().map(|row| row[column].text.width()).max().unwrap_or(0);
            *width = if widest == 0 && !self.rows.is_empty() { 0 } else { widest.max(self.headers[column].len()) };
        }
        let Some(total_max) = total_max else { return widths };
        let total = |widths: &[usize; COLUMNS]| {
            let shown = widths.iter().filter(|width| **width > 0).count();
            widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1)
        };
        while total(&widths) > total_max {
            let widest = widths.iter_mut().max().expect("a table has columns");
            if *widest <= COLUMN_MIN {
                break;
            }
            *widest -= 1;
        }
        widths
    }
}

/// `text` in at most `width` columns, with … where something was cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |char: &char| match left.checked_sub(char.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Look = Look { colour: false, width: None };

    fn table() -> Table<3> {
        let mut table = Table::new(["NAME", "EMPTY", "WHY"]);
        table.row([Cell::toned("web", Tone::Good), Cell::new(""), Cell::new("")]);
        table.row([Cell::new("東京"), Cell::new(""), Cell::new("no connection to the edge")]);
        table
    }

    #[test]
    fn columns_stand_below_each_other_and_empty_ones_are_left_out() {
        assert_eq!(table().render(WIDE), "NAME  WHY\nweb\n東京  no connection to the edge\n");
    }

    #[test]
    fn a_narrow_table_is_cut_and_says_so() {
        let narrow = Look { colour: false, width: Some(20) };
        assert_eq!(table().render(narrow), "NAME  WHY\nweb\n東京  no connection…\n");
    }

    #[test]
    fn colours_are_only_where_they_are_shown() {
        let coloured = Look { colour: true, width: None };
        assert!(table().render(coloured).contains("\x1b[32mweb\x1b[0m"));
        assert!(!table().render(WIDE).contains('\x1b'));
    }

    #[test]
    fn a_table_without_rows_shows_its_headers() {
        assert_eq!(Table::new(["NAME", "WHY"]).render(WIDE), "NAME  WHY\n");
    }
}
