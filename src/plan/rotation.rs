//! The change of a tunnel's secret: what comes next of one that was begun, and when the schedule wants the next one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    HoldCode, Planner, Standing, Step,
    step::{Facts, Rank},
};
use crate::{
    id::TunnelId,
    name::TunnelName,
    record::{Fate, RotationStage, SecretLife},
};

/// One part of a rotation. Its secrets are on record, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum RotationStep {
    /// Gives Cloudflare the new secret, or finds out that it has it. From there on connectors take it over.
    Place {
        /// Whose.
        tunnel: TunnelName,
        /// Its id.
        id: TunnelId,
        /// Whether everybody else is cut off at once.
        emergency: bool,
    },
    /// Cuts off whoever else is still connected to the tunnel, and forgets the secret before.
    CutOff {
        /// Whose.
        tunnel: TunnelName,
        /// Its id.
        id: TunnelId,
    },
    /// Forgets the secret before: no process here holds it any more. Changes only the record.
    Finish {
        /// Whose.
        tunnel: TunnelName,
    },
}

/// What is known of rotations beside what is on record.
#[derive(Debug, Clone, Default)]
pub struct Rotations {
    /// Tunnels whose connectors all serve with the secret on record, and that have none left with another one.
    pub handed_over: BTreeSet<TunnelName>,
    /// Rotations that failed and rest before they are tried again, with why.
    pub resting: BTreeMap<TunnelName, String>,
    /// Rotations whose connectors take unusually long, with since when.
    pub slow: BTreeMap<TunnelName, Timestamp>,
}

/// When the schedule wants another secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is not known how old the secret is: its age counts from here on.
    Unknown,
    /// At this moment, which may have passed.
    At(Timestamp),
}

/// The last tenth of a period is spread by chance, so that tunnels that were made together are not rotated together.
const SPREAD: f64 = 0.1;

/// A secret this much younger than nothing was written down by a clock that was wrong.
const CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// When a secret of this age is to be replaced. The same tunnel and secret always get the same moment.
pub fn due(life: &SecretLife, every: Duration, id: &TunnelId, now: Timestamp) -> Due {
    let from_now = |span: Duration| now.checked_add(span).unwrap_or(Timestamp::MAX);
    let Some(since) = life.since.filter(|since| *since <= from_now(CLOCK_SLACK)) else { return Due::Unknown };
    Due::At(due_at(since, every, id))
}

/// When a secret that is a tunnel's since then is to be replaced.
pub fn due_at(since: Timestamp, every: Duration, id: &TunnelId) -> Timestamp {
    let hash = Sha256::digest(format!("{id} {since}"));
    let chance = f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX);
    since.checked_add(every.mul_f64(1.0 - SPREAD * chance)).unwrap_or(Timestamp::MAX)
}

impl Planner<'_> {
    /// Goes on with the rotations that were begun.
    pub(super) fn plan_rotations(&mut self) {
        let input = self.input;
        let under_way: Vec<_> = self
            .records
            .values()
            .filter(|record| record.fate == Fate::Keep)
            .filter_map(|record| Some((record.name.clone(), record.secret_life.rotation.clone()?)))
            .collect();
        for (tunnel, rotation) in under_way {
            if let Some(why) = input.rotations.resting.get(&tunnel) {
                self.hold_tunnel(&tunnel, HoldCode::RotationFailed, why);
                continue;
            }
            let live = match self.standing.get(&tunnel) {
                Some(Standing::Live(id)) => Some(id.clone()),
                Some(Standing::Coming | Standing::Held) | None => None,
            };
            let emergency = rotation.emergency;
            let step = match (rotation.stage, live) {
                (RotationStage::Begun | RotationStage::Asked, Some(id)) => RotationStep::Place { tunnel, id, emergency },
                (RotationStage::Placed, _) if !input.rotations.handed_over.contains(&tunnel) => {
                    if let Some(since) = input.rotations.slow.get(&tunnel) {
                        let why = format!(
                            "its connectors have not taken over the new secret since {since}; those with the one before serve on, but \
                             cannot connect anew"
                        );
                        self.hold_tunnel(&tunnel, HoldCode::RotationSlow, why);
                    }
                    continue;
                }
                (RotationStage::Placed, Some(id)) if emergency => RotationStep::CutOff { tunnel, id },
                (RotationStage::Placed, _) if !emergency => RotationStep::Finish { tunnel },
                // Whatever holds the tunnel has its own hold.
                (RotationStage::Begun | RotationStage::Asked | RotationStage::Placed, _) => continue,
            };
            self.steps.push(Step::Rotation(step));
        }
    }
}

