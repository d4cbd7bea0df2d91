//! A report as text: grouped, in each group the worst first.

use crate::{
    cli::render::{Look, Tone, plain},
    control::api::{DoctorCheck, DoctorReport, DoctorResult},
    counted::counted,
};

/// How wide the words of results are, so that sentences stand below each other.
const RESULT_WIDTH: usize = 7;

/// The report. What is in order is counted, and shown only when `verbose`.
pub(super) fn report(report: &DoctorReport, verbose: bool, look: Look) -> String {
    let mut text = String::new();
    let mut group = None;
    for check in report.checks.iter().filter(|check| verbose || check.result != DoctorResult::Ok) {
        if group != Some(check.group) {
            let gap = if group.is_some() { "\n" } else { "" };
            text.push_str(&format!("{gap}{}\n", check.group.word()));
            group = Some(check.group);
        }
        text.push_str(&line(check, look));
    }
    if group.is_some() {
        text.push('\n');
    }
    text.push_str(&summary(report));
    text
}

fn line(check: &DoctorCheck, look: Look) -> String {
    let word = check.result.word();
    let gap = " ".repeat(RESULT_WIDTH.saturating_sub(word.len()));
    let subject = check.subject.as_ref().map(|subject| format!(" [{}]", plain(subject))).unwrap_or_default();
    let mut text =
        format!("  {}{gap}  {}{subject}: {}\n", tone(check.result).paint(word, look), check.id, plain(&check.sentence));
    if let Some(action) = &check.action {
        text.push_str(&format!("  {}  → {}\n", " ".repeat(RESULT_WIDTH), plain(action)));
    }
    text
}

fn summary(report: &DoctorReport) -> String {
    let count = |result| report.checks.iter().filter(|check| check.result == result).count();
    let results = [DoctorResult::Failure, DoctorResult::Warning, DoctorResult::Note, DoctorResult::Unknown, DoctorResult::Ok];
    let counts: Vec<String> = results
        .into_iter()
        .map(|result| (count(result), result))
        .filter(|(count, _)| *count > 0)
        .map(|(count, result)| match result {
            DoctorResult::Failure | DoctorResult::Warning | DoctorResult::Note => counted(count, result.word()),
            DoctorResult::Unknown | DoctorResult::Ok => format!("{count} {}", result.word()),
        })
        .collect();
    let calls = match report.api_calls {
        0 => String::new(),
        1 => " (1 call of the API)".to_owned(),
        calls => format!(" ({calls} calls of the API)"),
    };
    format!("{}: {}{calls}\n", counted(report.checks.len(), "check"), counts.join(", "))
}

fn tone(result: DoctorResult) -> Tone {
    match result {
        DoctorResult::Ok => Tone::Good,
        DoctorResult::Unknown | DoctorResult::Note => Tone::Faint,
        DoctorResult::Warning => Tone::Notice,
        DoctorResult::Failure => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        control::api::DoctorGroup,
        doctor::{self, Advised},
    };

    #[test]
    fn what_is_in_order_is_counted_and_shown_on_demand() {
        let checks = vec![
            doctor::check(DoctorGroup::Host, "clock", DoctorResult::Ok, "the clock is synchronised"),
            doctor::check(DoctorGroup::Cloudflare, "token", DoctorResult::Warning, "it expires soon\u{1b}[31m")
                .about("default")
                .advised("make another one"),
            doctor::check(DoctorGroup::Host, "landlock", DoctorResult::Note, "the kernel has none"),
        ];
        let found = doctor::report(Timestamp::UNIX_EPOCH, 9, checks);
        let look = Look { colour: false, width: None };
        insta::assert_snapshot!(report(&found, false, look), @r"
        host
          note     landlock: the kernel has none

        Cloudflare
          warning  token [default]: it expires soon[31m
                   → make another one

        3 checks: 1 warning, 1 note, 1 ok (9 calls of the API)
        ");
        assert!(report(&found, true, look).contains("ok       clock: the clock is synchronised"));
    }
}
