//! `adit apply`

use clap::Args;

use super::{Context, Ending, Failure, Output, arguments::Yes, confirm::confirm, plan, render::plain};
use crate::control::api::Applied;

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
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let hash = match arguments.plan {
        Some(hash) => hash,
        None => {
            let plan = context.client.plan().await?;
            let text = plan::render(&plan.text, context.terminal.look);
            context.terminal.show(&text);
            if plan.changes > 0 {
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
    Ok(if applied.left.is_empty() { Ending::Fine } else { Ending::Failed })
}

fn render(applied: &Applied) -> String {
    let left = applied.left.iter().map(|reason| format!("not done: {} ({})\n", plain(&reason.sentence), plain(&reason.code)));
    std::iter::once(format!("{} steps done\n", applied.done)).chain(left).collect()
}
