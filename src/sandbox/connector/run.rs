//! A run from the first log line to the last.

use std::{collections::BTreeMap, fs, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Connector, USAGE_ERROR, VERSION,
    arguments::Values,
    configuration::Configuration,
    counters::Counters,
    credentials::Credentials,
    dns::Lookup,
    fail,
    log::{Level, Log},
    monitor::{self, Inherited},
    notify, prechecks,
    settings::{ConfigFile, Settings},
    signals::Signals,
    switches,
    tracker::Tracker,
    uplinks,
};
use crate::{
    id::ConnectorId,
    sandbox::switchboard::{self, Switches, message::Hello},
};

/// Sets the time scale where there is no switchboard (see [`Switches::time_scale`]).
const TIME_SCALE_VARIABLE: &str = "ADIT_SANDBOX_TIME_SCALE";

/// Nobody waits longer than ten times cloudflared's own times.
const TIME_SCALE_MAX: f64 = 10.0;

/// How often cloudflared looks for a new version of itself.
const AUTOUPDATE_MILLISECONDS: u64 = 24 * 60 * 60 * 1000;

/// What stands for a secret in the log.
const HIDDEN: &str = "*****";

/// Flags that `/diag/configuration` leaves out.
const UNSHOWN: [&str; 6] = ["token", "token-file", "credentials-contents", "credentials-file", "output", "origincert"];

/// In the place of the binary's checksum: reading the whole binary would cost more than everything else at a start.
const CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a run starts from.
pub(super) struct Start {
    pub(super) values: Values,
    pub(super) config: Option<ConfigFile>,
    pub(super) credentials: Credentials,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) command_line: Vec<String>,
}

/// Runs until a stop or a fatal error.
pub(super) fn run(start: Start, inherited: Inherited) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_on_this_thread(start, inherited)),
        Err(error) => fail(1, &error.to_string()),
    }
}

async fn run_on_this_thread(start: Start, inherited: Inherited) -> ExitCode {
    let id: ConnectorId = uuid::Uuid::new_v4().to_string().parse().expect("a UUID is an identifier");
    let hello = Hello { tunnel: start.credentials.tunnel.clone(), connector: id.clone(), pid: std::process::id() };
    let board = match start.environment.get(switchboard::ENVIRONMENT_VARIABLE) {
        Some(path) => switches::connect(path, &hello).await,
        None => None,
    };
    let switches = board.as_ref().map_or_else(|| watch::Sender::new(Switches::default()).subscribe(), switches::Board::switches);
    let initial = switches.borrow().clone();
    if let Some(crash) = &initial.crash_at_start {
        switches::die(crash);
    }
    if initial.slow_start_ms > 0 {
        sleep(Duration::from_millis(initial.slow_start_ms)).await;
    }
    if initial.refuse_token {
        return fail(USAGE_ERROR, "Provided Tunnel token is not valid.\nSee 'cloudflared tunnel run --help'.");
    }
    // The log's thread must not be a target for signals, so it starts when they are blocked.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(1, &error.to_string()),
    };
    let log = Log::open(&start.values);
    let _board = board.map(|board| AbortOnDropHandle::new(tokio::spawn(board.follow(log.clone()))));
    let result = serve(start, inherited, id, switches, &signals, &log).await;
    if let Err(reason) = &result {
        log.plain(reason);
    }
    log.close();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts everything and waits for the end. An error is the bare reason that ends on standard error.
