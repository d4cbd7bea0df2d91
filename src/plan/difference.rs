//! How two configurations of a tunnel differ, for people: when one is written over, and when a tunnel is adopted.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::desired::fingerprint;

/// What goes and comes between two configurations, one line each, beginning with `-`, `+` or `~`. What says nothing makes no
/// difference, as Cloudflare adds it by itself.
pub(super) fn configuration_difference(before: &Value, after: &Value) -> Vec<String> {
    let (old, new) = (rules(before), rules(after));
    let is_in = |rule: &Rule, all: &[Rule]| all.iter().any(|other| other.sha256 == rule.sha256);
    let gone = old.iter().filter(|rule| !is_in(rule, &new)).map(|rule| format!("- {}", rule.line));
    let come = new.iter().filter(|rule| !is_in(rule, &old)).map(|rule| format!("+ {}", rule.line));
    let mut lines: Vec<String> = gone.chain(come).collect();
    let kept = |rules: &[Rule], others: &[Rule]| -> Vec<String> {
        rules.iter().filter(|rule| is_in(rule, others)).map(|rule| rule.sha256.clone()).collect()
    };
    if kept(&old, &new) != kept(&new, &old) {
        lines.push("~ the order of the rules".to_owned());
    }
    let (set, to_set) = (for_all_rules(before), for_all_rules(after));
    if !before.is_null() && fingerprint(&set) != fingerprint(&to_set) {
        lines.push(format!("~ what is set for all rules: {set} becomes {to_set}"));
    }
    lines
}

/// A rule as it is told, and what it is known by.
struct Rule {
    line: String,
    sha256: String,
}

fn rules(document: &Value) -> Vec<Rule> {
    let rules = document.get("ingress").and_then(Value::as_array).into_iter().flatten();
    rules.map(|rule| Rule { line: line(rule), sha256: fingerprint(rule) }).collect()
}

/// `app.example.com /api -> http://localhost:8080 (noTLSVerify=true)`.
fn line(rule: &Value) -> String {
    let text = |key: &str| rule.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let path = text("path").map(|path| format!(" {path}")).unwrap_or_default();
    let mut line = format!("{}{path} -> {}", text("hostname").unwrap_or("*"), text("service").unwrap_or("nothing"));
    let settings = rule.get("originRequest").and_then(Value::as_object).into_iter().flatten();
    let settings: Vec<String> = settings.map(|(key, value)| format!("{key}={value}")).collect();
    if !settings.is_empty() {
        write!(line, " ({})", settings.join(", ")).expect("writing to a String never fails");
    }
    line
}

/// Everything in a document but its rules.
fn for_all_rules(document: &Value) -> Value {
    let entries = document.as_object().into_iter().flatten().filter(|(key, _)| *key != "ingress");
    Value::Object(entries.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_shows_the_rules_that_go_and_come_and_their_order() {
        let document = |rules: &[(&str, &str)]| {
            let rules = rules.iter().map(|(hostname, service)| json!({ "hostname": hostname, "service": service }));
            json!({ "ingress": rules.collect::<Vec<_>>() })
        };
        let before = document(&[("a.example.com", "http://a"), ("b.example.com", "http://b"), ("c.example.com", "http://c")]);
        let after = document(&[("c.example.com", "http://c"), ("b.example.com", "http://b"), ("a.example.com", "http://x")]);
        let expected =
            ["- a.example.com -> http://a", "+ a.example.com -> http://x", "~ the order of the rules"].map(str::to_owned);
        assert_eq!(configuration_difference(&before, &after), expected);
        assert_eq!(
            configuration_difference(&Value::Null, &document(&[("a.example.com", "http://a")])),
            ["+ a.example.com -> http://a"]
        );
    }

    #[test]
    fn what_cloudflare_adds_by_itself_is_no_difference() {
        let written = json!({ "ingress": [{ "service": "http_status:404" }] });
        let stored = json!({
            "ingress": [{ "service": "http_status:404", "originRequest": {} }],
            "originRequest": {}, "warp-routing": { "enabled": false },
        });
        assert_eq!(configuration_difference(&stored, &written), Vec::<String>::new());
        let other = json!({ "ingress": [{ "service": "http_status:404" }], "originRequest": { "noTLSVerify": true } });
        let lines = configuration_difference(&written, &other);
        assert_eq!(lines, ["~ what is set for all rules: {} becomes {\"originRequest\":{\"noTLSVerify\":true}}"]);
    }
}
