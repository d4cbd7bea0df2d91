//! Whether what the daemon holds grows with time: samples of its calm moments, and a line through those of each of its lives.

use std::{fmt, time::Duration};

use crate::vitals::Vitals;

/// A life is warm after this long: its first passes, probes and events have been.
const WARM_UP: Duration = Duration::from_secs(30);

const SECONDS_OF_HOUR: f64 = 3_600.0;

/// What is measured, and by how much it may have grown over the longest life, as its line has it.
const MEASURES: [(&str, f64); 4] = [
    ("anonymous memory, KiB", 6.0 * 1024.0),
    ("resident memory, KiB", 8.0 * 1024.0),
    ("other descriptors", 16.0),
    ("threads", 6.0),
];

/// A connector has two of the daemon's descriptors: its process and the connection to its metrics server. Edits let the fleet grow.
const DESCRIPTORS_EACH: usize = 2;

/// One calm moment.
struct Sample {
    life: usize,
    age: f64,
    values: [f64; MEASURES.len()],
}

/// All of them.
#[derive(Default)]
pub(crate) struct Flatness {
    samples: Vec<Sample>,
}

impl Flatness {
    pub(crate) fn take(&mut self, life: usize, age: Duration, vitals: Vitals, connectors: usize) {
        let Vitals { descriptors, threads, anonymous_kib, resident_kib } = vitals;
        if age >= WARM_UP {
            let others = descriptors.saturating_sub(DESCRIPTORS_EACH * connectors);
            let values = [anonymous_kib, resident_kib, others, threads].map(|value| value as f64);
            self.samples.push(Sample { life, age: age.as_secs_f64(), values });
        }
    }

    /// How much of it comes in an hour: the slope that the lines of all lives have in common, each with a height of its own. `None`
    /// when no life has two samples.
    fn slope(&self, measure: usize) -> Option<f64> {
        let (mut up, mut along) = (0.0, 0.0);
        for life in self.lives() {
            let mean = |of: &dyn Fn(&Sample) -> f64| life.iter().map(|sample| of(sample)).sum::<f64>() / life.len() as f64;
            let (age, value) = (mean(&|sample| sample.age), mean(&|sample| sample.values[measure]));
            for sample in &life {
                up += (sample.age - age) * (sample.values[measure] - value);
                along += (sample.age - age).powi(2);
            }
        }
        (along > 0.0).then(|| up / along * SECONDS_OF_HOUR)
    }

    fn lives(&self) -> Vec<Vec<&Sample>> {
        let mut lives: Vec<Vec<&Sample>> = Vec::new();
        for sample in &self.samples {
            match lives.last_mut().filter(|life| life[0].life == sample.life) {
                Some(life) => life.push(sample),
                None => lives.push(vec![sample]),
            }
        }
        lives
    }

    /// From the first to the last sample of a life, in hours.
    fn longest(&self) -> f64 {
        let spans = self.lives().into_iter().map(|life| life[life.len() - 1].age - life[0].age);
        spans.fold(0.0, f64::max) / SECONDS_OF_HOUR
    }

    /// What has grown more than it may.
    pub(crate) fn grown(&self) -> Vec<String> {
        let longest = self.longest();
        let measures = MEASURES.iter().enumerate();
        let grown = measures.filter_map(|(number, (name, most))| {
            let growth = self.slope(number)? * longest;
            (growth > *most)
                .then(|| format!("{name} grew by {growth:.1} in {:.0} s, {most:.0} are allowed", longest * SECONDS_OF_HOUR))
        });
        grown.collect()
    }
}

impl fmt::Display for Flatness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lives, longest) = (self.lives().len(), self.longest() * SECONDS_OF_HOUR);
        writeln!(
            formatter,
            "{} samples of {lives} warm lives of the daemon, the longest over {longest:.0} s",
            self.samples.len()
        )?;
        writeln!(formatter, "{:<26}{:>10}{:>10}{:>10}{:>12}", "", "least", "most", "last", "an hour")?;
        for (number, (name, _)) in MEASURES.iter().enumerate() {
            let values = || self.samples.iter().map(|sample| sample.values[number]);
            let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
            let slope = self.slope(number).map_or_else(|| "-".to_owned(), |slope| format!("{slope:+.1}"));
            writeln!(
                formatter,
                "{name:<26}{least:>10.0}{most:>10.0}{:>10.0}{slope:>12}",
                values().next_back().unwrap_or_default()
            )?;
        }
        Ok(())
    }
}
