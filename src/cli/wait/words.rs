//! What a wait says: at its outset, at its end, and when it is over without one.

use std::time::Duration;

use super::Goal;
use crate::{
    cli::{Ending, Failure},
    control::{
        Trouble,
        api::{ErrorKind, Tunnel},
    },
};

/// What is waited for, and how long.
pub(super) fn outset(tunnel: &str, goal: &Goal, time_max: Duration) -> String {
    format!("{tunnel}: waiting until it {}, {} at most", aim(goal), spoken(time_max))
}

/// That it took too long.
pub(super) fn too_late(tunnel: &str, goal: &Goal, told: &str, time_max: Duration) -> Failure {
    let state = if told.is_empty() { "the daemon did not answer in that time" } else { told };
    let message =
        format!("cannot wait longer than {} until tunnel {tunnel:?} {}: it is not so yet ({state})", spoken(time_max), aim(goal));
    let hint =
        format!("the daemon goes on with it; \"adit status {tunnel} --watch\" shows how far it is, --timeout waits longer");
    Failure::new(Ending::Failed, message).with_hint(hint)
}

/// Whether this answer says that the tunnel is no more. Whose rights are for a tunnel loses them with it, and is not told more.
pub(super) fn is_gone(goal: &Goal, trouble: &Trouble) -> bool {
    match trouble.kind() {
        Some(ErrorKind::NotFound) => true,
        Some(ErrorKind::NotPermitted) => *goal == Goal::Gone,
        Some(_) | None => false,
    }
}

/// What is waited for, as in "until it …".
fn aim(goal: &Goal) -> &'static str {
    match goal {
        Goal::Serving => "serves all that was accepted",
        Goal::ServingAfresh(_) => "serves by fresh connectors",
        Goal::Rotated => "has its other secret everywhere",
        Goal::Stopped => "is stopped",
        Goal::Gone => "is deleted",
    }
}

/// What came of it: `web is ready after 3.2 s`.
pub(super) fn last_word(tunnel: &str, goal: &Goal, seen: Option<&Tunnel>, waited: Duration) -> String {
    let state = match (goal, seen) {
        (Goal::Serving, Some(seen)) => format!("is {}", state(seen)),
        (Goal::ServingAfresh(_), Some(seen)) => format!("is {}, by fresh connectors,", state(seen)),
        (Goal::Rotated, _) => "has its other secret".to_owned(),
        (Goal::Stopped, _) => "is stopped".to_owned(),
        (Goal::Gone, _) => "is deleted".to_owned(),
        (Goal::Serving | Goal::ServingAfresh(_), None) => "is no more".to_owned(),
    };
    format!("{tunnel} {state} after {:.1} s", waited.as_secs_f64())
}

/// A duration as it would be typed: `2m`, `1ms`.
fn spoken(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration).map_or_else(|_| "forever".to_owned(), |duration| format!("{duration:#}"))
}

fn state(tunnel: &Tunnel) -> String {
    let why = tunnel.reason.as_ref().map(|reason| format!(" ({})", reason.sentence)).unwrap_or_default();
    format!("{}{why}", tunnel.state.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_and_the_lost_patience_are_sentences() {
        let waited = Duration::from_millis(3_210);
        assert_eq!(last_word("web", &Goal::Stopped, None, waited), "web is stopped after 3.2 s");
        assert_eq!(last_word("web", &Goal::Gone, None, waited), "web is deleted after 3.2 s");
        let report = too_late("web", &Goal::Serving, "starting", Duration::from_secs(120)).report();
        assert!(
            report.starts_with(
                "adit: cannot wait longer than 2m until tunnel \"web\" serves all that was accepted: it is not so yet (starting)\n"
            ),
            "{report}"
        );
    }

    #[test]
    fn whoever_loses_their_rights_with_a_tunnel_sees_that_it_is_gone() {
        let refused = |kind| Trouble::Refused(Box::new(crate::control::api::Error::new(kind, "")));
        assert!(is_gone(&Goal::Gone, &refused(ErrorKind::NotPermitted)));
        assert!(!is_gone(&Goal::Serving, &refused(ErrorKind::NotPermitted)));
        assert!(is_gone(&Goal::Serving, &refused(ErrorKind::NotFound)));
    }
}
