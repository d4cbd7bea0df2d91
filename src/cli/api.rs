//! `adit api …`

use clap::{Args, Subcommand};

use super::{Context, Ending, Failure};
use crate::control;

/// The control socket for programs
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Schema(Schema),
}

/// Print the OpenAPI 3.1 document of the control socket
///
/// It is that of this program and needs no daemon; a daemon serves its own as /v1/openapi.json.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit api schema > adit-openapi.json")]
pub(super) struct Schema {}

pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::Schema(Schema {}) => context.terminal.print_json(control::openapi()).map(|()| Ending::Fine),
    }
}
