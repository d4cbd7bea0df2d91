//! The package's unit: whether it is there, and bringing it up with what was written.

use super::{
    Context, Ending, Failure, Output,
    host::{Host, Kind},
    writing::{Done, Written},
};
use crate::{cli::render, doctor::service::UNIT};

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

/// Enables and starts the unit, or has it take over what was written, and waits until it is ready. What was done, in a word.
///
/// # Errors
///
/// When systemd refuses, or the daemon does not get ready.
pub(super) async fn bring_up(
    host: &Host,
    written: &Written,
    done: &mut Done,
    context: &mut Context<'_>,
) -> Result<&'static str, Failure> {
    if !is_run_by_systemd(host) {
        context.terminal.tell(&match host.kind {
            Kind::Service => "systemd does not run this host: start \"adit daemon\" as user adit".to_owned(),
            Kind::OwnDaemon => format!("start it: adit daemon --config {}", host.main.display()),
        });
        return Ok("not started");
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
    let (verb, sentence) = match (runs, written) {
        (true, Written { token: true, .. }) => ("restart", "restarted"),
        (true, Written { token: false, files: true }) => ("reload", "reloaded"),
        (true, Written { token: false, files: false }) => ("", "running already"),
        (false, _) => ("start", "started"),
    };
    if !verb.is_empty() {
        context.terminal.tell(&format!("{verb}ing the service adit, until it is ready"));
        run(&[verb, UNIT]).await?;
    }
    context.terminal.tell(&format!("the service adit is {sentence}"));
    show(context).await?;
    Ok(sentence)
}

/// Tells what would be done.
pub(super) fn would_bring_up(host: &Host, context: &mut Context<'_>) -> Result<&'static str, Failure> {
    if is_run_by_systemd(host) {
        context
            .terminal
            .print("would run: systemctl daemon-reload; systemctl enable adit; systemctl start adit (or restart, or reload)\n")?;
    }
    Ok("left alone")
}

/// Shows what the daemon has to say.
async fn show(context: &mut Context<'_>) -> Result<(), Failure> {
    let status = match context.client.status().await {
        Ok(status) => status,
        Err(trouble) => {
            context.terminal.tell(&format!("the daemon's status cannot be shown: {trouble}"));
            return Ok(());
        }
    };
    match context.output {
        // The summary is the only document.
        Output::Json => Ok(()),
        Output::Table => {
            let text = render::overview(&status, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)
        }
    }
}

fn is_run_by_systemd(host: &Host) -> bool {
    host.kind == Kind::Service && host.has_systemd
}

async fn property(host: &Host, name: &str) -> Result<String, Failure> {
    let value = host.programs.systemctl(&["show", UNIT, &format!("--property={name}"), "--value"]).await?;
    Ok(value.trim().to_owned())
}
