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
    let readme = readme();
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