async fn serve(
    start: Start,
    inherited: Inherited,
    id: ConnectorId,
    switches: watch::Receiver<Switches>,
    signals: &Signals,
    log: &Log,
) -> Result<(), String> {
    log_start(&start, &id, log);
    let metrics = start.values.text("metrics").to_owned();
    let notify_socket = start.environment.get("NOTIFY_SOCKET").cloned();
    let metrics_port_taken = switches.borrow().metrics_port_taken;
    let connector = connector(start, id, switches, log).inspect_err(|reason| {
        log.event(Level::Error).with("error", reason.as_str()).write("Couldn't start tunnel");
    });
    let connector = Arc::new(connector?);
    log.info(&format!("Initial protocol {}", connector.settings.protocol));
    let mut is_stopping = false;
    let lookup = heedless(&connector, signals, &mut is_stopping, Lookup::begin(&connector)).await?;
    let opened = if metrics_port_taken {
        Err(format!("failed to bind to address ({metrics}): listen tcp {metrics}: bind: address already in use"))
    } else {
        monitor::open(inherited, &metrics)
    };
    let listener = opened.and_then(|listener| TcpListener::from_std(listener).map_err(|error| error.to_string()));
    let listener = listener.map_err(|reason| {
        log.event(Level::Error).with("error", reason.as_str()).write("Error opening metrics server listener");
        format!("Error opening metrics server listener: {reason}")
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let monitor = AbortOnDropHandle::new(tokio::spawn(monitor::serve(Arc::clone(&connector), listener)));
    log.info(&format!("Starting metrics server on {address}/metrics"));
    let _announcement = AbortOnDropHandle::new(tokio::spawn(announce_first_connection(Arc::clone(&connector), notify_socket)));

    let edge = heedless(&connector, signals, &mut is_stopping, lookup.edge_addresses(&connector)).await?;
    let result = if is_stopping { Ok(()) } else { carry_until_stopped(&connector, signals, edge).await };
    log.info("Tunnel server stopped");
    drop(monitor);
    log.info("Metrics server stopped");
    result
}

/// Checks the settings and puts the shared state together.
fn connector(start: Start, id: ConnectorId, switches: watch::Receiver<Switches>, log: &Log) -> Result<Connector, String> {
    let Start { values, config, credentials, environment, command_line } = start;
    let local = config.map(|config| config.document).filter(|document| document.get("ingress").is_some());
    let configuration = Configuration::new(local.as_ref())?;
    let settings = Settings::new(&values)?;
    let flags = values.settings().filter(|(name, value)| !UNSHOWN.contains(name) && !value.is_empty());
    let uid = ("uid", rustix::process::getuid().as_raw().to_string());
    let flags = flags.chain([uid]).collect();
    let by_environment = environment.get(TIME_SCALE_VARIABLE).and_then(|scale| scale.parse().ok());
    let time_scale = by_environment.unwrap_or(switches.borrow().time_scale).clamp(0.0, TIME_SCALE_MAX);
    Ok(Connector {
        id,
        credentials,
        settings,
        log: log.clone(),
        tracker: Tracker::default(),
        configuration,
        counters: Counters::default(),
        switches,
        registrations: watch::Sender::default(),
        shutdown: CancellationToken::new(),
        time_scale,
        command_line,
        flags,
    })
}

/// Keeps the connections up until a signal or a fatal error. After the signal what is in flight has the grace period to end.
async fn carry_until_stopped(
    connector: &Arc<Connector>,
    signals: &Signals,
    edge: Result<Arc<[SocketAddr]>, String>,
) -> Result<(), String> {
    let carry = async {
        let edge = edge?;
        let _prechecks = connector.settings.prechecks.then(|| {
            let prechecks = prechecks::run(Arc::clone(connector), edge[0]);
            AbortOnDropHandle::new(tokio::spawn(prechecks))
        });
        uplinks::run(Arc::clone(connector), edge).await.map_err(|error| error.to_string())
    };
    tokio::pin!(carry);
    tokio::select! {
        result = &mut carry => result.inspect_err(|reason| {
            connector.log.event(Level::Error).with("error", reason.as_str()).write("Initiating shutdown");
        }),
        name = signals.stop(&connector.switches) => {
            log_stop(connector, name)?;
            // A reader that does not read stalls the stop here, as it does cloudflared's.
            connector.log.flush().await;
            connector.tracker.all_gone();
            connector.shutdown.cancel();
            // What is in flight after the grace period is cut: the process ends.
            timeout(connector.settings.grace_period, carry).await.ok();
            Ok(())
        }
    }
}

/// Does work that a stop does not interrupt: it begins when the work is done, though a second signal kills at once.
async fn heedless<T>(
    connector: &Connector,
    signals: &Signals,
    is_stopping: &mut bool,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        name = signals.stop(&connector.switches), if !*is_stopping => log_stop(connector, name)?,
    }
    *is_stopping = true;
    Ok(work.await)
}

fn log_stop(connector: &Connector, name: io::Result<&'static str>) -> Result<(), String> {
    let name = name.map_err(|error| error.to_string())?;
    connector.log.info(&format!("Initiating graceful shutdown due to signal {name} ..."));
    Ok(())
}

/// What happens once, when the first connection is registered.
async fn announce_first_connection(connector: Arc<Connector>, notify_socket: Option<String>) {
    let mut registrations = connector.registrations.subscribe();
    // The sender lives in the connector that this task holds.
    if registrations.wait_for(|count| *count > 0).await.is_err() {
        return;
    }
    if let Some(socket) = notify_socket {
        // cloudflared does not say so either when nobody listens.
        notify::ready(&socket).ok();
    }
    if !connector.settings.pidfile.is_empty()
        && let Err(error) = fs::write(&connector.settings.pidfile, std::process::id().to_string())
    {
        connector.log.error(&format!("Unable to write pid to {}: {error}", connector.settings.pidfile));
    }
}

fn log_start(start: &Start, id: &ConnectorId, log: &Log) {
    log.event(Level::Info).with("tunnelID", start.credentials.tunnel.as_str()).write("Starting tunnel");
    if start.config.is_none() && start.values.text("token").is_empty() {
        log.info(
            "Cannot determine default configuration path. No file [config.yml config.yaml] in [~/.cloudflared ~/.cloudflare-warp \
             ~/cloudflare-warp /etc/cloudflared /usr/local/etc/cloudflared]",
        );
    }
    log.info(&format!("Version {VERSION} (Checksum {CHECKSUM})"));
    log.info("GOOS: linux, GOVersion: go1.26.0, GoArch: amd64");
    log.info(&format!(
        "Settings: {}",
        go_map(start.values.settings().map(|(name, value)| {
            let secret = matches!(name, "token" | "credentials-contents");
            (name, if secret { HIDDEN.to_owned() } else { value })
        }))
    ));
    let ours = start.environment.iter().filter(|(name, value)| {
        // A value with another `=` is not logged.
        (name.contains("TUNNEL_") || value.contains("TUNNEL_")) && !value.contains('=')
    });
    let mut ours = ours
        .map(|(name, value)| {
            let secret = matches!(name.as_str(), "TUNNEL_TOKEN" | "TUNNEL_CRED_CONTENTS");
            (name.as_str(), if secret { HIDDEN.to_owned() } else { value.clone() })
        })
        .peekable();
    if ours.peek().is_some() {
        log.info(&format!("Environmental variables {}", go_map(ours)));
    }
    if start.values.text("no-autoupdate") != "true" {
        log.event(Level::Info).with("autoupdateFreq", AUTOUPDATE_MILLISECONDS).write("Autoupdate frequency is set");
    }
    log.info(&format!("Generated Connector ID: {id}"));
}

/// A map as Go's `%v` prints it.
fn go_map<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}
