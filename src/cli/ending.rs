//! How a command ended.

use std::{fmt::Write as _, io};

use crate::{
    cli::{render::plain, unreachable},
    control::{
        Trouble,
        api::{ErrorKind, Problem},
    },
};

/// How a command ended. `main` has the exit code of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It did what was asked for.
    Fine,
    /// It did, and shows something that wants to be looked at.
    Attention,
    /// It shows changes that were not made.
    ChangesPending,
    /// It did not do it.
    Failed,
    /// It was asked for in a way that makes no sense.
    Usage,
    /// Nobody answers at the control socket.
    NotReachable,
    /// The caller may not.
    NotPermitted,
    /// Something stands in the way that is not to be pushed aside.
    Conflict,
    /// The daemon has no configuration that it could run.
    NothingToRun,
}

/// Why a command did not do what was asked for.
#[derive(Debug)]
pub struct Failure {
    /// How that counts.
    pub ending: Ending,
    error: anyhow::Error,
    details: Vec<Problem>,
    hint: Option<String>,
}

impl Failure {
    /// A failure that reads `message`.
    pub(super) fn new(ending: Ending, message: impl Into<String>) -> Self {
        Self { ending, error: anyhow::anyhow!(message.into()), details: Vec::new(), hint: None }
    }

    /// A failure with `error` as its reason.
    pub(super) fn of(error: impl Into<anyhow::Error>) -> Self {
        Self { ending: Ending::Failed, error: error.into(), details: Vec::new(), hint: None }
    }

    /// The same, counted as `ending`.
    pub(super) fn ending_in(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// The same with a sentence about what would help.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a sentence about what would help, if there is one.
    pub(super) fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// The same with a sentence about what would help, if it has none.
    pub(super) fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// The same with every single problem.
    pub(super) fn with_details(self, details: Vec<Problem>) -> Self {
        Self { details, ..self }
    }

    /// The same with more single problems.
    pub(super) fn with_more(mut self, details: impl IntoIterator<Item = Problem>) -> Self {
        self.details.extend(details);
        self
    }

    /// The same, told as a part of `doing`, as in "cannot import …".
    pub(super) fn while_doing(self, doing: impl Into<String>) -> Self {
        Self { error: self.error.context(doing.into()), ..self }
    }

    /// The whole chain of reasons in one line.
    pub(super) fn sentence(&self) -> String {
        self.error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// Whether it is only that nobody reads what is printed.
    pub(super) fn is_reader_gone(&self) -> bool {
        let io = self.error.chain().find_map(|error| error.downcast_ref::<io::Error>());
        self.ending == Ending::Failed && io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Why the daemon refused, if it did.
    pub(super) fn kind(&self) -> Option<ErrorKind> {
        self.error.chain().find_map(|error| error.downcast_ref::<Trouble>()).and_then(Trouble::kind)
    }

    /// The whole chain of reasons in one line, then every single problem, then what would help.
    pub fn report(&self) -> String {
        let mut text = format!("adit: {}\n", plain(&self.sentence()));
        for Problem { at, problem } in &self.details {
            let place = at.as_deref().map(|at| format!("{}: ", plain(at))).unwrap_or_default();
            let _ = writeln!(text, "  {place}{}", plain(problem));
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hint: {}", plain(hint));
        }
        text
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let none = (Vec::new(), None);
        let (ending, (details, hint)) = match &trouble {
            Trouble::NotReachable { socket, source } => {
                (Ending::NotReachable, (Vec::new(), Some(unreachable::hint(socket, source))))
            }
            Trouble::Refused(error) => (ending(error.kind), (error.details.clone(), error.hint.clone())),
            Trouble::Broken { .. } | Trouble::Slow { .. } => (Ending::Failed, none),
        };
        Self { ending, error: trouble.into(), details, hint }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::of(error)
    }
}

/// How a refusal of this kind counts.
pub(super) fn ending(kind: ErrorKind) -> Ending {
    match kind {
        ErrorKind::NotPermitted => Ending::NotPermitted,
        ErrorKind::Conflict | ErrorKind::Changed | ErrorKind::ReadOnly | ErrorKind::Hold => Ending::Conflict,
        ErrorKind::Malformed
        | ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::TooSlow
        | ErrorKind::Busy
        | ErrorKind::Unavailable
        | ErrorKind::Internal => Ending::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::Error;

    #[test]
    fn a_report_has_the_chain_the_problems_and_the_hint() {
        let problem = Problem { at: Some("ingress[0].hostname".to_owned()), problem: "it has no dot".to_owned() };
        let error = Error::new(ErrorKind::Invalid, "cannot create tunnel \"web\"\u{1b}[31m").with_details(vec![problem]);
        let failure = Failure::from(Trouble::Refused(Box::new(error.with_hint("write it out"))));
        assert_eq!(
            failure.report(),
            "adit: cannot create tunnel \"web\"[31m\n  ingress[0].hostname: it has no dot\nhint: write it out\n"
        );
        assert_eq!(failure.ending, Ending::Failed);
    }

    #[test]
    fn an_unreachable_daemon_is_told_with_its_reason() {
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        let failure = Failure::from(Trouble::NotReachable { socket: "/run/adit/adit.sock".into(), source });
        assert_eq!(failure.ending, Ending::NotReachable);
        assert!(failure.report().starts_with("adit: cannot reach the daemon at \"/run/adit/adit.sock\": connection refused\n"));
    }
}
