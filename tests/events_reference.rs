//! The reference of events and reason codes is what the code says.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use adit::catalogue::{self, CHECK_REASONS, CONNECTOR_REASONS, Code, FINDINGS, PROGRAM_REASONS, ROUTE_FINDINGS};
use regex::Regex;

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever runs the test says by the environment that it is to write")]
fn the_page_is_made_from_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/docs/events.md");
    let page = catalogue::reference();
    if env::var("ADIT_UPDATE").is_ok_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "{} is not what the code says; ADIT_UPDATE=1 cargo test --test events_reference writes it",
        path.display()
    );
}

#[test]
fn every_reason_in_the_source_has_its_meaning() {
    let made = [
        r#"\bReason::new\(\s*"([a-z0-9-]+)""#,
        r#"\bdiagnosis\(\s*"([a-z0-9-]+)""#,
        r#"\bfailure\(\s*"([a-z0-9-]+)""#,
        r#"\b(?:bad|missing)\(\s*"([a-z0-9-]+)""#,
        r#"BinaryError::\w+ \{ \.\. \} => \("([a-z0-9-]+)""#,
    ];
    let told = CONNECTOR_REASONS.iter().chain(PROGRAM_REASONS).chain(CHECK_REASONS);
    compare("src/catalogue/reasons.rs or src/catalogue/checks.rs", &found(&made, ""), told);
}

#[test]
fn every_finding_of_health_has_its_meaning() {
    let made = [r#"\bfinding\(\s*Verdict::\w+,\s*"([a-z0-9-]+)""#];
    compare("src/catalogue/findings.rs", &found(&made, "health"), FINDINGS);
}

#[test]
fn everything_that_a_route_can_lack_has_its_meaning() {
    let made = [r#"\bRouteVerdict::\w+,\s*"([a-z0-9-]+)""#];
    compare("src/catalogue/checks.rs", &found(&made, "health"), ROUTE_FINDINGS);
}

#[test]
fn every_code_is_there_once_in_the_order_of_words_and_says_something() {
    for codes in [CONNECTOR_REASONS, PROGRAM_REASONS, CHECK_REASONS, FINDINGS, ROUTE_FINDINGS] {
        assert!(codes.is_sorted_by(|one, other| one.word < other.word), "{codes:?}");
        assert!(codes.iter().all(|code| code.meaning.ends_with('.')), "{codes:?}");
    }
}

/// Says which words have no meaning in `file`, and which meanings no word.
fn compare<'a>(file: &str, found: &BTreeSet<String>, codes: impl IntoIterator<Item = &'a Code>) {
    let told: BTreeSet<String> = codes.into_iter().map(|code| code.word.to_owned()).collect();
    let missing: Vec<_> = found.difference(&told).collect();
    let idle: Vec<_> = told.difference(found).collect();
    assert!(missing.is_empty(), "add what these mean, and what to do, to {file}: {missing:?}");
    assert!(idle.is_empty(), "{file} tells of what is nowhere in the source: {idle:?}");
    assert!(found.len() > 5, "{found:?}");
}

/// What the patterns capture in the files of the source whose path begins like this, tests and the sandbox left out.
fn found(patterns: &[&str], beginning: &str) -> BTreeSet<String> {
    let patterns: Vec<Regex> = patterns.iter().map(|pattern| Regex::new(pattern).unwrap()).collect();
    let mut found = BTreeSet::new();
    for path in files(&source()) {
        let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
        let is_test = ["tests", "laws", "testing", "sandbox"].iter().any(|word| name.contains(word));
        if is_test || !name.starts_with(beginning) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        found.extend(patterns.iter().flat_map(|pattern| pattern.captures_iter(code)).map(|word| word[1].to_owned()));
    }
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}
