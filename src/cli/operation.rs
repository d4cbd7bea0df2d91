//! `adit operation …`

mod watch;

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{
    Context, Ending, Failure, Output, completion,
    render::{self, Cell, Look, Table, Tone, age, plain},
    when::duration,
};
use crate::control::api::{Operation, OperationState};

pub(super) use watch::{Lines, carry_out};

/// Show what goes on in the daemon, and wait for its end
///
/// Whatever takes long goes on as an operation, whoever asked for it and whether or not they still wait. The daemon keeps the last 256
/// for as long as it runs.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  adit operation list --running\n  adit operation wait k3x9m2pq-17 --timeout 10m")]
pub(super) enum Command {
    List(List),
    Show(Show),
    Wait(Wait),
}

/// List what goes on and what ended of late, the newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit operation list --running\n  adit operation list --tunnel web -o json | jq -r '.[].id'")]
pub(super) struct List {
    /// Only what goes on.
    #[arg(long)]
    running: bool,
    /// Only what is about this tunnel.
    #[arg(long, value_name = "NAME", add = completion::tunnels())]
    tunnel: Option<String>,
}

/// Show one operation: how far it is, and what came of it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit operation show k3x9m2pq-17")]
pub(super) struct Show {
    /// The operation's id.
    id: String,
}

/// Wait until an operation has ended, and tell on stderr how far it is
///
/// Ends with 0 when it was done, and with the code of its error when it failed. `adit apply` ends with 5 as well when its plan had
/// nothing to do but to wait; the operation of that one is done.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit operation wait k3x9m2pq-17 --timeout 10m")]
pub(super) struct Wait {
    /// The operation's id.
    id: String,
    /// How long to wait at most.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

pub(super) async fn run(command: Command, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(Show { id }) => {
            let operation = context.client.operation(&id, None).await?;
            show(&operation, context)
        }
        Command::Wait(Wait { id, timeout }) => {
            let operation = context.client.operation(&id, None).await?;
            let operation = watch::until_ended(operation, Lines::All, timeout, context).await?;
            show(&operation, context)
        }
    }
}

