//! `adit events`

use std::num::NonZeroU16;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Ending, Failure, Output,
    follow::{Resumable, follow},
    render::{Look, Tone, json_line, plain},
};
use crate::control::{
    Client, Follow, Trouble,
    api::{Event, Followed},
};

/// Show what happened, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit events --since 1h
  adit events -f --tunnel web
  adit events --since 2026-01-02T03:04:05Z -o json")]
pub(super) struct Arguments {
    /// Go on with every event as it happens, also over a restart of the daemon. As JSON, each is a line of its own then.
    #[arg(short, long)]
    follow: bool,
    /// Only those since then: a duration back from now, a time, or the id of an event that was seen.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only those of this tunnel.
    #[arg(long, value_name = "TUNNEL")]
    tunnel: Option<String>,
    /// How many, at most: the newest.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "100")]
    limit: NonZeroU16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Since {
    Id(u64),
    Time(Timestamp),
    Ago(SignedDuration),
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut query = vec![("limit", arguments.limit.to_string())];
    query.extend(arguments.tunnel.map(|tunnel| ("tunnel", tunnel)));
    query.extend(arguments.since.map(|since| match since {
        Since::Id(id) => ("since", id.to_string()),
        Since::Time(time) => ("from", time.to_string()),
        Since::Ago(ago) => ("from", (context.terminal.now() - ago).to_string()),
    }));
    if arguments.follow {
        return follow(&mut Events { query, last: None }, context).await;
    }
    let events = context.client.events(&query).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&events)?,
        Output::Table => {
            let look = context.terminal.look;
            context.terminal.print(&events.iter().map(|event| render(event, look)).collect::<String>())?;
        }
    }
    Ok(Ending::Fine)
}

/// The events, followed.
struct Events {
    query: Vec<(&'static str, String)>,
    /// The last one that was shown.
    last: Option<u64>,
}

/// How many events that happened during a break are read: the most that the daemon gives.
const READ_AFTER: &str = "10000";

impl Resumable for Events {
    type Item = Event;

    async fn open(&mut self, client: &Client) -> Result<Follow<Event>, Trouble> {
        let mut query = self.query.clone();
        if let Some(last) = self.last {
            query.retain(|(key, _)| !matches!(*key, "limit" | "since" | "from"));
            query.extend([("limit", READ_AFTER.to_owned()), ("since", last.to_string())]);
        }
        client.follow_events(&query).await
    }

    fn show(&mut self, next: Followed<Event>, context: &mut Context<'_>) -> Result<(), Failure> {
        let look = context.terminal.look;
        match (next, context.output) {
            (Followed::Item(event), output) => {
                self.last = Some(event.id);
                let text = if output == Output::Json { json_line(&event) } else { render(&event, look) };
                context.terminal.print(&text)
            }
            (Followed::Missed(count), _) => {
                context.terminal.tell(&format!("{count} events were left out: too slow to read them"));
                Ok(())
            }
        }
    }
}

fn render(event: &Event, look: Look) -> String {
    let subject = &event.subject;
    let subject = match (&subject.tunnel, subject.replica, &subject.account) {
        (Some(tunnel), Some(replica), _) => format!("{tunnel}/{replica}"),
        (Some(tunnel), None, _) => tunnel.clone(),
        (None, _, Some(account)) => account.clone(),
        (None, _, None) => "adit".to_owned(),
    };
    let kind = Tone::of_level(event.level).paint(&plain(&event.kind), look);
    let sentence = plain(&event.sentence);
    format!("{} {kind} {}: {sentence}\n", event.at.strftime("%FT%TZ"), plain(&subject))
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(id) = text.parse() {
        return Ok(Since::Id(id));
    }
    if let Ok(ago) = text.parse::<SignedDuration>() {
        return if ago.is_negative() { Err("it must not be in the future".to_owned()) } else { Ok(Since::Ago(ago)) };
    }
    let rule = || "it must be a duration such as 1h, a time such as 2026-01-02T03:04:05Z, or an event's id".to_owned();
    text.parse().map(Since::Time).map_err(|_| rule())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{Level, Subject};

    #[test]
    fn since_is_an_age_a_time_or_an_id() {
        assert_eq!(since("17"), Ok(Since::Id(17)));
        assert_eq!(since("1h30m"), Ok(Since::Ago(SignedDuration::from_mins(90))));
        assert!(matches!(since("2026-01-02T03:04:05Z"), Ok(Since::Time(_))));
        assert!(since("yesterday").is_err());
        assert!(since("-1h").is_err());
    }

    #[test]
    fn an_event_shows_when_what_and_of_whom() {
        let event = Event {
            id: 7,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            level: Level::Warn,
            kind: "connector-exited".to_owned(),
            subject: Subject { tunnel: Some("web".to_owned()), replica: Some(1), ..Subject::default() },
            reason: Some("signal".to_owned()),
            sentence: "it was ended by signal 9 after 3 h".to_owned(),
        };
        assert_eq!(
            render(&event, Look { colour: false, width: None }),
            "2026-01-02T03:04:05Z connector-exited web/1: it was ended by signal 9 after 3 h\n"
        );
    }
}
