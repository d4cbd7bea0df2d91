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
