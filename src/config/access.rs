//! `[access]`: who may do what over the control socket.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::name::AccountName;

use super::{
    problem::quoted,
    report::{Report, Reported},
    section::{Section, as_text},
};

/// Who may do what, on everything and on parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Who may do everything.
    pub admin: Vec<Who>,
    /// Who may start, stop and restart, and read logs.
    pub operator: Vec<Who>,
    /// Who may read.
    pub viewer: Vec<Who>,
    /// Roles for some objects only.
    #[serde(rename = "grant")]
    pub grants: Vec<Grant>,
}

/// A Unix user or group, by name or by number. Displayed as in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A user: `alice` or `1000`.
    User(String),
    /// A group: `@adit-admin` or `@1000`, here without the `@`.
    Group(String),
}

impl FromStr for Who {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_group) = match text.strip_prefix('@') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let allowed = |char: char| !char.is_whitespace() && !char.is_control() && !matches!(char, '@' | ':' | ',' | '/');
        if name.is_empty() || !name.chars().all(allowed) {
            return Err("it must be a Unix user, as in alice, or a group, as in @web-team, by name or by number");
        }
        Ok(if is_group { Self::Group(name.to_owned()) } else { Self::User(name.to_owned()) })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => formatter.write_str(name),
            Self::Group(name) => write!(formatter, "@{name}"),
        }
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a person may do; each role may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read; never a secret.
    Viewer,
    /// Start, stop, restart; read logs.
    Operator,
    /// Change tunnels and routes.
    Editor,
    /// Everything.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
        })
    }
}

/// A role that holds only where every pattern matches; a list that was left out matches everything. An editor's grant has all
/// four.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The role; never admin.
    pub role: Role,
    /// Who has it.
    pub who: Vec<Who>,
    /// The accounts it holds for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<AccountName>>,
    /// The tunnels it holds for, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnels: Option<Vec<Pattern>>,
    /// The hostnames it holds for, as written in a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostnames: Option<Vec<Pattern>>,
    /// The services it holds for, as written in a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<Pattern>>,
}

/// A pattern: `*` stands for any text, also none, and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Whether the whole of `text` is like the pattern.
    pub fn matches(&self, text: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut here) = (0, 0);
        // After the last star: the pattern behind it, and how far the star reaches. Only the last one ever has to be tried
        // again, so that this ends after at most pattern × text steps.
        let mut star: Option<(usize, usize)> = None;
        while here < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at + 1, here));
                    at += 1;
                }
                // A hostname's own * stands for more than one character does.
                Some(char) if (*char == '?' && text[here] != '*') || *char == text[here] => {
                    at += 1;
                    here += 1;
                }
                Some(_) | None => match &mut star {
                    Some((behind, reach)) => {
                        *reach += 1;
                        (at, here) = (*behind, *reach);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|char| *char == '*')
    }
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("a pattern must not be empty; * stands for everything");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(super) fn access(section: Section<'_>, report: &mut Report<'_>) -> Result<Access, Reported> {
    let admin = section.list("admin", report, Who::from_str);
    let operator = section.list("operator", report, Who::from_str);
    let viewer = section.list("viewer", report, Who::from_str);
    let grants: Vec<_> = section.items("grant").iter().filter_map(Section::of).map(|section| grant(section, report)).collect();
    let grants = grants.into_iter().collect::<Result<_, _>>();
    Ok(Access { admin: admin?, operator: operator?, viewer: viewer?, grants: grants? })
}

fn grant(section: Section<'_>, report: &mut Report<'_>) -> Result<Grant, Reported> {
    let role = section.word("role", &[("viewer", Role::Viewer), ("operator", Role::Operator), ("editor", Role::Editor)]);
    let who = section.list("who", report, Who::from_str);
    let accounts = section.get("accounts").map(|_| section.list("accounts", report, AccountName::from_str)).transpose();
    let mut patterns = |key| section.get(key).map(|_| section.list(key, report, Pattern::from_str)).transpose();
    let (tunnels, hostnames, origins) = (patterns("tunnels"), patterns("hostnames"), patterns("origins"));
    let (role, who) = (role?, who?);
    if who.is_empty() && section.get("who").is_some() {
        return Err(report.error(section.place, "who must name somebody"));
    }
    let missing: Vec<&str> =
        ["accounts", "tunnels", "hostnames", "origins"].into_iter().filter(|key| section.get(key).is_none()).collect();
    if role >= Role::Editor && !missing.is_empty() && !report.has_syntax_errors() {
        let message = format!("an editor's grant must say what it holds for: {} is missing", missing.join(", "));
        return Err(report.error_with_help(
            section.place,
            message,
            "accounts are named, in the others [\"*\"] stands for everything",
        ));
    }
    Ok(Grant { role, who, accounts: accounts?, tunnels: tunnels?, hostnames: hostnames?, origins: origins? })
}

/// Reports accounts in grants that do not exist.
pub(super) fn check_accounts(section: Section<'_>, accounts: &[AccountName], report: &mut Report<'_>) {
    if report.has_syntax_errors() {
        return;
    }
    let grants = section.items("grant").iter().filter_map(Section::of);
    for (name, place) in grants.flat_map(|grant| grant.items("accounts")).filter_map(as_text) {
        if name.parse::<AccountName>().is_ok_and(|name| !accounts.contains(&name)) {
            report.error(place, format!("cannot use {}: there is no table [accounts.{name}]", quoted(name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, good, bad) in [
            ("web-*", vec!["web-", "web-a"], vec!["web", "a-web-"]),
            ("*.web.example.com", vec!["a.web.example.com", "*.web.example.com", "a.b.web.example.com"], vec!["web.example.com"]),
            ("http://localhost:80??", vec!["http://localhost:8080"], vec!["http://localhost:808", "http://localhost:80800"]),
            ("*", vec!["", "anything"], vec![]),
            ("*a*b*c", vec!["abc", "xaxbxc", "aabbcc"], vec!["abcd", "acb"]),
            ("a", vec!["a"], vec!["", "aa", "A"]),
            ("?", vec!["ü"], vec!["", "ab", "*"]),
            ("?.example.com", vec!["a.example.com"], vec!["*.example.com"]),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            for text in good {
                assert!(pattern.matches(text), "{pattern} {text}");
            }
            for text in bad {
                assert!(!pattern.matches(text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern: Pattern = "*a".repeat(200).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(199)));
        assert!(pattern.matches(&"a".repeat(5_000)));
    }

    #[test]
    fn roles_are_ordered_by_what_they_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Editor && Role::Editor < Role::Admin);
    }

    #[test]
    fn users_and_groups_are_told_apart_and_written_as_read() {
        for text in ["alice", "@web-team", "1000", "@1000", "svc_app$"] {
            assert_eq!(text.parse::<Who>().unwrap().to_string(), text);
        }
        for bad in ["", "@", "a b", "@@a", "a:b", "a,b"] {
            assert!(bad.parse::<Who>().is_err(), "{bad}");
        }
    }
}
