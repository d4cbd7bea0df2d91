//! Others' rules stay, ours come and go.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rule(hostname: &str, service: &str) -> Value {
    json!({ "hostname": hostname, "service": service })
}

fn document(rules: &[&str]) -> Document {
    Document::read(&format!("{{\"ingress\":[{}]}}", rules.join(","))).unwrap()
}

/// What is on record after `merged` was written as it is.
fn written(merged: &Merged) -> Vec<OwnRule> {
    let stored = |own: &OwnRule| merged.document.sha256_at(&own.place).map(str::to_owned);
    merged.rules.iter().map(|own| OwnRule { stored_sha256: stored(own), ..own.clone() }).collect()
}

fn texts(document: &Document) -> Vec<String> {
    document.rule_texts().map(str::to_owned).collect()
}

const ALL: &str = r#"{"service":"http_status:503"}"#;
const THEIRS: &str = r#"{"service": "http://theirs" ,"hostname":"theirs.example.com","id":"7"}"#;

#[test]
fn our_rules_stand_before_what_would_hide_them_and_never_behind_everything() {
    let found = document(&[THEIRS, r#"{"hostname":"*.dev.example.com","service":"x"}"#, ALL]);
    let merged = merge(&found, &[], &[rule("a.dev.example.com", "http://a"), rule("b.example.com", "http://b")]);
    assert_eq!(
        texts(&merged.document),
        [
            THEIRS,
            r#"{"hostname":"a.dev.example.com","service":"http://a"}"#,
            r#"{"hostname":"*.dev.example.com","service":"x"}"#,
            r#"{"hostname":"b.example.com","service":"http://b"}"#,
            ALL
        ]
    );
    assert!(merged.conflicts.is_empty() && !merged.edited);
}

#[test]
fn what_was_merged_is_left_as_it_is() {
    let wanted = [rule("a.example.com", "http://a"), rule("*.example.com", "http://b")];
    let first = merge(&document(&[ALL]), &[], &wanted);
    let again = merge(&first.document, &written(&first), &wanted);
    assert_eq!(again.changes, []);
    assert_eq!(texts(&again.document), texts(&first.document));
}

#[test]
fn a_rule_of_others_for_the_same_requests_is_a_conflict_and_stays() {
    let found = document(&[THEIRS, ALL]);
    let merged = merge(&found, &[], &[rule("Theirs.example.com", "http://ours"), rule("ours.example.com", "http://ours")]);
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.conflicts[0].theirs, THEIRS);
    assert_eq!(merged.changes.len(), 1);
    assert_eq!(texts(&merged.document)[0], THEIRS);
}

#[test]
fn a_rule_that_would_take_all_requests_of_others_is_a_conflict() {
    let theirs = r#"{"hostname":"c.example.org","path":"/api","service":"c"}"#;
    let found = document(&[r#"{"hostname":"*.example.com","service":"x"}"#, theirs, ALL]);
    // Of ours the first one belongs before the second, which belongs before the wildcard: there it would take all of theirs.
    let ours = [json!({ "path": "/api", "service": "http://a" }), rule("b.example.com", "http://b")];
    let merged = merge(&found, &[], &ours);
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.conflicts[0].theirs, theirs);
    assert_eq!(merged.changes.len(), 1);
    assert_eq!(merge(&found, &[], &ours[..1]).conflicts, []);
}

#[test]
fn only_our_rule_goes_when_it_is_not_wanted_any_more() {
    let wanted = [rule("a.example.com", "http://a"), rule("b.example.com", "http://b")];
    let first = merge(&document(&[THEIRS, ALL]), &[], &wanted);
    let second = merge(&first.document, &written(&first), &wanted[1..]);
    assert_eq!(texts(&second.document), [THEIRS, r#"{"hostname":"b.example.com","service":"http://b"}"#, ALL]);
    let none = merge(&second.document, &written(&second), &[]);
    assert_eq!(texts(&none.document), [THEIRS, ALL]);
    assert_eq!(none.rules, []);
}

#[test]
fn a_rule_that_somebody_changed_is_edited_while_wanted_and_theirs_after() {
    let wanted = [rule("a.example.com", "http://a")];
    let first = merge(&document(&[ALL]), &[], &wanted);
    let edited = document(&[r#"{"hostname":"a.example.com","service":"http://else"}"#, ALL]);
    let repaired = merge(&edited, &written(&first), &wanted);
    assert!(repaired.edited);
    assert_eq!(texts(&repaired.document)[0], r#"{"hostname":"a.example.com","service":"http://a"}"#);
    let withdrawn = merge(&edited, &written(&first), &[]);
    assert_eq!(withdrawn.changes, []);
    assert_eq!(texts(&withdrawn.document), texts(&edited));
}

#[test]
fn a_rule_whose_writing_was_never_confirmed_is_ours_only_as_it_was_sent() {
    let wanted = [rule("a.example.com", "http://a")];
    let claim = merge(&document(&[ALL]), &[], &wanted).rules;
    assert_eq!(claim[0].stored_sha256, None);
    let sent = document(&[r#"{"id":"1","hostname":"a.example.com","service":"http://a","originRequest":{}}"#, ALL]);
    assert_eq!(merge(&sent, &claim, &wanted).changes, []);
    let theirs = document(&[r#"{"hostname":"a.example.com","service":"http://theirs"}"#, ALL]);
    assert_eq!(merge(&theirs, &claim, &wanted).conflicts.len(), 1);
}

#[test]
fn a_configuration_without_rules_gets_one_for_every_other_request() {
    let merged = merge(&Document::read("null").unwrap(), &[], &[rule("a.example.com", "http://a")]);
    assert_eq!(
        merged.document.to_raw().get(),
        r#"{"ingress":[{"hostname":"a.example.com","service":"http://a"},{"service":"http_status:404"}]}"#
    );
}

/// A rule of somebody else: any spelling, unknown keys, hostnames that may be ours.
fn foreign() -> impl Strategy<Value = String> {
    (0..8_usize, prop::option::of(0..3_usize), 0..4_u8).prop_map(|(host, path, extra)| {
        let path = path.map(|path| format!(r#","path": "/p{path}""#)).unwrap_or_default();
        let extra =
            [r#""#, r#","originRequest":{"zeta":1.50,"alpha":[]}"#, r#","id":"9","x":{}"#, r#", "n":1E3"#][usize::from(extra)];
        format!(r#"{{ "hostname":"{}"{path},"service":"http://theirs"{extra}}}"#, HOSTS[host])
    })
}

const HOSTS: [&str; 8] = [
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "x.dev.example.com",
    "*.dev.example.com",
    "c.example.org",
    "*.example.org",
    "A.EXAMPLE.com",
];

fn ours() -> impl Strategy<Value = Vec<Value>> {
    let rule = (0..7_usize, prop::option::of(0..3_usize), 0..3_u8).prop_map(|(host, path, service)| {
        let mut rule = rule(HOSTS[host], &format!("http://ours:{service}"));
        if let Some(path) = path {
            rule["path"] = json!(format!("/p{path}"));
        }
        rule
    });
    prop::collection::vec(rule, 0..6).prop_map(|rules| {
        let mut different: Vec<Value> = Vec::new();
        for rule in rules {
            // The configuration refuses a rule that can never match.
            let hidden = different.iter().any(|former| Rule::of(former).hides(&Rule::of(&rule)));
            if !hidden {
                different.push(rule);
            }
        }
        different
    })
}

proptest! {
    /// DockFlare #53, #390: an update or a second hostname removes the others.
    #[test]
    fn no_edit_of_ours_changes_a_rule_of_others(
        theirs in prop::collection::vec(foreign(), 0..6),
        edits in prop::collection::vec(ours(), 1..6),
    ) {
        let mut rules: Vec<&str> = theirs.iter().map(String::as_str).collect();
        rules.push(ALL);
        let before: Vec<String> = rules.iter().map(|text| (*text).to_owned()).collect();
        let mut found = Document::read(&format!(r#"{{"z":{{"b": 1.0}},"ingress":[{}],"originRequest":{{}}}}"#, rules.join(","))).unwrap();
        let mut record: Vec<OwnRule> = Vec::new();
        for wanted in edits.iter().map(Vec::as_slice).chain([[].as_slice()]) {
            let merged = merge(&found, &record, wanted);
            record = written(&merged);
            let text = merged.document.to_raw();
            let around = text.get().starts_with(r#"{"z":{"b": 1.0},"ingress":["#) && text.get().ends_with(r#"],"originRequest":{}}"#);
            prop_assert!(around, "{}", text);
            let own: Vec<&str> = merged.rules.iter().filter_map(|own| {
                let at = merged.document.rules.iter().position(|rule| rule.place.as_ref() == Some(&own.place))?;
                Some(merged.document.rules[at].text.get())
            }).collect();
            let left: Vec<String> = texts(&merged.document).into_iter().filter(|text| !own.contains(&text.as_str())).collect();
            prop_assert_eq!(&left, &before);
            prop_assert_eq!(merged.document.rules.last().unwrap().text.get(), ALL);
            // Every rule of ours is reached, and what is merged stays as it is.
            for (index, rule) in merged.document.rules.iter().enumerate() {
                if own.contains(&rule.text.get()) {
                    prop_assert!(!merged.document.rules[..index].iter().any(|former| former.hides(rule)));
                }
            }
            // One that cannot go where its order wants it stays where it is, and is told of all the same.
            for rule in wanted.iter().map(Rule::of) {
                let is_placed = merged.rules.iter().any(|own| Some(&own.place) == rule.place.as_ref());
                prop_assert!(is_placed || merged.conflicts.iter().any(|conflict| Some(&conflict.place) == rule.place.as_ref()));
            }
            let again = merge(&merged.document, &record, wanted);
            prop_assert_eq!(again.changes, vec![]);
            prop_assert!(!again.edited);
            found = merged.document;
        }
        prop_assert_eq!(texts(&found), before);
    }
}
