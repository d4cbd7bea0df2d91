//! `adit man`

mod configuration;
mod pages;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;

use self::pages::{Page, pages};
use super::{Context, Ending, Failure};

use crate::suggestion::nearest;

/// Show the manual, or write its pages
///
/// The pages are made from the same definitions as --help. On a terminal man(1) shows the page; into a file or a pipe it is printed as
/// roff. The configuration's page is adit.toml.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit man
  adit man tunnel create
  adit man adit.toml
  adit man --directory /usr/share/man        every page, in man1 and man5")]
pub(super) struct Arguments {
    /// The command's words, or a page's name such as adit-tunnel-create.
    #[arg(value_name = "PAGE")]
    page: Vec<String>,
    /// Write every page below this folder, which must exist.
    #[arg(long, value_name = "PATH", conflicts_with = "page")]
    directory: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let pages = pages();
    if let Some(directory) = &arguments.directory {
        write_all(directory, &pages)?;
        context.terminal.tell(&format!("{} pages written below {}", pages.len(), directory.display()));
        return Ok(Ending::Fine);
    }
    let page = find(&arguments.page, &pages)?;
    if context.terminal.can_redraw() && view(&page.roff) {
        return Ok(Ending::Fine);
    }
    context.terminal.print(&page.roff)?;
    Ok(Ending::Fine)
}

/// The page that is meant by a command's words, with or without the program's own name.
fn find<'a>(words: &[String], pages: &'a [Page]) -> Result<&'a Page, Failure> {
    // Without what all of them begin with, which would make every short word look like a slip.
    fn short(name: &str) -> &str {
        name.strip_prefix("adit-").unwrap_or(name)
    }
    let asked = if words.is_empty() { "adit".to_owned() } else { words.join("-") };
    let page = |wanted: &str| pages.iter().find(|page| short(&page.name) == wanted);
    page(short(&asked)).ok_or_else(|| {
        let failure = Failure::new(Ending::Failed, format!("cannot find the page {asked:?}: no command is called so"));
        match nearest(short(&asked), pages.iter().map(|page| short(&page.name))).and_then(page) {
            Some(near) => failure.with_hint(format!("did you mean {:?}?", near.name)),
            None => failure.with_hint("\"adit man\" lists every command"),
        }
    })
}

fn write_all(directory: &Path, pages: &[Page]) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let message = format!("cannot write {path:?}");
        move |error: std::io::Error| Failure::of(anyhow::Error::new(error).context(message))
    };
    for page in pages {
        let folder = directory.join(format!("man{}", page.section));
        if !folder.is_dir() {
            fs::create_dir(&folder).map_err(failed(&folder))?;
        }
        let path = folder.join(page.file_name());
        fs::write(&path, &page.roff).map_err(failed(&path))?;
    }
    Ok(())
}

/// Has man(1) show a page, and says whether it did.
fn view(roff: &str) -> bool {
    let Ok(mut man) = Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        return false;
    };
    if let Some(mut input) = man.stdin.take() {
        // Whoever leaves the pager before the end has read enough.
        let _ = input.write_all(roff.as_bytes());
    }
    man.wait().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_the_words_of_its_command() {
        let pages = pages();
        let name = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            find(&words, &pages).map(|page| page.name.as_str()).map_err(|failure| failure.report())
        };
        assert_eq!(name(&[]), Ok("adit"));
        assert_eq!(name(&["tunnel", "create"]), Ok("adit-tunnel-create"));
        assert_eq!(name(&["adit-tunnel-create"]), Ok("adit-tunnel-create"));
        assert_eq!(name(&["adit.toml"]), Ok("adit.toml"));
        assert_eq!(name(&["adit", "status"]), Ok("adit-status"));
        assert!(name(&["tunnel", "crate"]).unwrap_err().contains("did you mean \"adit-tunnel-create\"?"));
        assert!(name(&["adit", "statsu"]).unwrap_err().contains("did you mean \"adit-status\"?"));
        assert!(name(&["nope"]).unwrap_err().contains("\"adit man\" lists every command"), "no page is like it");
    }

    #[test]
    fn every_page_is_written_where_man_looks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path(), &pages()).unwrap();
        for path in ["man1/adit.1", "man1/adit-tunnel-create.1", "man5/adit.toml.5"] {
            assert!(fs::read_to_string(folder.path().join(path)).unwrap().contains(".TH "), "{path}");
        }
        write_all(folder.path(), &pages()).expect("over the former ones");
    }
}
