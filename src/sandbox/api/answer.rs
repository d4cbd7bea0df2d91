//! Answers that say yes, and the envelope around both kinds.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::failure::Failure;

/// What an operation returns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) result: Value,
    pub(super) info: Option<Info>,
}

/// `result_info` of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) page: usize,
    pub(super) per_page: usize,
    pub(super) count: usize,
    pub(super) total_count: usize,
    /// Only DNS tells how many pages there are.
    pub(super) total_pages: Option<usize>,
}

impl Answer {
    /// One object, with status 200.
    pub(super) fn one(result: Value) -> Self {
        Self { status: StatusCode::OK, result, info: None }
    }

    /// A whole list on its only page.
    pub(super) fn all(items: Vec<Value>) -> Self {
        let count = items.len();
        let info = Info { page: 1, per_page: count, count, total_count: count, total_pages: None };
        Self { status: StatusCode::OK, result: Value::Array(items), info: Some(info) }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl Info {
    fn json(self) -> Value {
        let mut info = json!({
            "page": self.page,
            "per_page": self.per_page,
            "count": self.count,
            "total_count": self.total_count,
        });
        if let Some(pages) = self.total_pages {
            info["total_pages"] = json!(pages);
        }
        info
    }
}

/// The envelope of an outcome.
pub(super) fn envelope(outcome: &Result<Answer, Failure>) -> Value {
    match outcome {
        Ok(answer) => {
            let mut envelope = json!({ "success": true, "errors": [], "messages": [], "result": answer.result });
            if let Some(info) = answer.info {
                envelope["result_info"] = info.json();
            }
            envelope
        }
        Err(failure) => json!({ "success": false, "errors": [failure.item()], "messages": [], "result": null }),
    }
}
