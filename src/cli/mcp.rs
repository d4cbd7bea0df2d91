//! `adit mcp`

use std::io::{self, IsTerminal};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::{Context, Ending, Failure};
use crate::{
    config::{Pattern, Role},
    mcp::{self, Limits, role_of_word},
};

/// Let a model look after tunnels: a Model Context Protocol server on stdin and stdout
///
/// It may what you may, and by its role less. Whatever changes something shows first what it would do, and does exactly that when it
/// is called again with the hash of what was shown. A client starts it, from its own configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  adit mcp --role operator --tunnels 'web-*'

A client starts it, such as with this configuration:
  { \"mcpServers\": { \"adit\": { \"command\": \"adit\", \"args\": [\"mcp\", \"--role\", \"operator\"] } } }")]
pub(super) struct Arguments {
    /// Offer only what this role may.
    #[arg(long, value_name = "viewer|operator|editor|admin", default_value = "viewer", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(["viewer", "operator", "editor", "admin"]).map(|word| {
        role_of_word(&word).expect("these are the words of the roles")
    }))]
    role: Role,
    /// Show and change only tunnels whose name is like this; * stands for any text, ? for one character.
    #[arg(long, value_name = "PATTERN")]
    tunnels: Option<Pattern>,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    if io::stdin().is_terminal() {
        context
            .terminal
            .tell("this speaks JSON-RPC on stdin and stdout: a client starts it (adit mcp --help shows how); Ctrl-D ends it");
    }
    let limits = Limits { role: arguments.role, tunnels: arguments.tunnels };
    mcp::serve(context.client.clone(), limits).await.map_err(Failure::of)?;
    Ok(Ending::Fine)
}
