//! Two hundred connectors for an hour, under faults of every class at random: processes, daemon, API, disk, clock, network, descriptors.
//!
//! ```text
//!  deal: some faults, one of each class ─▶ squall: they strike, beside everyday kills and changes ─▶ calm: everything serves again
//!                                                        │                                              │ what was lost is judged
//!                       looked at throughout: what others have, decoys, watchdog, calls, /proc          ▼ what the daemon holds
//! ```
//!
//! What must hold are the laws of the project: what is not ours stays as it is to the byte; no process that is not ours gets a signal;
//! no connector is lost, doubled or started without a reason; visitors lose a request only to what was done to their connectors or to
//! the path to them; after every squall everything serves within a bound; no call exceeds the budget; no secret appears where it does
//! not belong; and the daemon's memory, descriptors, threads and disk do not grow. It is seen from the outside: from /proc, from the
//! sandbox's books and by visitors, and never from the daemon's answers alone.
//!
//! It needs namespaces of its own and root: `tests/soak.sh` makes them and starts it. `cargo test` leaves it out.

#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]
#![allow(clippy::disallowed_methods, reason = "the census sleeps on its own thread")]
#![allow(clippy::print_stdout, reason = "what happens is printed")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a fault that strikes elsewhere is a mistake of the table")]

#[path = "support/host.rs"]
mod host;

#[path = "chaos/census.rs"]
mod census;
#[path = "chaos/crowd.rs"]
mod crowd;
#[path = "chaos/fleet.rs"]
mod fleet;
#[path = "chaos/vitals.rs"]
mod vitals;

#[path = "soak/book.rs"]
mod book;
#[path = "soak/calls.rs"]
mod calls;
#[path = "soak/canary.rs"]
mod canary;
#[path = "soak/clock.rs"]
mod clock;
#[path = "soak/decoys.rs"]
mod decoys;
#[path = "soak/disk.rs"]
mod disk;
#[path = "soak/fault.rs"]
mod fault;
#[path = "soak/flatness.rs"]
mod flatness;
#[path = "soak/foreign.rs"]
mod foreign;
#[path = "soak/network.rs"]
mod network;
#[path = "soak/options.rs"]
mod options;
#[path = "soak/secrets.rs"]
mod secrets;
#[path = "soak/squall.rs"]
mod squall;
#[path = "soak/strike.rs"]
mod strike;
#[path = "soak/watch.rs"]
mod watch;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use adit::sandbox::{
    origin::Origin,
    world::{Request, World},
};
use clap::Parser;
use hyper::Method;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use tokio::time::Instant;

use crate::{
    census::Census,
    clock::WallClock,
    crowd::{Crowd, Rush},
    disk::Disk,
    fault::{Class, Fault, deal},
    fleet::{Fleet, Size},
    foreign::Foreign,
    host::{Host, processes, visitor},
    options::Options,
    watch::Watch,
};

/// How many connectors a tunnel has.
const REPLICAS: usize = 4;

/// Of how many tunnels one is never changed by plan.
const QUIET_ONE_OF: usize = 5;

/// How many faults strike together, at most.
const TOGETHER_MAX: usize = 5;

/// How long a squall is.
const SQUALL: Duration = Duration::from_secs(14);

/// Each tunnel has one visitor, who comes four times a second.
const RUSH: Rush = Rush { visitors: 1, pace: Duration::from_millis(200) };

/// How often the connectors are counted.
const COUNT_EVERY: Duration = Duration::from_millis(250);

/// How often Cloudflare is compared with what is wanted.
const SYNC_INTERVAL: &str = "5s";

/// How long the calls of a daemon with nothing to do are counted.
const IDLE: Duration = Duration::from_secs(16);

/// What stands around the host.
struct Grounds {
    other_origin: Origin,
    /// Where the daemon asks for names.
    resolver: SocketAddr,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(run(options))
}

