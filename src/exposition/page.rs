//! What of a connector's page is told again: cloudflared's own families, grouped, checked and kept compactly.
//!
//! One line that a scraper does not take spoils the whole scrape, so what is kept is what every scraper takes: names and labels of
//! the right letters, no label twice, no series twice, parts of a histogram that say which part they are.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
    ops::Range,
};

use super::{
    BLANKS, Exposition, Kind, Labels, Line, Sample, number, word,
    write::{write_series, write_value},
};

/// What the names of the families begin with that are told again.
pub const RELAYED: [&str; 2] = ["cloudflared_", "quic_client_"];

/// The labels that say whose series it is. A label of such a name in a page is called `exported_…`, as Prometheus does it.
pub const ADDED_LABELS: [&str; 3] = ["tunnel", "account", "replica"];

/// How many families of a page are kept at most; cloudflared has less than a hundred.
const FAMILIES_MAX: usize = 1_000;

/// How many bytes of a page are kept at most: a thousand series of cloudflared have a tenth of that.
const BYTES_MAX: usize = 1024 * 1024;

/// Takes a page in as it comes and keeps what is told again.
pub struct PageBuilder {
    exposition: Exposition,
    grouped: Grouped,
}

struct Grouped {
    series_max: usize,
    families: Vec<Draft>,
    by_name: BTreeMap<String, usize>,
    /// The family of the line before, which is that of most lines.
    last: usize,
    /// The series that are kept: hashes of their names and labels. Should two ever have the same one, the second is left out.
    seen: HashSet<u64>,
    hasher: RandomState,
    bytes: usize,
    dropped: u64,
}

/// A family as far as it has been read.
struct Draft {
    name: String,
    kind: Option<Kind>,
    help: Option<String>,
    samples: String,
    series: u64,
    /// Whether one of its series found no room.
    is_cut: bool,
}

/// What is told again of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Everything, one piece behind the other.
    text: Box<str>,
    families: Box<[Entry]>,
    dropped: u64,
}

/// Where in the text a family stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: Range<u32>,
    help: Range<u32>,
    samples: Range<u32>,
    kind: Kind,
    series: u32,
}

/// A family of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) help: &'a str,
    /// Its samples as lines, without added labels.
    pub(super) samples: &'a str,
    pub(super) series: u64,
}

impl PageBuilder {
    /// A builder that keeps so many series at most.
    pub fn new(series_max: usize) -> Self {
        let grouped = Grouped {
            series_max,
            families: Vec::new(),
            by_name: BTreeMap::new(),
            last: 0,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            bytes: 0,
            dropped: 0,
        };
        Self { exposition: Exposition::default(), grouped }
    }

    /// Takes the next bytes of the page in, and hands each line of the families that are told again to `visit` too. Of a page of
    /// cloudflared the rest, which is about its runtime, is almost half.
    pub fn take(&mut self, bytes: &[u8], visit: &mut impl FnMut(&Line<'_>)) {
        let Self { exposition, grouped } = self;
        exposition.take_lines(bytes, &mut |line| {
            if may_be_relayed(line)
                && let Some(line) = Line::read(line)
            {
                visit(&line);
                grouped.add(&line);
            }
        });
    }

    /// What is told again.
    pub fn finish(self) -> Page {
        self.grouped.finish()
    }
}

impl Grouped {
    fn add(&mut self, line: &Line<'_>) {
        match line {
            Line::Sample(sample) if is_relayed(sample.name) => {
                if self.keep(sample).is_none() {
                    self.dropped += 1;
                }
            }
            Line::Help { family, text } if is_relayed(family) => {
                let has_room = self.bytes + text.len() <= BYTES_MAX;
                if let Some(draft) = self.family(family).filter(|draft| has_room && draft.help.is_none()) {
                    draft.help = Some(text.clone().into_owned());
                    self.bytes += text.len();
                }
            }
            // What comes behind a family's samples is too late.
            Line::Type { family, kind } if is_relayed(family) => {
                if let Some(draft) = self.family(family) {
                    draft.kind.get_or_insert(*kind);
                }
            }
            Line::Sample(_) | Line::Help { .. } | Line::Type { .. } => {}
        }
    }