async fn list(arguments: List, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let nothing =
        if arguments.running { "nothing of the kind goes on" } else { "nothing of the kind goes on, nor ended of late" };
    let running = arguments.running.then(|| ("state", OperationState::Running.word().to_owned()));
    let tunnel = arguments.tunnel.map(|tunnel| ("tunnel", tunnel));
    let asked: Vec<_> = running.into_iter().chain(tunnel).collect();
    let operations = context.client.operations(&asked).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&operations)?,
        Output::Table if operations.is_empty() => context.terminal.tell(nothing),
        Output::Table => {
            let text = table(&operations, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(Ending::Fine)
}

fn show(operation: &Operation, context: &mut Context<'_>) -> Result<Ending, Failure> {
    match context.output {
        Output::Json => context.terminal.print_json(operation)?,
        Output::Table => {
            let text = detail(operation, context.terminal.now());
            context.terminal.print(&text)?;
        }
    }
    match (operation.state, &operation.error) {
        (OperationState::Failed, Some(error)) => Ok(super::ending::ending(error.kind)),
        (OperationState::Failed, None) => Ok(Ending::Failed),
        (OperationState::Running | OperationState::Done, _) => Ok(Ending::Fine),
    }
}

fn table(operations: &[Operation], now: Timestamp, look: Look) -> String {
    let table = Table::new(["OPERATION", "WHAT", "TUNNEL", "BY", "BEGAN", "STATE", "PROGRESS"]);
    let mut table = table.expending(&["BY", "BEGAN"]);
    for operation in operations {
        let tone = match operation.state {
            OperationState::Running => Tone::Notice,
            OperationState::Done => Tone::Good,
            OperationState::Failed => Tone::Bad,
        };
        table.row([
            Cell::new(&operation.id),
            Cell::new(&operation.kind),
            Cell::maybe(operation.tunnel.as_ref()),
            Cell::new(&operation.by),
            Cell::new(look.ago_in_column(operation.started_at, now)),
            Cell::toned(operation.state.word(), tone),
            Cell::new(how_far(operation)),
        ]);
    }
    table.render(look)
}

/// How far it is, in a line: the step at work, or why it failed.
pub(super) fn how_far(operation: &Operation) -> String {
    let progress = &operation.progress;
    let steps = (progress.total > 0).then(|| format!("{} of {}", progress.done, progress.total));
    let what = match (operation.state, &operation.error) {
        (OperationState::Failed, Some(error)) => Some(error.message.clone()),
        (OperationState::Running, _) => progress.sentence.clone(),
        (OperationState::Done | OperationState::Failed, _) => None,
    };
    steps.into_iter().chain(what).collect::<Vec<_>>().join(": ")
}

fn detail(operation: &Operation, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<10} {}\n", plain(value)));
    line("operation", &operation.id);
    line("what", &operation.kind);
    operation.tunnel.iter().for_each(|tunnel| line("tunnel", tunnel));
    line("by", &operation.by);
    line("began", &format!("{} ago ({})", age(operation.started_at, now), operation.started_at.strftime("%FT%TZ")));
    if let Some(ended_at) = operation.ended_at {
        line("ended", &format!("{} ago ({})", age(ended_at, now), ended_at.strftime("%FT%TZ")));
    }
    line("state", operation.state.word());
    let far = how_far(operation);
    if !far.is_empty() {
        line("progress", &far);
    }
    if let Some(hint) = operation.error.as_ref().and_then(|error| error.hint.as_ref()) {
        line("hint", hint);
    }
    if operation.withheld {
        line("", "what it does and what came of it is for those who may ask for the same");
    }
    if let Some(result) = &operation.result {
        text.push_str(&format!("result\n{}", render::json(result)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{Error, ErrorKind, OperationProgress};

    fn operation() -> Operation {
        Operation {
            id: "k3x9m2pq-17".to_owned(),
            kind: "apply".to_owned(),
            tunnel: None,
            by: "olga".to_owned(),
            started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            ended_at: None,
            state: OperationState::Running,
            progress: OperationProgress { done: 2, total: 8, sentence: Some("+ record \u{1b}[2Ja".to_owned()) },
            result: None,
            error: None,
            withheld: false,
        }
    }

    #[test]
    fn a_row_says_who_does_what_and_how_far_it_is() {
        let look = Look { colour: false, width: None };
        let error = Error::new(ErrorKind::Conflict, "cannot apply plan 1: it is 2 by now");
        let failed = Operation { state: OperationState::Failed, error: Some(error), ..operation() };
        let now = "2026-01-02T03:06:05Z".parse().unwrap();
        let narrow = Look { colour: false, width: Some(40) };
        assert_eq!(
            table(&[operation()], now, narrow),
            "OPERATION    WHAT   STATE    PROGRESS\nk3x9m2pq-17  apply  running  2 of 8: + …\n"
        );
        assert_eq!(
            table(&[operation(), failed], now, look),
            "\
OPERATION    WHAT   BY    BEGAN                 STATE    PROGRESS
k3x9m2pq-17  apply  olga  2026-01-02T03:04:05Z  running  2 of 8: + record [2Ja
k3x9m2pq-17  apply  olga  2026-01-02T03:04:05Z  failed   2 of 8: cannot apply plan 1: it is 2 by now
"
        );
    }

    #[test]
    fn the_detail_has_what_came_of_it() {
        let done = Operation {
            state: OperationState::Done,
            ended_at: Some("2026-01-02T03:05:05Z".parse().unwrap()),
            result: Some(serde_json::json!({ "done": 8 })),
            ..operation()
        };
        let text = detail(&done, "2026-01-02T03:06:05Z".parse().unwrap());
        assert!(text.contains("state      done\nprogress   2 of 8\nresult\n{"), "{text}");
    }
}
