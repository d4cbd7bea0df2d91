//! An account: its token, its API, its share of the rate limit, and the clock as Cloudflare has it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Advised, check};
use crate::control::api::{
    Check, Credential, CredentialState, DoctorCheck,
    DoctorGroup::{Cloudflare, Host},
    DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
};

/// How long before its end a token is told, and how long before it wants to be looked at.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
const ENDS_VERY_SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far this host's clock may be from Cloudflare's, one second of rounding and the way included.
const OFFSET_NOTED: SignedDuration = SignedDuration::from_secs(5);
/// From here on certificates and logins of others go wrong.
const OFFSET_BAD: SignedDuration = SignedDuration::from_secs(300);

/// An API that takes longer than this for one call makes passes slow.
const SLOW: Duration = Duration::from_secs(2);

/// Requests that Cloudflare grants a credential in five minutes.
const GRANTED: u64 = 1_200;

/// Fewer requests left than this make a pass wait.
const SCARCE: u64 = GRANTED / 10;

/// What is known of an account.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its name in the configuration.
    pub name: String,
    /// Its token, of which everything is told but the token.
    pub credential: Credential,
    /// What came of trying the token, or why nobody answered; `None` when it was not tried.
    pub tried: Option<Result<Vec<Check>, String>>,
    /// How long the last call took.
    pub latency: Option<Duration>,
    /// How far Cloudflare's clock is ahead of this host's, by its last answer.
    pub offset: Option<SignedDuration>,
    /// Requests left in the scarcest window, as the last answer said.
    pub remaining: Option<u64>,
    /// For how long nothing is sent, after Cloudflare said that there was too much.
    pub blocked: Option<Duration>,
    /// When it is looked at.
    pub at: Timestamp,
}

/// What that means.
pub fn judge(facts: &Facts) -> Vec<DoctorCheck> {
    let mut checks = vec![token(facts)];
    checks.extend(rights(facts));
    checks.extend(api(facts));
    checks.push(budget(facts));
    checks.extend(facts.offset.map(clock));
    checks.into_iter().map(|check| check.about(&facts.name)).collect()
}

fn token(facts: &Facts) -> DoctorCheck {
    let Credential { source, state, reason, expires_at, .. } = &facts.credential;
    let why = reason.as_ref().map_or("nothing is known of it yet", |reason| reason.sentence.as_str());
    let renew = "make another token at Cloudflare and put it in the place of this one";
    match (state, expires_at.map(|at| (at, at.duration_since(facts.at)))) {
        (CredentialState::Unusable, _) => {
            check(Cloudflare, "token", Failure, format!("the token from {source} cannot be used: {why}"))
                .advised("`adit credential check` names what is missing")
        }
        (_, Some((at, left))) if left <= SignedDuration::ZERO => {
            check(Cloudflare, "token", Failure, format!("the token from {source} expired at {at}")).advised(renew)
        }
        (_, Some((at, left))) if left <= ENDS_VERY_SOON => {
            check(Cloudflare, "token", Warning, format!("the token from {source} expires at {at}, in {}", days(left)))
                .advised(renew)
        }
        (_, Some((at, left))) if left <= ENDS_SOON => {
            check(Cloudflare, "token", Note, format!("the token from {source} expires at {at}, in {}", days(left))).advised(renew)
        }
        (CredentialState::Unknown, _) => check(Cloudflare, "token", Unknown, format!("the token from {source} was not used yet")),
        (CredentialState::Usable, Some((at, _))) => {
            check(Cloudflare, "token", Fine, format!("the token from {source} can be used, until {at}"))
        }
        (CredentialState::Usable, None) => {
            check(Cloudflare, "token", Fine, format!("the token from {source} can be used, and no end of it is known"))
        }
    }
}

