//! Where every own family is registered, and what each is even while it has no series.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{
    core::Collector,
    proto::{MetricFamily, MetricType},
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

/// Every family with its description.
#[derive(Default)]
pub(super) struct Registry {
    registry: prometheus::Registry,
    families: Mutex<Vec<Family>>,
}

impl Registry {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes a family in. It fails when its name is taken.
    pub(super) fn register(&self, collector: Box<dyn Collector>) -> prometheus::Result<()> {
        let described = describe(&*collector);
        self.registry.register(collector)?;
        self.lock().extend(described);
        Ok(())
    }

    /// The families that have series, with their values, by name.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// Every family, by name.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families = self.lock().clone();
        families.sort_by(|a, b| a.name.cmp(&b.name));
        families
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Family>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe(collector: &dyn Collector) -> Vec<Family> {
    // A family without series has a type nevertheless.
    let kinds = collector.collect();
    let kind = |name: &str| kinds.iter().find(|family| family.name() == name).map(|family| kind(family.get_field_type()));
    let families = collector.desc().into_iter().map(|description| Family {
        name: description.fq_name.clone(),
        kind: kind(&description.fq_name).unwrap_or(Kind::Untyped),
        help: description.help.clone(),
        labels: description.variable_labels.clone(),
    });
    families.collect()
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
