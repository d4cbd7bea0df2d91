//! The series of one family as they are written.

use crate::exposition::{write_label_value, write_number};

/// Takes the values of a family's series and writes them.
pub(super) struct Series<'a> {
    out: &'a mut String,
    /// What stands before each label's value, and the number of the value: labels are written by name.
    labels: Vec<(String, usize)>,
    /// What stands between the labels and the number.
    end: String,
}

impl<'a> Series<'a> {
    /// Writes to the end of `out`.
    pub(super) fn new(out: &'a mut String, name: &str, labels: &[String]) -> Self {
        let mut sorted: Vec<_> = labels.iter().zip(0..).collect();
        sorted.sort_unstable();
        // What all series have in common is put together once: there are tens of thousands.
        let before = |place| if place == 0 { format!("{name}{{") } else { "\",".to_owned() };
        let labels: Vec<_> =
            sorted.into_iter().enumerate().map(|(place, (label, index))| (before(place) + label + "=\"", index)).collect();
        let end = if labels.is_empty() { format!("{name} ") } else { "\"} ".to_owned() };
        Self { out, labels, end }
    }

    /// Writes one series. Its labels' values stand in the order in which the family names the labels.
    pub(super) fn add(&mut self, values: &[&str], value: f64) {
        debug_assert_eq!(values.len(), self.labels.len(), "{values:?} are not the values of {:?}", self.labels);
        for (before, index) in &self.labels {
            self.out.push_str(before);
            write_label_value(self.out, values[*index]);
        }
        self.out.push_str(&self.end);
        write_number(self.out, value);
        self.out.push('\n');
    }
}
