//! `adit version`

use clap::Args;

use super::{Context, Ending, Failure, Output, render::plain};
use crate::error_text;

/// Show the version of this program and of the daemon
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit version\n  adit version -o json")]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let own = env!("CARGO_PKG_VERSION");
    // Without a daemon, or without a role there, this program still has a version.
    let daemon = context.client.version().await;
    match context.output {
        Output::Json => {
            let daemon = daemon.as_ref().ok().map(|version| &version.version);
            context.terminal.print_json(&serde_json::json!({ "client": own, "daemon": daemon }))?;
        }
        Output::Table => {
            context.terminal.print(&format!("adit {own}\n"))?;
            match daemon {
                Ok(version) => context.terminal.print(&format!("daemon {}\n", plain(&version.version)))?,
                Err(trouble) => context.terminal.tell(&format!("daemon: {}", error_text::with_causes(&trouble))),
            }
        }
    }
    Ok(Ending::Fine)
}
