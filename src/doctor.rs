//! What may keep Adit from working well on this host, looked at before it bites.
//!
//! ```text
//!  look: /proc, files, sockets, systemctl, the API ─▶ facts ─▶ judge ─▶ checks ─▶ report
//! ```
//!
//! Each file here is one subject: its facts, how they are looked up, and what they mean. What they mean is decided without a look at
//! anything; what looks is thin and has a limit of time. The command line looks with its caller's rights, also while the daemon is
//! down; the daemon looks with its own, and knows more.

pub mod account;
pub mod host;
pub mod limits;
pub mod network;
pub mod places;
pub mod program;
pub mod service;
pub mod standing;

use jiff::Timestamp;

use crate::control::api::{DoctorCheck, DoctorGroup, DoctorReport, DoctorResult};

/// All checks as one report, by their groups, in each the worst first.
pub fn report(at: Timestamp, api_calls: u64, mut checks: Vec<DoctorCheck>) -> DoctorReport {
    checks.sort_by_key(|check| (check.group, std::cmp::Reverse(check.result.badness())));
    let worst = checks.iter().map(|check| check.result).max_by_key(|result| result.badness());
    DoctorReport { at, result: worst.unwrap_or(DoctorResult::Ok), api_calls, checks }
}

/// A check and what came of it.
pub fn check(group: DoctorGroup, id: &str, result: DoctorResult, sentence: impl Into<String>) -> DoctorCheck {
    DoctorCheck { id: id.to_owned(), group, subject: None, result, sentence: sentence.into(), action: None }
}

/// What a check says beside its sentence.
pub trait Advised {
    /// The same with what to do.
    fn advised(self, action: impl Into<String>) -> Self;

    /// The same about one of several.
    fn about(self, subject: impl ToString) -> Self;
}

impl Advised for DoctorCheck {
    fn advised(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    fn about(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string());
        self
    }
}

/// A whole number in a file of `/proc` or `/sys`; `None` where there is no such file.
fn number_in(path: impl AsRef<std::path::Path>) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Bytes as people read them.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(size, _)| count >= *size);
    match unit {
        Some((size, unit)) if count < 10 * size => format!("{:.1} {unit}", count as f64 / size as f64),
        Some((size, unit)) => format!("{} {unit}", count / size),
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_grouped_with_the_worst_first_and_has_the_worst_result() {
        use DoctorGroup::{Daemon, Host};
        use DoctorResult::{Note, Ok, Unknown, Warning};
        let one = |group, id, result| check(group, id, result, "it is so");
        let checks = vec![one(Host, "a", Ok), one(Daemon, "b", Ok), one(Host, "c", Warning), one(Daemon, "d", Unknown)];
        let report = report(Timestamp::UNIX_EPOCH, 0, checks);
        let order: Vec<&str> = report.checks.iter().map(|check| check.id.as_str()).collect();
        assert_eq!((order, report.result), (vec!["d", "b", "c", "a"], Warning));
        assert!(Warning.wants_attention() && !Note.wants_attention());
    }

    #[test]
    fn bytes_are_in_the_unit_that_they_fill() {
        for (count, text) in [(0, "0 bytes"), (212_992, "208 KiB"), (7_500_000, "7.2 MiB"), (20 << 30, "20 GiB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
