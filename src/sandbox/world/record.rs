//! One DNS record: what it is made of, and the rules that it must keep by itself.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{error::Error, plan::Plan};
use crate::id::RecordId;

/// The longest TTL, in seconds.
const TTL_MAX: u32 = 86_400;

/// The TTL that means "automatic", the only one of a proxied record.
const TTL_AUTOMATIC: u32 = 1;

/// The types of records that this Cloudflare holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordKind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// Any text.
    Txt,
}

impl RecordKind {
    /// The type as DNS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
        }
    }

    /// Whether records of this type can be proxied.
    pub(crate) fn is_proxiable(self) -> bool {
        match self {
            Self::A | Self::Aaaa | Self::Cname => true,
            Self::Txt => false,
        }
    }
}

/// What a record is made of, as a client writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordBody {
    #[serde(rename = "type")]
    pub(crate) kind: RecordKind,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) ttl: u32,
    #[serde(default)]
    pub(crate) proxied: bool,
    #[serde(default)]
    pub(crate) comment: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) settings: RecordSettings,
}

/// Options of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv4_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv6_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flatten_cname: Option<bool>,
}

/// A record that exists.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: RecordId,
    pub(crate) body: RecordBody,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) comment_modified: Option<Timestamp>,
    pub(crate) tags_modified: Option<Timestamp>,
    /// The place in the zone's order of creation.
    pub(crate) number: u64,
}

impl RecordBody {
    /// The body in the form that a zone stores, if it keeps the rules of its type and of the zone's plan.
    pub(crate) fn checked(self, zone: &str, plan: Plan) -> Result<Self, Error> {
        let name = full_name(&self.name, zone)?;
        let content = checked_content(self.kind, &self.content)?;
        check_ttl(&self, plan)?;
        if self.proxied && !self.kind.is_proxiable() {
            return refused(Some(9004), "This record type cannot be proxied.");
        }
        let comment = self.comment.filter(|comment| !comment.is_empty());
        if comment.as_ref().is_some_and(|comment| comment.contains(['\r', '\n'])) {
            return refused(None, "Comment must not contain line breaks.");
        }
        if comment.as_ref().is_some_and(|comment| comment.chars().count() > plan.comment_max()) {
            return refused(None, &format!("Comment must not be longer than {} characters.", plan.comment_max()));
        }
        if self.tags.len() > plan.tags_max() {
            return refused(
                None,
                &format!("DNS record has {} tags, exceeding the quota of {}.", self.tags.len(), plan.tags_max()),
            );
        }
        if !self.tags.iter().all(|tag| is_tag(tag)) {
            return refused(None, "A tag is name:value, with a name of at most 32 and a value of at most 100 characters.");
        }
        Ok(Self { name, content, comment, ..self })
    }
}

/// The complete name in lower case. A name outside of the zone becomes one below it, as Cloudflare does.
fn full_name(name: &str, zone: &str) -> Result<String, Error> {
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    let full = match name.as_str() {
        "@" => zone.to_owned(),
        name if name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.')) => name.to_owned(),
        name => format!("{name}.{zone}"),
    };
    let labels = full.strip_prefix("*.").unwrap_or(&full);
    if full.len() > 255 || !labels.split('.').all(is_label) {
        return refused(Some(9000), "DNS name is invalid.");
    }
    Ok(full)
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed)
}

fn checked_content(kind: RecordKind, content: &str) -> Result<String, Error> {
    match kind {
        RecordKind::A if content.parse::<Ipv4Addr>().is_err() => {
            refused(Some(9005), "Content for A record must be a valid IPv4 address.")
        }
        RecordKind::Aaaa if content.parse::<Ipv6Addr>().is_err() => {
            refused(Some(9006), "Content for AAAA record must be a valid IPv6 address.")
        }
        RecordKind::A | RecordKind::Aaaa => Ok(content.to_owned()),
        RecordKind::Cname => {
            let target = content.strip_suffix('.').unwrap_or(content).to_lowercase();
            if target.len() <= 255 && target.split('.').all(is_label) {
                Ok(target)
            } else {
                refused(Some(9007), "Content for CNAME record is invalid.")
            }
        }
        RecordKind::Txt if content.is_empty() => refused(None, "Content for TXT record must not be empty."),
        RecordKind::Txt => Ok(content.to_owned()),
    }
}

