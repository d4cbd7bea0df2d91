//! kill -9 of the daemon between any two steps of the state writer, of the spawner and of adoption: afterwards there is exactly one
//! of everything.
//!
//! For every [`Point`] there are scenarios that come by it. The daemon is armed, ends there, and another one is started. What runs is
//! then counted from /proc and what is at Cloudflare from the sandbox's own books, not from the daemon's answers.

#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

#[path = "support/host.rs"]
mod host;

#[path = "failpoints/model.rs"]
mod model;
#[path = "failpoints/plan.rs"]
mod plan;
#[path = "failpoints/scenario.rs"]
mod scenario;

use std::{collections::BTreeSet, fs};

use adit::failpoint::Point;
use futures_util::{StreamExt, stream};

use crate::{
    host::{Host, processes},
    plan::{Case, cases},
};

/// How many crashes are under way at once: as many as a small machine carries.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_any_two_steps_of_the_state_writer_loses_nothing() {
    crash_at(|point| point <= Point::DefinitionRemoved).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_any_two_steps_of_a_rotation_leaves_one_secret_that_is_valid() {
    crash_at(|point| (Point::RotationAsked..=Point::RotationFinished).contains(&point)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_any_two_steps_of_a_start_leaves_exactly_one_connector() {
    crash_at(|point| (Point::OutputOpened..=Point::ConnectorLearnt).contains(&point)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_any_two_steps_of_an_end_leaves_no_process_and_no_record() {
    crash_at(|point| (Point::TerminationRecorded..=Point::GenerationForgotten).contains(&point)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_any_two_steps_of_adoption_is_adopted_again() {
    crash_at(|point| point >= Point::AdoptionBegun).await;
}

/// Ends a daemon in every case of the points that are `chosen`.
async fn crash_at(chosen: impl Fn(Point) -> bool) {
    let chosen: Vec<Case> = cases().into_iter().filter(|case| chosen(case.point)).collect();
    assert!(!chosen.is_empty());
    // Each on its own: the futures of a host stay on the thread that made it.
    stream::iter(chosen).for_each_concurrent(AT_ONCE, crash).await;
}

/// Ends a daemon at one point, starts another one, and holds what there is against the model.
async fn crash(case: Case) {
    let Case { point, scenario, nth } = case;
    let host = Host::prepare().await;
    let failpoints = host.path("failpoints");
    fs::create_dir(&failpoints).unwrap();
    scenario.prepare(&host).await;

    fs::write(host.path("armed"), format!("{}:{nth}", point.name())).unwrap();
    fs::rename(host.path("armed"), failpoints.join("armed")).unwrap();
    let answered = scenario.act(&host).await;
    assert_eq!(host.ended().await, None, "{case}: a signal ends it");
    let hits = fs::read_to_string(failpoints.join("hits")).unwrap();
    assert!(hits.lines().any(|hit| hit == point.name()), "{case}: it ended elsewhere, having come by {hits}");

    scenario.recover(&host, answered, &case.to_string()).await;
    model::assert_whole(&host, &scenario.after(), &case.to_string()).await;
}

#[test]
fn every_point_has_a_case() {
    let covered: BTreeSet<Point> = cases().into_iter().map(|case| case.point).collect();
    assert_eq!(covered.len(), Point::ALL.len());
}
