//! Which steps go out in one call. Pure.

use std::collections::BTreeMap;

use crate::{id::ZoneId, plan::Step};

/// What is carried out at a time.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    /// One step.
    One(Step),
    /// Changes of DNS records in one zone, all together or not at all.
    Records {
        /// The zone.
        zone_id: ZoneId,
        /// The changes: never none.
        steps: Vec<Step>,
    },
}

/// Arranges a plan's steps: neighbouring changes of DNS records go together by zone, at most `batch_max` of them. Deletions never
/// share a batch with creations: they are behind the configurations that come in between.
pub(super) fn arrange(steps: Vec<Step>, batch_max: impl Fn(&ZoneId) -> usize) -> Vec<Work> {
    let mut works = Vec::new();
    let mut zones: BTreeMap<ZoneId, Vec<Step>> = BTreeMap::new();
    let mut deleting = false;
    for step in steps {
        match step.batched_in() {
            Some(zone_id) => {
                let zone_id = zone_id.clone();
                let deletes = matches!(step, Step::DeleteRecord { .. });
                if deletes != deleting {
                    flush(&mut zones, &batch_max, &mut works);
                }
                deleting = deletes;
                zones.entry(zone_id).or_default().push(step);
            }
            None => {
                flush(&mut zones, &batch_max, &mut works);
                works.push(Work::One(step));
            }
        }
    }
    flush(&mut zones, &batch_max, &mut works);
    works
}

fn flush(zones: &mut BTreeMap<ZoneId, Vec<Step>>, batch_max: &impl Fn(&ZoneId) -> usize, works: &mut Vec<Work>) {
    for (zone_id, steps) in std::mem::take(zones) {
        let mut steps = steps.into_iter().peekable();
        while steps.peek().is_some() {
            let steps = steps.by_ref().take(batch_max(&zone_id).max(1)).collect();
            works.push(Work::Records { zone_id: zone_id.clone(), steps });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(zone: &str, index: usize) -> Step {
        Step::CreateRecord {
            tunnel: "web".parse().unwrap(),
            hostname: format!("h{index}.example.com").parse().unwrap(),
            zone_id: zone.parse().unwrap(),
            again: false,
        }
    }

    #[test]
    fn records_go_together_by_zone_and_within_its_limit() {
        let other = Step::KeepTunnel { tunnel: "web".parse().unwrap() };
        let mut steps = vec![other.clone()];
        steps.extend((0..5).map(|index| create("a", index)));
        steps.push(create("b", 9));
        let works = arrange(steps, |zone_id| if zone_id.as_str() == "a" { 2 } else { 200 });
        let sizes: Vec<usize> = works
            .iter()
            .map(|work| match work {
                Work::One(step) => {
                    assert_eq!(*step, other);
                    0
                }
                Work::Records { steps, .. } => steps.len(),
            })
            .collect();
        assert_eq!(sizes, [0, 2, 2, 1, 1]);
    }

    #[test]
    fn deletions_have_a_batch_of_their_own() {
        let delete = Step::DeleteRecord {
            tunnel: "web".parse().unwrap(),
            hostname: "old.example.com".parse().unwrap(),
            zone_id: "a".parse().unwrap(),
            record_id: "r".parse().unwrap(),
        };
        assert_eq!(arrange(vec![create("a", 0), delete], |_| 200).len(), 2);
    }
}
