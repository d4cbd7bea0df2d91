//! Events of the checks of routes: whether their origins answer, and whether visitors get through.

use super::{EventKind, Level, Subject};
use crate::route_check::{CheckKind, CheckState, Happening, Notice};

/// Something that was found out about routes.
#[derive(Debug, Clone)]
pub enum RouteCheckEvent {
    /// The state of a tunnel's routes turned over.
    Turned(Notice),
    /// Checks began, ended, or found what was known already. Many come together, so that a change of the status is one for all.
    Read(Vec<Notice>),
}

impl RouteCheckEvent {
    /// What was found out.
    pub fn notices(&self) -> &[Notice] {
        match self {
            Self::Turned(notice) => std::slice::from_ref(notice),
            Self::Read(notices) => notices,
        }
    }

    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::Read(_) => EventKind::RoutesChecked,
            Self::Turned(notice) => match (notice.kind, is_up(notice)) {
                (CheckKind::Origin, true) => EventKind::OriginUp,
                (CheckKind::Origin, false) => EventKind::OriginDown,
                (CheckKind::Outside, true) => EventKind::ProbeSucceeded,
                (CheckKind::Outside, false) => EventKind::ProbeFailed,
            },
        }
    }

    pub(super) fn level(&self) -> Level {
        match self {
            Self::Read(_) => Level::Reading,
            Self::Turned(notice) if is_up(notice) => Level::Info,
            Self::Turned(_) => Level::Warn,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Turned(notice) => Subject { tunnel: Some(notice.tunnel.clone()), ..Subject::default() },
            Self::Read(_) => Subject::default(),
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Turned(Notice { happening: Happening::Turned(finding), .. }) => Some(&finding.outcome.reason.code),
            Self::Turned(_) | Self::Read(_) => None,
        }
    }

    pub(super) fn sentence(&self) -> String {
        let notice = match self {
            Self::Read(notices) => return format!("routes were checked: {} results", notices.len()),
            Self::Turned(notice) => notice,
        };
        let why = match &notice.happening {
            Happening::Turned(finding) | Happening::Read(finding) => finding.outcome.reason.sentence.as_ref(),
            Happening::Began | Happening::Expired | Happening::Ended => "",
        };
        let asked = &notice.asked;
        let routes = format!("{} of tunnel {}", listed(notice), notice.tunnel);
        match (notice.kind, is_up(notice)) {
            (CheckKind::Origin, true) => format!("the origin {asked} is back: it {why}; it serves {routes}"),
            (CheckKind::Origin, false) => {
                format!(
                    "the origin {asked} is down: it {why}; visitors of {routes} get an error, and no connector is restarted for it"
                )
            }
            (CheckKind::Outside, true) => format!("visitors get through to {routes} again: {asked} {why}"),
            (CheckKind::Outside, false) => format!("visitors do not get through to {routes}: {asked} {why}"),
        }
    }
}

fn is_up(notice: &Notice) -> bool {
    match &notice.happening {
        Happening::Turned(finding) | Happening::Read(finding) => finding.state == CheckState::Up,
        Happening::Began | Happening::Expired | Happening::Ended => false,
    }
}

/// The routes, the first by its name.
fn listed(notice: &Notice) -> String {
    match notice.routes.as_slice() {
        [] => "no route".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        connector::Reason,
        route_check::{Answer, Finding, Outcome, RouteKey},
    };

    fn turned(kind: CheckKind, state: CheckState, asked: &str, sentence: &'static str) -> RouteCheckEvent {
        let key = |hostname: &str| RouteKey { hostname: Some(hostname.parse().unwrap()), path: None };
        let answer = if state == CheckState::Up { Answer::Good } else { Answer::Bad };
        let outcome = Outcome { answer, reason: Reason::new("no-connection", sentence), took: Duration::ZERO };
        RouteCheckEvent::Turned(Notice {
            tunnel: "web".parse().unwrap(),
            routes: vec![key("a.example.com"), key("b.example.com")],
            kind,
            asked: asked.to_owned(),
            happening: Happening::Turned(Finding { state, outcome, fresh_for: Duration::ZERO }),
        })
    }

    #[test]
    fn what_turned_over_is_told_with_what_follows() {
        let refused = "takes no connection: connection refused";
        for (event, kind, level, sentence) in [
            (
                turned(CheckKind::Origin, CheckState::Down, "127.0.0.1:8080", refused),
                "origin-down",
                Level::Warn,
                "the origin 127.0.0.1:8080 is down: it takes no connection: connection refused; visitors of a.example.com and 1 more of \
                 tunnel web get an error, and no connector is restarted for it",
            ),
            (
                turned(CheckKind::Origin, CheckState::Up, "127.0.0.1:8080", "takes connections"),
                "origin-up",
                Level::Info,
                "the origin 127.0.0.1:8080 is back: it takes connections; it serves a.example.com and 1 more of tunnel web",
            ),
            (
                turned(CheckKind::Outside, CheckState::Down, "https://a.example.com/", "answers 502"),
                "probe-failed",
                Level::Warn,
                "visitors do not get through to a.example.com and 1 more of tunnel web: https://a.example.com/ answers 502",
            ),
            (
                turned(CheckKind::Outside, CheckState::Up, "https://a.example.com/", "answers 200"),
                "probe-succeeded",
                Level::Info,
                "visitors get through to a.example.com and 1 more of tunnel web again: https://a.example.com/ answers 200",
            ),
        ] {
            assert_eq!((event.kind().as_str(), event.level(), event.sentence().as_str()), (kind, level, sentence));
        }
    }
}
