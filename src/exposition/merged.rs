//! Many connectors' pages as one: the series of a family stand together under one head, and each says whose it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Format, Head, Kind, Page,
    page::Family,
    write::{openmetrics_name, write_head, write_label},
};

/// A page, and the labels that its series get.
#[derive(Debug)]
pub struct Source {
    /// As they stand between the braces.
    labels: String,
    page: Page,
}

impl Source {
    /// The labels are written in this order, before the series' own.
    pub fn new(added: &[(&str, &str)], page: Page) -> Self {
        let mut labels = String::new();
        for (name, value) in added {
            if !labels.is_empty() {
                labels.push(',');
            }
            write_label(&mut labels, name, value);
        }
        Self { labels, page }
    }
}

/// Pages, and how they fit together.
#[derive(Debug, Default)]
pub struct Merged {
    sources: Vec<Source>,
    families: Vec<Joined>,
    /// How many series of each source are left out.
    dropped: Vec<u64>,
}

/// A family with its parts.
#[derive(Debug)]
struct Joined {
    /// The first says what the family's name, kind and help are.
    parts: Vec<Part>,
    is_clashing: bool,
}

/// The number of a source, and that of a family in its page.
type Part = (u32, u32);

/// How far a page has been written.
#[derive(Debug, Default)]
pub struct Place {
    family: usize,
    part: usize,
    /// Where in the part's samples.
    offset: usize,
}

impl Merged {
    /// Puts pages together. Where two say different kinds of one family, the first is right and the other's series are left out.
    pub fn new(sources: Vec<Source>) -> Self {
        let mut dropped: Vec<u64> = sources.iter().map(|source| source.page.dropped()).collect();
        let mut families: BTreeMap<&str, (Kind, Vec<Part>)> = BTreeMap::new();
        for (index, source) in sources.iter().enumerate() {
            for (number, family) in source.page.families().enumerate() {
                let (kind, parts) = families.entry(family.name).or_insert((family.kind, Vec::new()));
                if *kind == family.kind {
                    parts.push((narrow(index), narrow(number)));
                } else {
                    dropped[index] += family.series;
                }
            }
        }
        // A family whose name is that of another one's series would stand among them.
        let parts_of_others: BTreeSet<String> = families
            .iter()
            .flat_map(|(name, (kind, _))| kind.suffixes().iter().map(move |suffix| format!("{name}{suffix}")))
            .collect();
        families.retain(|name, (_, parts)| {
            let is_free = !parts_of_others.contains(*name);
            if !is_free {
                for (source, number) in parts {
                    let source = *source as usize;
                    dropped[source] += sources[source].page.family(*number as usize).series;
                }
            }
            is_free
        });
        let is_clashing = |name: &str, kind| openmetrics_name(name, kind).is_some_and(|name| families.contains_key(name));
        let families = families
            .iter()
            .map(|(name, (kind, parts))| Joined { parts: parts.clone(), is_clashing: is_clashing(name, *kind) })
            .collect();
        Self { sources, families, dropped }
    }

    /// How many series of the source of that number are left out, be it by its page or here.
    pub fn dropped(&self, source: usize) -> u64 {
        self.dropped[source]
    }

    /// Writes on from `place` until there are `enough` bytes in `out` or nothing is left, and says whether something may be.
    pub fn write(&self, place: &mut Place, format: Format, out: &mut String, enough: usize) -> bool {
        while let Some(joined) = self.families.get(place.family) {
            let Some((source, family)) = joined.parts.get(place.part).map(|part| self.part(*part)) else {
                *place = Place { family: place.family + 1, ..Place::default() };
                continue;
            };
            if place.part == 0 && place.offset == 0 {
                let Family { name, kind, help, .. } = family;
                write_head(out, format, &Head { name, kind, help, is_clashing: joined.is_clashing });
            }
            for line in family.samples[place.offset..].split_inclusive('\n') {
                write_line(out, format, &source.labels, family.kind, line);
                place.offset += line.len();
                if out.len() >= enough {
                    return true;
                }
            }
            *place = Place { part: place.part + 1, offset: 0, ..*place };
        }
        false
    }

    fn part(&self, (source, family): Part) -> (&Source, Family<'_>) {
        let source = &self.sources[source as usize];
        (source, source.page.family(family as usize))
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("connectors and their families are counted in thousands")
}

/// Writes a sample's line with the labels that are added to it.
fn write_line(out: &mut String, format: Format, added: &str, kind: Kind, line: &str) {
    // Neither stands in a name.
    let Some(end) = line.find(['{', ' ']) else { return };
    out.extend([&line[..end], "{", added]);
    match line[end..].strip_prefix('{') {
        Some(rest) => {
            out.push(',');
            match kind.part_label().filter(|_| format == Format::OpenMetrics).and_then(|part| bound(rest, part)) {
                Some(at) => out.extend([&rest[..at], ".0", &rest[at..]]),
                None => out.push_str(rest),
            }
        }
        None => out.extend(["}", &line[end..]]),
    }
}

/// Where the bound ends that `label` says, if it lacks the decimal point that OpenMetrics wants.
fn bound(labels: &str, label: &str) -> Option<usize> {
    let opening = format!("{label}=\"");
    // A quote in another label's value is escaped, so that this is found in none.
    let begin = match labels.strip_prefix(&opening) {
        Some(_) => opening.len(),
        None => labels.find(&format!(",{opening}"))? + 1 + opening.len(),
    };
    let length = labels[begin..].find('"')?;
    let is_whole = labels[begin..begin + length].bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_whole.then_some(begin + length)
}

#[cfg(test)]
mod tests;
