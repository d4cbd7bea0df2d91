//! `adit apply`

use clap::Args;

use super::{
    Context, Ending, Failure, Output,
    arguments::Yes,
    confirm::confirm,
    gc,
    operation::{Lines, carry_out},
    plan,
    render::plain,
};
use crate::{
    control::api::{Applied, DeletedOrphans, ErrorKind, Orphans, Plan},
    counted::counted,
};

/// Make everything as the configuration wants it
///
/// It shows the plan, asks, and then has exactly that plan executed: when it is another one by then, nothing is done, and what
/// differs is shown (5). It ends with 5 as well when all that there is must wait, because of a hold or a conflict. That is also how a plan is confirmed that waits for it because it would delete or stop much at once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit apply\n  adit apply --yes\n  adit apply --plan $(adit plan -o json | jq -r .hash)")]
pub(super) struct Arguments {
    /// Execute the plan with this hash, as "adit plan -o json" has it, without showing it again.
    #[arg(long, conflicts_with = "yes")]
    plan: Option<String>,
    /// Delete besides what tunnels have at Cloudflare that left the configuration before, unless somebody is connected to them.
    #[arg(long, conflicts_with = "plan")]
    prune: bool,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut pruned = Vec::new();
    let mut shown = None;
    let hash = match arguments.plan {
        Some(hash) => hash,
        None => {
            let plan = context.client.plan().await?;
            let text = plan::render(&plan.text, context.terminal.words_look);
            context.terminal.show(&text);
            if arguments.prune {
                let orphans = prunable(context.client.orphans().await?);
                context.terminal.show(&gc::render_list(&orphans, context.terminal.now(), context.terminal.words_look));
                pruned.extend(orphans.orphans.into_iter().filter(|orphan| orphan.kept.is_none()).map(|orphan| orphan.item));
            }
            if plan.changes + pruned.len() > 0 {
                confirm(context.terminal, arguments.yes.yes, "Make these changes")?;
            }
            let hash = plan.hash.clone();
            shown = Some(plan);
            hash
        }
    };
    let applied = match carried_out(&hash, context).await {
        Ok(applied) => applied,
        Err(failure) => {
            if failure.kind() == Some(ErrorKind::Conflict) {
                tell_difference(shown.as_ref(), context).await;
            }
            return Err(failure);
        }
    };
    match context.output {
        Output::Json => context.terminal.print_json(&applied)?,
        Output::Table => context.terminal.print(&render(&applied))?,
    }
    let left_alone = match (shown, applied.done) {
        (Some(plan), _) => plan.left_alone > 0,
        // What was only named was not looked at.
        (None, 0) => context.client.plan().await?.left_alone > 0,
        (None, _) => false,
    };
    let mut ending = match (applied.done, applied.left.is_empty()) {
        (_, false) => Ending::Failed,
        // As the plan said: nothing can be done but to wait or to decide.
        (0, true) if left_alone && pruned.is_empty() => Ending::Conflict,
        (_, true) => Ending::Fine,
    };
    if !pruned.is_empty() {
        let deleted = prune(&pruned, context).await?;
        context.terminal.show(&gc::render_deleted(&deleted));
        ending = if deleted.left.is_empty() { ending } else { Ending::Failed };
    }
    Ok(ending)
}

async fn carried_out(hash: &str, context: &mut Context<'_>) -> Result<Applied, Failure> {
    let begun = context.client.begin_apply(hash).await?;
    carry_out(begun, Lines::None, None, context).await?.result()
}

/// After a plan was another one by the time that it should be done: shows which of its lines. Only a plan that was shown can be
/// compared; of one that was only named, the one of now is all that there is to tell.
async fn tell_difference(shown: Option<&Plan>, context: &mut Context<'_>) {
    let Ok(now) = context.client.plan().await else { return };
    let before = shown.map_or("", |plan| plan.text.as_str());
    let look = context.terminal.words_look;
    match shown {
        Some(_) => context.terminal.tell("what differs by now (< as it was shown, > as it is):"),
        None => context.terminal.tell("the plan by now:"),
    }
    let lines = differing(before, &now.text);
    let lines = lines.into_iter().map(|(sign, line)| match shown {
        Some(_) => format!("{sign} {}", plain(line)),
        None => line.to_owned(),
    });
    let text = lines.map(|line| format!("{line}\n")).collect::<String>();
    context.terminal.show(&plan::render(&text, look));
}

/// The lines that only one of two texts has, in their order.
fn differing<'a>(before: &'a str, now: &'a str) -> Vec<(char, &'a str)> {
    let only = |one: &'a str, other: &'a str, sign| {
        one.lines().filter(move |line| !other.lines().any(|there| there == *line)).map(move |line| (sign, line))
    };
    only(before, now, '<').chain(only(now, before, '>')).collect()
}

/// Of what is left over, what tunnels have that left the configuration.
fn prunable(mut orphans: Orphans) -> Orphans {
    orphans.orphans.retain(|orphan| orphan.kind == "left");
    orphans
}

/// Deletes the things that were shown. An item names a thing as it was seen, so that nothing else goes, whatever came besides.
async fn prune(shown: &[String], context: &mut Context<'_>) -> Result<DeletedOrphans, Failure> {
    let now = context.client.orphans().await?;
    let still: Vec<String> = now.orphans.iter().map(|orphan| orphan.item.clone()).filter(|item| shown.contains(item)).collect();
    if still.is_empty() {
        return Ok(DeletedOrphans { deleted: Vec::new(), left: Vec::new() });
    }
    let begun = context.client.begin_delete_orphans(&now.hash, &still).await?;
    carry_out(begun, Lines::None, None, context).await?.result()
}

fn render(applied: &Applied) -> String {
    let left = applied.left.iter().map(|reason| format!("not done: {} ({})\n", plain(&reason.sentence), plain(&reason.code)));
    std::iter::once(format!("{} done\n", counted(applied.done, "step"))).chain(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_is_no_steps() {
        for (done, text) in [(0, "0 steps done\n"), (1, "1 step done\n"), (2, "2 steps done\n")] {
            let applied: Applied = serde_json::from_value(serde_json::json!({ "hash": "", "done": done, "left": [] })).unwrap();
            assert_eq!(render(&applied), text);
        }
    }

    #[test]
    fn two_plans_differ_in_the_lines_that_only_one_of_them_has() {
        let before = "account default\n  + tunnel web\n  + record a.example.com\n";
        let now = "account default\n  + tunnel web\n  + record b.example.com\n";
        assert_eq!(differing(before, now), [('<', "  + record a.example.com"), ('>', "  + record b.example.com")]);
        assert_eq!(differing(now, now), []);
    }
}
