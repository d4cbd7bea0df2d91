//! The laws of connectors' pages of metrics, as they are read and as they are told again.

use std::collections::BTreeSet;

use super::{
    ADDED_LABELS, Exposition, Format, Head, Labels, Line, Merged, Page, PageBuilder, Place, RELAYED, Sample, Source, write_end,
    write_head, write_sample,
};

/// How many series of a page are kept: few enough to be reached.
const SERIES_MAX: usize = 50;

/// Any bytes as the pages of two connectors.
pub fn pages(bytes: &[u8]) {
    reading(bytes);
    let halves = bytes.split_at(bytes.len() / 2);
    let (first, second) = (page(bytes), page(halves.1));
    assert!(first.series() <= SERIES_MAX as u64);
    let length_max = 16 * bytes.len() + 1024;
    assert!(first.bytes() <= length_max, "{} bytes are kept of {}", first.bytes(), bytes.len());
    let label = str::from_utf8(halves.0).unwrap_or("web");
    let (tunnel, series) = (&label[..label.floor_char_boundary(100)], first.series() + second.series());
    let source = |tunnel, page| Source::new(&[(ADDED_LABELS[0], tunnel), (ADDED_LABELS[1], "a"), (ADDED_LABELS[2], "0")], page);
    let merged = Merged::new(vec![source(tunnel, first), source("other\"\\\n", second)]);
    let dropped_here = merged.dropped(0) + merged.dropped(1);
    for format in [Format::Text, Format::OpenMetrics] {
        let text = written(&merged, format, usize::MAX);
        assert_eq!(written(&merged, format, 1), text, "it is the same in pieces");
        let told = valid(&text, format);
        assert!(told as u64 <= series && told as u64 + dropped_here >= series, "{told} of {series}, {dropped_here} left out");
    }
}

/// What is read does not depend on how it comes, and what is written of it is read as it was meant.
fn reading(bytes: &[u8]) {
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    Exposition::default().take(bytes, &mut |line| whole.push(format!("{line:?}")));
    let mut exposition = Exposition::default();
    bytes.chunks(5).for_each(|piece| exposition.take(piece, &mut |line| pieces.push(format!("{line:?}"))));
    assert_eq!(whole, pieces);
    Exposition::default().take(bytes, &mut |line| {
        let mut text = String::new();
        match &line {
            Line::Sample(sample) => {
                let labels: Vec<_> = sample.labels().map(|(name, value)| (name.into(), value)).collect();
                write_sample(&mut text, sample.name, Labels::Pairs(&labels), sample.value);
                let again = Sample::read(text.trim_end_matches('\n')).unwrap_or_else(|| panic!("{text:?} is no sample"));
                assert!(again.name == sample.name && again.labels().eq(sample.labels()), "{text:?}");
                let same = again.value == sample.value || (again.value.is_nan() && sample.value.is_nan());
                assert!(same, "{} is written as {text:?}", sample.value);
            }
            Line::Help { family, text: help } => {
                let head = Head { name: family, kind: super::Kind::Untyped, help, is_clashing: false };
                write_head(&mut text, Format::Text, &head);
                let Some(Line::Help { family: again, text: said }) = text.lines().next().and_then(Line::read) else { return };
                assert_eq!((again, said.as_ref()), (*family, help.trim_matches(super::BLANKS)));
            }
            Line::Type { .. } => {}
        }
    });
}

fn page(bytes: &[u8]) -> Page {
    let mut builder = PageBuilder::new(SERIES_MAX);
    builder.take(bytes, &mut |_| {});
    builder.finish()
}

fn written(merged: &Merged, format: Format, enough: usize) -> String {
    let (mut place, mut text) = (Place::default(), String::new());
    loop {
        let mut piece = String::new();
        let goes_on = merged.write(&mut place, format, &mut piece, enough);
        text += &piece;
        if !goes_on {
            write_end(&mut text, format);
            return text;
        }
    }
}

/// Checks that a scraper takes every line of a page, and counts its series.
fn valid(text: &str, format: Format) -> usize {
    let (mut series, mut families, mut heads) = (BTreeSet::new(), BTreeSet::new(), 0);
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.split_terminator('\n') {
        if line == "# EOF" {
            assert!(format == Format::OpenMetrics && text.ends_with("# EOF\n"));
            continue;
        }
        match Line::read(line).unwrap_or_else(|| panic!("{line:?} is nothing")) {
            Line::Sample(sample) => {
                assert!(heads > 0, "{line:?} has no head");
                assert!(RELAYED.iter().any(|prefix| sample.name.starts_with(prefix)), "{line:?}");
                let labels: Vec<_> = sample.labels().collect();
                let names: BTreeSet<&str> = labels.iter().map(|(name, _)| *name).collect();
                assert_eq!(names.len(), labels.len(), "a label stands twice in {line:?}");
                assert!(ADDED_LABELS.iter().all(|name| names.contains(name)), "{line:?} lacks whose it is");
                let mut sorted = labels.clone();
                sorted.sort();
                assert!(series.insert(format!("{} {sorted:?}", sample.name)), "the series of {line:?} stands twice");
            }
            Line::Type { family, .. } => {
                heads += 1;
                assert!(families.insert(family.to_owned()), "{family} has two heads");
            }
            Line::Help { .. } => {}
        }
    }
    series.len()
}
