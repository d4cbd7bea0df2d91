//! The package's unit: whether it is there, and bringing it up with what was written.

use std::time::Duration;

use serde::Serialize;

use super::{
    Context, Ending, Failure, Output,
    host::{Host, Kind},
    show_plan,
    writing::{Done, Written},
};
use crate::{
    cli::{
        arguments, render,
        wait::{Goal, wait},
    },
    doctor::service::UNIT,
    error_text,
};

/// How long a first tunnel may take to serve before it is left to itself. It takes seconds, and a new DNS record somewhat longer.
const SERVING_TIME_MAX: Duration = Duration::from_secs(60);

/// What became of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// That was asked for.
    LeftAlone,
    /// systemd does not start it here.
    NotStarted,
    Started,
    Restarted,
    Reloaded,
    /// It runs with everything that is there.
    RunningAlready,
}

impl Outcome {
    /// Whether there is a daemon to be asked.
    pub(super) fn is_up(self) -> bool {
        match self {
            Self::LeftAlone | Self::NotStarted => false,
            Self::Started | Self::Restarted | Self::Reloaded | Self::RunningAlready => true,
        }
    }
}

/// Looks whether there is a unit to bring up. Nothing was written yet.
///
/// # Errors
///
/// When there is none, or systemd does not answer.
pub(super) async fn look(host: &Host) -> Result<(), Failure> {
    if !is_run_by_systemd(host) {
        return Ok(());
    }
    // systemd may have read its units before the package came.
    host.programs.systemctl(&["daemon-reload"]).await?;
    if property(host, "LoadState").await? == "not-found" {
        let message = format!("cannot set up the service adit: there is no {UNIT}");
        let hint = "install the package, or copy systemd/adit.service to /etc/systemd/system; --no-start only writes files";
        return Err(Failure::new(Ending::Failed, message).with_hint(hint));
    }
    Ok(())
}

/// Enables and starts the unit, or has it take over what was written, and waits until it is ready.
///
/// # Errors
///
/// When systemd refuses, or the daemon does not get ready.
pub(super) async fn bring_up(
    host: &Host,
    written: &Written,
    done: &mut Done,
    context: &mut Context<'_>,
) -> Result<Outcome, Failure> {
    if !is_run_by_systemd(host) {
        context.terminal.tell(&match host.kind {
            Kind::Service => "systemd does not run this host: start \"adit daemon\" as user adit".to_owned(),
            Kind::OwnDaemon => format!("start it: adit daemon --config {}", host.main.display()),
        });
        return Ok(Outcome::NotStarted);
    }
    let run = async |arguments: &[&str]| {
        let ran = host.programs.systemctl(arguments).await;
        let hint = "\"journalctl -u adit -n 50\" says why; when that is mended, run this again";
        ran.map_err(|failure| failure.while_doing("cannot bring up the service adit").with_hint(hint))
    };
    run(&["daemon-reload"]).await?;
    run(&["enable", UNIT]).await?;
    done.0.push("enabled the service adit".to_owned());
    let state = property(host, "ActiveState").await?;
    let runs = matches!(state.as_str(), "active" | "reloading");
    // A token in a credential is copied when the unit starts. A restart drops no tunnel.
    let (verb, outcome) = match (runs, written) {
        (true, Written { token: true, .. }) => ("restart", Outcome::Restarted),
        (true, Written { token: false, files: true }) => ("reload", Outcome::Reloaded),
        (true, Written { token: false, files: false }) => {
            context.terminal.tell("the service adit runs already");
            return Ok(Outcome::RunningAlready);
        }
        (false, _) => ("start", Outcome::Started),
    };
    context.terminal.tell(&format!("{verb}ing the service adit, until it is ready"));
    run(&[verb, UNIT]).await?;
    context.terminal.tell(&format!("{verb}ed the service adit"));
    Ok(outcome)
}

/// Tells what would be done.
pub(super) fn would_bring_up(host: &Host, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    if is_run_by_systemd(host) {
        let commands = "systemctl daemon-reload; systemctl enable adit; systemctl start adit (or restart, or reload)";
        show_plan(&format!("would run: {commands}\n"), context)?;
    }
    Ok(Outcome::LeftAlone)
}

/// Shows what the daemon has to say, when this tunnel serves.
pub(super) async fn show(tunnel: Option<&str>, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut ending = Ending::Fine;
    let mut status = context.client.status().await;
    if let (Ok(_), Some(tunnel)) = (&status, tunnel) {
        let patience = arguments::Wait { wait: true, timeout: SERVING_TIME_MAX };
        if let Err(failure) = wait(&patience, context, tunnel, &Goal::Serving).await {
            context.terminal.show(&failure.report());
            ending = Ending::Attention;
        }
        status = context.client.status().await;
    }
    match (status, context.output) {
        (Err(trouble), _) => {
            let why = error_text::with_causes(&trouble);
            context.terminal.tell(&format!("the daemon's status cannot be shown: {why}"));
        }
        // The summary is the only document.
        (Ok(_), Output::Json) => {}
        (Ok(status), Output::Table) => {
            let text = render::overview(&status, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(ending)
}

fn is_run_by_systemd(host: &Host) -> bool {
    host.kind == Kind::Service && host.has_systemd
}

async fn property(host: &Host, name: &str) -> Result<String, Failure> {
    let value = host.programs.systemctl(&["show", UNIT, &format!("--property={name}"), "--value"]).await?;
    Ok(value.trim().to_owned())
}
