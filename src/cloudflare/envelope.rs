//! The envelope around every answer: `success`, `errors`, `result` and, on lists, `result_info`. Read leniently: whatever is
//! missing, null or of another type than the schema says is left out, and only `success: true` is success.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::secret::Secret;

use super::text::tame;

/// The codes that one answer may carry, chains included. Cloudflare sends one to three.
const CODES_MAX: usize = 32;

/// An answer's body, opened.
pub(super) struct Envelope<'a> {
    pub(super) success: bool,
    pub(super) errors: Option<Value>,
    /// The result as JSON text; `null` when there is none.
    pub(super) result: &'a str,
    pub(super) info: Option<ResultInfo>,
}

/// What a list says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ResultInfo {
    pub(super) page: Option<u64>,
    pub(super) per_page: Option<u64>,
    /// Items on this page.
    pub(super) count: Option<u64>,
    /// Items that match the query.
    pub(super) total_count: Option<u64>,
}

/// What Cloudflare, or whoever answered, says went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problem {
    /// Every code of the answer, the first error's own first.
    codes: Vec<i64>,
    /// The messages, tamed; empty when there are none.
    message: String,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    success: Value,
    #[serde(default)]
    errors: Option<Value>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    result_info: Value,
}

impl<'a> Envelope<'a> {
    /// Opens `body`; `None` when it is no JSON object with a `success` or an `errors` in it.
    pub(super) fn open(body: &'a [u8]) -> Option<Self> {
        let wire: Wire<'a> = serde_json::from_slice(body).ok()?;
        if wire.success.is_null() && wire.errors.is_none() {
            return None;
        }
        Some(Self {
            success: wire.success == Value::Bool(true),
            errors: wire.errors,
            result: wire.result.map_or("null", RawValue::get),
            info: ResultInfo::read(&wire.result_info),
        })
    }
}

impl ResultInfo {
    fn read(info: &Value) -> Option<Self> {
        let info = info.as_object()?;
        let number = |name: &str| info.get(name).and_then(Value::as_u64);
        Some(Self {
            page: number("page"),
            per_page: number("per_page"),
            count: number("count"),
            total_count: number("total_count"),
        })
    }
}

impl Problem {
    /// Reads `errors`: objects with `code`, `message` and an `error_chain`, or plain texts.
    pub(super) fn read(errors: Option<&Value>, secrets: &[&Secret]) -> Self {
        let mut codes = Vec::new();
        let mut messages = Vec::new();
        for error in errors.and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice) {
            collect(error, &mut codes, &mut messages);
        }
        Self { codes, message: tame(&messages.join("; "), secrets) }
    }

    /// The start of a body that is no envelope.
    pub(super) fn page(body: &[u8], secrets: &[&Secret]) -> Self {
        Self { codes: Vec::new(), message: tame(&String::from_utf8_lossy(body), secrets) }
    }

    pub(super) fn has(&self, wanted: &[i64]) -> bool {
        self.codes.iter().any(|code| wanted.contains(code))
    }

    pub(super) fn says(&self, text: &str) -> bool {
        self.message.to_ascii_lowercase().contains(text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.codes.as_slice(), self.message.as_str()) {
            ([], "") => formatter.write_str("no reason given"),
            ([], message) => write!(formatter, "\"{message}\""),
            (codes, message) => {
                let codes: Vec<String> = codes.iter().map(i64::to_string).collect();
                write!(formatter, "code {}", codes.join(" with "))?;
                if message.is_empty() { Ok(()) } else { write!(formatter, " \"{message}\"") }
            }
        }
    }
}

fn collect(error: &Value, codes: &mut Vec<i64>, messages: &mut Vec<String>) {
    if codes.len() >= CODES_MAX || messages.len() >= CODES_MAX {
        return;
    }
    messages.extend(error.as_str().or_else(|| error.get("message")?.as_str()).map(str::to_owned));
    let code = error.get("code");
    codes.extend(code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.parse().ok())));
    for cause in error.get("error_chain").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice) {
        collect(cause, codes, messages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_true_is_success() {
        for (body, success) in [
            (r#"{"success":true,"errors":[],"messages":[],"result":{}}"#, Some(true)),
            (r#"{"success":true,"messages":["text"],"extra":1}"#, Some(true)),
            (r#"{"success":true,"messages":[{"code":null,"message":"text"}],"errors":null}"#, Some(true)),
            (r#"{"success":false,"errors":[{"code":1,"message":"no"}]}"#, Some(false)),
            (r#"{"success":"true"}"#, Some(false)),
            (r#"{"errors":[{"code":971}]}"#, Some(false)),
            (r#"{"result":[]}"#, None),
            (r#"[]"#, None),
            (r#"{"success":true,"result":[1,2"#, None),
            ("<html>502</html>", None),
            ("", None),
        ] {
            assert_eq!(Envelope::open(body.as_bytes()).map(|envelope| envelope.success), success, "{body}");
        }
    }

    #[test]
    fn a_missing_result_reads_as_null() {
        for body in [r#"{"success":true}"#, r#"{"success":true,"result":null}"#] {
            assert_eq!(Envelope::open(body.as_bytes()).unwrap().result, "null");
        }
    }

    #[test]
    fn list_information_is_taken_as_far_as_it_is_numbers() {
        for (info, expected) in [
            ("null", None),
            (r#""many""#, None),
            ("{}", Some(ResultInfo::default())),
            (
                r#"{"page":1,"per_page":50,"count":2,"total_count":"2","total_pages":1}"#,
                Some(ResultInfo { page: Some(1), per_page: Some(50), count: Some(2), total_count: None }),
            ),
        ] {
            let body = format!(r#"{{"success":true,"result_info":{info}}}"#);
            assert_eq!(Envelope::open(body.as_bytes()).unwrap().info, expected, "{info}");
        }
    }

    #[test]
    fn problems_keep_codes_of_chains_and_tame_their_words() {
        for (errors, expected) in [
            (r#"[{"code":10000,"message":"Authentication error"}]"#, r#"code 10000 "Authentication error""#),
            (
                r#"[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format"}]}]"#,
                r#"code 6003 with 6111 "Invalid request headers; Invalid format""#,
            ),
            (r#"[{"code":"971","message":"a\u001b[31m\nb"}]"#, r#"code 971 "a[31m b""#),
            (r#"["plain"]"#, r#""plain""#),
            (r#"[{"code":7003}]"#, "code 7003"),
            (r#"[]"#, "no reason given"),
            (r#"{"code":1}"#, "no reason given"),
        ] {
            let errors: Value = serde_json::from_str(errors).unwrap();
            assert_eq!(Problem::read(Some(&errors), &[]).to_string(), expected);
        }
    }

    #[test]
    fn an_endless_list_of_errors_is_cut() {
        let errors = Value::Array(vec![serde_json::json!({"code": 1, "message": "x"}); 1_000]);
        assert_eq!(Problem::read(Some(&errors), &[]).codes.len(), CODES_MAX);
    }
}
