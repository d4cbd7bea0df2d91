//! Thirty connectors under requests while connectors and the daemon die, hang, stop, restart and change at random.
//!
//! What must hold: a request is lost only on a connector that was killed with it; no connector is there twice or is lost; the daemon
//! holds no more descriptors, threads and memory than before; and in the end everything serves. What runs is counted from /proc, what
//! is lost by the sandbox's front, never by asking the daemon.
//!
//! `ADIT_CHAOS_SECONDS` says how long (8), `ADIT_CHAOS_SEED` which storm it is (any). From a minute on, at least 20,000 requests and
//! 100 kills are demanded.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]
#![allow(
    clippy::disallowed_methods,
    reason = "the length and the seed come from the environment; the census sleeps on its own thread"
)]
#![allow(clippy::print_stdout, reason = "the figures are printed")]

#[path = "support/host.rs"]
mod host;

#[path = "chaos/census.rs"]
mod census;
#[path = "chaos/crowd.rs"]
mod crowd;
#[path = "chaos/fleet.rs"]
mod fleet;
#[path = "chaos/storm.rs"]
mod storm;
#[path = "chaos/tally.rs"]
mod tally;
#[path = "chaos/vitals.rs"]
mod vitals;

use std::time::Duration;

use adit::sandbox::origin::Origin;
use rand::{SeedableRng, rngs::SmallRng};

use crate::{
    census::Census,
    crowd::{Crowd, Rush},
    fleet::{Fleet, Size},
    host::{Host, processes, serves, visitor},
    storm::{Storm, Weather},
    tally::Tally,
    vitals::Vitals,
};

/// The tunnels.
const SIZE: Size = Size { tunnels: 15, quiet: 5, replicas: 2 };

/// The visitors.
const RUSH: Rush = Rush { visitors: 3, pace: Duration::from_millis(40) };

/// How often the connectors are counted.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// Until everything serves after a storm: a connector that died again and again waits up to a minute, a hung one is found after three
/// probes.
const CALM_TIME: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_a_request_on_a_killed_connector_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let length = Duration::from_secs(number("ADIT_CHAOS_SECONDS").unwrap_or(8));
    let seed = number("ADIT_CHAOS_SEED").unwrap_or_else(rand::random);
    println!("ADIT_CHAOS_SECONDS={} ADIT_CHAOS_SEED={seed}", length.as_secs());

    let host = Host::prepare().await;
    let other_origin = Origin::start("there").unwrap();
    let fleet = Fleet::new([host.origin.url(), other_origin.url()], SIZE);
    host.configure(&fleet.configuration());
    host.start().await;
    within_calm(&host, "the fleet serves", &fleet).await;
    let before = Vitals::of(host.daemon_pid());

    let census = Census::start(&host, COUNT_EVERY);
    let crowd = Crowd::start(host.stage.front(), &fleet.hostnames(), RUSH);
    let mut storm = Storm::new(&host, fleet, SmallRng::seed_from_u64(seed), length);

    // One daemon lives through the first half: whatever it does not give back shows.
    storm.rage(Weather::Connectors, length / 2).await;
    within_calm(&host, "the fleet serves when the connectors' storm is over", &storm.fleet).await;
    storm.clear_up().await;
    within_calm(&host, "the fleet serves as in the beginning after the connectors' storm", &storm.fleet).await;
    before.assert_flat(&host).await;

    storm.rage(Weather::Everything, length / 2).await;
    within_calm(&host, "the fleet serves when the whole storm is over", &storm.fleet).await;
    storm.clear_up().await;
    within_calm(&host, "the fleet serves as in the beginning after the whole storm", &storm.fleet).await;

    let visits = crowd.go_home().await;
    let census = census.end();
    let tally = Tally::new(&storm, &host.stage.losses(), &visits);
    println!("{tally}");
    let connectors = host.connectors();
    assert!(census.rounds > 10, "only {} rounds", census.rounds);
    assert!(census.violations.is_empty(), "{:#?}", census.violations);
    let lost = census.lost(|tunnel| storm.fleet.is_quiet(tunnel), |gone| storm.may_be_gone(gone.pid));
    assert!(lost.is_empty(), "connectors that nobody killed and no plan replaced are gone: {lost:?}");
    storm.fleet.assert_runs(&connectors);
    tally.assert_lawful(&host);
    before.assert_flat(&host).await;
    storm.assert_counters_plausible(&host.status().await);
    if length >= Duration::from_secs(60) {
        assert!(visits.sent >= 20_000, "only {} requests", visits.sent);
        assert!(storm.kills() >= 100, "only {} kills", storm.kills());
    }
    assert_eq!(host.terminate().await, Some(0));
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

/// Waits until everything serves, as the daemon and the kernel see it.
async fn within_calm(host: &Host, what: &str, fleet: &Fleet) {
    host.within(CALM_TIME, what, async |host| {
        let Ok(status) = host.client.status().await else { return false };
        status.tunnels.iter().all(serves) && fleet.runs(&host.connectors())
    })
    .await;
}