fn check_ttl(body: &RecordBody, plan: Plan) -> Result<(), Error> {
    if body.ttl == TTL_AUTOMATIC {
        return Ok(());
    }
    if body.proxied {
        return refused(Some(9021), "TTL of a proxied record must be 1 (automatic).");
    }
    if (plan.ttl_min()..=TTL_MAX).contains(&body.ttl) {
        return Ok(());
    }
    let rule = format!("Invalid TTL. Must be between {} and {TTL_MAX} seconds, or 1 for Automatic.", plan.ttl_min());
    refused(Some(9021), &rule)
}

fn is_tag(tag: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    tag.split_once(':')
        .is_some_and(|(name, value)| (1..=32).contains(&name.len()) && name.bytes().all(allowed) && value.chars().count() <= 100)
}

fn refused<T>(code: Option<i64>, message: &str) -> Result<T, Error> {
    Err(Error::InvalidRecord { code, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cname(name: &str) -> RecordBody {
        RecordBody {
            kind: RecordKind::Cname,
            name: name.to_owned(),
            content: "target.example.net".to_owned(),
            ttl: 1,
            proxied: true,
            comment: None,
            tags: Vec::new(),
            settings: RecordSettings::default(),
        }
    }

    #[test]
    fn names_are_completed_within_the_zone() {
        for (name, full) in [
            ("App.Example.COM.", "app.example.com"),
            ("@", "example.com"),
            ("*.example.com", "*.example.com"),
            ("app", "app.example.com"),
            ("app.example.net", "app.example.net.example.com"),
            ("notexample.com", "notexample.com.example.com"),
        ] {
            assert_eq!(cname(name).checked("example.com", Plan::Free).unwrap().name, full);
        }
    }

    #[test]
    fn broken_records_are_refused_with_the_inner_code() {
        let code = |body: RecordBody, plan| match body.checked("example.com", plan) {
            Err(Error::InvalidRecord { code, .. }) => code,
            other => panic!("{other:?}"),
        };
        let comment = |length: usize| Some("é".repeat(length));
        assert_eq!(code(RecordBody { ttl: 300, ..cname("a") }, Plan::Pro), Some(9021));
        assert_eq!(code(RecordBody { ttl: 30, proxied: false, ..cname("a") }, Plan::Pro), Some(9021));
        assert_eq!(code(cname("a.*.example.com"), Plan::Pro), Some(9000));
        assert_eq!(code(cname("a..example.com"), Plan::Pro), Some(9000));
        assert_eq!(code(RecordBody { kind: RecordKind::Txt, ..cname("a") }, Plan::Pro), Some(9004));
        assert_eq!(code(RecordBody { kind: RecordKind::A, ..cname("a") }, Plan::Pro), Some(9005));
        assert_eq!(code(RecordBody { kind: RecordKind::Aaaa, ..cname("a") }, Plan::Pro), Some(9006));
        assert_eq!(code(RecordBody { content: "a b".to_owned(), ..cname("a") }, Plan::Pro), Some(9007));
        assert_eq!(code(RecordBody { comment: comment(101), ..cname("a") }, Plan::Free), None);
        assert_eq!(code(RecordBody { comment: comment(501), ..cname("a") }, Plan::Pro), None);
        assert_eq!(code(RecordBody { comment: Some("a\nb".to_owned()), ..cname("a") }, Plan::Pro), None);
        assert_eq!(code(RecordBody { tags: vec!["a:b".to_owned()], ..cname("a") }, Plan::Free), None);
        assert_eq!(code(RecordBody { tags: vec!["ab".to_owned()], ..cname("a") }, Plan::Pro), None);
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let fits = |body: RecordBody, plan| body.checked("example.com", plan).is_ok();
        assert!(fits(RecordBody { comment: Some("é".repeat(100)), ..cname("a") }, Plan::Free));
        assert!(fits(RecordBody { comment: Some("é".repeat(500)), ..cname("a") }, Plan::Business));
        assert!(fits(RecordBody { ttl: 30, proxied: false, ..cname("a") }, Plan::Enterprise));
        assert!(fits(RecordBody { ttl: 60, proxied: false, ..cname("a") }, Plan::Free));
        assert!(fits(RecordBody { tags: vec!["a:".to_owned()], ..cname("a") }, Plan::Pro));
    }
}
