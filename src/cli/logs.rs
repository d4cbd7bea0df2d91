//! `adit logs`

use std::{collections::BTreeSet, num::NonZeroU16};

use clap::Args;
use jiff::Timestamp;

use super::{
    Context, Ending, Failure, Output,
    arguments::count,
    completion,
    follow::{Resumable, follow},
    render::{json_line, plain},
    when::When,
};
use crate::control::{
    Client, Follow, Trouble,
    api::{Followed, LogLine},
};

/// Show what a tunnel's connectors write
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit logs web\n  adit logs -f web --replica 1\n  adit logs web --since 1h30m -o json")]
pub(super) struct Arguments {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    tunnel: String,
    /// Go on with every line as it is written, also over a restart of the daemon. As JSON, each is a line of its own then.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines. [default: 100]
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = count)]
    lines: Option<NonZeroU16>,
    /// Only those of this replica, counted from 0.
    #[arg(long, value_name = "NUMBER")]
    replica: Option<u8>,
    /// Only those since then: a duration back from now (1h30m, 7d), a time or a date in UTC, today or yesterday. Of the last 10,000
    /// lines, unless --lines says how many.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    since: Option<When>,
}

/// The most lines that the daemon gives at once.
const LINES_MAX: u16 = 10_000;

/// How many lines are shown when nobody says how many or since when.
const LINES_SHOWN: u16 = 100;

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Arguments { tunnel, follow: follows, lines, replica, since } = arguments;
    let from = since.map(|since| since.timestamp(context.terminal.now()));
    let lines = lines.map_or(if from.is_some() { LINES_MAX } else { LINES_SHOWN }, NonZeroU16::get);
    let mut query = vec![("lines", lines.to_string())];
    query.extend(replica.map(|replica| ("replica", replica.to_string())));
    if follows {
        check_replica(&tunnel, replica, context).await?;
        return follow(&mut Lines { tunnel, query, from, last: None }, context).await;
    }
    let mut lines = context.client.logs(&tunnel, &query).await?;
    if lines.is_empty() {
        check_replica(&tunnel, replica, context).await?;
    }
    lines.retain(|line| from.is_none_or(|from| line.at >= from));
    match context.output {
        Output::Json => context.terminal.print_json(&lines)?,
        Output::Table => context.terminal.print(&lines.iter().map(render).collect::<String>())?,
    }
    Ok(Ending::Fine)
}

/// A replica that is not there and of which no line is kept is a slip.
async fn check_replica(tunnel: &str, replica: Option<u8>, context: &Context<'_>) -> Result<(), Failure> {
    let Some(replica) = replica else { return Ok(()) };
    let query = [("lines", LINES_MAX.to_string()), ("replica", replica.to_string())];
    if !context.client.logs(tunnel, &query).await?.is_empty() {
        return Ok(());
    }
    let found = context.client.tunnel(tunnel).await?.tunnel;
    let there: BTreeSet<u8> = (0..found.replicas).chain(found.connectors.iter().map(|connector| connector.replica)).collect();
    if there.contains(&replica) {
        return Ok(());
    }
    let message = format!("cannot show lines of replica {replica} of tunnel {tunnel:?}: there is no such replica");
    let all: Vec<String> = there.iter().map(u8::to_string).collect();
    Err(Failure::new(Ending::Failed, message).with_hint(format!("they are counted from 0, and it has {}", all.join(", "))))
}

/// The lines of a tunnel, followed.
struct Lines {
    tunnel: String,
    query: Vec<(&'static str, String)>,
    /// Earlier lines are not shown.
    from: Option<Timestamp>,
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
                if self.from.is_some_and(|from| line.at < from) {
                    return Ok(());
                }
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
