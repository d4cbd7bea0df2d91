//! Collects what is wrong while a configuration is read.

use std::collections::BTreeSet;

use super::{
    Source,
    problem::{Problem, Problems, Severity},
    tree::Place,
};

/// The most errors that are shown at once: a file that is not TOML at all has one on every line, and nobody reads them.
const SHOWN_MAX: usize = 100;

/// The most errors, and the most warnings, that are kept to be sorted; the rest is only counted. It bounds the work for a
/// large file in which everything is wrong.
const KEPT_MAX: usize = 1_000;

/// Proof that a problem was reported: whoever gets it gives up without another word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported;

/// What was found so far.
pub(super) struct Report<'a> {
    sources: &'a [Source],
    /// Where the lines of each file start, in bytes.
    line_starts: Vec<Vec<usize>>,
    errors: Found,
    warnings: Found,
    /// File and line of every syntax error: what else seems wrong there is only its consequence.
    broken: BTreeSet<(usize, usize)>,
}

/// Problems of one severity: each with the number of its file, and how many there were in all.
#[derive(Default)]
struct Found {
    kept: Vec<(usize, Problem)>,
    count: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a [Source]) -> Self {
        let starts = |source: &Source| {
            let newlines = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(newlines.map(|(offset, _)| offset + 1)).collect()
        };
        let line_starts = sources.iter().map(starts).collect();
        Self { sources, line_starts, errors: Found::default(), warnings: Found::default(), broken: BTreeSet::new() }
    }

    /// The text of file number `file`.
    pub(super) fn text(&self, file: usize) -> &'a str {
        &self.sources[file].text
    }

    /// Says that something is wrong.
    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) -> Reported {
        self.add(place, Severity::Error, message.into(), None);
        Reported
    }

    /// Says that something is wrong, and what would be right.
    pub(super) fn error_with_help(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) -> Reported {
        self.add(place, Severity::Error, message.into(), Some(help.into()));
        Reported
    }

    /// Says that something does not do what it says.
    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.add(place, Severity::Warning, message.into(), None);
    }

    /// Says that the file is not TOML at `offset`. Only the first such error of a line is kept: the rest follow from it.
    pub(super) fn syntax_error(&mut self, file: usize, offset: usize, message: impl Into<String>) {
        let place = Place { file, offset, key: String::new() };
        self.add(&place, Severity::Error, message.into(), None);
        self.broken.insert((file, self.line(&place)));
    }

    /// Whether some text could not be read, so that something which seems to be missing may only be unreadable.
    pub(super) fn has_syntax_errors(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Where `place` is, in words: `/etc/adit/adit.toml:14`.
    pub(super) fn location(&self, place: &Place) -> String {
        format!("{}:{}", self.sources[place.file].path.display(), self.line(place))
    }

    /// The warnings when nothing is wrong, otherwise what is wrong, in order of file and line.
    pub(super) fn finish(self) -> Result<Vec<Problem>, Problems> {
        let Found { kept, count } = self.errors;
        if count == 0 {
            return Ok(sorted(self.warnings.kept));
        }
        let mut errors = sorted(kept);
        errors.truncate(SHOWN_MAX);
        if let Some(last) = errors.last().cloned()
            && count > errors.len()
        {
            let message = format!("{} more problems are not shown", count - errors.len());
            errors.push(Problem { key: String::new(), message, help: None, ..last });
        }
        Err(Problems(errors))
    }

    fn add(&mut self, place: &Place, severity: Severity, message: String, help: Option<String>) {
        let line = self.line(place);
        if self.broken.contains(&(place.file, line)) {
            return;
        }
        let found = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        found.count += 1;
        if found.kept.len() < KEPT_MAX {
            let column = column(&self.sources[place.file].text, self.line_starts[place.file][line - 1], place.offset);
            let path = self.sources[place.file].path.clone();
            found.kept.push((place.file, Problem { path, line, column, key: place.key.clone(), severity, message, help }));
        }
    }

    /// The line of `place`, counted from 1.
    fn line(&self, place: &Place) -> usize {
        self.line_starts[place.file].partition_point(|start| *start <= place.offset)
    }
}

/// The column of `offset` in characters, counted from 1.
fn column(text: &str, line_start: usize, offset: usize) -> usize {
    text[line_start..].char_indices().take_while(|(index, _)| line_start + index < offset).count() + 1
}

fn sorted(mut found: Vec<(usize, Problem)>) -> Vec<Problem> {
    found.sort_by(|a, b| (a.0, a.1.line, &a.1.key).cmp(&(b.0, b.1.line, &b.1.key)));
    found.into_iter().map(|(_, problem)| problem).collect()
}
