use proptest::prelude::*;

use super::*;
use crate::exposition::{Exposition, Line, PageBuilder, Sample};

fn source(tunnel: &str, text: &str) -> Source {
    let mut builder = PageBuilder::new(1_000);
    builder.take(text.as_bytes(), &mut |_| {});
    Source::new(&[("tunnel", tunnel), ("account", "main"), ("replica", "0")], builder.finish())
}

/// Written in pieces of about `enough` bytes.
fn written(merged: &Merged, format: Format, enough: usize) -> String {
    let (mut place, mut text) = (Place::default(), String::new());
    loop {
        let mut piece = String::new();
        let goes_on = merged.write(&mut place, format, &mut piece, enough);
        text += &piece;
        if !goes_on {
            return text;
        }
    }
}

#[test]
fn series_of_one_family_stand_together_under_one_head() {
    let web = "# HELP cloudflared_b B.\n# TYPE cloudflared_b counter\ncloudflared_b{code=\"1\"} 1\ncloudflared_b{code=\"2\"} 2\n";
    let api = "# HELP cloudflared_b Other.\n# TYPE cloudflared_b counter\ncloudflared_b 3\ncloudflared_a 4\n";
    let merged = Merged::new(vec![source("web", web), source("a\"pi", api)]);
    let expected = "\
# TYPE cloudflared_a untyped
cloudflared_a{tunnel=\"a\\\"pi\",account=\"main\",replica=\"0\"} 4
# HELP cloudflared_b B.
# TYPE cloudflared_b counter
cloudflared_b{tunnel=\"web\",account=\"main\",replica=\"0\",code=\"1\"} 1
cloudflared_b{tunnel=\"web\",account=\"main\",replica=\"0\",code=\"2\"} 2
cloudflared_b{tunnel=\"a\\\"pi\",account=\"main\",replica=\"0\"} 3
";
    assert_eq!(written(&merged, Format::Text, usize::MAX), expected);
    assert_eq!((merged.dropped(0), merged.dropped(1)), (0, 0));
    assert_eq!(written(&Merged::default(), Format::Text, 1), "");
}

#[test]
fn of_two_kinds_of_one_family_the_first_is_right() {
    let web = "# TYPE cloudflared_a counter\ncloudflared_a 1\n";
    let api = "# TYPE cloudflared_a gauge\ncloudflared_a{x=\"1\"} 1\ncloudflared_a{x=\"2\"} 1\ncloudflared_b 1\n";
    let merged = Merged::new(vec![source("web", web), source("api", api)]);
    let text = written(&merged, Format::Text, usize::MAX);
    assert_eq!((merged.dropped(0), merged.dropped(1)), (0, 2));
    assert!(
        text.contains("# TYPE cloudflared_a counter\n") && !text.contains("gauge") && text.contains("cloudflared_b{"),
        "{text}"
    );
}

#[test]
fn a_family_with_the_name_of_a_histograms_part_is_left_out() {
    let web = "# TYPE cloudflared_h histogram\ncloudflared_h_bucket{le=\"+Inf\"} 1\ncloudflared_h_sum 1\ncloudflared_h_count 1\n";
    let api = "cloudflared_h_sum 7\n";
    for sources in [[("web", web), ("api", api)], [("api", api), ("web", web)]] {
        let merged = Merged::new(sources.map(|(tunnel, text)| source(tunnel, text)).into());
        let text = written(&merged, Format::Text, usize::MAX);
        assert_eq!(text.matches("# TYPE").count(), 1, "{text}");
        assert!(!text.contains(" 7\n"), "{text}");
        assert_eq!(merged.dropped(0) + merged.dropped(1), 1);
    }
}

#[test]
fn as_openmetrics_names_stay_and_bounds_get_their_point() {
    let text = "\
# TYPE cloudflared_requests counter
cloudflared_requests 1
# TYPE cloudflared_dns_total counter
cloudflared_dns_total 2
# TYPE cloudflared_udp_total counter
cloudflared_udp_total 3
# TYPE cloudflared_udp gauge
cloudflared_udp 4
# HELP cloudflared_h Says \"h\".
# TYPE cloudflared_h histogram
cloudflared_h_bucket{a=\",le=\\\"7\\\"\",le=\"5\"} 1
cloudflared_h_bucket{le=\"0.5\"} 1
cloudflared_h_bucket{le=\"+Inf\"} 1
";
    let merged = Merged::new(vec![source("web", text)]);
    let text = written(&merged, Format::OpenMetrics, usize::MAX).replace("tunnel=\"web\",account=\"main\",replica=\"0\"", "…");
    let expected = "\
# TYPE cloudflared_dns counter
cloudflared_dns_total{…} 2
# HELP cloudflared_h Says \\\"h\\\".
# TYPE cloudflared_h histogram
cloudflared_h_bucket{…,a=\",le=\\\"7\\\"\",le=\"5.0\"} 1
cloudflared_h_bucket{…,le=\"0.5\"} 1
cloudflared_h_bucket{…,le=\"+Inf\"} 1
# TYPE cloudflared_requests unknown
cloudflared_requests{…} 1
# TYPE cloudflared_udp gauge
cloudflared_udp{…} 4
# TYPE cloudflared_udp_total unknown
cloudflared_udp_total{…} 3
";
    assert_eq!(text, expected);
}

type Series = (String, Vec<(String, String)>, u64);

fn series(sample: &Sample<'_>) -> Series {
    let mut labels: Vec<_> = sample.labels().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
    labels.sort();
    (sample.name.to_owned(), labels, sample.value.to_bits())
}

/// Names and values that are told again as they are.
fn samples() -> impl Strategy<Value = Vec<(String, std::collections::BTreeMap<String, String>, f64)>> {
    let value =
        prop_oneof![any::<f64>().prop_filter("one bit pattern", |value| !value.is_nan()), (-1e6_f64..1e6), Just(f64::INFINITY)];
    let labels = prop::collection::btree_map("[a-z][a-z0-9_]{0,5}", "(\\PC|[\\\\\"\n]){1,6}", 0..4);
    prop::collection::vec(("cloudflared_[a-c]{1,2}", labels, value), 0..12)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_equal(pages in prop::collection::vec(samples(), 0..4), enough in 1_usize..400) {
        let mut expected = Vec::new();
        let mut sources = Vec::new();
        for (index, samples) in pages.into_iter().enumerate() {
            let (mut text, mut seen) = (String::new(), std::collections::BTreeSet::new());
            for (name, labels, value) in samples {
                let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
                super::super::write_sample(&mut text, &name, super::super::Labels::Pairs(&pairs), value);
                if seen.insert((name.clone(), labels.clone())) {
                    let added = [("tunnel", format!("t{index}")), ("account", "main".to_owned()), ("replica", "0".to_owned())];
                    let mut labels: Vec<_> = labels.into_iter().chain(added.map(|(name, value)| (name.to_owned(), value))).collect();
                    labels.sort();
                    expected.push((name, labels, value.to_bits()));
                }
            }
            sources.push(source(&format!("t{index}"), &text));
        }
        let merged = Merged::new(sources);
        let text = written(&merged, Format::Text, enough);
        prop_assert_eq!(&text, &written(&merged, Format::Text, usize::MAX));

        let (mut read, mut heads) = (Vec::new(), Vec::new());
        Exposition::default().take(text.as_bytes(), &mut |line| match line {
            Line::Sample(sample) => read.push(series(&sample)),
            Line::Type { family, .. } => heads.push(family.to_owned()),
            Line::Help { .. } => {}
        });
        // Each family once, and its series behind its head.
        prop_assert!(heads.windows(2).all(|two| two[0] < two[1]), "{}", text);
        let mut names: Vec<_> = read.iter().map(|(name, ..)| name.clone()).collect();
        names.dedup();
        prop_assert_eq!(names, heads);
        read.sort();
        expected.sort();
        prop_assert_eq!(read, expected);
    }
}
