//! How long the pure parts take that grow with the number of tunnels, each alone.
//!
//!     cargo bench --bench micro [-- planning]
//!
//! Whatever else the machine does shows; `cargo bench` compares each figure with that of the run before.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark stops where the world is not as it should be")]

mod connectors;
mod host;
mod page;
#[path = "../../support/settled.rs"]
mod settled;

use std::hint::black_box;

use adit::{
    config::parse,
    control::view,
    exposition::{Format, Merged, PageBuilder, Place, Source},
    metrics::Metrics,
    plan::plan,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use settled::{settled, source};
use tokio::time::Instant;

/// What a figure is taken for, so that its growth shows.
const TUNNELS: [usize; 3] = [10, 100, 1_000];

/// How many hostnames each tunnel has where they matter.
const HOSTNAMES: usize = 10;

/// More than a page has.
const SERIES_MAX: usize = 5_000;

fn configuration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("configuration");
    for tunnels in TUNNELS {
        let source = source(tunnels, HOSTNAMES);
        group.bench_with_input(BenchmarkId::from_parameter(tunnels), &source, |bencher, source| {
            bencher.iter(|| parse(std::slice::from_ref(source)).unwrap());
        });
    }
}

fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("planning");
    for tunnels in TUNNELS {
        let account = settled(tunnels, HOSTNAMES);
        account.with_input(|input| {
            group.bench_function(BenchmarkId::from_parameter(tunnels), |bencher| bencher.iter(|| plan(black_box(input))));
        });
    }
}

/// The page of one connector as it is read for a scrape.
fn reading(criterion: &mut Criterion) {
    let page = page::of_cloudflared();
    let mut group = criterion.benchmark_group("exposition");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("read", |bencher| bencher.iter(|| read(&page)));
    group.finish();
}

/// The pages of many connectors as they are told again.
fn relaying(criterion: &mut Criterion) {
    let page = page::of_cloudflared();
    let mut group = criterion.benchmark_group("relay");
    for connectors in TUNNELS {
        group.bench_function(BenchmarkId::from_parameter(connectors), |bencher| {
            let sources = || (0..connectors).map(|number| told_again(number, &page)).collect::<Vec<_>>();
            bencher.iter_batched(sources, relay, criterion::BatchSize::LargeInput);
        });
    }
}

fn read(page: &str) -> adit::exposition::Page {
    let mut builder = PageBuilder::new(SERIES_MAX);
    builder.take(page.as_bytes(), &mut |_| {});
    builder.finish()
}

fn told_again(number: usize, page: &str) -> Source {
    Source::new(&[("tunnel", &format!("t{number}")), ("account", "default"), ("replica", "0")], read(page))
}

/// How many bytes are told.
fn relay(sources: Vec<Source>) -> usize {
    let (merged, mut place, mut bytes) = (Merged::new(sources), Place::default(), 0);
    loop {
        let mut piece = String::new();
        let goes_on = merged.write(&mut place, Format::Text, &mut piece, 64 * 1024);
        bytes += piece.len();
        if !goes_on {
            return bytes;
        }
    }
}

fn metrics(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("metrics");
    for tunnels in TUNNELS {
        let (metrics, events) = (Metrics::new(), host::events(&settled(tunnels, 1)));
        events.iter().for_each(|event| metrics.record(event));
        let status = host::fold(&events);
        group.bench_function(BenchmarkId::from_parameter(tunnels), |bencher| {
            bencher.iter(|| metrics.render_as(|| &status, Format::Text));
        });
    }
}

fn listing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("listing");
    for tunnels in TUNNELS {
        let account = settled(tunnels, 1);
        let (status, now) = (host::status(&account), Instant::now());
        group.bench_function(BenchmarkId::from_parameter(tunnels), |bencher| {
            bencher.iter(|| {
                let mut json = Vec::new();
                for name in view::names(&account.intended, &status) {
                    let tunnel = view::tunnel(&account.intended, now, &status, name).unwrap();
                    serde_json::to_writer(&mut json, &tunnel).unwrap();
                }
                json
            });
        });
    }
}

/// What a daemon is told while so many connectors come up.
fn folding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("folding");
    for tunnels in TUNNELS {
        let events = host::events(&settled(tunnels, 1));
        group.bench_function(BenchmarkId::from_parameter(tunnels), |bencher| bencher.iter(|| host::fold(&events)));
    }
}

fn machines(criterion: &mut Criterion) {
    criterion.bench_function("machine/probe", |bencher| {
        let mut machine = connectors::Machine::ready();
        bencher.iter(|| machine.answer_a_probe());
    });
    let mut group = criterion.benchmark_group("fleet");
    for connectors in TUNNELS {
        group.bench_function(BenchmarkId::from_parameter(connectors), |bencher| {
            bencher.iter(|| connectors::come_up(connectors));
        });
    }
}

criterion_group!(benches, configuration, planning, reading, relaying, metrics, listing, folding, machines);
criterion_main!(benches);
