//! Why a tool did not do what was asked: an answer of its own, which whoever called can read and act on.

use std::io;

use rmcp::{
    ErrorData,
    model::{CallToolResult, ContentBlock},
};
use serde_json::{Value, json};

use super::foreign;
use crate::{
    control::{
        Trouble,
        api::{Error, ErrorKind, Problem},
    },
    error_text::with_causes,
};

/// Why a tool did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    /// A stable word: one of the daemon's kinds, or `not_reachable`, `slow` or `broken` when it did not answer.
    kind: &'static str,
    message: String,
    details: Vec<Problem>,
    hint: Option<String>,
}

impl Failure {
    /// Arguments that are not as the tool's schema says.
    pub(super) fn of_arguments(tool: &str, details: Vec<Problem>) -> Self {
        let message = format!("cannot call {tool}: its arguments are not right");
        let hint = "call it again with what the details say; tools/list shows every tool's schema";
        Error::new(ErrorKind::Invalid, message).with_details(details).with_hint(hint).into()
    }

    /// What is wrong, in one line.
    pub(super) fn message(&self) -> String {
        foreign::one_line(&self.message, foreign::TEXT_BYTES_MAX)
    }

    /// The failure for programs, in the daemon's own form.
    pub(super) fn value(&self) -> Value {
        let error = json!({ "kind": self.kind, "message": self.message, "details": self.details, "hint": self.hint });
        foreign::clean_value(json!({ "untrusted": true, "error": error }))
    }

    /// The failure as the protocol has it. The value is a text of its own: only what succeeds is as a tool's output schema says.
    pub(super) fn into_result(self) -> CallToolResult {
        let value = self.value().to_string();
        let hint = self
            .hint
            .as_ref()
            .map(|hint| format!("\nhint: {}", foreign::one_line(hint, foreign::TEXT_BYTES_MAX)))
            .unwrap_or_default();
        let mut lines = vec![self.message];
        lines.extend(self.details.into_iter().map(|Problem { at, problem }| match at {
            Some(at) => format!("{at}: {problem}"),
            None => problem,
        }));
        let text = format!("failed: {}{hint}{}", self.kind, foreign::block(&lines));
        CallToolResult::error(vec![ContentBlock::text(text), ContentBlock::text(value)])
    }
}

impl From<Error> for Failure {
    fn from(Error { kind, message, details, hint }: Error) -> Self {
        Self { kind: kind.word(), message, details, hint }
    }
}

impl From<Failure> for ErrorData {
    fn from(failure: Failure) -> Self {
        Self::internal_error(failure.message(), Some(failure.value()))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let message = with_causes(&trouble);
        let (kind, hint) = match trouble {
            // The daemon's own hint is for who speaks HTTP.
            Trouble::Refused(error) if error.kind == ErrorKind::Changed => {
                (error.kind.word(), "it changed since it was planned: call it without plan_hash to see what it would do now")
            }
            Trouble::Refused(error) => return (*error).into(),
            Trouble::NotReachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ("not_reachable", "the user that this server runs as may not open the socket: see socket_mode under [control]")
            }
            Trouble::NotReachable { .. } => (
                "not_reachable",
                "is the daemon running? \"systemctl status adit\" tells; call again when it is, this server goes on",
            ),
            Trouble::Broken { .. } => ("broken", "the daemon may have been restarted meanwhile: call again"),
            Trouble::Slow { .. } => {
                ("slow", "the daemon may still be at it: look at the status or the events before calling again")
            }
        };
        Self { kind, message, details: Vec::new(), hint: Some(hint.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_daemons_words_and_is_no_success() {
        let error = Error::new(ErrorKind::Conflict, "cannot create tunnel \"web\u{202e}\"").with_hint("look first");
        let result = serde_json::to_value(Failure::from(error).into_result()).unwrap();
        assert_eq!(result["isError"], json!(true));
        assert_eq!(result.get("structuredContent"), None);
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("failed: conflict\nhint: look first\n<untrusted-"), "{text}");
        let value: Value = serde_json::from_str(result["content"][1]["text"].as_str().unwrap()).unwrap();
        assert_eq!(value["error"]["kind"], json!("conflict"));
        assert_eq!(value["error"]["message"], json!("cannot create tunnel \"web\""));
    }

    #[test]
    fn a_daemon_that_is_away_is_told_with_its_reason_and_a_next_step() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let failure = Failure::from(Trouble::NotReachable { socket: "/run/adit.sock".into(), source });
        assert_eq!(failure.kind, "not_reachable");
        assert!(failure.message.contains("/run/adit.sock") && failure.message.contains("not found"), "{}", failure.message);
        assert!(failure.hint.unwrap().contains("call again"));
    }
}
