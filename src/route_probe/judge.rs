//! What came of a question of the regular checks.

use super::{PublicFinding, meaning, origin::Silence};
use crate::{connector::Reason, route_check::Answer};

/// Of connecting.
pub(super) fn connected(connected: Result<(), String>) -> (Answer, Reason) {
    match connected {
        Ok(()) => (Answer::Good, Reason::new("takes-connections", "takes connections")),
        Err(why) => (Answer::Bad, no_connection(&why)),
    }
}

/// Of asking an origin.
pub(super) fn asked(asked: Result<u16, Silence>, path: &str, expect: u16) -> (Answer, Reason) {
    match asked {
        Ok(status) if status == expect => (Answer::Good, Reason::new("answers", format!("answers GET {path} with {status}"))),
        Ok(status) => (Answer::Bad, wrong_status(Some(path), status, expect)),
        Err(Silence::NoConnection(why)) => (Answer::Bad, no_connection(&why)),
        Err(Silence::NoAnswer(why)) => (Answer::Bad, Reason::new("no-answer", format!("gives no answer: {why}"))),
    }
}

/// Of visiting a public hostname.
pub(super) fn visited(finding: &PublicFinding, expect: Option<u16>) -> (Answer, Reason) {
    let bad = |code: &'static str, sentence: String| (Answer::Bad, Reason::new(code, sentence));
    let missing = |code: &'static str, sentence: String| (Answer::Missing, Reason::new(code, sentence));
    match finding {
        PublicFinding::NoResolver(why) => {
            (Answer::Untold, Reason::new("resolver-silent", format!("leads who knows where: {why}")))
        }
        PublicFinding::NoAddress(why) => missing("no-address", format!("leads nowhere: {why}")),
        PublicFinding::NotPublic(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            bad("not-public", format!("leads to {}, where nothing public is; it is not asked", addresses.join(", ")))
        }
        PublicFinding::Silent { why, .. } => missing("no-answer", format!("gives no answer: {why}")),
        PublicFinding::Answered { status, through_cloudflare: false, .. } => {
            bad("not-through-cloudflare", format!("is answered with {status} by somebody else than Cloudflare"))
        }
        PublicFinding::Answered { to_login: true, .. } => {
            let sentence = "leads to the login of Access; what is behind it is not seen";
            (Answer::Good, Reason::new("access-login", sentence))
        }
        PublicFinding::Answered { status, .. } if expect == Some(*status) => {
            (Answer::Good, Reason::new("answers", format!("answers with {status}")))
        }
        PublicFinding::Answered { status, error_code, .. } => match (meaning(*status), expect) {
            (Some((what, _)), _) => {
                let number = error_code.map(|code| format!(" (error {code})")).unwrap_or_default();
                let sentence = format!("answers with {status}{number}: {what}");
                match status {
                    502 => bad("origin-unreachable", sentence),
                    530 => missing("no-connector", sentence),
                    _ => bad("server-error", sentence),
                }
            }
            (None, Some(expect)) => (Answer::Bad, wrong_status(None, *status, expect)),
            (None, None) => (Answer::Good, Reason::new("answers", format!("answers with {status}"))),
        },
    }
}

fn no_connection(why: &str) -> Reason {
    Reason::new("no-connection", format!("takes no connection: {why}"))
}

fn wrong_status(asked: Option<&str>, status: u16, expect: u16) -> Reason {
    let asked = asked.map(|path| format!(" GET {path}")).unwrap_or_default();
    Reason::new("wrong-status", format!("answers{asked} with {status} instead of {expect}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> PublicFinding {
        PublicFinding::Answered { addresses: Vec::new(), status, through_cloudflare: true, to_login: false, error_code: None }
    }

    #[test]
    fn what_a_visitor_meets_is_told_apart() {
        let login = PublicFinding::Answered {
            addresses: Vec::new(),
            status: 302,
            through_cloudflare: true,
            to_login: true,
            error_code: None,
        };
        let elsewhere = PublicFinding::Answered {
            addresses: Vec::new(),
            status: 200,
            through_cloudflare: false,
            to_login: false,
            error_code: None,
        };
        let no_connector = PublicFinding::Answered {
            addresses: Vec::new(),
            status: 530,
            through_cloudflare: true,
            to_login: false,
            error_code: Some(1033),
        };
        for (finding, expect, answer, code) in [
            (answered(200), None, Answer::Good, "answers"),
            (answered(404), None, Answer::Good, "answers"),
            (answered(404), Some(200), Answer::Bad, "wrong-status"),
            (answered(204), Some(204), Answer::Good, "answers"),
            (answered(503), Some(503), Answer::Good, "answers"),
            (login, Some(200), Answer::Good, "access-login"),
            (elsewhere, None, Answer::Bad, "not-through-cloudflare"),
            (answered(502), None, Answer::Bad, "origin-unreachable"),
            (answered(522), Some(200), Answer::Bad, "server-error"),
            (PublicFinding::NotPublic(vec!["127.0.0.1".parse().unwrap()]), None, Answer::Bad, "not-public"),
            (PublicFinding::NoResolver("it does not answer".to_owned()), None, Answer::Untold, "resolver-silent"),
            (PublicFinding::NoAddress("gone".to_owned()), None, Answer::Missing, "no-address"),
            (PublicFinding::Silent { addresses: Vec::new(), why: "refused".to_owned() }, None, Answer::Missing, "no-answer"),
        ] {
            let (judged, reason) = visited(&finding, expect);
            assert_eq!((judged, reason.code.as_ref()), (answer, code), "{finding:?} {expect:?}");
        }
        let (_, reason) = visited(&no_connector, None);
        assert_eq!(reason.sentence, "answers with 530 (error 1033): the edge finds no connector of the tunnel");
    }

    #[test]
    fn an_origin_is_judged_by_the_status_that_is_expected() {
        for (status, answer, sentence) in [
            (204, Answer::Good, "answers GET /healthz with 204"),
            (200, Answer::Bad, "answers GET /healthz with 200 instead of 204"),
        ] {
            let (judged, reason) = asked(Ok(status), "/healthz", 204);
            assert_eq!((judged, reason.sentence.as_ref()), (answer, sentence));
        }
        let (_, reason) = asked(Err(Silence::NoConnection("refused".to_owned())), "/", 200);
        assert_eq!(reason.code, "no-connection");
    }
}
