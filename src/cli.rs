//! The command line: one file for each command, and rendering of values into tables or JSON.
//!
//! A command is arguments, a call or two of the daemon, and a pure rendering of the answer. Data goes to stdout, words for people
//! to stderr. How it went is an [`Ending`], which `main` turns into the exit code.

mod api;
mod apply;
mod arguments;
mod audit;
mod cloudflared;
mod completion;
mod config;
mod confirm;
mod credential;
mod daemon;
mod daemon_cleanup;
mod definition;
mod demo;
mod diagnose;
mod doctor;
mod ending;
mod events;
mod export;
mod follow;
mod gc;
mod identity;
mod import;
mod logs;
mod man;
mod mcp;
mod operation;
mod plan;
mod programs;
mod render;
mod route;
mod sandbox;
mod setup;
mod status;
mod terminal;
mod top;
mod tunnel;
mod unreachable;
mod version;
mod wait;
mod watch;
mod when;
mod whoami;

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{control::Client, daemon::Environment};

pub use completion::complete;
pub use daemon::Arguments as DaemonArguments;
pub use demo::Arguments as DemoArguments;
pub use ending::{Ending, Failure};
pub use terminal::{Terminal, Wishes};

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "adit", about, long_about = LONG_ABOUT, after_help = AFTER_HELP, version, max_term_width = 100)]
pub struct CommandLine {
    /// The daemon's control socket.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "PATH", env = "ADIT_SOCKET", hide_env_values = true)]
    #[arg(default_value = DEFAULT_SOCKET, value_hint = clap::ValueHint::FilePath)]
    socket: PathBuf,
    /// How data is printed: for people, or as the control socket's own JSON, whose names are stable.
    #[arg(short, long, global = true, help_heading = EVERYWHERE, value_name = "table|json", value_enum)]
    #[arg(default_value_t = Output::Table, hide_possible_values = true)]
    output: Output,
    /// Whether states have colours: as the terminal and NO_COLOR say, or always, or never.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "auto|always|never", value_enum)]
    #[arg(default_value_t = Colour::Auto, hide_possible_values = true)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs: the control socket's own JSON, whose names are stable.
    Json,
}

/// When states have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal that has them, unless NO_COLOR is set.
    Auto,
    /// Also in files and pipes.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Daemon(daemon::Arguments),
    #[command(hide = true)]
    DaemonCleanup(daemon_cleanup::Arguments),
    Demo(demo::Arguments),
    #[command(hide = true)]
    Sandbox(sandbox::Arguments),
    Setup(setup::Arguments),
    Status(status::Arguments),
    #[command(subcommand)]
    Tunnel(tunnel::Command),
    #[command(subcommand)]
    Route(route::Command),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Import(import::Arguments),
    Export(export::Arguments),
    Gc(gc::Arguments),
    Doctor(doctor::Arguments),
    Diagnose(diagnose::Arguments),
    Logs(logs::Arguments),
    Events(events::Arguments),
    Audit(audit::Arguments),
    #[command(subcommand)]
    Api(api::Command),
    #[command(subcommand)]
    Operation(operation::Command),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Credential(credential::Command),
    Identity(identity::Arguments),
    Mcp(mcp::Arguments),
    Whoami(whoami::Arguments),
    Top(top::Arguments),
    Version(version::Arguments),
    Completion(completion::Arguments),
    Man(man::Arguments),
}

/// Which runtime a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// One thread, which is there at once: for clients.
    Client,
    /// Several threads: for the daemon.
    Daemon,
}

/// What a command has at hand.
struct Context<'a> {
    client: Client,
    output: Output,
    terminal: &'a mut Terminal,
}

/// Reads the arguments of the process.
///
/// # Errors
///
/// When they cannot be understood, and when they ask for help, which is the error's text then.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, clap::Error> {
    CommandLine::try_parse_from(arguments)
}

