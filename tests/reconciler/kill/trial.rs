//! One run of a scenario, with a kill somewhere or without.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{runtime::Builder, sync::Notify, time::sleep};

use super::{
    super::harness::{Harness, config, name, pass_time},
    place::Place,
    scenarios::{Act, Scenario, THEIRS},
};
use adit::{
    desired::desired_tunnel,
    event::PassResult,
    failpoint::{self, Point, Watch},
    plan::GRACE,
    reconciler::{Taking, Which, Wish},
    sandbox::{
        faults::{Fault, Matching},
        world::RecordKind,
    },
    store::Store,
};

/// Longer than any trial: a call that is carried out and not answered.
const NEVER: Fault = Fault::Slow(Duration::from_secs(3_600));

/// How many passes may go by until nothing is left to do. A move of a hostname takes three.
const PASSES_MAX: usize = 12;

/// Where the reconciler is killed, counted from the scenario's first act.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kill {
    /// Cloudflare never gets the Nth call.
    BeforeCall(u32),
    /// Cloudflare carries the Nth call out, and nobody hears its answer.
    AfterCall(u32),
    /// At the Nth rename of a state file, right before it or right after it, or right after the Nth removal: counted together.
    AtWrite(u32),
}

/// What came of a run.
pub(super) struct Trial {
    /// How many calls the acts took.
    pub(super) calls: u32,
    /// By how many places of [`Kill::AtWrite`] they came.
    pub(super) writes: u32,
    /// Whether the kill was reached.
    pub(super) killed: bool,
    pub(super) place: Place,
}

/// Runs a scenario to its end, on a runtime of its own.
pub(super) fn run(scenario: &Scenario, kill: Option<Kill>) -> Trial {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut harness = prepared(scenario).await;
        let foreign = harness.foreign();
        let halt = Halt::new(harness.directory.path(), kill);
        let calls_before = harness.world.request_count();
        match kill {
            Some(Kill::BeforeCall(nth)) => harness.world.faults().add_at(Fault::Hang, Matching::everything(), nth),
            Some(Kill::AfterCall(nth)) => harness.world.faults().add_at(NEVER, Matching::everything(), nth),
            Some(Kill::AtWrite(_)) | None => {}
        }

        let (mut done, mut killed) = (0, false);
        if !harness.is_running() {
            harness.start(None);
        }
        tokio::select! {
            () = act(&harness, &scenario.acts, &mut done) => {}
            () = reached(&harness, kill, &halt) => killed = true,
        }
        let calls = u32::try_from(harness.world.request_count() - calls_before).unwrap();
        let writes = halt.hits.load(Ordering::Relaxed);
        if killed {
            die(&mut harness, halt).await;
            harness.start(None);
            act(&harness, &scenario.acts, &mut done).await;
        }
        let after = harness.foreign();
        let changed: Vec<_> = foreign.iter().filter(|thing| !after.contains(thing)).collect();
        assert!(changed.is_empty(), "{} {kill:?}: what is not ours has changed: {changed:?}", scenario.name);
        let place = Place::of(&harness);
        harness.kill().await;
        Trial { calls, writes, killed, place }
    })
}

/// A host in which the scenario can begin, in an account that others use as well.
async fn prepared(scenario: &Scenario) -> Harness {
    let mut harness = Harness::new(scenario.before).await;
    let (account, dashboard) = (harness.world.account_id(), harness.world.dashboard());
    let other = dashboard.create_tunnel(&account, "web.adit-zzzzzzzz").unwrap();
    dashboard.create_tunnel(&account, "by-hand").unwrap();
    dashboard.create_record("theirs.example.com", RecordKind::Cname, &other.dns_target()).unwrap();
    dashboard.edit_record("theirs.example.com", serde_json::json!({ "comment": "adit:zzzzzzzz:web" })).unwrap();
    dashboard.create_record("printer.example.com", RecordKind::A, "192.0.2.7").unwrap();
    // The directory belongs to an installation before anything is counted.
    drop(Store::open(harness.directory.path(), None).unwrap());
    if !scenario.before.is_empty() {
        harness.start(None);
        settle(&harness).await;
    }
    harness
}

