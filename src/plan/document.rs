//! A stored configuration as its text: what is not changed in it is given back byte for byte.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Value, value::RawValue};

use crate::{desired::fingerprint, name::Hostname, record::RulePlace};

/// The key of the rules.
const INGRESS: &str = "ingress";

/// What Cloudflare adds by itself and takes from nobody: it is read-only in its API, and cloudflared ignores it.
const READ_ONLY: &str = "warp-routing";

/// A configuration whose keys stay in order and whose values stay as they were written.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// Every key but `ingress`, with the text of its value, and where `ingress` stands among them.
    others: Vec<(String, Box<RawValue>)>,
    at: usize,
    /// The ingress rules.
    pub(super) rules: Vec<Rule>,
}

/// One ingress rule: its text, and what it matches.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) text: Box<RawValue>,
    /// Where it stands. `None` for one that nobody can say it of: it hides nothing and nothing is ever put in its place.
    pub(super) place: Option<RulePlace>,
    pub(super) sha256: String,
}

impl Document {
    /// Reads the text of a configuration; `null` is one without rules.
    ///
    /// # Errors
    ///
    /// When it is no object, or its rules are no list.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        Ok(serde_json::from_str::<Option<Self>>(text)?.unwrap_or_default())
    }

    /// The document as it is sent.
    pub fn to_raw(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("texts of JSON values make up a JSON object")
    }

    /// The text of each rule, in order.
    #[cfg(test)]
    pub(super) fn rule_texts(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.text.get())
    }

    /// The fingerprint of the rule at `place`, if there is one.
    pub fn sha256_at(&self, place: &RulePlace) -> Option<&str> {
        self.rules.iter().find(|rule| rule.place.as_ref() == Some(place)).map(|rule| rule.sha256.as_str())
    }
}

impl Rule {
    pub(super) fn of(value: &Value) -> Self {
        let text = serde_json::value::to_raw_value(value).expect("a JSON value has a JSON text");
        Self { text, place: place(value), sha256: fingerprint(value) }
    }

    fn read(text: Box<RawValue>) -> Result<Self, serde_json::Error> {
        let value: Value = serde_json::from_str(text.get())?;
        Ok(Self { place: place(&value), sha256: fingerprint(&value), text })
    }

    /// Whether no request would reach `other` behind this rule. Two different regular expressions are taken to find different
    /// paths.
    pub(super) fn hides(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (&self.place, &other.place) else { return false };
        covers(own.hostname.as_deref(), other.hostname.as_deref()) && (own.path.is_none() || own.path == other.path)
    }

    /// Whether a request may match both rules, so that their order matters.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (&self.place, &other.place) else { return false };
        let (own, other) = (own.hostname.as_deref(), other.hostname.as_deref());
        covers(own, other) || covers(other, own)
    }

    pub(super) fn is_catch_all(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.hostname.is_none() && place.path.is_none())
    }
}

/// Where a rule stands. cloudflared reads an empty hostname and `*` alone as every hostname; hostnames ignore case.
pub(super) fn place(rule: &Value) -> Option<RulePlace> {
    let rule = rule.as_object()?;
    let text = |key: &str| match rule.get(key) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    let hostname = text("hostname")?.filter(|hostname| *hostname != "*").map(|hostname| match hostname.parse::<Hostname>() {
        Ok(hostname) => hostname.as_str().to_owned(),
        Err(_) => hostname.to_lowercase(),
    });
    Some(RulePlace { hostname, path: text("path")?.map(str::to_owned) })
}

fn covers(own: Option<&str>, other: Option<&str>) -> bool {
    match (own, other) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(other)) => own == other || own.parse::<Hostname>().is_ok_and(|own| own.matches(other)),
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, (key, value)) in self.others.iter().enumerate() {
            if index == self.at {
                map.serialize_entry(INGRESS, &Rules(&self.rules))?;
            }
            map.serialize_entry(key, value)?;
        }
        if self.at >= self.others.len() {
            map.serialize_entry(INGRESS, &Rules(&self.rules))?;
        }
        map.end()
    }
}

struct Rules<'a>(&'a [Rule]);

impl Serialize for Rules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for rule in self.0 {
            list.serialize_element(&rule.text)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let (mut others, mut at, mut rules) = (Vec::new(), None, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            if key == INGRESS {
                if at.replace(others.len()).is_some() {
                    return Err(A::Error::custom("it has two lists of rules"));
                }
                let texts = map.next_value::<Option<Vec<Box<RawValue>>>>()?.unwrap_or_default();
                rules = texts.into_iter().map(Rule::read).collect::<Result<_, _>>().map_err(A::Error::custom)?;
            } else {
                let value: Box<RawValue> = map.next_value()?;
                if key != READ_ONLY {
                    others.push((key, value));
                }
            }
        }
        Ok(Document { at: at.unwrap_or(others.len()), others, rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_byte_for_byte() {
        for text in [
            r#"{"y":{"enabled":true},"ingress":[{"service":"http_status:404","b": 1.50 ,"a":[1e2]}],"z":null}"#,
            r#"{"ingress":[{"hostname":"Ä.example.com","service":"a"},{"service":"b"}],"originRequest":{"connectTimeout":10}}"#,
            r#"{"z":1,"a":2,"ingress":[]}"#,
        ] {
            assert_eq!(Document::read(text).unwrap().to_raw().get(), text);
        }
    }

    #[test]
    fn what_cloudflare_adds_by_itself_is_not_sent() {
        let read = Document::read(r#"{"warp-routing":{"enabled":false},"ingress":[],"x":1}"#).unwrap();
        assert_eq!(read.to_raw().get(), r#"{"ingress":[],"x":1}"#);
    }

    #[test]
    fn no_configuration_is_one_without_rules() {
        for text in ["null", "{}", r#"{"ingress":null}"#] {
            assert_eq!(Document::read(text).unwrap().rules.len(), 0);
        }
        for text in ["[]", "1", r#"{"ingress":{}}"#, r#"{"ingress":[],"ingress":[]}"#] {
            assert!(Document::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_hides_what_it_takes_all_requests_of() {
        let rule = |text: &str| Rule::of(&serde_json::from_str(text).unwrap());
        let hides = |former: &str, latter: &str| rule(former).hides(&rule(latter));
        assert!(hides(r#"{"service":"a"}"#, r#"{"hostname":"a.example.com"}"#));
        assert!(hides(r#"{"hostname":"*.example.com"}"#, r#"{"hostname":"A.example.com","path":"/x"}"#));
        assert!(hides(r#"{"hostname":"*","service":"a"}"#, r#"{"hostname":"a.example.com"}"#));
        assert!(!hides(r#"{"hostname":"*.example.com","path":"/x"}"#, r#"{"hostname":"a.example.com"}"#));
        assert!(!hides(r#"{"hostname":"a.example.com"}"#, r#"{"hostname":"b.example.com"}"#));
        assert!(!hides(r#"{"hostname":7}"#, r#"{"hostname":"b.example.com"}"#));
    }
}
