//! Consent to what cannot be taken back.

use super::{Ending, Failure, Terminal};

/// Asks whether to go on, unless `yes` was said with the command.
///
/// # Errors
///
/// When the answer is no, and when nobody is there to be asked.
pub(super) fn confirm(terminal: &mut Terminal, yes: bool, doing: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    match terminal.ask(&format!("{doing}? [y/N] "))? {
        Some(answer) if matches!(answer.to_lowercase().as_str(), "y" | "yes") => Ok(()),
        Some(_) => Err(Failure::new(Ending::Failed, "nothing was changed")),
        None => {
            let message = format!("cannot {} without consent: nobody is there to be asked", lower_first(doing));
            Err(Failure::new(Ending::Usage, message).with_hint("--yes says that it is meant"))
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