async fn run(options: Options) -> ExitCode {
    let (length, seed) = (options.length(), options.seed.unwrap_or_else(rand::random));
    println!("soak: {} connectors, {} s, --seed {seed}", options.connectors, length.as_secs());
    let world = World::new();
    let foreign = Foreign::make(&world);
    let mut host = Host::prepare_with(world).await;
    host.sync_interval = SYNC_INTERVAL;
    let (state, missing) = options::ability(&host.path("state"), &host.path("state.image"));
    let runtime = Disk::for_runtime(&host.path("run")).unwrap();
    let (faults, left_out) = match options.faults(&missing) {
        Ok(faults) => faults,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let clock = WallClock::library().map(|library| WallClock::new(library, host.path("clock")).unwrap());
    let configuration: toml::Table = host.stage.configuration().parse().unwrap();
    let resolver = configuration["health"]["resolver"].as_str().unwrap().parse().unwrap();
    let grounds = Grounds { other_origin: Origin::start("there").unwrap(), resolver };
    let tunnels = options.connectors.div_ceil(REPLICAS).max(QUIET_ONE_OF);
    let size = Size { tunnels, quiet: tunnels / QUIET_ONE_OF, replicas: REPLICAS };
    let fleet = Fleet::new([host.origin.url(), grounds.other_origin.url()], size);
    host.configure(&fleet.configuration());

    let crowd = Crowd::start(host.stage.front(), &[], RUSH);
    let census = Census::start(&host, COUNT_EVERY);
    let rng = SmallRng::seed_from_u64(seed);
    let mut watch = Watch::new(&grounds, &host, fleet, rng, (state, runtime), clock, foreign, (crowd, census));
    let told = storm(&mut watch, &faults, length).await;
    report(&watch, &told, &left_out);
    let Watch { book, state, runtime, .. } = watch;
    drop(host);
    drop((state, runtime));
    println!("--seed {seed}: {}", if book.violations.is_empty() { "every law held" } else { "LAWS WERE BROKEN" });
    if book.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The whole storm, from the first start to the last stop. What is to be told besides.
async fn storm(watch: &mut Watch<'_>, faults: &[Fault], length: Duration) -> Vec<String> {
    let mut told = Vec::new();
    watch.launch();
    watch.calm("at first").await;
    for process in watch.host.connectors().iter().take(3) {
        watch.decoys.like(process).unwrap();
    }
    watch.crowd = Crowd::start(watch.host.stage.front(), &watch.fleet.hostnames(), RUSH);
    told.push(idle(watch, "at first").await);

    let begun = Instant::now();
    let mut deck = Vec::new();
    let mut unseen = faults.to_vec();
    while begun.elapsed() < length || !unseen.is_empty() {
        let part = begun.elapsed().as_secs_f64() / length.as_secs_f64();
        // One life of the daemon lasts through the first third and one through the last: what it does not give back shows.
        let may_end = (1.0 / 3.0..2.0 / 3.0).contains(&part) || part >= 1.0;
        let may = |fault: Fault| may_end || !fault.ends_daemon();
        if part >= 1.0 {
            deck.clone_from(&unseen);
        } else if !deck.iter().copied().any(may) {
            deck = faults.to_vec();
            deck.shuffle(&mut watch.rng);
        }
        let together = deal(&mut deck, TOGETHER_MAX, may);
        unseen.retain(|fault| !together.contains(fault));
        squall(watch, &together).await;
    }
    // A restart of everything while the API is away, by itself.
    if faults.contains(&Fault::DaemonStopped) {
        squall(watch, &[Fault::DaemonStopped]).await;
    }
    told.push(idle(watch, "at last").await);
    end(watch, &mut told).await;
    told
}

/// Some faults, and the calm behind them.
async fn squall(watch: &mut Watch<'_>, faults: &[Fault]) {
    let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
    let names = names.join(", ");
    let reasons = |watch: &Watch<'_>| {
        let book = &watch.book;
        let planned = (book.changes + book.restarts) * 2 * (REPLICAS + 1);
        (watch.census.so_far().seen.len(), book.felled_pids.len() + book.kills + planned)
    };
    let before = reasons(watch);
    let floods = watch.rage(faults, SQUALL).await;
    watch.calm(&format!("after {names}")).await;
    let after = reasons(watch);
    // Connectors that crash at their start are tried again, and the tunnel that comes and goes has one.
    let mut allowed = after.1 - before.1 + 24;
    let restarting = faults.iter().filter(|fault| fault.may_restart_all()).count();
    allowed += restarting * 2 * watch.fleet.wanted().map(|wanted| wanted.replicas).sum::<usize>();
    if after.0 - before.0 > allowed {
        watch.book.violated(format!("{} connectors were started in {names}, {allowed} had a reason", after.0 - before.0));
    }
    if !faults.iter().any(|fault| fault.class() == Class::Disk) {
        watch.check_floods(floods).await;
    }
}

/// What a daemon without anything to do asks of the API.
async fn idle(watch: &mut Watch<'_>, when: &str) -> String {
    let world = &watch.host.stage.world;
    let (begun, started) = (world.request_count(), watch.census.so_far().seen.len());
    watch.pass(IDLE).await;
    let requests = world.requests();
    let fresh = (world.request_count() - begun) as usize;
    // Who is connected is asked once when it changed, whatever the passes do.
    let asked = |request: &&Request| !request.path.ends_with("/connections");
    let requests: Vec<_> = requests[requests.len().saturating_sub(fresh)..].iter().filter(asked).collect();
    let lists = |request: &&&Request| request.method == Method::GET && request.path.ends_with("/cfd_tunnel");
    let (count, passes) = (requests.len(), requests.iter().filter(lists).count());
    // A pass may be under way at either end.
    if count.abs_diff(2 * passes) > 1 || passes == 0 {
        let paths: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
        watch.book.violated(format!("{count} calls in {passes} idle passes {when}: {paths:#?}"));
    }
    let more = watch.census.so_far().seen.len() - started;
    if more > 0 {
        watch.book.violated(format!("{more} connectors were started {when}, when nothing was wrong"));
    }
    watch.judge(None);
    format!("{count} calls in {passes} idle passes {when}")
}

/// The last looks, and the end of everything.
async fn end(watch: &mut Watch<'_>, told: &mut Vec<String>) {
    told.push(secrets::look(watch).await);
    let everybody = std::mem::replace(&mut watch.crowd, Crowd::start(watch.host.stage.front(), &[], RUSH));
    let visits = everybody.go_home().await;
    let losses = watch.host.stage.take_losses();
    watch.book.losses(losses, visits);
    watch.judge(None);
    let used = (watch.state.used() >> 20, watch.runtime.used() >> 20);
    told.push(format!("disk: {} MiB of state and logs, {} MiB of runtime directory", used.0, used.1));
    processes::signal(watch.host.daemon_pid(), nix::sys::signal::Signal::SIGTERM);
    let status = watch.daemon_ends().await;
    if !status.is_some_and(|status| status.success()) {
        watch.book.violated(format!("the daemon did not stop as it should: {status:?}"));
    }
    for process in watch.host.processes() {
        watch.book.violated(format!("left behind: {process:?}"));
    }
    for changed in watch.foreign.changed(&watch.host.snapshot()) {
        watch.book.violated(changed);
    }
    for wrong in watch.calls.too_many().into_iter().chain(watch.flatness.grown()) {
        watch.book.violated(wrong);
    }
}

fn report(watch: &Watch<'_>, told: &[String], left_out: &[String]) {
    println!("\n{}", watch.book);
    println!("{}", watch.flatness);
    let most = |seconds| watch.calls.most_within(Duration::from_secs(seconds));
    println!(
        "{} calls of the API, at most {} in 10 s, {} in 60 s, {} in 300 s",
        watch.calls.count(),
        most(10),
        most(60),
        most(300)
    );
    println!("{} decoys live, {} things of others are as they were", watch.decoys.count(), watch.foreign.count());
    for words in told {
        println!("{words}");
    }
    for words in left_out {
        println!("LEFT OUT {words}");
    }
    for violation in &watch.book.violations {
        println!("VIOLATION: {violation}");
    }
}
