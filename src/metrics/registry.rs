//! Where every own family is registered, and what each is even while it has no series.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{
    core::Collector,
    proto::{Metric, MetricFamily, MetricType},
};

use super::series::Series;
use crate::{exposition::Kind, status::Status};

/// One of Adit's own families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it says.
    pub help: String,
    /// The names of its labels, in the order in which they matter.
    pub labels: Vec<String>,
}

/// Every family with its description, by name.
#[derive(Default)]
pub(super) struct Registry(Mutex<Vec<Registered>>);

struct Registered {
    family: Family,
    source: Source,
}

/// Where the values of a family come from.
enum Source {
    /// The library keeps them.
    Kept(Box<dyn Collector>),
    /// They are written when somebody asks. Of a thousand tunnels the library would need tens of milliseconds for the same.
    Written(Box<Write>),
}

/// Writes every series of a family, each once.
pub(super) type Write = dyn Fn(&Status, &mut Series<'_>) + Send + Sync;

/// The values of a family.
pub(super) enum Values<'a> {
    /// Series by the values of their labels.
    Kept(MetricFamily),
    /// What writes the series.
    Written(&'a Write),
}

impl Family {
    pub(super) fn new(name: &str, kind: Kind, help: &str, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        Self { name: name.to_owned(), kind, help: help.to_owned(), labels }
    }
}

impl Registry {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes a family in whose values are kept. It fails when its name is taken, or when there is not one.
    pub(super) fn register(&self, collector: Box<dyn Collector>) -> prometheus::Result<()> {
        let family = describe(&*collector).ok_or_else(|| prometheus::Error::Msg("it is no family".to_owned()))?;
        self.insert(family, Source::Kept(collector))
    }

    /// Takes a family in whose values are written when somebody asks. It fails when its name is taken.
    pub(super) fn register_written(&self, family: Family, write: Box<Write>) -> prometheus::Result<()> {
        self.insert(family, Source::Written(write))
    }

    fn insert(&self, family: Family, source: Source) -> prometheus::Result<()> {
        let mut registered = self.lock();
        match registered.binary_search_by(|other| other.family.name.cmp(&family.name)) {
            Ok(_) => Err(prometheus::Error::AlreadyReg),
            Err(place) => {
                registered.insert(place, Registered { family, source });
                Ok(())
            }
        }
    }

    /// Shows each family with its values, and which names are taken. One at a time: those of a thousand tunnels take some memory.
    pub(super) fn visit(&self, mut visit: impl FnMut(&Family, Values<'_>, &dyn Fn(&str) -> bool)) {
        let registered = self.lock();
        let is_taken = |name: &str| registered.binary_search_by(|other| other.family.name.as_str().cmp(name)).is_ok();
        for Registered { family, source } in registered.iter() {
            match source {
                Source::Written(write) => visit(family, Values::Written(write), &is_taken),
                Source::Kept(collector) => {
                    for kept in collector.collect() {
                        visit(family, Values::Kept(sorted(kept)), &is_taken);
                    }
                }
            }
        }
    }

    /// Every family, by name.
    pub(super) fn families(&self) -> Vec<Family> {
        self.lock().iter().map(|registered| registered.family.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A family with its series by the values of their labels.
fn sorted(mut family: MetricFamily) -> MetricFamily {
    fn values(metric: &Metric) -> impl Iterator<Item = &str> {
        metric.get_label().iter().map(|label| label.value())
    }
    family.mut_metric().sort_unstable_by(|a, b| values(a).cmp(values(b)));
    family
}

fn describe(collector: &dyn Collector) -> Option<Family> {
    let description = *collector.desc().first()?;
    // A family without series has a type nevertheless.
    let kind = kind(collector.collect().first()?.get_field_type());
    let (name, help) = (description.fq_name.clone(), description.help.clone());
    Some(Family { name, kind, help, labels: description.variable_labels.clone() })
}

/// The kind of a family in our words.
fn kind(of: MetricType) -> Kind {
    match of {
        MetricType::COUNTER => Kind::Counter,
        MetricType::GAUGE => Kind::Gauge,
        MetricType::HISTOGRAM => Kind::Histogram,
        MetricType::SUMMARY => Kind::Summary,
        MetricType::UNTYPED => Kind::Untyped,
    }
}