    /// The family of that name, which is made if there is room for it.
    fn family(&mut self, name: &str) -> Option<&mut Draft> {
        let index = self.index_of(name)?;
        self.families.get_mut(index)
    }

    fn index_of(&mut self, name: &str) -> Option<usize> {
        if self.families.get(self.last).is_some_and(|last| last.name == name) {
            return Some(self.last);
        }
        if let Some(index) = self.by_name.get(name) {
            self.last = *index;
            return Some(*index);
        }
        if self.families.len() >= FAMILIES_MAX || self.bytes + name.len() > BYTES_MAX {
            return None;
        }
        self.bytes += name.len();
        self.last = self.families.len();
        self.by_name.insert(name.to_owned(), self.last);
        let name = name.to_owned();
        self.families.push(Draft { name, kind: None, help: None, samples: String::new(), series: 0, is_cut: false });
        Some(self.last)
    }

    /// Keeps a sample; `None` when it does not fit.
    fn keep(&mut self, sample: &Sample<'_>) -> Option<()> {
        let index = match self.whole_of(sample.name) {
            Some(index) => index,
            None => self.index_of(sample.name)?,
        };
        let draft = &mut self.families[index];
        let kind = *draft.kind.get_or_insert(Kind::Untyped);
        let suffix = &sample.name[draft.name.len()..];
        let begin = draft.samples.len();
        if are_plain(sample, suffix, kind) {
            write_series(&mut draft.samples, sample.name, Labels::Written(sample.labels));
        } else {
            let labels = labels(sample, suffix, kind)?;
            write_series(&mut draft.samples, sample.name, Labels::Pairs(&labels));
        }
        let series = self.hasher.hash_one(&draft.samples[begin..]);
        write_value(&mut draft.samples, sample.value);
        let length = draft.samples.len() - begin;
        let has_room = self.seen.len() < self.series_max && self.bytes + length <= BYTES_MAX;
        if !has_room || !self.seen.insert(series) {
            draft.is_cut |= !has_room;
            draft.samples.truncate(begin);
            return None;
        }
        self.bytes += length;
        draft.series += 1;
        Some(())
    }

    /// The histogram or summary that a sample of this name is a part of.
    fn whole_of(&self, name: &str) -> Option<usize> {
        let last = self.families.get(self.last);
        let is_of_last = |last: &Draft| {
            let suffix = name.strip_prefix(&*last.name);
            suffix.is_some_and(|suffix| last.kind.is_some_and(|kind| kind.suffixes().contains(&suffix)))
        };
        if last.is_some_and(is_of_last) {
            return Some(self.last);
        }
        Kind::Histogram.suffixes().iter().find_map(|suffix| {
            let index = *self.by_name.get(name.strip_suffix(suffix)?)?;
            self.families[index].kind.is_some_and(|kind| kind.suffixes().contains(suffix)).then_some(index)
        })
    }

    fn finish(mut self) -> Page {
        self.families.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut text, mut entries) = (String::with_capacity(self.bytes), Vec::with_capacity(self.families.len()));
        for draft in self.families {
            let kind = draft.kind.unwrap_or(Kind::Untyped);
            // Half a histogram says something wrong.
            if draft.is_cut && kind.part_label().is_some() {
                self.dropped += draft.series;
            } else if draft.series > 0 {
                let mut keep = |piece: &str| {
                    let begin = position(text.len());
                    text.push_str(piece);
                    begin..position(text.len())
                };
                entries.push(Entry {
                    name: keep(&draft.name),
                    help: keep(draft.help.as_deref().unwrap_or_default()),
                    samples: keep(&draft.samples),
                    kind,
                    series: u32::try_from(draft.series).unwrap_or(u32::MAX),
                });
            }
        }
        Page { text: text.into(), families: entries.into(), dropped: self.dropped }
    }
}

impl Page {
    /// A page of which nothing is kept.
    pub fn without_series(self) -> Self {
        let series: u64 = self.families().map(|family| family.series).sum();
        Self { text: Box::default(), families: Box::default(), dropped: self.dropped + series }
    }

