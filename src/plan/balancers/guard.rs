//! What of load balancing is too much to be done without a person.

use std::collections::BTreeSet;

use crate::{
    name::TunnelName,
    plan::{
        BalancerStep, HoldCode, Known, Planner, Scope, Step,
        guard::{is_mass, is_mass_missing},
    },
    record::Fate,
};

/// Moves to `waiting` what an operator has to confirm: that many pools, monitors and balancers are made again or taken away.
/// It is counted in tunnels, of which each has one of everything.
pub(in crate::plan) fn divide(planner: &mut Planner<'_>, steps: Vec<Step>, waiting: &mut Vec<Step>) -> Vec<Step> {
    let has = |record: &&Known<'_>| record.fate == Fate::Keep && record.balancing.pool_id().is_some();
    let kept: BTreeSet<TunnelName> = planner.records.values().filter(has).map(|record| record.name.clone()).collect();
    let again = tunnels_with(&steps, BalancerStep::makes_again);
    let removed = tunnels_with(&steps, |step| step.takes_away() && kept.contains(step.tunnel()));
    let (again_waits, removed_waits) = (is_mass_missing(again.len(), kept.len()), is_mass(removed.len(), kept.len()));
    let total = kept.len();
    let mut hold = |why: String| planner.hold(Scope::Account, HoldCode::NeedsConfirmation, why);
    if again_waits {
        hold(format!("the load balancing of {} of {total} tunnels is gone; it is made again when you confirm it", again.len()));
    }
    if removed_waits {
        hold(format!("{} of {total} tunnels would leave their load balancers; they do when you confirm it", removed.len()));
    }
    let waits = |step: &Step| {
        let Step::Balancer(step) = step else { return false };
        !step.is_only_here()
            && ((again_waits && again.contains(step.tunnel()))
                || (removed_waits && step.takes_away() && removed.contains(step.tunnel())))
    };
    let (more, steps) = steps.into_iter().partition(waits);
    waiting.extend::<Vec<Step>>(more);
    steps
}

fn tunnels_with(steps: &[Step], pick: impl Fn(&BalancerStep) -> bool) -> BTreeSet<TunnelName> {
    let picked = steps.iter().filter_map(|step| {
        let Step::Balancer(step) = step else { return None };
        pick(step).then(|| step.tunnel().clone())
    });
    picked.collect()
}