/// Runs one command to its end. `environment` is for the daemon and what its unit runs beside it; every other command may be given
/// an empty one.
///
/// # Errors
///
/// When it did not do what was asked for. A reader that went away, such as `head`, is fine.
pub async fn run(line: CommandLine, environment: Environment, terminal: &mut Terminal) -> Result<Ending, Failure> {
    match line.color {
        Colour::Auto => {}
        Colour::Always => terminal.force_colour(true),
        Colour::Never => terminal.force_colour(false),
    }
    let mut context = Context { client: Client::new(line.socket), output: line.output, terminal };
    let result = match line.command {
        Command::Daemon(arguments) => daemon::run(arguments, environment, &mut context).await,
        Command::DaemonCleanup(arguments) => daemon_cleanup::run(arguments, &environment, &mut context).await,
        Command::Demo(arguments) => demo::run(arguments, &environment, &mut context).await,
        Command::Sandbox(arguments) => sandbox::run(arguments, &mut context).await,
        Command::Setup(arguments) => setup::run(arguments, &environment, &mut context).await,
        Command::Status(arguments) => status::run(arguments, &mut context).await,
        Command::Tunnel(command) => tunnel::run(command, &mut context).await,
        Command::Route(command) => route::run(command, &mut context).await,
        Command::Plan(arguments) => plan::run(arguments, &mut context).await,
        Command::Apply(arguments) => apply::run(arguments, &mut context).await,
        Command::Import(arguments) => import::run(arguments, &environment, &mut context).await,
        Command::Export(arguments) => export::run(arguments, &mut context).await,
        Command::Gc(arguments) => gc::run(arguments, &mut context).await,
        Command::Doctor(arguments) => doctor::run(arguments, &environment, &mut context).await,
        Command::Diagnose(arguments) => diagnose::run(arguments, &mut context).await,
        Command::Logs(arguments) => logs::run(arguments, &mut context).await,
        Command::Events(arguments) => events::run(arguments, &mut context).await,
        Command::Api(command) => api::run(&command, &mut context),
        Command::Audit(arguments) => audit::run(arguments, &mut context).await,
        Command::Operation(command) => operation::run(command, &mut context).await,
        Command::Config(command) => config::run(command, &mut context).await,
        Command::Credential(command) => credential::run(command, &mut context).await,
        Command::Identity(arguments) => identity::run(arguments, &mut context).await,
        Command::Mcp(arguments) => mcp::run(arguments, &mut context).await,
        Command::Whoami(arguments) => whoami::run(arguments, &mut context).await,
        Command::Top(arguments) => top::run(arguments, &environment, &mut context).await,
        Command::Version(arguments) => version::run(arguments, &mut context).await,
        Command::Completion(arguments) => completion::run(&arguments, &mut context),
        Command::Man(arguments) => man::run(&arguments, &mut context),
    };
    match result {
        Err(failure) if failure.is_reader_gone() => Ok(Ending::Fine),
        Ok(_) | Err(_) => result,
    }
}

impl CommandLine {
    /// Which runtime the command needs.
    pub fn runtime(&self) -> Runtime {
        match self.command {
            Command::Daemon(_) | Command::Demo(_) | Command::Sandbox(_) => Runtime::Daemon,
            Command::DaemonCleanup(_)
            | Command::Setup(_)
            | Command::Status(_)
            | Command::Tunnel(_)
            | Command::Route(_)
            | Command::Plan(_)
            | Command::Apply(_)
            | Command::Import(_)
            | Command::Export(_)
            | Command::Gc(_)
            | Command::Doctor(_)
            | Command::Diagnose(_)
            | Command::Logs(_)
            | Command::Events(_)
            | Command::Api(_)
            | Command::Audit(_)
            | Command::Operation(_)
            | Command::Config(_)
            | Command::Credential(_)
            | Command::Identity(_)
            | Command::Mcp(_)
            | Command::Whoami(_)
            | Command::Top(_)
            | Command::Version(_)
            | Command::Completion(_)
            | Command::Man(_) => Runtime::Client,
        }
    }
}

/// Where the daemon listens unless its configuration says otherwise.
const DEFAULT_SOCKET: &str = "/run/adit/adit.sock";

/// What the options of every command stand under.
const EVERYWHERE: &str = "Options of every command";

const LONG_ABOUT: &str = "\
The control plane for Cloudflare Tunnels on a Linux host.

One daemon (`adit daemon`, run by systemd) makes tunnels at Cloudflare, leads hostnames to them, runs and watches a cloudflared \
for each connector, and restarts what fails. Every other command asks that daemon over its socket; what you may is decided by \
your Unix user and groups (`adit whoami`).";

const AFTER_HELP: &str = "\
Examples:
  adit demo                                  see it work: no account, no root, no network
  adit status                                everything at one look
  adit tunnel create web --hostname app.example.com --service http://localhost:8080 --wait
  adit plan                                  what would change, and why
  adit logs -f web                           what its connectors write

Exit codes:
  0 fine   1 failed, or something to look at   2 wrong usage, or changes pending (plan, --plan)
  3 daemon not reachable   4 not permitted   5 conflict or hold";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn no_flag_takes_a_secret() {
        fn flags(command: &clap::Command, names: &mut Vec<String>) {
            names.extend(command.get_arguments().map(|argument| argument.get_id().to_string()));
            command.get_subcommands().for_each(|command| flags(command, names));
        }
        let mut names = Vec::new();
        flags(&CommandLine::command(), &mut names);
        let secret = |name: &String| ["token", "secret", "password", "key"].iter().any(|word| name.contains(word));
        assert_eq!(names.iter().find(|name| secret(name)), None);
    }

    #[test]
    fn only_the_daemon_and_the_demo_need_more_than_one_thread() {
        let runtime = |arguments: &[&str]| CommandLine::try_parse_from(arguments).unwrap().runtime();
        assert_eq!(runtime(&["adit", "daemon"]), Runtime::Daemon);
        assert_eq!(runtime(&["adit", "status"]), Runtime::Client);
    }
}