    /// How many series are told again.
    pub fn series(&self) -> u64 {
        self.families().map(|family| family.series).sum()
    }

    /// How many series were left out: too many, twice there, or not to be told again as they are.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How much memory it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.families)
    }

    /// The families, by name.
    pub(super) fn families(&self) -> impl ExactSizeIterator<Item = Family<'_>> {
        (0..self.families.len()).map(|index| self.family(index))
    }

    /// The family of that number.
    pub(super) fn family(&self, index: usize) -> Family<'_> {
        let entry = &self.families[index];
        let piece = |range: &Range<u32>| &self.text[range.start as usize..range.end as usize];
        Family {
            name: piece(&entry.name),
            kind: entry.kind,
            help: piece(&entry.help),
            samples: piece(&entry.samples),
            series: u64::from(entry.series),
        }
    }
}

fn position(length: usize) -> u32 {
    u32::try_from(length).expect("a page is at most a few MiB")
}

fn is_relayed(name: &str) -> bool {
    RELAYED.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a line can be about a family that is told again.
fn may_be_relayed(line: &str) -> bool {
    let line = line.trim_start_matches(BLANKS);
    is_relayed(line.strip_prefix('#').map_or(line, |comment| word(comment).1))
}

/// Whether a sample's labels are told again just as they stand, as those of almost all are.
fn are_plain(sample: &Sample<'_>, suffix: &str, kind: Kind) -> bool {
    let (mut before, mut length, mut bound) = ("", 0, None);
    for (name, value) in sample.labels() {
        let Cow::Borrowed(value) = value else { return false };
        if name <= before || !is_label(name) || value.is_empty() || ADDED_LABELS.contains(&name) {
            return false;
        }
        if kind.part_label() == Some(name) {
            bound = Some(number(value));
        }
        (before, length) = (name, length + name.len() + "=\"\",".len() + value.len());
    }
    // Without a blank, or a comma at the end.
    length.saturating_sub(1) == sample.labels.len() && is_part(kind, suffix, bound)
}

/// Whether a series of that suffix says what a part of that kind has to say: its bound if it has one, and none if it has none.
fn is_part(kind: Kind, suffix: &str, bound: Option<Option<f64>>) -> bool {
    match (kind, suffix) {
        (Kind::Histogram, "_bucket") | (Kind::Summary, "") => matches!(bound, Some(Some(bound)) if !bound.is_nan()),
        (Kind::Histogram, "") => false,
        (Kind::Histogram | Kind::Summary, _) => bound.is_none(),
        (Kind::Counter | Kind::Gauge | Kind::Untyped, _) => true,
    }
}

/// A sample's labels as they are told again, by name; `None` when a scraper would not take them.
fn labels<'a>(sample: &Sample<'a>, suffix: &str, kind: Kind) -> Option<Vec<(Cow<'a, str>, Cow<'a, str>)>> {
    let mut labels: Vec<_> = sample.labels().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
    labels.sort();
    if labels.windows(2).any(|two| two[0].0 == two[1].0) || !labels.iter().all(|(name, _)| is_label(name)) {
        return None;
    }
    // A label without a value is none, to Prometheus.
    labels.retain(|(_, value)| !value.is_empty());
    let bound = labels.iter().find(|(name, _)| kind.part_label().is_some_and(|part| name == part));
    if !is_part(kind, suffix, bound.map(|(_, value)| number(value))) {
        return None;
    }
    for added in ADDED_LABELS {
        if let Some(index) = labels.iter().position(|(name, _)| name == added) {
            let mut name = format!("exported_{added}");
            while labels.iter().any(|(other, _)| *other == name) {
                name.insert_str(0, "exported_");
            }
            labels[index].0 = Cow::Owned(name);
        }
    }
    labels.sort();
    Some(labels)
}

fn is_label(name: &str) -> bool {
    !name.starts_with(|char: char| char.is_ascii_digit()) && !name.contains(':') && !name.starts_with("__")
}

#[cfg(test)]
mod tests;
