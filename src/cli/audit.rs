//! `adit audit`

use std::num::NonZeroU16;

use clap::Args;
use jiff::Timestamp;

use super::{
    Context, Ending, Failure, Output,
    arguments::count,
    completion,
    follow::{Query, Resumable, behind, follow},
    render::{Cell, Look, Table, Tone, json_line, plain, stamp},
    when::When,
};
use crate::control::{
    Client, Follow, Trouble,
    api::{AuditEntry, Followed},
};

/// Show who changed what, and who was refused to
///
/// Every change that was asked for over the socket is kept, done or refused, and so is what the daemon took from its files after a
/// SIGHUP or at its start. The log is /var/lib/adit/audit.jsonl with some older files beside it; reading it here takes an admin.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit audit --since 7d
  adit audit -f --refused
  adit audit --tunnel web --verb stop -n 1
  adit audit --who alice -o json")]
pub(super) struct Arguments {
    /// Go on with every entry as it is written, also over a restart of the daemon. As JSON, each is a line of its own then.
    #[arg(short, long)]
    follow: bool,
    /// Only those since then: a duration back from now (1h30m, 7d), a time or a date in UTC, today or yesterday.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    since: Option<When>,
    /// Only those before then, in the same words.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    until: Option<When>,
    /// Only those of this user, by name or uid.
    #[arg(long, value_name = "USER")]
    who: Option<String>,
    /// Only those of this tunnel.
    #[arg(long, value_name = "TUNNEL", add = completion::tunnels())]
    tunnel: Option<String>,
    /// Only this: create, update, delete, start, stop, restart, apply, reload, ….
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,
    /// Only what was refused.
    #[arg(long)]
    refused: bool,
    /// How many, at most: the newest.
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = count, default_value = "100")]
    limit: NonZeroU16,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let query = query(&arguments, context.terminal.now());
    if arguments.follow {
        return follow(&mut Entries { query, last: None }, context).await;
    }
    let entries = context.client.audited(&query).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&entries)?,
        Output::Table if entries.is_empty() => context.terminal.tell("nothing of the kind is in the audit log"),
        Output::Table => {
            let text = render(&entries, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(Ending::Fine)
}

fn query(arguments: &Arguments, now: Timestamp) -> Query {
    let time = |when: &When| when.timestamp(now).to_string();
    let texts = [
        ("from", arguments.since.as_ref().map(time)),
        ("until", arguments.until.as_ref().map(time)),
        ("who", arguments.who.clone()),
        ("tunnel", arguments.tunnel.clone()),
        ("verb", arguments.verb.clone()),
        ("refused", arguments.refused.then(|| "true".to_owned())),
    ];
    let given = texts.into_iter().filter_map(|(key, text)| Some((key, text?)));
    given.chain([("limit", arguments.limit.to_string())]).collect()
}

/// The entries, followed.
struct Entries {
    query: Query,
    /// The last one that was shown.
    last: Option<u64>,
}

impl Resumable for Entries {
    type Item = AuditEntry;

    async fn open(&mut self, client: &Client) -> Result<Follow<AuditEntry>, Trouble> {
        client.follow_audited(&behind(self.last, &self.query)).await
    }

    fn show(&mut self, next: Followed<AuditEntry>, context: &mut Context<'_>) -> Result<(), Failure> {
        let look = context.terminal.look;
        match (next, context.output) {
            (Followed::Item(entry), output) => {
                self.last = Some(entry.id);
                let text = if output == Output::Json { json_line(&entry) } else { line(&entry, look) };
                context.terminal.print(&text)
            }
            (Followed::Missed(count), _) => {
                context.terminal.tell(&format!("{count} entries were left out: too slow to read them"));
                Ok(())
            }
        }
    }
}

fn render(entries: &[AuditEntry], now: Timestamp, look: Look) -> String {
    let table = Table::new(["WHEN", "WHO", "ROLE", "DID", "TUNNEL", "OBJECT", "BEFORE", "AFTER", "RESULT"]);
    let mut table = table.expending(&["BEFORE", "AFTER", "ROLE", "OBJECT"]);
    for entry in entries {
        table.row([
            Cell::new(look.ago_in_column(entry.at, now)),
            Cell::new(&entry.who),
            Cell::maybe(entry.role.as_ref()),
            Cell::new(&entry.verb),
            Cell::maybe(entry.tunnel.as_ref()),
            Cell::maybe(entry.object.as_ref()),
            Cell::maybe(entry.before.as_deref().map(short)),
            Cell::maybe(entry.after.as_deref().map(short)),
            Cell::toned(result(entry), tone(entry)),
        ]);
    }
    table.render(look)
}

/// One entry as one line: a table cannot know its widths before its last row.
fn line(entry: &AuditEntry, look: Look) -> String {
    let about = [&entry.tunnel, &entry.object].into_iter().flatten().map(|text| format!(" {}", plain(text)));
    let about: String = about.collect();
    let result = tone(entry).paint(&plain(&result(entry)), look);
    format!("{} {}: {}{about}: {result}\n", stamp(entry.at), plain(&entry.who), plain(&entry.verb))
}

fn result(entry: &AuditEntry) -> String {
    let reason = entry.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let left_out = entry.left_out.map(|count| format!("; {count} more were left out")).unwrap_or_default();
    format!("{}{reason}{left_out}", entry.result)
}

fn tone(entry: &AuditEntry) -> Tone {
    if entry.is_refused() { Tone::Bad } else { Tone::Good }
}

/// As much of a hash as tells two versions apart for a person.
fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> AuditEntry {
        serde_json::from_value(serde_json::json!({
            "id": 7, "at": "2026-01-02T03:04:05Z", "who": "ada", "uid": 1000, "pid": 1, "role": "editor", "needed": "editor",
            "verb": "add route", "tunnel": "web", "object": "app.example.com", "result": "done",
            "before": "0123456789abcdef", "after": "fedcba9876543210",
        }))
        .unwrap()
    }

    #[test]
    fn an_entry_shows_who_did_what_to_what() {
        let look = Look { colour: false, width: None };
        let refused = AuditEntry {
            result: "not_permitted".to_owned(),
            reason: Some("no\u{1b}[31m role".to_owned()),
            left_out: Some(3),
            ..entry()
        };
        assert_eq!(line(&entry(), look), "2026-01-02T03:04:05Z ada: add route web app.example.com: done\n");
        let told = "2026-01-02T03:04:05Z ada: add route web app.example.com: not_permitted (no[31m role); 3 more were left out\n";
        assert_eq!(line(&refused, look), told);
        let table = "\
WHEN                  WHO  ROLE    DID        TUNNEL  OBJECT           BEFORE    AFTER     RESULT
2026-01-02T03:04:05Z  ada  editor  add route  web     app.example.com  01234567  fedcba98  done
";
        let now = "2026-01-02T03:09:05Z".parse().unwrap();
        assert_eq!(render(&[entry()], now, look), table);
        let narrow = Look { colour: false, width: Some(40) };
        let table = "\
WHEN    WHO  DID        TUNNEL  RESULT\n5m ago  ada  add route  web     done\n";
        assert_eq!(render(&[entry()], now, narrow), table);
    }

    #[test]
    fn a_time_is_typed_as_for_every_other_command() {
        #[derive(Debug, clap::Parser)]
        struct Typed {
            #[command(flatten)]
            arguments: Arguments,
        }
        let typed = <Typed as clap::Parser>::try_parse_from(["audit", "--since", "yesterday", "--until", "2h"]).unwrap();
        let query = query(&typed.arguments, "2026-01-02T03:04:05Z".parse().unwrap());
        let time = |key: &str| query.iter().find(|(other, _)| *other == key).map(|(_, time)| time.as_str());
        assert_eq!(time("from"), Some("2026-01-01T00:00:00Z"));
        assert_eq!(time("until"), Some("2026-01-02T01:04:05Z"));
    }
}
