//! `adit completion`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CommandLine, Context, Ending, Failure};

/// Print the completion of a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit completion bash > /etc/bash_completion.d/adit")]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "adit", &mut script);
    context.terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Fine)
}
