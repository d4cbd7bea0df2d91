//! `adit completion`, and what a shell is answered when it asks for completions.
//!
//! The script that a shell reads once calls this program at every completion, with `COMPLETE` in its environment. Names come from the
//! daemon then, within a bound of time; without a daemon there are none, and verbs, flags and kinds of events are
//! completed all the same.

mod names;

use std::{ffi::OsString, path::Path};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{CompleteEnv, Shell, env::Shells};

use super::{CommandLine, Context, Ending, Failure};

pub(super) use names::{accounts, hostnames, kinds, tunnels};

/// The variable by which a shell asks for completions.
const VARIABLE: &str = "COMPLETE";

/// Print the completion of a shell
///
/// The script completes verbs, flags and values, and the names of tunnels, accounts and hostnames as the daemon has them. The package
/// installs it for bash, zsh and fish.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(adit completion bash)             for this shell
  adit completion bash > /etc/bash_completion.d/adit
  adit completion zsh > /usr/local/share/zsh/site-functions/_adit
  adit completion fish > ~/.config/fish/completions/adit.fish")]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let name = arguments.shell.to_possible_value().expect("no shell is hidden").get_name().to_owned();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).expect("every shell that can be named has a completer");
    let mut script = Vec::new();
    // The program is looked up by its name each time, so that the script outlives where this one happens to be.
    shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    context.terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Fine)
}

/// What the program is called.
const PROGRAM: &str = "adit";

/// Answers a shell that asks for completions, and says whether one did: then there is nothing else to do. Names are asked for at
/// `socket` unless the words to complete name another one.
///
/// # Errors
///
/// When the shell is unknown, or nobody reads the answer.
pub fn complete(arguments: &[OsString], socket: Option<OsString>) -> Result<bool, clap::Error> {
    names::ask_at(names::socket_of(arguments).or(socket));
    let folder = std::env::current_dir().ok();
    let factory = || CommandLine::command().name(PROGRAM);
    CompleteEnv::with_factory(factory).var(VARIABLE).try_complete(arguments, folder.as_deref().map(Path::new))
}
