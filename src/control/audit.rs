//! What the audit log is told, and which of its entries are asked for.

use std::num::NonZeroU16;

use jiff::Timestamp;

use super::{
    api::{AuditEntry, ErrorKind},
    peer::Principal,
};
use crate::config::Role;

/// One change, or the refusal of one, for the audit log.
#[derive(Debug)]
pub struct Audit<'a> {
    /// Who.
    pub by: &'a Principal,
    /// The highest role that they have for what it is about; `None`: none.
    pub role: Option<Role>,
    /// The least role that it needs.
    pub needed: Option<Role>,
    /// What was asked for: `create`, `stop`, ….
    pub verb: &'static str,
    /// Of which tunnel, as it was written: it may be no tunnel's name.
    pub tunnel: Option<&'a str>,
    /// What else it is about: a hostname, a plan's hash, ….
    pub object: Option<&'a str>,
    /// The version of what was changed before, if that is another one than `after`.
    pub before: Option<&'a str>,
    /// The version of what was changed behind it.
    pub after: Option<&'a str>,
    /// What it was refused for, and why; `None`: it was done.
    pub refused: Option<(ErrorKind, &'a str)>,
}

/// Which entries of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// How many of those there are already, at most: the newest.
    pub limit: NonZeroU16,
    /// Only those after this one.
    pub since: Option<u64>,
    /// Only those from this time on.
    pub from: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
    /// Only those of this user, by name or uid.
    pub who: Option<String>,
    /// Only those of this verb.
    pub verb: Option<String>,
    /// Only those about this tunnel.
    pub tunnel: Option<String>,
    /// Only those with this result.
    pub result: Option<String>,
    /// Only refusals, or only what was done.
    pub refused: Option<bool>,
}

impl AuditQuery {
    /// Whether `entry` is asked for.
    pub fn wants(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, text: Option<&str>| wanted.as_deref().is_none_or(|wanted| Some(wanted) == text);
        let uid = entry.uid.map(|uid| uid.to_string());
        self.since.is_none_or(|since| entry.id > since)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
            && (is(&self.who, Some(&entry.who)) || is(&self.who, uid.as_deref()))
            && is(&self.verb, Some(&entry.verb))
            && is(&self.tunnel, entry.tunnel.as_deref())
            && is(&self.result, Some(&entry.result))
            && self.refused.is_none_or(|refused| entry.is_refused() == refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: AuditQuery = AuditQuery {
        limit: NonZeroU16::MAX,
        since: None,
        from: None,
        until: None,
        who: None,
        verb: None,
        tunnel: None,
        result: None,
        refused: None,
    };

    #[test]
    fn each_filter_lets_pass_only_what_it_names() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let entry: AuditEntry = serde_json::from_value(serde_json::json!({
            "id": 7, "at": at, "who": "ada", "uid": 1000, "pid": 1, "verb": "stop", "tunnel": "web", "result": "not_permitted",
        }))
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let later = at + jiff::SignedDuration::from_secs(1);
        for (wants, query) in [
            (true, ALL),
            (true, AuditQuery { since: Some(6), ..ALL }),
            (false, AuditQuery { since: Some(7), ..ALL }),
            (true, AuditQuery { from: Some(at), until: Some(later), ..ALL }),
            (false, AuditQuery { from: Some(later), ..ALL }),
            (false, AuditQuery { until: Some(at), ..ALL }),
            (true, AuditQuery { who: text("ada"), ..ALL }),
            (true, AuditQuery { who: text("1000"), ..ALL }),
            (false, AuditQuery { who: text("1"), ..ALL }),
            (true, AuditQuery { verb: text("stop"), tunnel: text("web"), ..ALL }),
            (false, AuditQuery { verb: text("start"), ..ALL }),
            (false, AuditQuery { tunnel: text("api"), ..ALL }),
            (true, AuditQuery { result: text("not_permitted"), refused: Some(true), ..ALL }),
            (false, AuditQuery { result: text("done"), ..ALL }),
            (false, AuditQuery { refused: Some(false), ..ALL }),
        ] {
            assert_eq!(query.wants(&entry), wants, "{query:?}");
        }
    }
}
