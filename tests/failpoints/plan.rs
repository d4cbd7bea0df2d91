//! Which scenario comes by which point, and how often.

use std::fmt;

use adit::failpoint::Point;

use crate::scenario::Scenario::{self, *};

/// One crash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) point: Point,
    pub(crate) scenario: Scenario,
    /// At which hit since the scenario's act began, counted from 1.
    pub(crate) nth: u32,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} at {}:{}", self.scenario, self.point.name(), self.nth)
    }
}

/// Every case of every point.
pub(crate) fn cases() -> Vec<Case> {
    let of_point = |point: &Point| {
        let point = *point;
        let of_scenario = move |&(scenario, last): &(Scenario, u32)| (1..=last).map(move |nth| Case { point, scenario, nth });
        scenarios(point).iter().flat_map(of_scenario).collect::<Vec<_>>()
    };
    Point::ALL.iter().flat_map(of_point).collect()
}

/// The scenarios that come by a point, each with how many hits of it are tried.
fn scenarios(point: Point) -> &'static [(Scenario, u32)] {
    match point {
        // Of a first provisioning: installation, account, and the records of two tunnels, again and again.
        Point::StateBegun | Point::StateSynced | Point::StateDurable => &[(Provision, 1), (Stop, 1), (Reload, 1)],
        Point::StateCreated | Point::StateWritten => &[(Provision, 3), (Start, 1), (Create, 1), (Rotate, 2)],
        Point::StateRenamed => &[(Provision, 8), (Stop, 1), (Reload, 2), (Create, 2), (Rotate, 4)],
        Point::StateRemoved | Point::StateRemovalDurable => &[(Delete, 2), (Rename, 1)],
        Point::RecordRenamed => &[(Rename, 1)],
        Point::AcceptedDurable => &[(Reload, 1), (Rename, 1)],
        Point::ChangeDurable => &[(Stop, 1), (Start, 1), (Create, 1), (Delete, 1)],
        Point::DefinitionRemoved => &[(Delete, 1)],

        Point::RotationAsked | Point::RotationPlaced | Point::RotationFinished => &[(Rotate, 1)],

        Point::OutputOpened => &[(Provision, 1), (Crash, 1)],
        Point::HandedOver | Point::GenerationOpened | Point::GenerationRecorded => &[(Provision, 2), (Crash, 1), (Restart, 1)],
        Point::ProcessStarted | Point::ProcessWatched => &[(Provision, 3), (Crash, 1), (Restart, 1), (Reload, 1)],
        Point::GenerationStaged | Point::GenerationReplaced => &[(Provision, 2), (Crash, 1), (Restart, 2)],
        Point::ProcessRecorded | Point::ProcessReported => &[(Provision, 3), (Crash, 1), (Restart, 1), (Start, 1)],
        Point::ConnectorLearnt => &[(Provision, 1), (Restart, 1)],

        Point::TerminationRecorded | Point::TerminationSignalled => &[(Restart, 2), (Stop, 1), (Terminate, 2)],
        Point::ProcessReaped => &[(Crash, 1), (Restart, 1), (Stop, 1), (Terminate, 1)],
        Point::ConfigurationRemoved | Point::GenerationForgotten => &[(Crash, 1), (Stop, 1), (Terminate, 2)],

        Point::AdoptionBegun | Point::SurvivorsFound | Point::AdoptionDone => &[(TakeOver, 1), (TakeOverDamaged, 1)],
        Point::LeftoverRemoved | Point::SurvivorGone => &[(TakeOverDamaged, 1)],
        Point::SurvivorRead | Point::SurvivorProved | Point::SurvivorRecorded => &[(TakeOver, 3), (TakeOverDamaged, 2)],
        Point::SlotAdopted => &[(TakeOver, 2), (TakeOverDamaged, 1)],
    }
}
