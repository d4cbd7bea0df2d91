//! `adit gc`

use clap::Args;
use jiff::Timestamp;

use super::{
    Context, Ending, Failure, Output,
    arguments::Yes,
    confirm::confirm,
    operation::{Lines, carry_out},
    render::{Cell, Look, Table, Tone, plain},
};
use crate::{
    control::api::{DeletedOrphans, Orphan, Orphans},
    counted::counted,
};

/// Show what is left over at Cloudflare, and delete what is ours of it
///
/// Alone it shows: DNS records with this installation's marker that lead to deleted tunnels; tunnels, load-balancer pools, monitors,
/// private routes and virtual networks of this installation that nothing here knows; and tunnels that left the configuration with what
/// they have. Nothing that is in use is deleted, nor anything without our marker or with that of another installation. What the
/// credential may not read is named, and stays. Each thing is looked at again right before it is deleted. Ends with 0 when nothing is
/// left over, with 1 when something is, and with 5 when nothing is known to be but not everything could be read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  adit gc\n  adit gc --delete 0123456789ab --plan 0123456789abcdef\n  adit gc --plan 0123456789abcdef"
)]
pub(super) struct Arguments {
    /// Delete only these items.
    #[arg(long, value_name = "ITEM", num_args = 1.., requires = "plan")]
    delete: Vec<String>,
    /// Delete from the list with this hash, as "adit gc" shows it; without --delete all that can be deleted. When what is left over
    /// is something else by then, nothing is done (5).
    #[arg(long, value_name = "HASH")]
    plan: Option<String>,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Some(hash) = arguments.plan else { return show(context).await };
    if arguments.delete.is_empty() && !arguments.yes.yes {
        let orphans = context.client.orphans().await?;
        let text = render(&orphans, context.terminal.now(), context.terminal.words_look);
        context.terminal.show(&text);
        // Nobody is asked about a list that was not the one meant.
        if orphans.hash != hash {
            let message =
                format!("cannot delete what {hash} names: what is left over is {} by now (look at it again)", orphans.hash);
            return Err(Failure::new(Ending::Conflict, message));
        }
        let count = orphans.orphans.iter().filter(|orphan| orphan.kept.is_none()).count();
        confirm(context.terminal, false, &format!("Delete the {} that can be deleted", counted(count, "item")))?;
    }
    let begun = context.client.begin_delete_orphans(&hash, &arguments.delete).await?;
    let deleted = carry_out(begun, Lines::None, None, context).await?.result()?;
    match context.output {
        Output::Json => context.terminal.print_json(&deleted)?,
        Output::Table => context.terminal.print(&render_deleted(&deleted))?,
    }
    Ok(if deleted.left.is_empty() { Ending::Fine } else { Ending::Failed })
}

async fn show(context: &mut Context<'_>) -> Result<Ending, Failure> {
    let orphans = context.client.orphans().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&orphans)?,
        Output::Table => {
            let text = render(&orphans, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(match (orphans.orphans.is_empty(), orphans.unread.is_empty()) {
        (true, true) => Ending::Fine,
        (false, _) => Ending::Attention,
        // Nothing can be said of what cannot be looked at.
        (true, false) => Ending::Conflict,
    })
}

/// What was deleted, and what was not.
pub(super) fn render_deleted(deleted: &DeletedOrphans) -> String {
    let left = deleted.left.iter().map(|reason| format!("not deleted: {} ({})\n", plain(&reason.sentence), plain(&reason.code)));
    std::iter::once(format!("{} deleted\n", counted(deleted.deleted.len(), "item"))).chain(left).collect()
}

/// Everything that is left over, and what to do about it.
fn render(orphans: &Orphans, now: Timestamp, look: Look) -> String {
    let mut text = render_list(orphans, now, look);
    let count = orphans.orphans.iter().filter(|orphan| orphan.kept.is_none()).count();
    if count > 0 {
        text.push_str(&format!("{count} can be deleted: adit gc --plan {}\n", plain(&orphans.hash)));
    }
    text
}

/// Everything that is left over.
pub(super) fn render_list(orphans: &Orphans, now: Timestamp, look: Look) -> String {
    let mut text = String::new();
    if orphans.orphans.is_empty() {
        let all = if orphans.unread.is_empty() { "nothing is left over\n" } else { "nothing is known to be left over\n" };
        text.push_str(all);
    } else {
        let mut table = Table::new(["ITEM", "ACCOUNT", "WHAT", "SINCE", "WHY", "STAYS BECAUSE"]).expending(&["ACCOUNT", "SINCE"]);
        for Orphan { item, account, what, why, since, kept, .. } in &orphans.orphans {
            table.row([
                Cell::toned(item, if kept.is_none() { Tone::Bad } else { Tone::Faint }),
                Cell::new(account),
                Cell::new(what),
                Cell::maybe(since.map(|since| look.moment(since, now))),
                Cell::new(why),
                Cell::toned(kept.as_deref().unwrap_or_default(), Tone::Notice),
            ]);
        }
        text.push_str(&table.render(look));
    }
    for why in &orphans.unread {
        text.push_str(&format!("? {}\n", plain(why)));
    }
    for (install, count) in &orphans.other_installations {
        text.push_str(&format!("# {count} things are of another installation of adit ({}) and are left alone\n", plain(install)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_why_and_what_to_do() {
        let orphan = |item: &str, what: &str, kept: Option<&str>| Orphan {
            item: item.to_owned(),
            account: "default".to_owned(),
            kind: "tunnel".to_owned(),
            what: what.to_owned(),
            why: "it is ours".to_owned(),
            since: None,
            kept: kept.map(str::to_owned),
        };
        let orphans = Orphans {
            hash: "0011223344556677".to_owned(),
            orphans: vec![orphan("aabb", "tunnel \"a\u{1b}[2J\"", None), orphan("ccdd", "tunnel \"b\"", Some("in use"))],
            unread: vec!["account default: no answer".to_owned()],
            other_installations: [("zzzzzzzz".to_owned(), 2)].into(),
        };
        assert_eq!(
            render(&orphans, Timestamp::UNIX_EPOCH, Look { colour: false, width: None }),
            "\
ITEM  ACCOUNT  WHAT           WHY         STAYS BECAUSE
aabb  default  tunnel \"a[2J\"  it is ours
ccdd  default  tunnel \"b\"     it is ours  in use
? account default: no answer
# 2 things are of another installation of adit (zzzzzzzz) and are left alone
1 can be deleted: adit gc --plan 0011223344556677
"
        );
        let nothing_seen = Orphans { orphans: Vec::new(), other_installations: Default::default(), ..orphans };
        assert_eq!(
            render(&nothing_seen, Timestamp::UNIX_EPOCH, Look { colour: false, width: None }),
            "nothing is known to be left over\n? account default: no answer\n"
        );
    }
}
