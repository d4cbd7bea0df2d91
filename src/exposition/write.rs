//! Writing families: in Prometheus' text format, or as OpenMetrics.

use std::{borrow::Cow, fmt::Write};

use super::Kind;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What an answer says that it is.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What stands above a family's samples.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The family's name, as in the text format.
    pub name: &'a str,
    /// Its kind.
    pub kind: Kind,
    /// What it says; nothing is written for nothing.
    pub help: &'a str,
    /// Whether another family of the page has the name that OpenMetrics would give to this one, which is without `_total`.
    pub is_clashing: bool,
}

/// The labels of a sample.
#[derive(Debug, Clone, Copy)]
pub enum Labels<'a> {
    /// Names and values.
    Pairs(&'a [(Cow<'a, str>, Cow<'a, str>)]),
    /// As they stand between the braces.
    Written(&'a str),
}

/// What OpenMetrics wants a counter's series to be called, and takes off for the family's name.
const TOTAL: &str = "_total";

/// Below it, each whole number is a number of its own.
const WHOLE_MAX: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;

/// Writes a family's head.
pub fn write_head(out: &mut String, format: Format, head: &Head<'_>) {
    let (name, kind) = match format {
        Format::Text => (head.name, head.kind.as_str()),
        Format::OpenMetrics => openmetrics(head),
    };
    if !head.help.is_empty() {
        out.extend(["# HELP ", name, " "]);
        escape(out, head.help, format == Format::OpenMetrics);
        out.push('\n');
    }
    out.extend(["# TYPE ", name, " ", kind, "\n"]);
}

/// What OpenMetrics calls a family, and its type. A counter whose series do not end in `_total` is no counter to OpenMetrics; it is
/// told as of unknown type, because a name that differs by format is worse.
fn openmetrics<'a>(head: &Head<'a>) -> (&'a str, &'static str) {
    match head.kind {
        Kind::Counter => match head.name.strip_suffix(TOTAL) {
            Some(name) if !head.is_clashing => (name, "counter"),
            Some(_) | None => (head.name, "unknown"),
        },
        Kind::Untyped => (head.name, "unknown"),
        Kind::Gauge | Kind::Histogram | Kind::Summary => (head.name, head.kind.as_str()),
    }
}

/// The name that OpenMetrics gives to a counter's family, where it differs.
pub(super) fn openmetrics_name(name: &str, kind: Kind) -> Option<&str> {
    name.strip_suffix(TOTAL).filter(|_| kind == Kind::Counter)
}

/// Writes a sample with its end of line.
pub fn write_sample(out: &mut String, name: &str, labels: Labels<'_>, value: f64) {
    write_series(out, name, labels);
    write_value(out, value);
}

/// Writes the value of a series that is written already, with its end of line.
pub(super) fn write_value(out: &mut String, value: f64) {
    out.push(' ');
    write_number(out, value);
    out.push('\n');
}

/// Writes what a sample is of.
pub(super) fn write_series(out: &mut String, name: &str, labels: Labels<'_>) {
    out.push_str(name);
    match labels {
        Labels::Pairs([]) | Labels::Written("") => {}
        Labels::Pairs(labels) => {
            out.push('{');
            for (index, (name, value)) in labels.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_label(out, name, value);
            }
            out.push('}');
        }
        Labels::Written(labels) => out.extend(["{", labels, "}"]),
    }
}

/// Writes one label.
pub(super) fn write_label(out: &mut String, name: &str, value: &str) {
    out.extend([name, "=\""]);
    write_label_value(out, value);
    out.push('"');
}

/// Writes what stands between the quotes of a label.
pub fn write_label_value(out: &mut String, value: &str) {
    escape(out, value, true);
}

/// Writes what the whole ends with.
pub fn write_end(out: &mut String, format: Format) {
    match format {
        Format::Text => {}
        Format::OpenMetrics => out.push_str("# EOF\n"),
    }
}

/// Writes a number as both formats read it; from it comes the same number again.
pub fn write_number(out: &mut String, value: f64) {
    let written = match value {
        // Most are such, and both take a fraction of the time. The text is the same.
        1.0 => out.write_str("1"),
        value if value.to_bits() == 0 => out.write_str("0"),
        value if value.fract() == 0.0 && value.abs() < WHOLE_MAX && value.to_bits() != (-0.0_f64).to_bits() => {
            write!(out, "{}", value as i64)
        }
        value if value.is_nan() => out.write_str("NaN"),
        f64::INFINITY => out.write_str("+Inf"),
        f64::NEG_INFINITY => out.write_str("-Inf"),
        // Where all digits would be many.
        value if value != 0.0 && !(1e-7..1e21).contains(&value.abs()) => write!(out, "{value:e}"),
        value => write!(out, "{value}"),
    };
    written.expect("a String takes any text");
}

fn escape(out: &mut String, text: &str, escapes_quotes: bool) {
    let is_special = |byte| matches!(byte, b'\\' | b'\n') || (byte == b'"' && escapes_quotes);
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => "\\\"",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}
