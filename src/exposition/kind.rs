//! What kinds of families there are.

/// The type of a family of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises while a process lives.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Counts by upper bound, with a sum and a count.
    Histogram,
    /// Quantiles, with a sum and a count.
    Summary,
    /// Nobody said.
    Untyped,
}

impl Kind {
    /// The kind that a `# TYPE` line names.
    pub(super) fn read(word: &str) -> Option<Self> {
        match word {
            "counter" => Some(Self::Counter),
            "gauge" => Some(Self::Gauge),
            "histogram" => Some(Self::Histogram),
            "summary" => Some(Self::Summary),
            "untyped" | "unknown" => Some(Self::Untyped),
            _ => None,
        }
    }

    /// As Prometheus' text format calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }

    /// What stands behind a family's name in the names of its series, besides nothing.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Summary => &["_sum", "_count"],
            Self::Counter | Self::Gauge | Self::Untyped => &[],
        }
    }

    /// The label that says which part of the whole a series is, where the kind has one.
    pub(super) fn part_label(self) -> Option<&'static str> {
        match self {
            Self::Histogram => Some("le"),
            Self::Summary => Some("quantile"),
            Self::Counter | Self::Gauge | Self::Untyped => None,
        }
    }
}
