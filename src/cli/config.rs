//! `adit config …`

use std::path::Path;

use clap::{Args, Subcommand};

use super::{Context, Ending, Failure, Output, arguments::Files, render::plain_lines};
use crate::{
    config::{self, Config, Problem, Severity},
    config_files,
    control::{self, api::Change},
    counted::counted,
};

/// Check and show the configuration, or have it read again
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(Check),
    Show(Show),
    Schema(Schema),
    Reload(Reload),
}

/// Check the configuration's files and report every mistake at once
///
/// It needs no daemon and asks nobody. Besides the files it looks whether the control socket can stand where it should.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit config check\n  adit config check --config ./adit.toml")]
pub(super) struct Check {
    #[command(flatten)]
    files: Files,
}

/// Show the configuration with every default filled in
///
/// Without --config it is the one that is in force, from the daemon; with it, the one that the file and its conf.d make.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit config show\n  adit config show --config ./adit.toml")]
pub(super) struct Show {
    /// Read this file and conf.d beside it, without a daemon.
    #[arg(long = "config", value_name = "FILE")]
    main: Option<std::path::PathBuf>,
}

/// Print the JSON Schema of the configuration, for editors
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit config schema > adit.schema.json")]
pub(super) struct Schema {}

/// Have the daemon read the configuration's files again
///
/// When they are bad, the configuration in force stays.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit config check && adit config reload")]
pub(super) struct Reload {}

pub(super) async fn run(command: Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::Check(arguments) => check(&arguments, context),
        Command::Show(Show { main: Some(main) }) => show_files(&Files { main }, context),
        Command::Show(Show { main: None }) => show_in_force(context).await,
        Command::Schema(_) => context.terminal.print_json(&config::schema()).map(|()| Ending::Fine),
        Command::Reload(_) => reload(context).await,
    }
}

fn check(arguments: &Check, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let sources = config_files::read(&arguments.files.main).map_err(Failure::of)?;
    let (problems, fit) = match config::parse(&sources) {
        Ok(config) => {
            let place = misplaced(&config, &arguments.files.main);
            let fit = place.is_none();
            (config.warnings.into_iter().chain(place).collect(), fit)
        }
        Err(problems) => (problems.0, false),
    };
    match context.output {
        Output::Json => context.terminal.print_json(&problems)?,
        Output::Table => {
            let text: String = problems.iter().map(|problem| plain_lines(&problem.to_string())).collect();
            context.terminal.print(&text)?;
        }
    }
    let verdict = match (fit, problems.len()) {
        (true, 0) => "no mistakes".to_owned(),
        (true, count) => format!("can be used, with {}", counted(count, "warning")),
        (false, count) => format!("cannot be used, {}", counted(count, "problem")),
    };
    context.terminal.tell(&format!("{}: {verdict}", counted(sources.len(), "file")));
    Ok(if fit { Ending::Fine } else { Ending::Failed })
}

/// What the grammar cannot know: whether the socket can stand where it should. The default is as good a reason as a line of the files.
fn misplaced(config: &Config, main: &Path) -> Option<Problem> {
    let error = control::check_file_system(&config.daemon.runtime_dir, &config.control.socket).err()?;
    Some(Problem {
        path: main.to_owned(),
        line: 1,
        column: 1,
        key: "control.socket".to_owned(),
        severity: Severity::Error,
        message: error.to_string(),
        help: None,
    })
}

fn show_files(files: &Files, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let sources = config_files::read(&files.main).map_err(Failure::of)?;
    let config: Config = config::parse(&sources).map_err(|problems| {
        let message = format!("cannot show {:?}: it has {}", files.main, counted(problems.0.len(), "problem"));
        Failure::new(Ending::Failed, message).with_hint("\"adit config check\" shows each")
    })?;
    match context.output {
        Output::Json => context.terminal.print_json(&config)?,
        Output::Table => context.terminal.print(&plain_lines(&config::show(&config)))?,
    }
    Ok(Ending::Fine)
}

async fn show_in_force(context: &mut Context<'_>) -> Result<Ending, Failure> {
    let configuration = context.client.configuration().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&configuration)?,
        Output::Table => {
            let text = toml::to_string(&configuration.value).map_err(Failure::of)?;
            context.terminal.print(&plain_lines(&text))?;
            for problem in &configuration.problems {
                context.terminal.tell(&format!("not in force because of: {problem}"));
            }
        }
    }
    Ok(if configuration.problems.is_empty() { Ending::Fine } else { Ending::Attention })
}

async fn reload(context: &mut Context<'_>) -> Result<Ending, Failure> {
    let reloaded = context.client.reload_configuration().await?;
    match (context.output, reloaded.change) {
        (Output::Json, Change::Accepted | Change::Unchanged) => context.terminal.print_json(&reloaded)?,
        (Output::Table, Change::Accepted) => {
            let tunnels = counted(reloaded.tunnels, "tunnel");
            context.terminal.tell(&format!("accepted: a configuration with {tunnels} is in force"));
        }
        (Output::Table, Change::Unchanged) => context.terminal.tell("nothing to change, the files say what is in force"),
    }
    Ok(Ending::Fine)
}
