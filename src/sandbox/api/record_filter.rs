//! The filters and the order of the record list.

use super::{failure::Failure, query::Query};
use crate::sandbox::world::Record;

/// What a list asks for. Text is compared without regard to case.
#[derive(Debug)]
pub(super) struct RecordFilter {
    conditions: Vec<Condition>,
    /// Whether one condition is enough (`match=any`).
    any: bool,
    tag_conditions: Vec<Condition>,
    /// Whether one condition on tags is enough (`tag_match=any`).
    any_tag: bool,
}

#[derive(Debug)]
enum Condition {
    Type(String),
    Proxied(bool),
    Text(Field, Test),
    Tag(Test),
    /// No tag has this name.
    TagAbsent(String),
    Search(String),
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Name,
    Content,
    Comment,
}

/// How a text is compared; the wanted text is in lower case.
#[derive(Debug)]
enum Test {
    Exact(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Present,
    Absent,
}

impl RecordFilter {
    pub(super) fn parse(query: &Query) -> Result<Self, Failure> {
        let (mut conditions, mut tag_conditions) = (Vec::new(), Vec::new());
        for (name, value) in query.pairs() {
            match Condition::parse(name, &value.to_lowercase())? {
                Some(condition @ (Condition::Tag(_) | Condition::TagAbsent(_))) => tag_conditions.push(condition),
                Some(condition) => conditions.push(condition),
                None => {}
            }
        }
        let any = |name: &str| query.text(name) == Some("any");
        Ok(Self { conditions, any: any("match"), tag_conditions, any_tag: any("tag_match") })
    }

    pub(super) fn matches(&self, record: &Record) -> bool {
        let passes = |conditions: &[Condition], any: bool| {
            let mut results = conditions.iter().map(|condition| condition.holds(record));
            if any && !conditions.is_empty() { results.any(|passed| passed) } else { results.all(|passed| passed) }
        };
        passes(&self.conditions, self.any) && passes(&self.tag_conditions, self.any_tag)
    }
}

impl Condition {
    /// The condition of a parameter, or `None` for one that is no filter. `value` is in lower case.
    fn parse(name: &str, value: &str) -> Result<Option<Self>, Failure> {
        let (field, operator) = name.split_once('.').unwrap_or((name, "exact"));
        let value = value.to_owned();
        let test = match operator {
            "exact" => Test::Exact(value.clone()),
            "contains" => Test::Contains(value.clone()),
            "startswith" => Test::StartsWith(value.clone()),
            "endswith" => Test::EndsWith(value.clone()),
            "present" => Test::Present,
            "absent" => Test::Absent,
            _ => return Ok(None),
        };
        Ok(match (field, test) {
            ("type", Test::Exact(kind)) => Some(Self::Type(kind)),
            ("proxied", Test::Exact(value)) => {
                let proxied = value.parse().map_err(|_| Failure::invalid("proxied must be true or false"))?;
                Some(Self::Proxied(proxied))
            }
            ("search", Test::Exact(text)) => Some(Self::Search(text)),
            ("name", test) => Some(Self::Text(Field::Name, test)),
            ("content", test) => Some(Self::Text(Field::Content, test)),
            ("comment", test) => Some(Self::Text(Field::Comment, test)),
            // Whether a tag is present or absent is asked by its name.
            ("tag", Test::Present) => Some(Self::Tag(Test::StartsWith(format!("{value}:")))),
            ("tag", Test::Absent) => Some(Self::TagAbsent(format!("{value}:"))),
            ("tag", test) => Some(Self::Tag(test)),
            (_, _) => None,
        })
    }

    fn holds(&self, record: &Record) -> bool {
        let body = &record.body;
        match self {
            Self::Type(kind) => body.kind.as_str().eq_ignore_ascii_case(kind),
            Self::Proxied(proxied) => body.proxied == *proxied,
            Self::Text(Field::Name, test) => test.passes(Some(&body.name)),
            Self::Text(Field::Content, test) => test.passes(Some(&body.content)),
            Self::Text(Field::Comment, test) => test.passes(body.comment.as_deref()),
            Self::Tag(test) => body.tags.iter().any(|tag| test.passes(Some(tag))),
            Self::TagAbsent(name) => !body.tags.iter().any(|tag| tag.to_lowercase().starts_with(name.as_str())),
            Self::Search(text) => [Some(&body.name), Some(&body.content), body.comment.as_ref()]
                .into_iter()
                .flatten()
                .any(|field| field.to_lowercase().contains(text.as_str())),
        }
    }
}

impl Test {
    fn passes(&self, text: Option<&str>) -> bool {
        let text = text.map(str::to_lowercase);
        let text = text.as_deref();
        match self {
            Self::Exact(wanted) => text == Some(wanted),
            Self::Contains(wanted) => text.is_some_and(|text| text.contains(wanted.as_str())),
            Self::StartsWith(wanted) => text.is_some_and(|text| text.starts_with(wanted.as_str())),
            Self::EndsWith(wanted) => text.is_some_and(|text| text.ends_with(wanted.as_str())),
            Self::Present => text.is_some(),
            Self::Absent => text.is_none(),
        }
    }
}

/// Brings records into the order that is asked for; without one they stay in the order of creation.
pub(super) fn sort(records: &mut [&Record], query: &Query) {
    match query.text("order") {
        Some("name") => records.sort_by(|left, right| left.body.name.cmp(&right.body.name)),
        Some("content") => records.sort_by(|left, right| left.body.content.cmp(&right.body.content)),
        Some("type") => records.sort_by_key(|record| record.body.kind.as_str()),
        Some("ttl") => records.sort_by_key(|record| record.body.ttl),
        Some("proxied") => records.sort_by_key(|record| record.body.proxied),
        Some(_) | None => {}
    }
    if query.text("direction") == Some("desc") {
        records.reverse();
    }
}
