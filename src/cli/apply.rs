//! `adit apply`

use clap::Args;

use jiff::Timestamp;

use super::{Context, Ending, Failure, Output, arguments::Yes, confirm::confirm, gc, plan, render::plain};
use crate::control::api::{Applied, DeletedOrphans, Orphans};

/// Make everything as the configuration wants it
///
/// It shows the plan, asks, and then has exactly that plan executed: when it is another one by then, nothing is done (5). That is
/// also how a plan is confirmed that waits for it because it would delete or stop much at once.
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
    let hash = match arguments.plan {
        Some(hash) => hash,
        None => {
            let plan = context.client.plan().await?;
            let text = plan::render(&plan.text, context.terminal.look);
            context.terminal.show(&text);
            if arguments.prune {
                let orphans = prunable(context.client.orphans().await?);
                context.terminal.show(&gc::render_list(&orphans, Timestamp::now(), context.terminal.look));
                pruned.extend(orphans.orphans.into_iter().filter(|orphan| orphan.kept.is_none()).map(|orphan| orphan.item));
            }
            if plan.changes + pruned.len() > 0 {
                confirm(context.terminal, arguments.yes.yes, "Make these changes")?;
            }
            plan.hash
        }
    };
    let applied = context.client.apply(Some(&hash)).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&applied)?,
        Output::Table => context.terminal.print(&render(&applied))?,
    }
    let mut ending = if applied.left.is_empty() { Ending::Fine } else { Ending::Failed };
    if !pruned.is_empty() {
        let deleted = prune(&pruned, context).await?;
        context.terminal.show(&gc::render_deleted(&deleted));
        ending = if deleted.left.is_empty() { ending } else { Ending::Failed };
    }
    Ok(ending)
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
    Ok(context.client.delete_orphans(&now.hash, &still).await?)
}

fn render(applied: &Applied) -> String {
    let left = applied.left.iter().map(|reason| format!("not done: {} ({})\n", plain(&reason.sentence), plain(&reason.code)));
    std::iter::once(format!("{} steps done\n", applied.done)).chain(left).collect()
}
