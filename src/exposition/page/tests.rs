use proptest::prelude::*;

use super::*;

fn page(text: &str, series_max: usize) -> Page {
    let mut builder = PageBuilder::new(series_max);
    for piece in text.as_bytes().chunks(7) {
        builder.take(piece, &mut |_| {});
    }
    builder.finish()
}

/// Every family as `name kind series: samples`.
fn kept(page: &Page) -> Vec<String> {
    let family = |family: Family<'_>| {
        format!("{} {} {}: {}", family.name, family.kind.as_str(), family.series, family.samples.trim_end().replace('\n', " | "))
    };
    page.families().map(family).collect()
}

#[test]
fn only_the_connectors_own_families_are_kept_each_in_one_piece() {
    let text = "\
# HELP go_threads Threads.
go_threads 9
build_info{version=\"1\"} 1
# HELP cloudflared_b The \\\\ second.
# TYPE cloudflared_b counter
cloudflared_b{code=\"200\"} 3
# TYPE quic_client_a gauge
quic_client_a{conn_index=\"0\"} 1.5 1700000000000
cloudflared_b{code=\"500\"} 1
cloudflared_c NaN
cloudflared 1
";
    let page = page(text, 100);
    assert_eq!(
        kept(&page),
        [
            "cloudflared_b counter 2: cloudflared_b{code=\"200\"} 3 | cloudflared_b{code=\"500\"} 1",
            "cloudflared_c untyped 1: cloudflared_c NaN",
            "quic_client_a gauge 1: quic_client_a{conn_index=\"0\"} 1.5",
        ]
    );
    assert_eq!(page.families().next().unwrap().help, "The \\ second.");
    assert_eq!((page.series(), page.dropped()), (4, 0));
}

#[test]
fn parts_of_a_histogram_and_a_summary_stand_with_the_whole() {
    let text = "\
# TYPE cloudflared_h histogram
cloudflared_h_bucket{le=\"1\"} 1
cloudflared_h_bucket{le=\"+Inf\"} 2
cloudflared_h_sum 3
cloudflared_h_count 2
# TYPE cloudflared_s summary
cloudflared_s{quantile=\"0.5\"} 1
cloudflared_s_sum 3
cloudflared_s_count 2
cloudflared_s_bucket 9
";
    let page = page(text, 100);
    let families: Vec<(&str, Kind, u64)> = page.families().map(|family| (family.name, family.kind, family.series)).collect();
    assert_eq!(
        families,
        [("cloudflared_h", Kind::Histogram, 4), ("cloudflared_s", Kind::Summary, 3), ("cloudflared_s_bucket", Kind::Untyped, 1)]
    );
}

#[test]
fn what_a_scraper_does_not_take_is_left_out_and_counted() {
    for (lines, kept_series) in [
        ("cloudflared_a{x:y=\"1\"} 1", 0),
        ("cloudflared_a{1x=\"1\"} 1", 0),
        ("cloudflared_a{__name__=\"go_threads\"} 1", 0),
        ("cloudflared_a{x=\"1\",x=\"2\"} 1", 0),
        ("cloudflared_a{x=\"1\",x=\"\"} 1", 0),
        // Twice the same, in other words.
        ("cloudflared_a 1\ncloudflared_a{x=\"\"} 2", 1),
        ("cloudflared_a{x=\"1\",y=\"2\"} 1\ncloudflared_a{y=\"2\",x=\"1\"} 2", 1),
        ("# TYPE cloudflared_a histogram\ncloudflared_a 1", 0),
        ("# TYPE cloudflared_a histogram\ncloudflared_a_bucket 1", 0),
        ("# TYPE cloudflared_a histogram\ncloudflared_a_bucket{le=\"much\"} 1", 0),
        ("# TYPE cloudflared_a histogram\ncloudflared_a_sum{le=\"1\"} 1", 0),
        ("# TYPE cloudflared_a summary\ncloudflared_a 1", 0),
        ("# TYPE cloudflared_a summary\ncloudflared_a{quantile=\"NaN\"} 1", 0),
    ] {
        let page = page(&format!("{lines}\n"), 100);
        assert_eq!((page.series(), page.dropped()), (kept_series, 1), "{lines}");
    }
}

#[test]
fn a_family_is_what_its_first_words_say() {
    let text = "\
# TYPE cloudflared_a counter
# TYPE cloudflared_a gauge
# HELP cloudflared_a First.
# HELP cloudflared_a Second.
cloudflared_a 1
cloudflared_b 1
# TYPE cloudflared_b gauge
# TYPE cloudflared_c gauge
";
    let page = page(text, 100);
    assert_eq!(kept(&page), ["cloudflared_a counter 1: cloudflared_a 1", "cloudflared_b untyped 1: cloudflared_b 1"]);
    assert_eq!(page.family(0).help, "First.");
}

#[test]
fn labels_of_the_names_that_are_added_are_called_exported() {
    let page = page("cloudflared_a{tunnel=\"x\",exported_tunnel=\"y\",replica=\"z\",a=\"\\\"\\\\\\n\"} 1\n", 100);
    let series = r#"cloudflared_a{a="\"\\\n",exported_exported_tunnel="x",exported_replica="z",exported_tunnel="y"} 1"#;
    assert_eq!(kept(&page), [format!("cloudflared_a untyped 1: {series}")]);
}

#[test]
fn the_first_series_are_kept_and_no_half_histogram() {
    let text = "\
cloudflared_a 1
# TYPE cloudflared_h histogram
cloudflared_h_bucket{le=\"1\"} 1
cloudflared_h_bucket{le=\"+Inf\"} 2
cloudflared_h_sum 3
cloudflared_z 3
";
    for (series_max, kept, dropped) in [(9, 5, 0), (5, 5, 0), (4, 4, 1), (3, 1, 4), (1, 1, 4), (0, 0, 5)] {
        let page = page(text, series_max);
        assert_eq!((page.series(), page.dropped()), (kept, dropped), "at most {series_max}");
    }
    let page = page(text, 5).without_series();
    assert_eq!((page.series(), page.dropped(), page.bytes()), (0, 5, 0));
}

#[test]
fn a_page_takes_bounded_memory_whatever_comes() {
    let long = "x".repeat(4_000);
    let lines: String = (0..2_000).map(|number| format!("cloudflared_a{{x=\"{number}{long}\"}} 1\n")).collect();
    let kept = page(&lines, 10_000);
    assert!(kept.bytes() <= BYTES_MAX + size_of::<Entry>() && kept.series() > 200, "{}", kept.series());
    assert_eq!(kept.series() + kept.dropped(), 2_000);

    let families: String =
        (0..5_000).map(|number| format!("# HELP cloudflared_{number} {long}\ncloudflared_{number} 1\n")).collect();
    let kept = page(&families, 10_000);
    assert!(
        kept.bytes() <= BYTES_MAX + FAMILIES_MAX * size_of::<Entry>() && kept.series() + kept.dropped() == 5_000,
        "{}",
        kept.bytes()
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_kept_as_what_can_be_read(
        lines in prop::collection::vec(
            "(# (HELP|TYPE) )?cloudflared_[ab](_bucket|_sum|_count)?([{]([a-b]|le|__x|tunnel)=\"[\\\\\"n}, x0-9]{0,3}\",?[}])? ?(counter|histogram|summary|[0-9a-zN+.-]{0,5})",
            0..12,
        ),
        series_max in 0_usize..12,
    ) {
        let page = page(&(lines.join("\n") + "\n"), series_max);
        prop_assert!(page.series() <= series_max as u64);
        for family in page.families() {
            prop_assert_eq!(family.samples.lines().count() as u64, family.series);
            for line in family.samples.lines() {
                let sample = Sample::read(line);
                prop_assert!(sample.is_some_and(|sample| sample.name.starts_with(family.name)), "{}", line);
            }
        }
    }

    #[test]
    fn labels_that_stand_as_they_are_told_are_told_as_they_stand(
        line in "a(_bucket|_sum|_count)?([{](([a-c]|le|quantile|__x|tunnel)=\"[\\\\\"n1]{0,2}\",? ?){0,4}[}])? 1",
    ) {
        if let Some(sample) = Sample::read(&line) {
            for kind in [Kind::Counter, Kind::Histogram, Kind::Summary] {
                let suffix = &sample.name["a".len()..];
                let told = labels(&sample, suffix, kind).map(|labels| {
                    let mut told = String::new();
                    write_series(&mut told, sample.name, Labels::Pairs(&labels));
                    told
                });
                let mut stands = String::new();
                write_series(&mut stands, sample.name, Labels::Written(sample.labels));
                if are_plain(&sample, suffix, kind) {
                    prop_assert_eq!(told, Some(stands));
                }
            }
        }
    }
}
