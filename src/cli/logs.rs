//! `adit logs`

use std::num::NonZeroU16;

use clap::Args;

use super::{
    Context, Ending, Failure, Output,
    render::{json_line, plain},
};
use crate::control::api::{Followed, LogLine};

/// Show what a tunnel's connectors write
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit logs web\n  adit logs -f web --replica 1")]
pub(super) struct Arguments {
    /// The tunnel's name.
    tunnel: String,
    /// Go on with every line as it is written. As JSON, each is a line of its own then.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "100")]
    lines: NonZeroU16,
    /// Only those of this replica, counted from 0.
    #[arg(long, value_name = "NUMBER")]
    replica: Option<u8>,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut query = vec![("lines", arguments.lines.to_string())];
    query.extend(arguments.replica.map(|replica| ("replica", replica.to_string())));
    if arguments.follow {
        return follow(&arguments.tunnel, &query, context).await;
    }
    let lines = context.client.logs(&arguments.tunnel, &query).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&lines)?,
        Output::Table => context.terminal.print(&lines.iter().map(render).collect::<String>())?,
    }
    Ok(Ending::Fine)
}

async fn follow(tunnel: &str, query: &[(&str, String)], context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut stream = context.client.follow_logs(tunnel, query).await?;
    while let Some(next) = stream.next().await? {
        match (next, context.output) {
            (Followed::Item(line), Output::Json) => context.terminal.print(&json_line(&line))?,
            (Followed::Item(line), Output::Table) => context.terminal.print(&render(&line))?,
            (Followed::Missed(count), _) => context.terminal.tell(&format!("{count} lines were left out: too slow to read them")),
        }
    }
    context.terminal.tell("the daemon ended the stream");
    Ok(Ending::Attention)
}

fn render(line: &LogLine) -> String {
    format!("{} {} {}\n", line.at.strftime("%FT%T%.3fZ"), line.replica, plain(&line.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_when_which_replica_and_harmless_text() {
        let at = "2026-01-02T03:04:05.6789Z".parse().unwrap();
        let line = LogLine { id: 1, at, replica: 0, text: "\x1b[31mERR\x1b[0m lost".to_owned() };
        assert_eq!(render(&line), "2026-01-02T03:04:05.678Z 0 [31mERR[0m lost\n");
    }
}
