//! `adit plan`

use clap::Args;

use super::{
    Context, Ending, Failure, Output,
    render::{Look, Tone, plain},
};

/// Show what would change at Cloudflare and here, with reasons
///
/// It looks at the configuration's files as they are on disk and at Cloudflare as it is, and changes nothing. Ends with 0 when
/// nothing would change, with 2 when something would, and with 5 when nothing can change because of a hold or a conflict.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit plan\n  adit apply --plan $(adit plan -o json | jq -r .hash)")]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let plan = context.client.plan().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&plan)?,
        Output::Table => {
            let text = render(&plan.text, context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(match (plan.changes, plan.left_alone) {
        (0, 0) => Ending::Fine,
        (0, _) => Ending::Conflict,
        (_, _) => Ending::ChangesPending,
    })
}

/// A plan's text with its signs in colour.
pub(super) fn render(text: &str, look: Look) -> String {
    text.lines().map(|line| format!("{}\n", render_line(&plain(line), look))).collect()
}

fn render_line(line: &str, look: Look) -> String {
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    let tone = match rest.chars().next() {
        Some('+') => Tone::Good,
        Some('~' | '?') => Tone::Notice,
        Some('-' | '!') => Tone::Bad,
        Some('#') => Tone::Faint,
        Some(_) | None => return line.to_owned(),
    };
    let (sign, rest) = rest.split_at(1);
    format!("{indent}{}{rest}", tone.paint(sign, look))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_keeps_its_words_and_its_signs_get_a_colour() {
        let text = "account default\n  + tunnel web\n  - record old.example.com\x1b[2J\n";
        assert_eq!(
            render(text, Look { colour: false, width: None }),
            "account default\n  + tunnel web\n  - record old.example.com[2J\n"
        );
        assert_eq!(
            render(text, Look { colour: true, width: None }),
            "account default\n  \x1b[32m+\x1b[0m tunnel web\n  \x1b[31m-\x1b[0m record old.example.com[2J\n"
        );
    }
}
