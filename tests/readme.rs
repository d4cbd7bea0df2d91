//! The README says what is so.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn the_configuration_reference_is_the_grammar() {
    let reference = adit::config::reference();
    assert!(readme().contains(&reference), "the README's table of keys is not this one:\n\n{reference}");
}

#[test]
fn every_configuration_example_is_accepted() {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/docs/hooks.md");
    let readme = readme() + &fs::read_to_string(hooks).unwrap();
    let examples: Vec<&str> = readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let source = adit::config::Source { path: "README.md".into(), text: example.to_owned() };
        if let Err(problems) = adit::config::parse(&[source]) {
            panic!("{problems}\n\nin\n\n{example}");
        }
    }
}

#[test]
fn the_shipped_configuration_is_accepted_with_every_line_commented_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/adit.toml");
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

#[test]
fn every_link_of_the_readme_and_the_guides_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guides = fs::read_dir(root.join("packaging/docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents: Vec<_> = guides.chain([root.join("README.md")]).collect();
    let mut looked_at = 0;
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        let targets = prose(&text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
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
