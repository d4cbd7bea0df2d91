//! Tables that fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Look, Tone, plain};

/// The space between two columns.
const GAP: usize = 2;

/// Before a column is made narrower than this, expendable ones are left out: a sentence can be guessed from so much of it.
const COLUMN_GOOD: usize = 24;

/// A column is not made narrower than this; before that, whole columns are left out.
const COLUMN_MIN: usize = 8;

/// Rows below headers. A column that is empty in every row is left out, and no row is wider than the terminal.
#[derive(Debug)]
pub(in crate::cli) struct Table<const COLUMNS: usize> {
    headers: [&'static str; COLUMNS],
    rows: Vec<[Cell; COLUMNS]>,
    expendable: &'static [&'static str],
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
        Self { headers, rows: Vec::new(), expendable: &[] }
    }

    /// The same, where the columns with these headers are left out on a narrow terminal, the first one first.
    pub(in crate::cli) fn expending(self, expendable: &'static [&'static str]) -> Self {
        Self { expendable, ..self }
    }

    /// Adds a row.
    pub(in crate::cli) fn row(&mut self, cells: [Cell; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The table as lines. What does not fit is cut from its widest columns, and columns that are expendable are left out before
    /// much is cut.
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

    /// The same, and below the table what was cut from its last column, which is where sentences stand.
    pub(in crate::cli) fn render_with_sentences(&self, look: Look) -> String {
        let width = self.widths(look.width)[COLUMNS - 1];
        let mut text = self.render(look);
        for row in self.rows.iter().filter(|row| row[COLUMNS - 1].text.width() > width) {
            text.push_str(&format!("  {}: {}\n", row[0].text, row[COLUMNS - 1].text));
        }
        text
    }

    fn widths(&self, total_max: Option<usize>) -> [usize; COLUMNS] {
        let mut widths = self.natural_widths();
        let Some(total_max) = total_max else { return widths };
        let expendable = self.expendable.iter().filter_map(|header| self.headers.iter().position(|other| other == header));
        for column in expendable {
            if let Some(fitting) = fit(widths, COLUMN_GOOD, total_max) {
                return fitting;
            }
            widths[column] = 0;
        }
        // The first column says what the row is about: it stays.
        for column in (1..COLUMNS).rev() {
            if let Some(fitting) = fit(widths, COLUMN_MIN, total_max) {
                return fitting;
            }
            widths[column] = 0;
        }
        widths.map(|width| width.min(total_max))
    }

    fn natural_widths(&self) -> [usize; COLUMNS] {
        std::array::from_fn(|column| {
            let widest = self.rows.iter().map(|row| row[column].text.width()).max().unwrap_or(0);
            if widest == 0 && !self.rows.is_empty() { 0 } else { widest.max(self.headers[column].len()) }
        })
    }
}

/// The widths with the widest ones made narrower, though not below `floor`, until they fit; `None` when they cannot.
fn fit<const COLUMNS: usize>(mut widths: [usize; COLUMNS], floor: usize, total_max: usize) -> Option<[usize; COLUMNS]> {
    let gaps = GAP * widths.iter().filter(|width| **width > 0).count().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > total_max {
        let widest = widths.iter_mut().max().filter(|widest| **widest > floor)?;
        *widest -= 1;
    }
    Some(widths)
}

/// `text` in at most `width` columns, with … where something was cut.
pub(in crate::cli) fn cut(text: &str, width: usize) -> String {
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
    fn a_narrow_table_leaves_out_what_is_expendable_before_it_cuts_much() {
        let sentence = "no connection to the edge, and the next try is in a minute";
        let render = |width| {
            let mut table = Table::new(["NAME", "SERVING", "CLOUDFLARE", "WHY"]).expending(&["CLOUDFLARE", "SERVING"]);
            table.row([Cell::new("web"), Cell::new("1/1"), Cell::new("healthy"), Cell::new(sentence)]);
            table.render(Look { colour: false, width: Some(width) })
        };
        let header = |width| render(width).lines().next().unwrap().to_owned();
        assert_eq!(header(60), "NAME  SERVING  CLOUDFLARE  WHY");
        assert_eq!(header(45), "NAME  SERVING  WHY");
        assert_eq!(header(30), "NAME  WHY");
        assert_eq!(header(10), "NAME");
    }

    #[test]
    fn a_sentence_that_was_cut_stands_below() {
        let narrow = Look { colour: false, width: Some(20) };
        let text = table().render_with_sentences(narrow);
        assert!(text.ends_with("no connection…\n  東京: no connection to the edge\n"), "{text}");
        assert_eq!(table().render_with_sentences(WIDE), table().render(WIDE));
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

    proptest::proptest! {
        #[test]
        fn no_row_is_ever_wider_than_the_terminal(texts in proptest::collection::vec("[a-z東 ]{0,60}", 12), width in 1_usize..200) {
            let mut table = Table::new(["NAME", "STATE", "CONNECTIONS", "WHY"]).expending(&["CONNECTIONS"]);
            for row in texts.chunks_exact(4) {
                table.row(std::array::from_fn(|column| Cell::new(&row[column])));
            }
            let text = table.render(Look { colour: false, width: Some(width) });
            for line in text.lines() {
                proptest::prop_assert!(line.width() <= width, "{line:?} in {width} columns");
            }
        }
    }
}
