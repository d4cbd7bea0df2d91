//! The alerts in `packaging/prometheus`, their runbooks, their unit tests and their faults go together, and ask for series that exist.
//!
//! `promtool` looks at expressions and unit tests (`tests/system.sh rules`), a real Prometheus at each alert (`tests/alerts.sh`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, fs, path::Path};

/// An alert as its lines in the file say it.
struct Alert {
    name: String,
    /// Everything between its name and the next one's.
    text: String,
    expression: String,
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn alerts() -> Vec<Alert> {
    let rules = file("packaging/prometheus/adit.rules.yml");
    let alerts: Vec<Alert> = rules.split("- alert: ").skip(1).map(alert).collect();
    assert!(alerts.len() > 10, "the file has another form than this test reads");
    alerts
}

fn alert(text: &str) -> Alert {
    let name = text.lines().next().unwrap().to_owned();
    let from_expression = text.split_once("expr: ").unwrap_or_else(|| panic!("{name} has no expression")).1;
    // It ends at the next key of the alert, which is indented as it is itself.
    let ends = ["\n        for: ", "\n        labels: "].map(|key| from_expression.find(key).unwrap_or(usize::MAX));
    let expression = from_expression[..ends.into_iter().min().unwrap()].to_owned();
    Alert { name, text: text.to_owned(), expression }
}

fn names(alerts: &[Alert]) -> BTreeSet<String> {
    alerts.iter().map(|alert| alert.name.clone()).collect()
}

/// The value of the annotation `key`.
fn annotation<'a>(alert: &'a Alert, key: &str) -> &'a str {
    let value = alert.text.split_once(&format!("\n          {key}: "));
    value.unwrap_or_else(|| panic!("{} has no {key}", alert.name)).1
}

/// The words of a text that can be names of series.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
}

/// All that is said in the source of the families.
fn registered() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics");
    let parts = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    parts.fold(file("src/metrics.rs"), |all, part| all + &part)
}

#[test]
fn each_alert_says_how_grave_it_is_what_happened_and_where_to_read_on() {
    for alert in alerts() {
        let severities = ["critical", "warning", "info"].map(|severity| format!("labels: {{ severity: {severity} }}"));
        assert!(severities.iter().any(|severity| alert.text.contains(severity)), "{} has no severity", alert.name);
        assert!(!annotation(&alert, "summary").trim().is_empty());
        assert!(!annotation(&alert, "description").trim().is_empty());
        let runbook = format!("file:///usr/share/doc/adit/runbooks.md#{}\n", alert.name.to_lowercase());
        assert!(annotation(&alert, "runbook_url").starts_with(&runbook), "{} leads to another runbook", alert.name);
    }
}

#[test]
fn each_alert_has_a_runbook_that_says_all_of_it_and_each_runbook_an_alert() {
    let runbooks = file("packaging/docs/runbooks.md");
    let mut headings = BTreeSet::new();
    for section in runbooks.split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap();
        if heading.starts_with("Adit") {
            assert!(headings.insert(heading.to_owned()), "{heading} stands there twice");
            for part in ["**Means**", "**Users notice**", "**Look at**", "**Do**", "**Silence**"] {
                assert!(text.contains(part), "the runbook of {heading} lacks {part}");
            }
            assert!(runbooks.contains(&format!("[{heading}](#{})", heading.to_lowercase())), "nothing leads to {heading}");
        }
    }
    assert_eq!(headings, names(&alerts()));
}

#[test]
fn every_series_that_a_rule_asks_for_is_one_of_ours() {
    let registered = registered();
    for alert in alerts() {
        let asked: Vec<&str> = words(&alert.expression).filter(|word| word.starts_with("adit_")).collect();
        assert!(!asked.is_empty() || alert.expression.contains("up{job=\"adit\"}"), "{} asks for nothing of ours", alert.name);
        for name in asked {
            assert!(registered.contains(&format!("\"{name}\"")), "{} asks for {name}, which is no family", alert.name);
        }
    }
}

#[test]
fn no_rule_makes_up_what_is_not_there() {
    for alert in alerts() {
        for trick in ["vector(", "absent"] {
            assert!(!alert.expression.contains(trick), "{} has {trick} in its expression", alert.name);
        }
    }
}

#[test]
fn each_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let tests = file("packaging/prometheus/adit.rules.test.yml");
    for alert in names(&alerts()) {
        assert!(tests.contains(&format!("alertname: {alert}, exp_alerts: [] }}")), "{alert} is never quiet");
        assert!(
            tests.contains(&format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels")),
            "{alert} never fires"
        );
    }
}

#[test]
fn each_alert_is_tried_with_a_fault_of_its_own_and_mended() {
    let suite = file("tests/alerts.sh");
    let listed = |verb: &str| -> BTreeSet<String> {
        let lines = suite.lines().filter_map(|line| line.strip_prefix(verb)?.strip_prefix(' '));
        lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    let alerts = names(&alerts());
    assert_eq!(listed("fires"), alerts);
    assert_eq!(listed("resolves"), alerts);
}
