//! Own families as text.

use std::{borrow::Cow, ops::Deref};

use prometheus::proto::{Histogram, MetricFamily};

use super::{
    registry::{Registry, Values},
    series::Series,
};
use crate::{
    exposition::{Format, Head, Kind, Labels, write_head, write_sample},
    status::Status,
};

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Writes everything that has series. The status is asked for by each family anew.
pub(super) fn write<S: Deref<Target = Status>>(out: &mut String, registry: &Registry, status: impl Fn() -> S, format: Format) {
    registry.visit(|family, values, is_taken| {
        let (name, kind) = (family.name.as_str(), family.kind);
        let is_clashing = name.strip_suffix("_total").is_some_and(is_taken);
        let before = out.len();
        write_head(out, format, &Head { name, kind, help: &family.help, is_clashing });
        let head_end = out.len();
        match values {
            Values::Kept(kept) => write_kept(out, name, kind, &kept, format),
            Values::Written(write) => write(&status(), &mut Series::new(out, name, &family.labels)),
        }
        if out.len() == head_end {
            out.truncate(before);
        }
    });
}

fn write_kept(out: &mut String, name: &str, kind: Kind, kept: &MetricFamily, format: Format) {
    let mut labels: Pairs<'_> = Vec::new();
    for metric in kept.get_metric() {
        labels.clear();
        labels.extend(metric.get_label().iter().map(|label| (Cow::Borrowed(label.name()), Cow::Borrowed(label.value()))));
        let value = match kind {
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Gauge => metric.get_gauge().get_value(),
            Kind::Histogram => {
                write_histogram(out, name, &mut labels, metric.get_histogram(), format);
                continue;
            }
            Kind::Summary | Kind::Untyped => unreachable!("no own family is of such a kind"),
        };
        write_sample(out, name, Labels::Pairs(&labels), value);
    }
}

fn write_histogram(out: &mut String, name: &str, labels: &mut Pairs<'_>, histogram: &Histogram, format: Format) {
    let count = histogram.get_sample_count();
    let buckets = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let series = format!("{name}_bucket");
    for (bound, count) in buckets.chain([(f64::INFINITY, count)]) {
        let bound = match format {
            _ if bound.is_infinite() => "+Inf".to_owned(),
            Format::Text => format!("{bound}"),
            // With a decimal point.
            Format::OpenMetrics => format!("{bound:?}"),
        };
        labels.push((Cow::Borrowed("le"), Cow::Owned(bound)));
        write_sample(out, &series, Labels::Pairs(labels), count as f64);
        labels.pop();
    }
    write_sample(out, &format!("{name}_sum"), Labels::Pairs(labels), histogram.get_sample_sum());
    write_sample(out, &format!("{name}_count"), Labels::Pairs(labels), count as f64);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use prometheus::{Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, TextEncoder};

    use super::*;
    use crate::metrics::{Family, families::registered, registry::Registry};

    fn registry() -> Registry {
        let registry = Registry::new();
        let counter = registered(&registry, IntCounterVec::new(Opts::new("a_total", "Says \"\\\n."), &["y", "x"]));
        counter.with_label_values(&["\"\\\n", ""]).inc_by(3);
        counter.with_label_values(&["é", "1"]).inc();
        registered(&registry, IntGauge::new("a", "A.")).set(-7);
        registered(&registry, IntCounterVec::new(Opts::new("b_total", "B."), &["x"])).with_label_values(&["1"]).inc();
        let histogram = HistogramVec::new(HistogramOpts::new("c_seconds", "C.").buckets(vec![0.25, 1.0, 60.0]), &["x"]);
        registered(&registry, histogram).with_label_values(&["1"]).observe(0.5);
        registry
    }

    #[test]
    fn the_text_is_that_of_the_library() {
        let (mut theirs, mut ours, status) = (Vec::new(), String::new(), Status::new(Timestamp::UNIX_EPOCH));
        registry().visit(|_, values, _| match values {
            Values::Kept(kept) => TextEncoder::new().encode(&[kept], &mut theirs).unwrap(),
            Values::Written(_) => unreachable!("none is registered"),
        });
        write(&mut ours, &registry(), || &status, Format::Text);
        assert_eq!(ours, String::from_utf8(theirs).unwrap());
    }

    #[test]
    fn what_is_written_when_asked_for_looks_like_what_is_kept() {
        let (values, mut texts, status) = (["\"\\\n", "é"], Vec::new(), Status::new(Timestamp::UNIX_EPOCH));
        for is_written in [true, false] {
            let (registry, mut text) = (Registry::new(), String::new());
            if is_written {
                let family = Family::new("a", Kind::Gauge, "Says.", &["y", "x"]);
                registry.register_written(family, Box::new(move |_, series| series.add(&values, -0.5))).unwrap();
                let family = Family::new("b", Kind::Gauge, "Says.", &[]);
                registry.register_written(family, Box::new(|_, series| series.add(&[], 1.0))).unwrap();
                let family = Family::new("c", Kind::Gauge, "Has none.", &["x"]);
                registry.register_written(family, Box::new(|_, _| {})).unwrap();
            } else {
                registered(&registry, GaugeVec::new(Opts::new("a", "Says."), &["y", "x"])).with_label_values(&values).set(-0.5);
                registered(&registry, IntGauge::new("b", "Says.")).set(1);
                registered(&registry, IntCounterVec::new(Opts::new("c", "Has none."), &["x"]));
            }
            write(&mut text, &registry, || &status, Format::Text);
            texts.push(text);
        }
        assert_eq!(texts[0], texts[1]);
    }

    #[test]
    fn openmetrics_counts_in_families_without_total_and_bounds_with_a_point() {
        let (mut text, status) = (String::new(), Status::new(Timestamp::UNIX_EPOCH));
        write(&mut text, &registry(), || &status, Format::OpenMetrics);
        // A gauge has the name already that the first counter would get.
        for part in [
            "# HELP a_total Says \\\"\\\\\\n.\n# TYPE a_total unknown\na_total{x=\"\",y=\"\\\"\\\\\\n\"} 3\n",
            "# HELP b B.\n# TYPE b counter\nb_total{x=\"1\"} 1\n",
            "c_seconds_bucket{x=\"1\",le=\"1.0\"} 1\nc_seconds_bucket{x=\"1\",le=\"60.0\"} 1\nc_seconds_bucket{x=\"1\",le=\"+Inf\"} 1\n",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
    }
}