fn days(left: SignedDuration) -> String {
    match left.as_hours() {
        hours @ ..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

fn rights(facts: &Facts) -> Vec<DoctorCheck> {
    let checks = match &facts.tried {
        None => return Vec::new(),
        Some(Err(why)) => {
            return vec![check(Cloudflare, "token-rights", Unknown, format!("what the token may could not be tried: {why}"))];
        }
        Some(Ok(checks)) => checks,
    };
    let failed = checks.iter().filter(|check| !check.passed);
    let mut found: Vec<DoctorCheck> = failed
        .map(|failed| {
            let sentence = format!("the token cannot {}: {}", failed.what, failed.sentence);
            check(Cloudflare, "token-rights", Failure, sentence).advised("give the token that permission at Cloudflare")
        })
        .collect();
    if found.is_empty() {
        let sentence = format!("the token may all that is needed ({} things were tried)", checks.len());
        found.push(check(Cloudflare, "token-rights", Fine, sentence));
    }
    found
}

fn api(facts: &Facts) -> Option<DoctorCheck> {
    if let (Some(Err(why)), None) = (&facts.tried, facts.blocked) {
        let found = check(Cloudflare, "api", Failure, format!("the API cannot be used: {why}"));
        return Some(found.advised(
            "let port 443 of the API through, without a proxy; `adit credential list` says how the token is. Tunnels run on meanwhile",
        ));
    }
    let took = facts.latency?;
    let millis = took.as_millis();
    Some(if took > SLOW {
        check(Cloudflare, "api", Warning, format!("the API took {millis} ms for its last answer"))
            .advised("look at the network; cloudflarestatus.com tells of trouble at Cloudflare")
    } else {
        check(Cloudflare, "api", Fine, format!("the API took {millis} ms for its last answer"))
    })
}

fn budget(facts: &Facts) -> DoctorCheck {
    if let Some(blocked) = facts.blocked {
        let sentence =
            format!("Cloudflare said that there were too many requests: none is sent for {} s", blocked.as_secs().max(1));
        return check(Cloudflare, "budget", Warning, sentence)
            .advised("find who else uses this user's tokens, or lower budget of the account; tunnels run on meanwhile");
    }
    match facts.remaining {
        Some(left) if left < SCARCE => {
            let sentence = format!("{left} of {GRANTED} requests in 5 minutes are left, so passes are slowed down");
            check(Cloudflare, "budget", Warning, sentence)
                .advised("find who else uses this user's tokens: the limit is the user's, not the token's")
        }
        Some(left) => {
            let sentence = format!("{left} requests are left in the scarcest of Cloudflare's windows");
            check(Cloudflare, "budget", Fine, sentence)
        }
        None => check(Cloudflare, "budget", Fine, "nothing is held back, and Cloudflare did not say how much is left"),
    }
}

fn clock(offset: SignedDuration) -> DoctorCheck {
    let size = offset.abs();
    let way = if offset.is_negative() { "ahead of" } else { "behind" };
    let sentence = format!("this host's clock is {} s {way} Cloudflare's", size.as_secs());
    let repair = "set the clock: timedatectl set-ntp true, or run chrony";
    if size > OFFSET_BAD {
        check(Host, "clock-offset", Failure, sentence).advised(repair)
    } else if size > OFFSET_NOTED {
        check(Host, "clock-offset", Warning, sentence).advised(repair)
    } else {
        check(Host, "clock-offset", Fine, "this host's clock agrees with Cloudflare's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{DoctorResult, Reason};

    fn well() -> Facts {
        let credential = Credential {
            account: "default".to_owned(),
            source: "file:/etc/adit/token".to_owned(),
            state: CredentialState::Usable,
            reason: None,
            kind: None,
            expires_at: None,
        };
        let passed = Check { what: "list tunnels".to_owned(), passed: true, sentence: "3 tunnels".to_owned() };
        Facts {
            name: "default".to_owned(),
            credential,
            tried: Some(Ok(vec![passed])),
            latency: Some(Duration::from_millis(80)),
            offset: Some(SignedDuration::from_secs(1)),
            remaining: Some(1_190),
            blocked: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn results(facts: &Facts) -> Vec<(String, DoctorResult)> {
        judge(facts).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    #[test]
    fn an_account_that_is_well_has_nothing_but_ok_each_about_it() {
        assert_eq!(results(&well()), []);
        assert!(judge(&well()).iter().all(|check| check.subject.as_deref() == Some("default")));
        let untried = Facts { tried: None, latency: None, offset: None, remaining: None, ..well() };
        assert_eq!(results(&untried), []);
    }

    #[test]
    fn each_fault_is_told_by_its_id() {
        type Fault = fn(&mut Facts);
        fn ends_in(facts: &mut Facts, days: i64) {
            facts.credential.expires_at = Some(facts.at + SignedDuration::from_hours(days * 24));
        }
        let cases: [(&str, DoctorResult, Fault); 14] = [
            ("token", Note, |facts| ends_in(facts, 30)),
            ("token", Warning, |facts| ends_in(facts, 7)),
            ("token", Failure, |facts| ends_in(facts, -1)),
            ("token", Unknown, |facts| facts.credential.state = CredentialState::Unknown),
            ("token", Failure, |facts| {
                facts.credential.state = CredentialState::Unusable;
                facts.credential.reason = Some(Reason { code: "refused".to_owned(), sentence: "it is refused".to_owned() });
            }),
            ("token-rights", Failure, |facts| {
                let failed = Check { what: "change tunnels".to_owned(), passed: false, sentence: "no".to_owned() };
                facts.tried = Some(Ok(vec![failed]));
            }),
            ("token-rights", Unknown, |facts| {
                facts.tried = Some(Err("no answer".to_owned()));
                facts.blocked = Some(Duration::from_secs(9));
            }),
            ("api", Failure, |facts| facts.tried = Some(Err("no answer".to_owned()))),
            ("api", Warning, |facts| facts.latency = Some(Duration::from_secs(9))),
            ("budget", Warning, |facts| facts.blocked = Some(Duration::from_secs(200))),
            ("budget", Warning, |facts| facts.remaining = Some(3)),
            ("clock-offset", Warning, |facts| facts.offset = Some(SignedDuration::from_secs(-60))),
            ("clock-offset", Failure, |facts| facts.offset = Some(SignedDuration::from_hours(1))),
            ("clock-offset", Failure, |facts| facts.offset = Some(SignedDuration::from_hours(-1))),
        ];
        for (id, result, fault) in cases {
            let mut facts = well();
            fault(&mut facts);
            let found = results(&facts);
            assert!(found.contains(&(id.to_owned(), result)), "{id}: {found:?}");
            assert!(judge(&facts).iter().filter(|check| check.result.wants_attention()).all(|check| check.action.is_some()));
        }
    }

    #[test]
    fn the_offset_says_which_clock_is_ahead() {
        assert!(clock(SignedDuration::from_secs(60)).sentence.contains("60 s behind"));
        assert!(clock(SignedDuration::from_secs(-60)).sentence.contains("60 s ahead of"));
    }
}