/// Carries out what is left to do. What was begun is done again from its beginning.
async fn act(harness: &Harness, acts: &[Act], done: &mut usize) {
    while let Some(act) = acts.get(*done) {
        match act {
            Act::Want(text) => harness.want(text),
            Act::Delete(tunnel) => drop(harness.reconciler().delete_tunnel(&name(tunnel)).await.unwrap()),
            Act::Rotate(tunnel) => {
                harness.reconciler().rotate_tunnel(&name(tunnel), false, "jane".to_owned()).await.unwrap();
            }
            Act::Adopt(text) => adopt(harness, text).await,
            Act::AdoptRoute(text) => adopt_route(harness, text).await,
            Act::Forget(tunnel) => drop(harness.reconciler().forget_tunnel(&name(tunnel)).await.unwrap()),
            Act::Do(act) => act(harness),
        }
        settle(harness).await;
        *done += 1;
    }
}

/// The tunnel [`THEIRS`] becomes `web` as this text has it, and the text is what people want from then on.
async fn adopt(harness: &Harness, text: &str) {
    let (account, web) = ("default".parse().unwrap(), name("web"));
    let wish = Wish::Defined(Box::new(desired_tunnel(&config(text).tunnels[&web])));
    let which = Which::Named(THEIRS.to_owned());
    let offer = harness.reconciler().look_at_tunnel(&account, &web, which, wish.clone()).await.unwrap();
    let taking = Taking { id: offer.id.clone(), wish, hash: offer.hash(), from_install: None };
    harness.reconciler().adopt_tunnel(&account, &web, taking).await.unwrap();
    harness.want(text);
}

/// The hostname `app.example.com` becomes the one of `web`, which has it in this text.
async fn adopt_route(harness: &Harness, text: &str) {
    harness.want(text);
    harness.pass().await;
    let (account, web, hostname) = ("default".parse().unwrap(), name("web"), "app.example.com".parse().unwrap());
    let offer = harness.reconciler().look_at_route(&account, &web, &hostname).await.unwrap();
    harness.reconciler().adopt_route(&account, (&web, &hostname), offer.hash(), None).await.unwrap();
}

/// Passes, and connectors that take up what is written, until there is nothing to do.
async fn settle(harness: &Harness) {
    for _ in 0..PASSES_MAX {
        let report = harness.pass().await;
        let is_news = harness.connectors_catch_up() | harness.connectors_start_anew();
        if report.result == PassResult::Clean && !is_news {
            return;
        }
        if report.plan.holds.iter().any(|hold| hold.code.ends_by_itself()) {
            pass_time(GRACE.as_secs() + 1).await;
        }
    }
    panic!("there is always something to do: {}", harness.pass().await.plan);
}

/// Waits until the reconciler is where it is to be killed.
async fn reached(harness: &Harness, kill: Option<Kill>, halt: &Halt) {
    let on = |fault| harness.world.faults().is_on(fault);
    match kill {
        None => std::future::pending().await,
        Some(Kill::AtWrite(_)) => halt.reached.notified().await,
        Some(Kill::BeforeCall(_)) => {
            while on(&Fault::Hang) {
                sleep(Duration::from_millis(1)).await;
            }
        }
        Some(Kill::AfterCall(_)) => {
            while on(&NEVER) {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

/// Takes what is on disk at this moment, and ends the reconciler where it is.
async fn die(harness: &mut Harness, halt: Halt) {
    let copy = TempDir::new().unwrap();
    copy_all(harness.directory.path(), copy.path());
    harness.kill().await;
    harness.world.faults().clear();
    drop(halt);
    harness.directory = copy;
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Counts the writes below a directory, and halts the thread that comes to the Nth place. It goes no further.
struct Halt {
    hits: Arc<AtomicU32>,
    reached: Arc<Notify>,
    /// A halted thread ends when this is gone.
    _release: Sender<()>,
    _watch: Watch,
}

impl Halt {
    fn new(directory: &Path, kill: Option<Kill>) -> Self {
        let (hits, reached) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (release, released) = channel();
        let nth = match kill {
            Some(Kill::AtWrite(nth)) => Some(nth),
            Some(Kill::BeforeCall(_) | Kill::AfterCall(_)) | None => None,
        };
        let (counted, told, released) = (hits.clone(), reached.clone(), Mutex::new(released));
        let watch = failpoint::watch(directory.to_owned(), move |point| {
            if !matches!(point, Point::StateSynced | Point::StateRenamed | Point::StateRemoved) {
                return;
            }
            if Some(counted.fetch_add(1, Ordering::Relaxed) + 1) == nth {
                told.notify_one();
                halt(&released);
            }
        });
        Self { hits, reached, _release: release, _watch: watch }
    }
}

/// Waits until the trial is over, then leaves without doing the rest.
fn halt(released: &Mutex<Receiver<()>>) {
    // Nothing is ever sent: it ends when the other end is dropped.
    let _ = released.lock().unwrap().recv();
    std::panic::resume_unwind(Box::new("killed"));
}
