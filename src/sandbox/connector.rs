//! A stand-in for cloudflared 2026.8.0, to be started as a real process.
//!
//! The binary becomes it when it is called by the name `cloudflared`. It takes cloudflared's flags, environment and descriptors, answers on
//! the metrics address, logs the same lines, obeys the same signals and ends with the same exit codes; it carries real requests
//! from the sandbox's edge to real origins. It must be light, as hundreds of them run at once: one thread beside the log's, no TLS.
//!
//! ```text
//!   arguments, flags, help ─▶ settings, credentials ─▶ run
//!                                                      ├─ uplinks ─▶ uplink ─▶ proxy ─▶ origin
//!                                                      ├─ monitor (metrics address)
//!                                                      ├─ signals, notify, log
//!                                                      └─ switches (misbehaviour on demand)
//! ```

mod arguments;
mod backoff;
mod configuration;
mod counters;
mod credentials;
mod dns;
mod flags;
mod go;
mod help;
mod ingress;
mod log;
mod monitor;
mod notify;
mod prechecks;
mod proxy;
mod raw;
mod run;
mod settings;
mod signals;
mod switches;
mod tracker;
mod uplink;
mod uplinks;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    arguments::{Invocation, Values},
    configuration::Configuration,
    counters::Counters,
    credentials::Credentials,
    ingress::Source,
    log::Log,
    monitor::Inherited,
    settings::{ConfigFile, Settings},
    tracker::Tracker,
};
use super::switchboard::Switches;
use crate::id::{ConnectorId, TunnelId};

/// The name by which the binary is called to be the stand-in.
pub const PROGRAM: &str = "cloudflared";

/// The version of cloudflared that it behaves like.
pub const VERSION: &str = "2026.8.0";

/// A usage error's exit code: Go's -1.
const USAGE_ERROR: u8 = 255;

/// Runs the stand-in with a command line, program name included, to its end. It must be called before this process opens a
/// descriptor or starts a thread.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    let environment: BTreeMap<String, String> = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect();
    let inherited = Inherited::take(&environment);
    let command_line: Vec<String> = arguments.map(lossy).collect();
    match arguments::parse(command_line.get(1..).unwrap_or_default(), &environment) {
        Invocation::Version { short: true } => print(&format!("{VERSION}\n")),
        Invocation::Version { short: false } => print(&format!("cloudflared version {VERSION} (built 2026-08-20)\n")),
        Invocation::Help(help) => print(&help::render(&help)),
        Invocation::Tunnel => fail(1, "You did not specify any valid additional argument to the cloudflared tunnel command."),
        Invocation::ValidateIngress(values) => validate_ingress(&values, &environment),
        Invocation::Run { values, positionals } => match prepare(values, &positionals, &environment) {
            Ok((values, config, credentials)) => {
                run::run(run::Start { values, config, credentials, environment, command_line }, inherited)
            }
            Err((code, reason)) => fail(code, &reason),
        },
    }
}

/// What everything in a running stand-in shares.
struct Connector {
    id: ConnectorId,
    credentials: Credentials,
    settings: Settings,
    log: Log,
    tracker: Tracker,
    configuration: Configuration,
    counters: Counters,
    switches: watch::Receiver<Switches>,
    /// How many connections were ever registered.
    registrations: watch::Sender<u64>,
    /// A graceful stop has begun.
    shutdown: CancellationToken,
    time_scale: f64,
    command_line: Vec<String>,
    /// The flags that were set and hold no secret.
    flags: BTreeMap<&'static str, String>,
}

