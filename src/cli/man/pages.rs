//! The manual's pages, from the definitions of the command line.

use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::configuration;
use crate::cli::CommandLine;

/// One page of the manual.
pub(super) struct Page {
    /// Its name, such as `adit-tunnel-create`.
    pub(super) name: String,
    /// The manual's section: 1 for commands, 5 for files.
    pub(super) section: u8,
    /// Its text.
    pub(super) roff: String,
}

impl Page {
    /// The name of its file.
    pub(super) fn file_name(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }
}

/// What stands at the head and the foot of every page.
pub(super) const MANUAL: &str = "Adit";

/// The program and its version, at the foot of every page.
pub(super) const SOURCE: &str = concat!("adit ", env!("CARGO_PKG_VERSION"));

/// Every page: one for each command that is not hidden, and the configuration's.
pub(super) fn pages() -> Vec<Page> {
    let mut root = CommandLine::command();
    root.build();
    let mut pages = Vec::new();
    add(&root, "adit", None, &mut pages);
    pages.push(configuration::page());
    pages
}

fn add(command: &Command, name: &str, parent: Option<&str>, pages: &mut Vec<Page>) {
    let inner: Vec<(String, &Command)> = shown(command).map(|inner| (format!("{name}-{}", inner.get_name()), inner)).collect();
    let children: Vec<&str> = inner.iter().map(|(name, _)| name.as_str()).collect();
    pages.push(Page { name: name.to_owned(), section: 1, roff: page(command, name, parent, &children) });
    for (inner_name, inner) in &inner {
        add(inner, inner_name, Some(name), pages);
    }
}

/// The commands below, without hidden ones and without clap's own `help`.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn page(command: &Command, name: &str, parent: Option<&str>, children: &[&str]) -> String {
    let man = Man::new(command.clone().disable_help_subcommand(true)).title(name.to_uppercase()).source(SOURCE).manual(MANUAL);
    let mut text = Vec::new();
    let sections = [Man::render_title, Man::render_name_section, Man::render_synopsis_section, Man::render_description_section];
    for section in sections {
        section(&man, &mut text).expect("memory takes every text");
    }
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut text).expect("memory takes every text");
    }
    let mut rest = Roff::new();
    if !children.is_empty() {
        rest.control("SH", ["COMMANDS"]);
        for (child, inner) in children.iter().zip(shown(command)) {
            rest.control("TP", []).text([bold(format!("{child}(1)"))]);
            rest.text([roman(inner.get_about().map(ToString::to_string).unwrap_or_default())]);
        }
    }
    if let Some(after) = command.get_after_help() {
        blocks(&after.to_string(), &mut rest);
    }
    if parent.is_none() {
        rest.control("SH", ["FILES"]);
        for (path, what) in FILES {
            rest.control("TP", []).text([bold(path)]).text([roman(what)]);
        }
    }
    rest.control("SH", ["SEE ALSO"]);
    let others = parent.into_iter().chain(parent.is_none().then_some(children).into_iter().flatten().copied());
    let mut references: Vec<String> = others.map(|name| format!("{name}(1)")).collect();
    references.push("adit.toml(5)".to_owned());
    rest.text([roman(references.join(", "))]);
    rest.to_writer(&mut text).expect("memory takes every text");
    String::from_utf8(text).expect("roff of texts is a text")
}

/// What stands below the options in `--help`: a section for each heading, its lines as they are.
fn blocks(after: &str, roff: &mut Roff) {
    for line in after.lines() {
        match line.strip_suffix(':') {
            Some(heading) if !line.starts_with(' ') => {
                // A heading in the singular is the same section.
                let heading = heading.to_uppercase();
                let heading = if heading == "EXAMPLE" { "EXAMPLES".to_owned() } else { heading };
                roff.control("SH", [heading.as_str()]);
            }
            Some(_) | None if line.trim().is_empty() => {}
            Some(_) | None => {
                roff.control("nf", []).text([roman(line.trim_start())]).control("fi", []);
            }
        }
    }
}

/// What the daemon reads and makes, on a host where nothing else is configured.
const FILES: [(&str, &str); 4] = [
    ("/etc/adit/adit.toml, /etc/adit/conf.d/*.toml", "The configuration: see adit.toml(5)."),
    ("/run/adit/adit.sock", "The daemon's control socket."),
    (
        "/var/lib/adit",
        "The daemon's state: tunnels made over the socket, their secrets, the accepted configuration, events and logs.",
    ),
    ("/run/adit/private", "What runs, for the next daemon to find."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_an_example() {
        for page in pages().iter().filter(|page| page.section == 1) {
            for section in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH \"SEE ALSO\""] {
                assert!(page.roff.contains(section), "{} has no {section}:\n{}", page.name, page.roff);
            }
            let leads_on = page.roff.contains(".SH COMMANDS");
            assert!(page.roff.contains(".SH EXAMPLES") || leads_on, "{} has no example", page.name);
        }
    }

    #[test]
    fn hidden_commands_have_no_page() {
        let names: Vec<String> = pages().into_iter().map(|page| page.name).collect();
        assert!(
            names.iter().all(|name| !name.contains("sandbox") && !name.contains("cleanup") && !name.contains("help")),
            "{names:?}"
        );
        assert!(names.contains(&"adit-tunnel-create".to_owned()), "{names:?}");
    }
}
