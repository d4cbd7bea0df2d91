//! `adit doctor`

mod local;
mod render;

use clap::Args;
use jiff::Timestamp;

use super::{Context, Ending, Failure, Output, arguments::Files, unreachable};
use crate::{
    control::{
        Trouble,
        api::{
            DoctorCheck, DoctorGroup, DoctorReport,
            DoctorResult::{Failure as Failed, Note, Ok as Fine, Warning},
            ErrorKind,
        },
    },
    daemon::Environment,
    doctor::{Advised, check, report},
    error_text,
};

/// Look at the host, the daemon, cloudflared, the network and the tokens, and say what should be done
///
/// It works while the daemon is down, too: then it looks with your own rights. The daemon tries its tokens, which takes some ten
/// calls of each account's rate limit, and the way to Cloudflare's edge; `--offline` leaves both out. Ends with 0 when nothing
/// should be done (notes are fine), and with 1 when something wants to be looked at.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  adit doctor\n  adit doctor --verbose\n  adit doctor -o json | jq '.checks[] | select(.result != \"ok\")'"
)]
pub(super) struct Arguments {
    /// Ask nobody outside of this host.
    #[arg(long)]
    offline: bool,
    /// Show what is in order as well.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    files: Files,
}

pub(super) async fn run(arguments: Arguments, environment: &Environment, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let online = !arguments.offline;
    let (mut checks, answers) = match context.client.version().await {
        Ok(daemon) => (local::versions(&daemon.version), true),
        Err(trouble) => (vec![socket(&trouble)], false),
    };
    let (mut calls, mut at) = (0, Timestamp::now());
    let asked = if answers { Some(context.client.doctor(online).await) } else { None };
    let by_daemon = match asked {
        Some(Ok(found)) => {
            (calls, at) = (found.api_calls, found.at);
            checks.extend(found.checks);
            true
        }
        Some(Err(trouble)) => {
            checks.push(refused(&trouble));
            false
        }
        None => false,
    };
    checks.extend(local::unit(answers).await);
    checks.extend(local::files(&arguments.files.main));
    if !by_daemon {
        // What the daemon would look at better, as far as the caller sees it.
        checks.extend(local::host(&arguments.files.main, environment, online).await);
    }
    let report = report(at, calls, checks);
    match context.output {
        Output::Json => context.terminal.print_json(&report)?,
        Output::Table => {
            let text = render::report(&report, arguments.verbose, context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(ending(&report))
}

fn ending(report: &DoctorReport) -> Ending {
    if report.checks.iter().any(|check| check.result.wants_attention()) { Ending::Attention } else { Ending::Fine }
}

/// What it means that nobody answers at the socket.
fn socket(trouble: &Trouble) -> DoctorCheck {
    let (result, sentence, action) = match trouble {
        Trouble::NotReachable { socket, source } => (Failed, error_text::with_causes(trouble), unreachable::hint(socket, source)),
        Trouble::Refused(error) if error.kind == ErrorKind::NotPermitted => (
            Note,
            "the daemon answers, and you have no role there".to_owned(),
            "`adit whoami` shows who you are to it".to_owned(),
        ),
        Trouble::Refused(_) | Trouble::Broken { .. } | Trouble::Slow { .. } => {
            let sentence = format!("the daemon does not answer as it should: {}", error_text::with_causes(trouble));
            (Warning, sentence, "journalctl -u adit -n 50 may say why".to_owned())
        }
    };
    check(DoctorGroup::Daemon, "socket", result, sentence).advised(action)
}

/// What it means that the daemon does not look for the caller.
fn refused(trouble: &Trouble) -> DoctorCheck {
    match trouble {
        Trouble::Refused(error) if error.kind == ErrorKind::NotPermitted => {
            check(DoctorGroup::Daemon, "daemon-checks", Note, "what only the daemon sees needs role \"operator\"")
                .advised("`adit whoami` shows what you may; run it as root for everything")
        }
        Trouble::Refused(_) | Trouble::NotReachable { .. } | Trouble::Broken { .. } | Trouble::Slow { .. } => check(
            DoctorGroup::Daemon,
            "daemon-checks",
            Warning,
            format!("the daemon did not look: {}", error_text::with_causes(trouble)),
        )
        .advised("try again; journalctl -u adit -n 50 may say why"),
    }
}

/// The check that the daemon answers.
fn answers(sentence: String) -> DoctorCheck {
    check(DoctorGroup::Daemon, "socket", Fine, sentence)
}
