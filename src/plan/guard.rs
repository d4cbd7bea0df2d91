//! What is too much to be done without a person: mass deletion, and making again what went missing in masses.

use std::collections::BTreeSet;

use super::{CreateReason, HoldCode, NetworkStep, Planner, Scope, Step};
use crate::{name::TunnelName, record::Fate};

/// More than this many at once is a mass, however many there are in all.
const MASS: usize = 5;

/// More than this many of a hundred at once is a mass.
const MASS_PERCENT: usize = 30;

/// Whether `count` of `total` is more than an automatic pass may delete: more than five, more than 30 %, or all. One alone
/// never is.
pub fn is_mass(count: usize, total: usize) -> bool {
    count >= 2 && (count > MASS || count * 100 > total * MASS_PERCENT || count == total)
}

/// Whether `count` of `total` known objects missing at once smells of a broken view rather than of a person's deletion: more
/// than five, or all. One alone never does.
pub(super) fn is_mass_missing(count: usize, total: usize) -> bool {
    count >= 2 && (count > MASS || count == total)
}

/// Divides `steps` into those that may be done at once and those that wait for an operator, and says so.
pub(super) fn divide(planner: &mut Planner<'_>, steps: Vec<Step>) -> (Vec<Step>, Vec<Step>) {
    let kept: Vec<_> = planner.records.values().filter(|record| matches!(record.fate, Fate::Keep | Fate::Retiring)).collect();
    let tunnels = kept.iter().filter(|record| record.id.is_some()).count();
    let records: usize = kept.iter().map(|record| record.dns.len() + record.private_routes.len()).sum();
    let private = kept.iter().any(|record| !record.private_routes.is_empty());
    let what = if private { "DNS records and private routes" } else { "DNS records" };
    let kept: BTreeSet<TunnelName> = kept.iter().map(|record| record.name.clone()).collect();

    let remade = |step: &Step| matches!(step, Step::CreateTunnel { why: CreateReason::Gone, .. });
    let made_again = |step: &Step| {
        let private = matches!(step, Step::Network(step) if step.makes_again());
        private || matches!(step, Step::CreateRecord { again: true, .. })
    };
    // What an operator asked to delete needs no second word.
    let deleted = |step: &Step| {
        let private = matches!(step, Step::Network(step) if step.deletes_route());
        (private || matches!(step, Step::DeleteRecord { .. })) && kept.contains(step.tunnel())
    };
    // It cannot go before its routes.
    let behind =
        |step: &Step| matches!(step, Step::Network(NetworkStep::DeleteVirtualNetwork { tunnel, .. }) if kept.contains(tunnel));
    let count = |pick: &dyn Fn(&Step) -> bool| steps.iter().filter(|step| pick(step)).count();

    let gone = count(&remade);
    let gone = is_mass_missing(gone, tunnels).then_some(gone);
    let missing = count(&made_again);
    let missing = is_mass_missing(missing, records).then_some(missing);
    let deletes = count(&deleted);
    let deletes = is_mass(deletes, records).then_some(deletes);

    let remaking: BTreeSet<TunnelName> = steps.iter().filter(|step| remade(step)).map(|step| step.tunnel().clone()).collect();
    let waits = |step: &Step| {
        (gone.is_some() && remaking.contains(step.tunnel()))
            || (missing.is_some() && made_again(step))
            || (deletes.is_some() && (deleted(step) || behind(step)))
    };
    let (waiting, steps) = steps.into_iter().partition(waits);

    if let Some(count) = gone {
        confirm(planner, format!("{count} of {tunnels} tunnels are gone at Cloudflare; they are made again when you confirm it"));
    }
    if let Some(count) = missing {
        confirm(planner, format!("{count} of {records} {what} are gone; they are made again when you confirm it"));
    }
    if let Some(count) = deletes {
        confirm(planner, format!("{count} of {records} {what} would be deleted; they are when you confirm it"));
    }
    (steps, waiting)
}

fn confirm(planner: &mut Planner<'_>, why: String) {
    planner.hold(Scope::Account, HoldCode::NeedsConfirmation, why);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_is_more_than_five_or_more_than_a_third_or_all() {
        let cases = [
            (1, 1, false),
            (1, 2, false),
            (2, 2, true),
            (2, 6, true),
            (2, 7, false),
            (5, 100, false),
            (6, 100, true),
            (0, 0, false),
        ];
        for (count, total, expected) in cases {
            assert_eq!(is_mass(count, total), expected, "{count} of {total}");
        }
    }
}
