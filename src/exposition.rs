//! Prometheus' text exposition format, read as it comes: bytes in, lines out, and never more than one line in memory. What of a page
//! is told again is kept compactly ([`Page`]), and many pages are written as one ([`Merged`]), family by family.
//!
//! A page is foreign. A line that breaks the format is passed over and the next one is read; a line that the end of the page cut off
//! is no sample, because its number may be half of one.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod kind;
mod merged;
mod page;
mod write;

use std::borrow::Cow;

pub use self::{
    kind::Kind,
    merged::{Merged, Place, Source},
    page::{ADDED_LABELS, Page, PageBuilder, RELAYED},
    write::{Format, Head, Labels, write_end, write_head, write_label_value, write_number, write_sample},
};

/// The longest line that is read, in bytes; a longer one is passed over. Those of cloudflared have less than 200, and help texts are
/// not longer.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// A line of a page that says something.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// A number.
    Sample(Sample<'a>),
    /// What a family says, without its escapes.
    Help {
        /// The family's name.
        family: &'a str,
        /// The text.
        text: Cow<'a, str>,
    },
    /// What kind a family is of.
    Type {
        /// The family's name.
        family: &'a str,
        /// The kind.
        kind: Kind,
    },
}

/// What may stand around a line's words; a page with Windows' ends of lines is read as well.
const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// One sample of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The family's name, for a histogram with its suffix.
    pub name: &'a str,
    /// The labels as they are written between the braces; they have been checked.
    labels: &'a str,
    /// The value: any number, infinite ones and NaN too.
    pub value: f64,
}

/// Reads a page in pieces of any size.
#[derive(Debug, Default)]
pub struct Exposition {
    /// What came of the line that is not complete yet.
    line: Vec<u8>,
    /// Whether that line is too long and is passed over.
    too_long: bool,
}

impl Exposition {
    /// Takes the next bytes of the page in and hands each line that they complete to `visit`.
    pub fn take(&mut self, bytes: &[u8], visit: &mut impl FnMut(Line<'_>)) {
        self.take_lines(bytes, &mut |line| Line::read(line).into_iter().for_each(&mut *visit));
    }

    /// The same, with the lines as they stand.
    fn take_lines(&mut self, mut bytes: &[u8], visit: &mut impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.too_long {
                self.too_long = false;
            } else if self.line.is_empty() {
                visit_line(line, visit);
            } else {
                self.keep(line);
                if !self.too_long {
                    visit_line(&self.line, visit);
                }
                self.too_long = false;
            }
            self.line.clear();
            bytes = rest;
        }
        if !self.too_long {
            self.keep(bytes);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            self.line.clear();
            self.too_long = true;
        } else {
            self.line.extend_from_slice(bytes);
        }
    }
}

fn visit_line(line: &[u8], visit: &mut impl FnMut(&str)) {
    if line.len() <= LINE_BYTES_MAX
        && let Ok(line) = std::str::from_utf8(line)
    {
        visit(line);
    }
}

impl<'a> Line<'a> {
    /// What a line says, read without its end; `None` for a comment, an empty line and whatever breaks the format.
    pub fn read(line: &'a str) -> Option<Self> {
        let line = line.trim_matches(BLANKS);
        let Some(comment) = line.strip_prefix('#') else { return Sample::read(line).map(Self::Sample) };
        let (keyword, rest) = word(comment);
        let (family, rest) = word(rest);
        if family.is_empty() || family.starts_with(|char: char| char.is_ascii_digit()) || name_end(family) < family.len() {
            return None;
        }
        match keyword {
            "HELP" => Some(Self::Help { family, text: unescaped(rest, false) }),
            "TYPE" => Some(Self::Type { family, kind: Kind::read(rest)? }),
            _ => None,
        }
    }
}

impl<'a> Sample<'a> {
    /// The sample on a line without its end; `None` for a comment, an empty line and whatever breaks the format.
    pub fn read(line: &'a str) -> Option<Self> {
        let line = line.trim_matches(BLANKS);
        let (name, rest) = line.split_at(name_end(line));
        if name.is_empty() || name.starts_with(|char: char| char.is_ascii_digit()) {
            return None;
        }
        let rest = rest.trim_start_matches([' ', '\t']);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => {
                let end = labels_end(rest)?;
                (&rest[..end], &rest[end + 1..])
            }
            None => ("", rest),
        };
        let mut words = rest.split_ascii_whitespace();
        let value = number(words.next()?)?;
        // A time may follow, in milliseconds.
        let fits = words.next().is_none_or(|time| time.parse::<i64>().is_ok()) && words.next().is_none();
        fits.then_some(Self { name, labels, value })
    }

    /// Its labels: names, and values without their escapes.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        let mut rest = self.labels;
        std::iter::from_fn(move || {
            let (name, value, behind) = first_label(rest)?;
            rest = behind;
            Some((name, value))
        })
    }

    /// The value of the label of that name.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels().find_map(|(label, value)| (label == name).then_some(value))
    }
}

/// A number as the format has it: Go's, in which `+Inf`, `-Inf` and `NaN` are words of their own.
fn number(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        // Rust's own words for those, such as "infinity", are none of the format.
        word if word.contains(|char: char| char.is_ascii_alphabetic() && !matches!(char, 'e' | 'E')) => None,
        word => word.parse().ok(),
    }
}

/// The first word of `text` and what stands behind it and its blanks.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(BLANKS);
    let (word, rest) = text.split_at(text.find(BLANKS).unwrap_or(text.len()));
    (word, rest.trim_start_matches(BLANKS))
}

/// Where the name ends that `text` begins with.
fn name_end(text: &str) -> usize {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    text.bytes().position(|byte| !is_of_name(byte)).unwrap_or(text.len())
}

/// Where the brace stands that ends the labels at the beginning of `text`, if they are well-formed up to it.
fn labels_end(text: &str) -> Option<usize> {
    let mut rest = text;
    while let Some((_, _, behind)) = first_label(rest) {
        rest = behind;
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.starts_with('}').then(|| text.len() - rest.len())
}

/// The first label of `text` and what stands behind it and its comma.
fn first_label(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let (name, rest) = text.split_at(name_end(text));
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('"')?;
    let end = quoted_end(rest)?;
    let behind = rest[end + 1..].trim_start_matches([' ', '\t']);
    // Behind a label stands another one or the end, and the end may have a comma before it.
    let behind = match behind.strip_prefix(',') {
        Some(behind) => behind,
        None if behind.is_empty() || behind.starts_with('}') => behind,
        None => return None,
    };
    (!name.is_empty()).then(|| (name, unescaped(&rest[..end], true), behind))
}

/// Where the quote stands that ends a label's value.
fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A text without its escapes. A quote is escaped only within quotes.
fn unescaped(text: &str, is_quoted: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            value.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => value.push('\n'),
            Some('\\') => value.push('\\'),
            Some('"') if is_quoted => value.push('"'),
            // What is no escape stands for itself.
            Some(other) => value.extend(['\\', other]),
            None => value.push('\\'),
        }
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests;
