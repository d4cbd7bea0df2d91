//! Where every own family is registered, and what each is even while it has no series.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{
    core::Collector,
    proto::{Metric, MetricFamily, MetricType},
};

use crate::exposition::Kind;

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
    collector: Box<dyn Collector>,
}

impl Registry {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes a family in. It fails when its name is taken, or when there is not one.
    pub(super) fn register(&self, collector: Box<dyn Collector>) -> prometheus::Result<()> {
        let family = describe(&*collector).ok_or_else(|| prometheus::Error::Msg("it is no family".to_owned()))?;
        let mut registered = self.lock();
        match registered.binary_search_by(|other| other.family.name.cmp(&family.name)) {
            Ok(_) => Err(prometheus::Error::AlreadyReg),
            Err(place) => {
                registered.insert(place, Registered { family, collector });
                Ok(())
            }
        }
    }

    /// Shows each family that has series, with its values, and which names are taken. One at a time: those of a thousand
    /// tunnels take some memory.
    pub(super) fn visit(&self, mut visit: impl FnMut(&MetricFamily, &dyn Fn(&str) -> bool)) {
        let registered = self.lock();
        let is_taken = |name: &str| registered.binary_search_by(|other| other.family.name.as_str().cmp(name)).is_ok();
        for family in registered.iter().flat_map(|one| one.collector.collect()).map(sorted) {
            if !family.get_metric().is_empty() {
                visit(&family, &is_taken);
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
    let values = |metric: &Metric| metric.get_label().iter().map(|label| label.value().to_owned()).collect::<Vec<_>>();
    family.mut_metric().sort_by_cached_key(values);
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
pub(super) fn kind(of: MetricType) -> Kind {
    match of {
        MetricType::COUNTER => Kind::Counter,
        MetricType::GAUGE => Kind::Gauge,
        MetricType::HISTOGRAM => Kind::Histogram,
        MetricType::SUMMARY => Kind::Summary,
        MetricType::UNTYPED => Kind::Untyped,
    }
}