impl Connector {
    /// One of cloudflared's own waits as this sandbox wants it.
    fn scaled(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.time_scale)
    }

    /// A time that the edge may take to answer. It never gets so short that a busy machine exceeds it.
    fn scaled_limit(&self, limit: Duration, least: Duration) -> Duration {
        self.scaled(limit).max(least)
    }

    /// Waits until the path to the edge is dead.
    async fn path_dies(&self) {
        self.until(|switches| switches.dead_path).await;
    }

    /// Waits until the path to the edge works.
    async fn path_works(&self) {
        self.until(|switches| !switches.dead_path).await;
    }

    async fn until(&self, holds: impl FnMut(&Switches) -> bool) {
        if self.switches.clone().wait_for(holds).await.is_err() {
            // A switchboard that is gone leaves the switches as they are.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the switches allow a connection. `false` when a graceful stop came first.
    async fn may_connect(&self) -> bool {
        let mut switches = self.switches.clone();
        tokio::select! {
            biased;
            // A switchboard that is gone leaves the switches as they are.
            Ok(_) = switches.wait_for(|switches| !switches.never_ready) => true,
            () = self.shutdown.cancelled() => false,
        }
    }
}

type Prepared = (Values, Option<ConfigFile>, Credentials);

/// Reads what a run needs before it starts anything. An error is an exit code and its reason.
fn prepare(mut values: Values, positionals: &[String], environment: &BTreeMap<String, String>) -> Result<Prepared, (u8, String)> {
    let config = settings::read_config(&values, environment).map_err(|reason| (1, reason))?;
    if let Some(config) = &config {
        settings::apply_config(&mut values, config).map_err(|reason| (1, reason))?;
    }
    if positionals.len() > 1 {
        return Err(usage("\"cloudflared tunnel run\" accepts only one argument, the ID or name of the tunnel to run."));
    }
    let token = credentials::token_text(&values).map_err(|reason| usage(&reason))?;
    if !token.is_empty() {
        let credentials = credentials::parse_token(&token).ok_or_else(|| usage("Provided Tunnel token is not valid."))?;
        return Ok((values, config, credentials));
    }
    let named = positionals.first().map(String::as_str).unwrap_or_default();
    let named = if named.is_empty() { config.as_ref().map(|config| config.text("tunnel")).unwrap_or_default() } else { named };
    if named.is_empty() {
        return Err(usage(
            "\"cloudflared tunnel run\" requires the ID or name of the tunnel to run as the last command line argument or in the \
             configuration file.",
        ));
    }
    let tunnel: Option<TunnelId> = named.parse().ok().filter(|_| crate::name::is_uuid_shaped(named));
    let tunnel = tunnel.ok_or_else(|| {
        let reason = "error parsing tunnel ID: Error locating origin cert: client didn't specify origincert path";
        (1, reason.to_owned())
    })?;
    let credentials = credentials::read_file(values.text("credentials-file"), &tunnel).map_err(|reason| (1, reason))?;
    Ok((values, config, credentials))
}

fn usage(reason: &str) -> (u8, String) {
    (USAGE_ERROR, format!("{reason}\nSee 'cloudflared tunnel run --help'."))
}

/// `tunnel --config F ingress validate`.
fn validate_ingress(values: &Values, environment: &BTreeMap<String, String>) -> ExitCode {
    let config = match settings::read_config(values, environment) {
        Ok(Some(config)) => config,
        Ok(None) => {
            return fail(
                1,
                "No configuration file was found. Please create one, or use the --config flag to specify its filepath. You can use the \
                 help command to learn more about configuration files",
            );
        }
        Err(reason) => return fail(1, &reason),
    };
    print(&format!("Validating rules from {}\n", config.path));
    if config.document.get("ingress").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return fail(1, "Validation failed: The config file doesn't contain any ingress rules");
    }
    match ingress::parse(&config.document, Source::Local) {
        Ok(_) => print("OK\n"),
        Err(reason) => fail(1, &format!("Validation failed: {reason}")),
    }
}

fn print(text: &str) -> ExitCode {
    // A reader that is gone changes nothing: there is no more to say.
    io::stdout().write_all(text.as_bytes()).ok();
    ExitCode::SUCCESS
}

fn fail(code: u8, reason: &str) -> ExitCode {
    io::stderr().write_all(format!("{reason}\n").as_bytes()).ok();
    ExitCode::from(code)
}
