//! The README and the guides say what is so.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The README and every guide, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let guides = fs::read_dir(root().join("packaging/docs")).unwrap().map(|entry| entry.unwrap().path());
    let paths = guides.chain([root().join("README.md")]);
    paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_configuration_reference_is_the_grammar() {
    let page = fs::read_to_string(root().join("packaging/docs/configuration.md")).unwrap();
    let reference = adit::config::reference();
    assert!(page.contains(&reference), "packaging/docs/configuration.md has another table of keys than this one:\n\n{reference}");
}

#[test]
fn every_configuration_example_is_accepted() {
    let mut looked_at = 0;
    for (document, text) in documents() {
        for example in blocks(&text, "toml") {
            looked_at += 1;
            let source = adit::config::Source { path: document.clone(), text: example.clone() };
            if let Err(problems) = adit::config::parse(&[source]) {
                panic!("{problems}\n\nin\n\n{example}");
            }
        }
    }
    assert!(looked_at > 4, "{looked_at} examples");
}

/// The blocks of code in a language, less what they are indented by.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(opening) = lines.next() {
        if let Some((indentation, _)) =
            opening.split_once("```").filter(|(before, rest)| *rest == language && before.trim().is_empty())
        {
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            blocks.push(inside.map(|line| format!("{}\n", line.strip_prefix(indentation).unwrap_or(line))).collect());
        }
    }
    blocks
}

#[test]
fn every_command_of_the_documents_is_one_that_the_program_takes() {
    let mut looked_at = 0;
    for (document, text) in documents() {
        for line in blocks(&text, "sh").iter().flat_map(|block| block.lines()) {
            let words = line.split_whitespace().take_while(|word| !matches!(*word, "#" | "<" | ">" | "|" | "&&"));
            let words: Vec<&str> = words.skip_while(|word| *word == "sudo").collect();
            if words.first() == Some(&"adit") {
                looked_at += 1;
                let taken = adit::cli::parse(words.iter().map(OsString::from));
                assert!(taken.is_ok(), "{document:?} has {line:?}: {}", taken.unwrap_err());
            }
        }
    }
    assert!(looked_at > 20, "{looked_at} commands");
}

#[test]
fn the_shipped_configuration_is_accepted_with_every_line_commented_in() {
    let path = root().join("packaging/adit.toml");
    let text = fs::read_to_string(&path).unwrap();
    let is_setting = |line: &str| line.starts_with("# [") || line.contains(" = ") || line.starts_with("#   {") || line == "# ]";
    let commented_in = text.lines().map(|line| if is_setting(line) { line.trim_start_matches("# ") } else { "" });
    for text in [text.clone(), commented_in.collect::<Vec<_>>().join("\n")] {
        let source = adit::config::Source { path: path.clone(), text };
        let config = adit::config::parse(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }
}

#[test]
fn the_table_of_commands_names_every_command() {
    let readme = readme();
    let table: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `adit ")).collect();
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_adit")).arg("-h").output().unwrap();
    let help = String::from_utf8(program.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What continues a line is further in.
    let commands: Vec<&str> =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 20, "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let named = format!("`adit {command}");
        assert!(table.iter().any(|row| row.contains(&named)), "the README's table of commands lacks {command:?}");
    }
}

/// The name by which a heading can be linked to, as web sites and editors make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The lines of a document that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        is_code ^= line.trim_start().starts_with("```");
        !is_code
    })
}

/// What the links of a document lead to, web addresses left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

#[test]
fn every_link_of_the_readme_and_the_guides_leads_somewhere() {
    let mut looked_at = 0;
    for (document, text) in documents() {
        for target in links(&text) {
            looked_at += 1;
            let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
            let path = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let there = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document:?} leads to {target:?}: {error}"));
            if let Some(heading) = heading {
                let is_there = prose(&there).any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(is_there, "{document:?} leads to {target:?}, and there is no such heading");
            }
        }
    }
    assert!(looked_at > 40, "{looked_at} links");
}

#[test]
fn the_readme_leads_to_every_guide() {
    let readme = readme();
    for (document, _) in documents() {
        let guide = document.strip_prefix(root()).unwrap().to_str().unwrap();
        let is_led_to = links(&readme).any(|target| target.split('#').next() == Some(guide));
        assert!(is_led_to || guide == "README.md", "the README does not lead to {guide}");
    }
}
