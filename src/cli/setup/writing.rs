//! Writing what was decided, in an order in which each step leaves something that works: first the token, then what refers to it.

use std::path::Path;

use super::{
    Context, Ending, Failure,
    files::{self, NewFile, Standing},
    host::Host,
    keeping::{Kept, Target},
    show_plan,
};
use crate::{config::Source, control::api::Problem};

/// The permission bits of what everybody may read, and of a secret.
const OPEN: u32 = 0o644;
const SECRET: u32 = 0o600;

/// Those of folders: everybody may look into them, or only root.
const OPEN_FOLDER: u32 = 0o755;
const SECRET_FOLDER: u32 = 0o700;

/// What is to be written, in this order.
#[derive(Default)]
pub(super) struct Plan {
    /// The token.
    pub(super) token: Option<Kept>,
    /// What everybody may read: the main file if it is missing, the unit's drop-in, the account, the tunnel.
    pub(super) files: Vec<Source>,
}

/// What was written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Whether a token was, or what the unit must know of one.
    pub(super) token: bool,
    /// Whether a file of the configuration was.
    pub(super) files: bool,
}

/// Whether things are done or only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Do,
    Tell,
}

/// Everything that was done so far, one sentence each.
#[derive(Debug, Default)]
pub(super) struct Done(pub(super) Vec<String>);

impl Done {
    /// The failure, with what is done already.
    pub(super) fn before(&self, failure: Failure) -> Failure {
        if self.0.is_empty() {
            return failure.or_hint("nothing was changed");
        }
        let done = self.0.iter().map(|sentence| Problem { at: Some("done already".to_owned()), problem: sentence.clone() });
        failure.with_more(done).or_hint("run it again: it goes on from here")
    }
}

impl Plan {
    /// Looks whether something else stands where a file is to be written.
    ///
    /// # Errors
    ///
    /// When it does: nothing of somebody else's is written over.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for Source { path, text } in &self.files {
            let standing = files::standing(path, text.as_bytes()).map_err(|error| cannot_write(path, error))?;
            if standing == Standing::Other {
                let message = format!("cannot write {path:?}: something else stands there. This would:");
                let would = text.lines().map(|line| Problem { at: None, problem: line.to_owned() });
                let hint = "nothing was changed; look at it, and remove it when it is not needed any more";
                return Err(Failure::new(Ending::Conflict, message).with_more(would).with_hint(hint));
            }
        }
        let folders =
            self.files.iter().map(|file| file.path.as_path()).chain(self.token.as_ref().map(|kept| kept.path.as_path()));
        for path in folders {
            files::check_folder(path.parent().unwrap_or(path)).map_err(|error| cannot_write(path, error))?;
        }
        Ok(())
    }

    /// Writes it, or tells what would be written.
    ///
    /// # Errors
    ///
    /// The first file that cannot be written.
    pub(super) fn write(&self, host: &Host, mode: Mode, done: &mut Done, context: &mut Context<'_>) -> Result<Written, Failure> {
        let mut written = Written::default();
        if let Some(kept) = &self.token {
            write_token(kept, host, mode, done, context)?;
            written.token = true;
        }
        for file in &self.files {
            if write_open(file, mode, done, context)? {
                written.token |= file.path.starts_with(&host.drop_ins);
                written.files = true;
            }
        }
        Ok(written)
    }
}

fn write_token(kept: &Kept, host: &Host, mode: Mode, done: &mut Done, context: &mut Context<'_>) -> Result<(), Failure> {
    let Kept { target, path, content, note } = kept;
    let (what, owner, folder_mode) = match target {
        Target::Credential(name) => (format!("the API token, encrypted, as credential {name:?}"), None, SECRET_FOLDER),
        // The daemon's user reads it, and must be able to get to it.
        Target::File(_) => ("the API token".to_owned(), host.daemon, OPEN_FOLDER),
    };
    if let Some(note) = note {
        context.terminal.tell(note);
    }
    let over = if path.exists() { ", in the place of the one that is there" } else { "" };
    if mode == Mode::Tell {
        return show_plan(&format!("would write {} (mode 0600): {what}{over}\n", path.display()), context);
    }
    let file = NewFile { path, content, mode: SECRET, owner, folder_mode };
    files::replace(&file).map_err(|error| cannot_write(path, error))?;
    tell(format!("wrote {} (mode 0600): {what}{over}", path.display()), done, context);
    Ok(())
}

/// Whether it was written: not when it is there already.
fn write_open(source: &Source, mode: Mode, done: &mut Done, context: &mut Context<'_>) -> Result<bool, Failure> {
    let Source { path, text } = source;
    if files::standing(path, text.as_bytes()).map_err(|error| cannot_write(path, error))? == Standing::Same {
        context.terminal.tell(&format!("{} is there already", path.display()));
        return Ok(false);
    }
    if mode == Mode::Tell {
        let shown: String = text.lines().map(|line| format!("    {line}\n")).collect();
        show_plan(&format!("would write {}:\n{shown}", path.display()), context)?;
        return Ok(true);
    }
    let file = NewFile { path, content: text.as_bytes(), mode: OPEN, owner: None, folder_mode: OPEN_FOLDER };
    files::create(&file).map_err(|error| cannot_write(path, error))?;
    tell(format!("wrote {}", path.display()), done, context);
    Ok(true)
}

fn tell(sentence: String, done: &mut Done, context: &mut Context<'_>) {
    context.terminal.tell(&sentence);
    done.0.push(sentence);
}

fn cannot_write(path: &Path, error: std::io::Error) -> Failure {
    Failure::of(error).while_doing(format!("cannot write {path:?}"))
}
