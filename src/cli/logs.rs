//! `adit logs`

use std::num::NonZeroU16;

use clap::Args;

use super::{
    Context, Ending, Failure, Output,
    follow::{Resumable, follow},
    render::{json_line, plain},
};
use crate::control::{
    Client, Follow, Trouble,
    api::{Followed, LogLine},
};

/// Show what a tunnel's connectors write
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit logs web\n  adit logs -f web --replica 1")]
pub(super) struct Arguments {
    /// The tunnel's name.
    tunnel: String,
    /// Go on with every line as it is written, also over a restart of the daemon. As JSON, each is a line of its own then.
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
        let mut lines = Lines { tunnel: arguments.tunnel, query, last: None };
        return follow(&mut lines, context).await;
    }
    let lines = context.client.logs(&arguments.tunnel, &query).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&lines)?,
        Output::Table => context.terminal.print(&lines.iter().map(render).collect::<String>())?,
    }
    Ok(Ending::Fine)
}

/// The lines of a tunnel, followed.
struct Lines {
    tunnel: String,
    query: Vec<(&'static str, String)>,
    /// The number of the last line that was shown: the next daemon goes on behind it.
    last: Option<u64>,
}

impl Resumable for Lines {
    type Item = LogLine;

    async fn open(&mut self, client: &Client) -> Result<Follow<LogLine>, Trouble> {
        let mut query = self.query.clone();
        query.extend(self.last.map(|last| ("since", last.to_string())));
        client.follow_logs(&self.tunnel, &query).await
    }

    fn show(&mut self, next: Followed<LogLine>, context: &mut Context<'_>) -> Result<(), Failure> {
        match next {
            Followed::Item(line) => {
                self.last = Some(line.id);
                context.terminal.print(&match context.output {
                    Output::Json => json_line(&line),
                    Output::Table => render(&line),
                })
            }
            Followed::Missed(count) => {
                context.terminal.tell(&format!("{count} lines were left out: the log store does not reach back so far"));
                Ok(())
            }
        }
    }
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
