//! `adit events`

use std::num::NonZeroU16;

use clap::Args;

use super::{
    Context, Ending, Failure, Output,
    arguments::count,
    completion,
    follow::{Query, READ_MAX, Resumable, behind, follow},
    render::{Look, Tone, json_line, plain, stamp},
    when::When,
};
use crate::{
    control::{
        Client, Follow, Trouble,
        api::{Event, Followed},
    },
    event_kind::EventKind,
    suggestion::nearest,
};

/// Show what happened, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit events --since 1h
  adit events -f --tunnel web
  adit events --kind connector-exited --since 7d
  adit events --since 2026-01-02T03:04:05Z -o json")]
pub(super) struct Arguments {
    /// Go on with every event as it happens, also over a restart of the daemon. As JSON, each is a line of its own then.
    #[arg(short, long)]
    follow: bool,
    /// Only those since then: a duration back from now (1h30m, 7d), a time or a date in UTC, today, yesterday, or the id of an event
    /// that was seen.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only those of this tunnel.
    #[arg(long, value_name = "TUNNEL", add = completion::tunnels())]
    tunnel: Option<String>,
    /// Only those of this kind, such as connector-exited.
    #[arg(long, value_name = "KIND", value_parser = kind, add = completion::kinds())]
    kind: Option<EventKind>,
    /// How many, at most: the newest.
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = count, default_value = "100")]
    limit: NonZeroU16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Since {
    Id(u64),
    Time(When),
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Arguments { follow: follows, since, tunnel, kind, limit } = arguments;
    let mut query = Vec::new();
    query.extend(tunnel.as_ref().map(|tunnel| ("tunnel", tunnel.clone())));
    query.extend(since.map(|since| match since {
        Since::Id(id) => ("since", id.to_string()),
        Since::Time(when) => ("from", when.timestamp(context.terminal.now()).to_string()),
    }));
    if follows {
        check_tunnel(tunnel.as_deref(), context).await?;
        query.push(("limit", limit.to_string()));
        return follow(&mut Events { query, kind, last: None }, context).await;
    }
    // The daemon counts before it is known which of them are of the kind.
    query.push(("limit", if kind.is_some() { READ_MAX.to_owned() } else { limit.to_string() }));
    let mut events = context.client.events(&query).await?;
    if events.is_empty() {
        check_tunnel(tunnel.as_deref(), context).await?;
    }
    if let Some(kind) = kind {
        events.retain(|event| event.kind == kind.as_str());
        events.drain(..events.len().saturating_sub(usize::from(limit.get())));
    }
    match context.output {
        Output::Json => context.terminal.print_json(&events)?,
        Output::Table => {
            let (look, now) = (context.terminal.look, context.terminal.now());
            let text: String = events.iter().map(|event| render(event, &look.moment(event.at, now), look)).collect();
            context.terminal.print(&text)?;
        }
    }
    Ok(Ending::Fine)
}

/// A name that no tunnel has and of which nothing is told is a slip, and not a tunnel to which nothing happened.
async fn check_tunnel(tunnel: Option<&str>, context: &Context<'_>) -> Result<(), Failure> {
    let Some(tunnel) = tunnel else { return Ok(()) };
    let of_old = context.client.events(&[("tunnel", tunnel.to_owned()), ("limit", "1".to_owned())]).await?;
    if of_old.is_empty() {
        context.client.tunnel(tunnel).await?;
    }
    Ok(())
}

/// The events, followed.
struct Events {
    query: Query,
    /// Which kind is shown; `None`: every one.
    kind: Option<EventKind>,
    /// The last one that was shown.
    last: Option<u64>,
}

impl Resumable for Events {
    type Item = Event;

    async fn open(&mut self, client: &Client) -> Result<Follow<Event>, Trouble> {
        client.follow_events(&behind(self.last, &self.query)).await
    }

    fn show(&mut self, next: Followed<Event>, context: &mut Context<'_>) -> Result<(), Failure> {
        let look = context.terminal.look;
        match (next, context.output) {
            (Followed::Item(event), output) => {
                self.last = Some(event.id);
                if self.kind.is_some_and(|kind| kind.as_str() != event.kind) {
                    return Ok(());
                }
                // What is followed is looked at later as well: it keeps its time.
                let text = if output == Output::Json { json_line(&event) } else { render(&event, &stamp(event.at), look) };
                context.terminal.print(&text)
            }
            (Followed::Missed(count), _) => {
                context.terminal.tell(&format!("{count} events were left out: too slow to read them"));
                Ok(())
            }
        }
    }
}

fn render(event: &Event, when: &str, look: Look) -> String {
    let subject = &event.subject;
    let subject = match (&subject.tunnel, subject.replica, &subject.account) {
        (Some(tunnel), Some(replica), _) => format!("{tunnel}/{replica}"),
        (Some(tunnel), None, _) => tunnel.clone(),
        (None, _, Some(account)) => account.clone(),
        (None, _, None) => "adit".to_owned(),
    };
    let kind = Tone::of_level(event.level).paint(&plain(&event.kind), look);
    let sentence = plain(&event.sentence);
    format!("{when:<AGE_WIDTH$} {kind} {}: {sentence}\n", plain(&subject))
}

/// The width of most ages, so that what follows them stands in a column.
const AGE_WIDTH: usize = 3;

fn since(text: &str) -> Result<Since, String> {
    match text.parse() {
        Ok(id) => Ok(Since::Id(id)),
        Err(_) => When::parse(text).map(Since::Time).map_err(|why| format!("{why}, or an event's id")),
    }
}

/// The kind of that name, which no event has when it is only a reading.
fn kind(text: &str) -> Result<EventKind, String> {
    let told = || EventKind::ALL.iter().copied().filter(|kind| kind.is_told());
    told().find(|kind| kind.as_str() == text).ok_or_else(|| match nearest(text, told().map(EventKind::as_str)) {
        Some(near) => format!("no event is of that kind; did you mean {near:?}?"),
        None => "no event is of that kind; /usr/share/doc/adit/events.md has them all".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{Level, Subject};

    #[test]
    fn since_is_a_time_or_an_id() {
        assert_eq!(since("17"), Ok(Since::Id(17)));
        assert_eq!(since("yesterday"), Ok(Since::Time(When::Day(1))));
        assert!(since("someday").unwrap_err().ends_with("or an event's id"));
    }

    #[test]
    fn a_kind_is_one_that_an_event_may_have() {
        assert_eq!(kind("connector-exited"), Ok(EventKind::ConnectorExited));
        assert!(kind("conector-exited").unwrap_err().ends_with("did you mean \"connector-exited\"?"));
        assert!(kind("nope").unwrap_err().ends_with("events.md has them all"));
        let reading = EventKind::ALL.iter().find(|kind| !kind.is_told()).unwrap();
        assert!(kind(reading.as_str()).is_err(), "{reading:?} is never told");
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
            render(&event, &stamp(event.at), Look { colour: false, width: None }),
            "2026-01-02T03:04:05Z connector-exited web/1: it was ended by signal 9 after 3 h\n"
        );
    }
}