impl RotationStep {
    /// What is to be known of it. Who is cut off is read first, and cut off one by one.
    pub(super) fn facts(&self) -> Facts<'_> {
        match self {
            Self::Place { tunnel, .. } => Facts::calling(1, Rank::Rotate, '~', "place-secret", tunnel),
            Self::CutOff { tunnel, .. } => Facts::calling(2, Rank::Rotate, '~', "cut-off-others", tunnel),
            Self::Finish { tunnel } => Facts { rank: Rank::Rotate, ..Facts::noting('~', "finish-rotation", tunnel) },
        }
    }

    /// Whose.
    pub fn tunnel(&self) -> &TunnelName {
        self.facts().tunnel
    }

    /// What it does, in one line.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Place { tunnel, emergency: false, .. } => {
                format!("secret of {tunnel}: a new one; its connectors are replaced one after the other")
            }
            Self::Place { tunnel, emergency: true, .. } => {
                format!("secret of {tunnel}: a new one, and whoever else is connected is cut off; its connectors are replaced")
            }
            Self::CutOff { tunnel, .. } => format!("secret of {tunnel}: cut off whoever else is connected still"),
            Self::Finish { tunnel } => format!("secret of {tunnel}: forget the one before, no process holds it any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    use crate::{
        plan::{
            Scope,
            model::{Model, desired, tunnel, wanted},
        },
        record::Rotation,
        secret::Secret,
    };

    /// An account with one tunnel whose rotation is at `stage`.
    fn rotating(stage: RotationStage, emergency: bool) -> (Model, crate::desired::Desired) {
        let want = desired(&[("web", wanted(&["a.example.com"]))]);
        let mut model = Model::new();
        model.settle(&want);
        let (other, began_at) = (Secret::new("another"), Timestamp::UNIX_EPOCH);
        model.ours(&tunnel("web")).secret_life.rotation = Some(Rotation { stage, other, emergency, by: None, began_at });
        (model, want)
    }

    fn words(model: &Model, want: &crate::desired::Desired) -> Vec<&'static str> {
        model.plan(want).steps.iter().map(Step::word).collect()
    }

    #[test]
    fn a_rotation_is_placed_and_finished_when_the_connectors_have_taken_over() {
        for (emergency, last) in [(false, "finish-rotation"), (true, "cut-off-others")] {
            let (mut model, want) = rotating(RotationStage::Begun, emergency);
            assert_eq!(words(&model, &want), ["place-secret"]);
            let steps = model.plan(&want).steps;
            model.apply(&steps);
            model.rotations.handed_over.clear();
            assert_eq!(words(&model, &want), [""; 0], "the connectors are still at it");
            model.rotations.handed_over.insert(tunnel("web"));
            assert_eq!(words(&model, &want), [last]);
            let steps = model.plan(&want).steps;
            model.apply(&steps);
            assert_eq!(words(&model, &want), [""; 0], "planning after applying is empty");
        }
    }

    #[test]
    fn a_rotation_waits_while_it_rests_and_while_the_tunnel_is_held() {
        let (mut model, want) = rotating(RotationStage::Asked, false);
        model.rotations.resting.insert(tunnel("web"), "it was refused".to_owned());
        let plan = model.plan(&want);
        assert!(plan.is_empty(), "{plan}");
        assert_eq!(plan.holds[0].code, HoldCode::RotationFailed);
        assert_eq!(plan.holds[0].scope, Scope::Tunnel { tunnel: tunnel("web") });
        model.rotations.resting.clear();
        model.tunnels.clear();
        let plan = model.plan(&want);
        assert!(plan.steps.iter().all(|step| step.word() != "place-secret"), "{plan}");
    }

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn id(last: u8) -> TunnelId {
        format!("11111111-2222-3333-4444-5555555555{last:02x}").parse().unwrap()
    }

    fn life(since: Option<i64>) -> SecretLife {
        SecretLife { since: since.map(at), rotation: None }
    }

    #[test]
    fn the_age_of_a_secret_that_nobody_knows_counts_from_now() {
        assert_eq!(due(&life(None), DAY, &id(1), at(1_000_000)), Due::Unknown);
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_put_the_rotation_off_for_ever() {
        let ahead = life(Some(4_000_000_000));
        assert_eq!(due(&ahead, DAY, &id(1), at(1_000_000)), Due::Unknown);
        assert!(matches!(due(&ahead, DAY, &id(1), at(4_000_000_000 - 60)), Due::At(_)), "a small step is no reason to forget it");
    }

    #[test]
    fn tunnels_of_one_age_are_not_due_together() {
        let mut moments: Vec<_> = (0..100)
            .map(|last| match due(&life(Some(0)), 90 * DAY, &id(last), at(0)) {
                Due::At(moment) => moment,
                Due::Unknown => panic!("its age is known"),
            })
            .collect();
        moments.sort_unstable();
        moments.dedup();
        assert!(moments.len() > 95, "{}", moments.len());
        assert!(moments[moments.len() - 1].duration_since(moments[0]).as_secs() > 5 * 24 * 3_600);
    }

    proptest! {
        #[test]
        fn a_secret_is_never_older_than_asked_for_nor_replaced_much_sooner(since in 0_i64..2_000_000_000, days in 1_u32..=365, last in 0_u8..=255) {
            let every = DAY * days;
            let Due::At(moment) = due(&life(Some(since)), every, &id(last), at(since)) else { panic!("its age is known") };
            let age = moment.duration_since(at(since)).as_secs_f64();
            prop_assert!(age <= every.as_secs_f64() && age >= every.as_secs_f64() * 0.899);
            // A restart asks again, later, and gets the same moment.
            prop_assert_eq!(due(&life(Some(since)), every, &id(last), at(since + 5_000)), Due::At(moment));
        }
    }
}
