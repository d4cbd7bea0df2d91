//! The `adit` program: one command, its error, its exit code.

use std::{
    ffi::OsString,
    io::Write,
    path::Path,
    pin::{Pin, pin},
    process::ExitCode,
};

use adit::{
    cli::{self, CommandLine, Ending, Runtime, Terminal, Wishes},
    daemon::Environment,
    sandbox::connector,
};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match entry(&arguments) {
        Entry::CommandLine => command_line(arguments),
        Entry::StandIn => connector::main(arguments.into_iter()),
    }
}

/// What this process is to be.
enum Entry {
    /// The command line of a person or a script.
    CommandLine,
    /// The sandbox's stand-in for cloudflared, started by that name.
    StandIn,
}

/// Decides before the command line is read: the stand-in has one of its own.
fn entry(arguments: &[OsString]) -> Entry {
    let program = arguments.first().and_then(|program| Path::new(program).file_name());
    if program.is_some_and(|name| name == connector::PROGRAM) { Entry::StandIn } else { Entry::CommandLine }
}

fn command_line(arguments: Vec<OsString>) -> ExitCode {
    match cli::complete(&arguments, socket()) {
        Ok(false) => {}
        Ok(true) => return exit_code(Ending::Fine),
        // A word to the shell's user, in the middle of typing, would only be in the way.
        Err(_) => return exit_code(Ending::Failed),
    }
    let line = match cli::parse(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Help that nobody reads is no failure.
            let _ = error.print();
            return exit_code(if error.use_stderr() { Ending::Usage } else { Ending::Fine });
        }
    };
    let ending = match run(line) {
        Ok(ending) => ending,
        Err(failure) => {
            let _ = std::io::stderr().write_all(failure.report().as_bytes());
            failure.ending
        }
    };
    exit_code(ending)
}

fn run(line: CommandLine) -> Result<Ending, cli::Failure> {
    #[cfg(debug_assertions)]
    listen_to_failpoints();
    let runtime = match line.runtime() {
        Runtime::Client => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        // One thread would do for the work; the second answers while the first is busy.
        Runtime::Daemon => {
            adit::daemon::be_frugal();
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?
        }
    };
    let mut terminal = Terminal::of_process(wishes());
    // Without its type, of which each way of waiting would have its own copy of the whole program.
    let command: Pin<&mut dyn Future<Output = _>> = pin!(cli::run(line, environment(), &mut terminal));
    let result = runtime.block_on(command);
    // What still runs is of no use to anybody: waiting for it would only keep the caller.
    runtime.shutdown_background();
    result
}

/// The exit code of each ending. They are documented and never change.
fn exit_code(ending: Ending) -> ExitCode {
    ExitCode::from(match ending {
        Ending::Fine => 0,
        Ending::Attention | Ending::Failed => 1,
        Ending::ChangesPending | Ending::Usage => 2,
        Ending::NotReachable => 3,
        Ending::NotPermitted => 4,
        Ending::Conflict => 5,
        // EX_CONFIG of sysexits.h: the unit's RestartPreventExitStatus names it.
        Ending::NothingToRun => 78,
    })
}

/// What the environment says about terminals: `NO_COLOR` with a value (no-color.org), or one that can do nothing but print.
#[expect(clippy::disallowed_methods, reason = "here is where the environment is read")]
fn wishes() -> Wishes {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Wishes { no_color, dumb: std::env::var_os("TERM").is_some_and(|term| term == "dumb") }
}

/// The socket that the environment names.
#[expect(clippy::disallowed_methods, reason = "here is where the environment is read")]
fn socket() -> Option<OsString> {
    std::env::var_os("ADIT_SOCKET")
}

/// A test may end this process between two steps: `ADIT_FAILPOINTS` is the directory where it says when.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "here is where the environment is read")]
fn listen_to_failpoints() {
    if let Some(directory) = std::env::var_os("ADIT_FAILPOINTS") {
        adit::failpoint::listen(directory.into());
    }
}

/// The variables of the process, read once. One that is not UTF-8 is none of those that mean something.
fn environment() -> Environment {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    Environment::new(std::env::vars_os().filter_map(text))
}
