//! The daemon's life, from its files to its last word.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    allocator,
    audit::{Audit, By},
    backend::DaemonBackend,
    derived::Derived,
    descriptor_store::{DescriptorStore, Kept},
    exporter::Exporter,
    listeners, logging,
    metrics_server::{MetricsServer, Stand},
    options::Options,
    page_reader::PageReader,
    places::{open_store, state_dir, take_lock},
    program_pages,
    refused::CountedRefusals,
    relay::Relay,
    reload::Reload,
    reported::ReportedVersions,
    route_checks,
    run_mark::RunMark,
    signals::{End, Signals},
    socket_guard::SocketGuard,
    status_line,
    systemd::ServiceManager,
    tokens::{self, Tokens},
};
use crate::{
    command,
    config::{self, JournalLines, MetricsListen},
    control::{self, Server, SocketError},
    event::{DaemonEvent, Event, Sink},
    hook,
    intent::{FirstReading, Intent, NothingToRun},
    metrics::Metrics,
    name::TunnelName,
    output::{Journal, LogLevel},
    reconciler::{self, Reconciler},
    recorder::Recorder,
    route_probe::Prober,
    store::StoreError,
    supervisor::{self, Supervisor},
};

/// Where in the private folder is kept what each credential has spent.
const BUDGETS: &str = "budgets";

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The files are bad and no configuration was accepted before. systemd does not try again.
    #[error(transparent)]
    NothingToRun(#[from] NothingToRun),
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The control socket cannot be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The metrics cannot be served where the configuration says.
    #[error("cannot serve metrics on {listen}")]
    Metrics {
        /// Where.
        listen: String,
        /// Why not.
        source: io::Error,
    },
    /// The runtime directory cannot be made.
    #[error("cannot make the runtime directory {directory:?}")]
    RuntimeDir {
        /// Which.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The connectors cannot be looked after.
    #[error("cannot look after connectors")]
    Supervisor {
        /// Why not.
        source: io::Error,
    },
    /// Something that every process has is missing.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
///
/// When it cannot start.
pub async fn run(options: Options) -> Result<(), StartError> {
    let Options { config: main, environment } = options;
    logging::start(&environment.log)?;
    let descriptors = DescriptorStore::open(&environment.passed);
    let manager = ServiceManager::from_environment();
    let reading = FirstReading::of(&main);
    let state_dir = state_dir(&reading, &environment);
    // Before anything is made: another daemon with this runtime directory may have another state directory.
    let early_lock = match reading.runtime_dir() {
        Some(runtime_dir) => Some((take_lock(&runtime_dir).await?, runtime_dir)),
        None => None,
    };
    let store = open_store(&state_dir).await?;
    let metrics = Metrics::new();
    let (recorder, _writer) = Recorder::start(&state_dir, metrics.clone());
    let reported = Arc::new(ReportedVersions::new());
    let refused = Arc::new(CountedRefusals::new());
    let events = sink(&recorder, &reported, &refused);
    let (intent, accepted) = Intent::open(&main, reading, store.clone(), events.clone(), running)?;
    let config = intent.intended().config.clone();
    let lock = match early_lock {
        Some((lock, runtime_dir)) if runtime_dir == config.daemon.runtime_dir => lock,
        // The files are bad, and what was accepted before them says another one.
        Some(_) | None => take_lock(&config.daemon.runtime_dir).await?,
    };
    metrics.set_sync_interval(config.daemon.sync_interval);
    let mark = RunMark::set(&config.daemon.runtime_dir);
    if let Some((mark, earlier)) = &mark {
        metrics.count_unclean_ends(mark.unclean_ends());
        earlier.iter().for_each(|died| events.tell(died.clone()));
    }
    let audit = Arc::new(Audit::start(&state_dir, events.clone()));
    audit.keep_reading(By::Start, accepted.as_deref(), Ok(&config));
    let (listener, socket_file) = listeners::control(&descriptors, &config.control, &lock).await?;
    let metrics_listener = listeners::metrics(&descriptors, &config.metrics.listen)
        .await
        .map_err(|source| StartError::Metrics { listen: config.metrics.listen.to_string(), source })?;
    let socket_guard = SocketGuard::start();
    socket_guard.keep(socket_file.clone());
    let mut signals = Signals::new()?;

    let books = control::private_folder(&config.daemon.runtime_dir).join(BUDGETS);
    let tokens = Tokens::new(environment.clone(), books, events.clone(), metrics.clone());
    tokens.follow(&config);
    let derived = Derived::of(&config, environment.path.clone());
    let holders = watch::Sender::default();
    let shutdown = CancellationToken::new();
    let (reconciler, reconciling) = Reconciler::start(reconciler::Start {
        ledger: store.ledger()?,
        intended: intent.subscribe(),
        accepted,
        clients: tokens.clients(),
        reported: reported.subscribe(),
        refusals: refused.subscribe(),
        holders: holders.subscribe(),
        binary: derived.binary.subscribe(),
        events: events.clone(),
        interval: config.daemon.sync_interval,
        shutdown: shutdown.clone(),
    });
    let settings = supervisor::Settings {
        closed: environment.credentials_directory.clone().into_iter().collect(),
        secrets: derived.secrets.subscribe(),
        program_folders: command::folders(environment.path.as_deref()),
        observation: config.cloudflared.canary_period,
        edge_probe: derived.edge_probe.subscribe(),
        journal: journal(config.cloudflared.journal),
        holders,
        ..supervisor::Settings::new(config.daemon.runtime_dir.clone(), state_dir.clone())
    };
    let started = Supervisor::start(settings, reconciler.wanted(), events.clone()).await;
    let (supervisor, supervising) = started.map_err(|source| StartError::Supervisor { source })?;
    recorder.log_after({
        let supervisor = supervisor.clone();
        move |tunnel| supervisor.pass_on_lines(tunnel)
    });

    let reload = Reload { intent: intent.clone(), tokens: tokens.clone(), manager: manager.clone(), audit: audit.clone() };
    let pages = PageReader::new({
        let intent = intent.clone();
        move || relayed_series(&intent.intended().config.metrics)
    });
    let hooks = hook::Start {
        recorder: recorder.clone(),
        events: events.clone(),
        metrics: metrics.clone(),
        store: store.clone(),
        source: Arc::new({
            let environment = environment.clone();
            move |source| tokens::source(source, &environment)
        }),
    };
    let prober = Prober::new();
    let backend = DaemonBackend {
        intent: intent.clone(),
        reload: reload.clone(),
        reconciler: reconciler.clone(),
        supervisor: supervisor.clone(),
        recorder: recorder.clone(),
        tokens: tokens.clone(),
        audit,
        events: events.clone(),
        pages: pages.clone(),
        prober: prober.clone(),
    };
    let server = Server::new(backend, Arc::new(control::identify), shutdown.clone());
    let serving = tokio::spawn(server.serve(listener));
    let relay =
        Relay { pages, recorder: recorder.clone(), intent: intent.clone(), metrics: metrics.clone(), last: Arc::default() };
    let exporter = Exporter::start(metrics, recorder.clone(), supervisor.clone(), intent.clone(), relay);
    let exporter = exporter.context("cannot start the thread that renders metrics")?;
    let stand = Stand {
        place: config.metrics.listen.clone(),
        listener: metrics_listener,
        store: descriptors.clone(),
        guard: socket_guard.clone(),
    };
    let metrics_server = MetricsServer { stand, intent: intent.clone(), exporter: Arc::new(exporter) };
    let serving_metrics = tokio::spawn(metrics_server.serve(shutdown.clone()));
    let _followers = [
        spawn(derived.follow(intent.subscribe(), tokens, supervisor.clone())),
        spawn(hook::keep(hooks, intent.subscribe())),
        spawn(keep_confirmed(intent.clone(), reconciler)),
        spawn(route_checks::keep(intent.clone(), recorder.clone(), prober, events.clone())),
        spawn(route_checks::expire(recorder.clone(), events.clone())),
        spawn(allocator::stay_frugal(recorder.clone())),
        spawn(program_pages::stay_few(recorder.clone())),
        spawn(status_line::keep(manager.clone(), intent.clone(), recorder.clone())),
        spawn(manager.clone().feed_watchdog({
            let supervisor = supervisor.clone();
            move || supervisor.heartbeat()
        })),
    ];
    events.tell(DaemonEvent::Started { version: env!("CARGO_PKG_VERSION") });
    manager.ready();

    let end = signals.end(&reload).await;
    match end {
        End::Stop(why) => {
            events.tell(DaemonEvent::Stopping { why });
            manager.stopping("draining every connector");
            supervisor.shutdown();
        }
        End::Detach => supervisor.detach(),
    }
    tokio::pin!(supervising);
    tokio::select! {
        _ = &mut supervising => {}
        () = signals.again() => {
            // Whoever asks twice does not want to wait for the grace periods.
            supervisor.abort();
            let _ = supervising.await;
        }
    }
    shutdown.cancel();
    let (_, metrics_server, _) = tokio::join!(serving, serving_metrics, reconciling);
    match end {
        End::Stop(_) => {
            descriptors.forget(Kept::Control);
            socket_guard.let_go(&socket_file);
            socket_file.remove();
            if let Ok(mut metrics_server) = metrics_server {
                metrics_server.close();
            }
        }
        // Whoever connects from here on waits in the listeners' queues for the next daemon.
        End::Detach => {}
    }
    // Before the lock: the next daemon may be waiting for it.
    drop(mark);
    drop(lock);
    Ok(())
}

/// Where every part tells what happens: the recorder first, then those who look at what it recorded.
fn sink(recorder: &Recorder, reported: &Arc<ReportedVersions>, refused: &Arc<CountedRefusals>) -> Sink {
    let (recorder, reported, refused) = (recorder.clone(), reported.clone(), refused.clone());
    Sink::new(move |event| {
        recorder.record(&event);
        if let Event::Connector(event) = &event {
            reported.look(event, &recorder.status());
            refused.look(event);
        }
    })
}

/// The tunnels whose connectors run. What cannot be looked at is no reason to run without a configuration.
fn running(runtime_dir: &Path) -> BTreeSet<TunnelName> {
    supervisor::surviving_tunnels(runtime_dir).unwrap_or_default()
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// Under `apply = "ask"`, keeps a configuration that an operator confirmed as the one to start with.
async fn keep_confirmed(intent: Intent, reconciler: Reconciler) {
    let mut in_force = reconciler.in_force();
    while in_force.changed().await.is_ok() {
        let confirmed = in_force.borrow_and_update().config.clone();
        intent.confirm(confirmed).await;
    }
}

/// How many series of a connector are told again in `/metrics`; `None` when none is, or nobody can ask.
fn relayed_series(metrics: &config::Metrics) -> Option<usize> {
    match metrics.listen {
        MetricsListen::Off => None,
        MetricsListen::Tcp(_) | MetricsListen::Unix(_) => metrics.relay.then(|| usize::from(metrics.relay_series_max)),
    }
}

/// Where connectors' lines go beside the log store.
fn journal(lines: JournalLines) -> Option<Journal> {
    match lines {
        JournalLines::Off => None,
        JournalLines::Warn => Some(Journal::of_host(Some(LogLevel::Warn))),
        JournalLines::All => Some(Journal::of_host(None)),
    }
}
