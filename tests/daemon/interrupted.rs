//! kill -9 of the daemon at every moment of a first provisioning: afterwards there is exactly one of everything.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use adit::sandbox::faults::{Fault, Matching, Times};
use futures_util::future::join_all;
use nix::sys::signal::Signal;

use crate::{
    host::{
        Host,
        contract::{Contract, Sender},
    },
    processes,
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.net", service = "ORIGIN" }]
"#;

/// How many interruptions are under way at once: as many as a small machine carries.
const AT_ONCE: usize = 6;

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The call was carried out, its answer was not read.
    BeforeTheAnswer,
    /// The answer was read and its consequences drawn; the next call is sent and will never be carried out.
    InTheNextCall,
}

#[tokio::test]
async fn a_daemon_killed_before_it_reads_any_one_answer_leaves_exactly_one_of_everything() {
    at_every_call(Moment::BeforeTheAnswer).await;
}

#[tokio::test]
async fn a_daemon_killed_after_it_has_read_any_one_answer_leaves_exactly_one_of_everything() {
    at_every_call(Moment::InTheNextCall).await;
}

async fn at_every_call(moment: Moment) {
    let calls = calls_of_a_first_provisioning().await;
    assert!(calls >= 8, "accounts, zones and lists are read, and two of three things are made: {calls}");
    let numbers: Vec<usize> = (1..=calls).collect();
    for together in numbers.chunks(AT_ONCE) {
        join_all(together.iter().map(|number| interrupted(*number, moment))).await;
    }
}

async fn calls_of_a_first_provisioning() -> usize {
    let host = Host::serving(TWO_TUNNELS).await;
    let requests = host.stage.world.requests();
    1 + requests.iter().rposition(|request| request.method != reqwest::Method::GET).expect("something was made")
}

/// Kills the daemon at the call with this number, counted from 1, and lets another one finish.
async fn interrupted(number: usize, moment: Moment) {
    let host = Host::prepare().await;
    host.configure(TWO_TUNNELS);
    let daemon = Arc::new(AtomicU32::new(0));
    let broken = Arc::new(Mutex::new(Vec::new()));
    let (victim, failures, world) = (Arc::clone(&daemon), Arc::clone(&broken), host.stage.world.clone());
    let count = AtomicUsize::new(0);
    host.stage.world.on_exchange(Arc::new(move |exchange| {
        failures.lock().unwrap().extend(Contract::get().check(exchange, Sender::Client).err());
        if count.fetch_add(1, Ordering::Relaxed) + 1 == number {
            match moment {
                // The answer is made and not sent yet.
                Moment::BeforeTheAnswer => processes::signal(victim.load(Ordering::Relaxed), Signal::SIGKILL),
                Moment::InTheNextCall => world.faults().add(Fault::Hang, Matching::everything(), Times::UntilCleared),
            }
        }
    }));
    host.launch();
    daemon.store(host.daemon_pid(), Ordering::Relaxed);
    match moment {
        Moment::BeforeTheAnswer => assert_eq!(host.ended().await, None, "a signal ends it"),
        Moment::InTheNextCall => {
            host.until(&format!("call {} hangs", number + 1), async |host| {
                host.stage.world.requests().last().is_some_and(|request| request.status.is_none())
            })
            .await;
            host.kill();
            host.stage.world.faults().clear();
        }
    }

    host.start().await;
    host.until_all_serve().await;

    assert!(host.visit("app.example.com").await.reached("here"), "killed at call {number}");
    assert!(host.visit("api.example.net").await.reached("here"), "killed at call {number}");
    let there = host.snapshot();
    assert_eq!((there.tunnels.len(), there.records.len()), (2, 2), "killed at call {number}: {there:?}");
    assert_eq!(*broken.lock().unwrap(), Vec::<String>::new());
}
