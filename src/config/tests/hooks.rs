//! Who is told of events.

use super::*;
use crate::event_kind::Level;

const WEBHOOK: &str = "[hooks.webhook]\nurl = 'https://hooks.example.com/adit?site=1'\nsecret = { file = '/etc/adit/secret' }\n";

fn hooks(text: &str) -> Hooks {
    parse_text(text).unwrap_or_else(|problems| panic!("{problems}")).hooks
}

#[test]
fn nobody_is_told_by_default_and_then_of_warnings() {
    let hooks = hooks("");
    assert!(hooks.on_event.is_empty() && hooks.webhook.is_none());
    assert!(hooks.want("connector-exited", Level::Warn) && !hooks.want("connector-exited", Level::Info));
}

#[test]
fn who_names_kinds_is_told_of_them_however_loud_they_are() {
    let named = hooks("[hooks]\nevents = ['connector-*', 'daemon-started']");
    assert!(named.want("daemon-started", Level::Info) && named.want("connector-blocked", Level::Error));
    assert!(!named.want("config-refused", Level::Error));
    let both = hooks("[hooks]\nevents = ['connector-*']\nlevel = 'error'");
    assert!(both.want("connector-blocked", Level::Error) && !both.want("connector-exited", Level::Warn));
}

#[test]
fn hooks_are_told_of_no_readings_and_not_of_themselves() {
    let all = hooks("[hooks]\nevents = ['*']");
    assert!(!all.want("hook-failed", Level::Warn) && !all.want("hook-recovered", Level::Info));
    assert!(!all.want("account-seen", Level::Reading) && !all.want("connector-reading", Level::Reading));
    assert!(!all.want("no-such-kind", Level::Error));
}

#[test]
fn a_pattern_of_no_kind_is_told_with_what_may_be_meant() {
    for (pattern, problem) in [
        ("conector-exited", "there is no such kind of event (did you mean \"connector-exited\"?)"),
        ("conector-*", "there is no such kind of event (did you mean \"connector-*\"?)"),
        ("connector-up", "there is no such kind of event (see /usr/share/doc/adit/events.md)"),
        ("Xyz", "there is no such kind of event (see /usr/share/doc/adit/events.md)"),
        ("hook-*", "hooks are never told of readings, nor of hooks themselves (see /usr/share/doc/adit/events.md)"),
    ] {
        let expected = format!("adit.toml:2: hooks.events[0]: cannot use {pattern:?}: {problem}");
        assert_problems(&format!("[hooks]\nevents = ['{pattern}']"), &expected);
    }
    let nothing = "adit.toml:2: hooks.events: with no kind of event hooks are told of nothing (leave it out for every kind)";
    assert_problems("[hooks]\nevents = []", nothing);
}

#[test]
fn a_command_is_a_list_with_an_absolute_path_first() {
    assert_eq!(hooks("[hooks]\non_event = ['/bin/true', 'a b']").on_event, ["/bin/true", "a b"]);
    assert_problems(
        "[hooks]\non_event = ['notify']",
        "adit.toml:2: hooks.on_event: cannot run \"notify\": the program needs an absolute path, as nothing is looked up (as in \
         [\"/usr/local/bin/notify\", \"--quiet\"]; there is no shell)",
    );
    assert_problems("[hooks]\non_event = '/bin/true'", "adit.toml:2: hooks.on_event: expected a list, found a string");
}

#[test]
fn a_webhook_has_an_address_that_keeps_it_secret_and_something_to_sign_with() {
    let webhook = hooks(WEBHOOK).webhook.unwrap();
    assert_eq!(webhook.url.as_str(), "https://hooks.example.com/adit?site=1");
    assert_eq!(webhook.secret, TokenSource::File("/etc/adit/secret".into()));
    assert!(parse_text(&WEBHOOK.replace("https://hooks.example.com", "http://[::1]:9000")).is_ok());
    for (url, rule) in [
        ("http://hooks.example.com/", "http would send what happens here in clear"),
        ("ftp://hooks.example.com/", "https"),
        ("https://me:pass@hooks.example.com/", "no user name or password may stand in it"),
        ("https://hooks.example.com/#a", "nothing behind a # is ever sent"),
        ("hooks.example.com", "it is no URL"),
    ] {
        let problems = problems_of(parse_text(&format!("[hooks.webhook]\nurl = '{url}'\nsecret = {{ env = 'A' }}")));
        assert!(problems.contains("hooks.webhook.url: cannot use") && problems.contains(rule), "{url}: {problems}");
    }
    let problems = problems_of(parse_text("[hooks.webhook]\nurl = 'https://a.example.com'"));
    assert!(problems.contains("the key \"secret\" is missing"), "{problems}");
    let problems = problems_of(parse_text("[hooks.webhook]\nurl = 'https://a.example.com'\nsecret = {}"));
    assert!(
        problems.contains("exactly one of credential, file, command and env must say where the secret comes from"),
        "{problems}"
    );
}

#[test]
fn what_is_shown_says_the_same_again() {
    let text = format!("{ACCOUNT}[hooks]\nevents = ['tunnel-*']\non_event = ['/bin/true']\n{WEBHOOK}");
    let config = parse_files(&[("adit.toml", &text)]).unwrap();
    let shown = show(&config);
    assert_eq!(parse_files(&[("adit.toml", &shown)]).unwrap().hooks, config.hooks, "{shown}");
}
