//! From a call to its result: a turn, an exchange, a reading, and perhaps all of it again.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::{DATE, HeaderMap};
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::secret::Secret;

use super::{
    Error, Kind, TokenKind,
    call::{Call, Method},
    classify::{TOO_MANY_AUTH_FAILURES, classify},
    envelope::{Envelope, Problem, ResultInfo},
    gate::Gate,
    http::{BodyEnd, Http, Received, Unanswered, authorization},
    rate_limit, retry,
    text::tame,
    token_kind::GLOBAL_KEY_REFUSED,
};

/// One HTTP exchange, as metrics see it. All words are stable and few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// What it was about, such as `tunnels` or `dns_records`.
    pub resource: &'static str,
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// Why it failed; `None` when it did not.
    pub failure: Option<Kind>,
    /// From sending to the last byte of the answer.
    pub elapsed: Duration,
    /// Requests left in the scarcest rate-limit window, as far as Cloudflare has said.
    pub rate_limit_remaining: Option<u64>,
    /// How far Cloudflare's clock is ahead of this host's, in whole seconds, when the answer told its time.
    pub clock_ahead: Option<SignedDuration>,
}

/// Told of every exchange. It is called between exchanges and must not block.
pub type Observer = Arc<dyn Fn(&Exchange) + Send + Sync>;

/// A pause after a 429 without `Retry-After`, and after too many authentication failures: the length of Cloudflare's block.
const PAUSE_DEFAULT: Duration = rate_limit::WINDOW;

/// How much of a pause is added to it by chance, at most, so that several credentials and hosts do not return together.
const PAUSE_JITTER: f64 = 0.1;

/// The longest `cf-ray` that is kept. They have 20 characters.
const RAY_MAX: usize = 64;

pub(super) struct Transport {
    pub(super) http: Http,
    pub(super) gate: Gate,
    pub(super) token: watch::Receiver<Option<Secret>>,
    pub(super) observer: Observer,
    pub(super) pause_first: Duration,
}

/// What a call that succeeded brought.
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) info: Option<ResultInfo>,
    /// How often the call may have been carried out: more than once after a failure that may have hidden a success.
    pub(super) carried_out: u32,
}

impl Transport {
    /// Carries out `call`. Its result must have the shape of `T`.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<Answer<T>, Error> {
        let started = Instant::now();
        let mut attempts = 1;
        // Attempts that may have been carried out although they failed; only the last one's answer is returned.
        let mut unclear = 0;
        loop {
            let error = match self.attempt(call).await {
                Ok((value, info)) => return Ok(Answer { value, info, carried_out: unclear + 1 }),
                Err(error) => error,
            };
            unclear += u32::from(error.may_have_happened());
            let chance = rand::random();
            match retry::pause(&error, call, attempts, started.elapsed(), self.pause_first, chance) {
                Some(pause) => sleep(pause).await,
                None => return Err(error.perhaps_done(unclear > 0)),
            }
            attempts += 1;
        }
    }

    async fn attempt<T: DeserializeOwned>(&self, call: &Call) -> Result<(T, Option<ResultInfo>), Error> {
        self.gate.admit(&self.token(call)?);
        let _place = self.gate.turn().await.map_err(|closed| {
            let pause = closed.until.saturating_duration_since(Instant::now());
            Error::of(Kind::RateLimited, call).resting(Some(pause))
        })?;
        // Read for each attempt: it may have been replaced since the last one.
        let token = self.token(call)?;
        let header = authorization(&token).ok_or_else(|| {
            Error::of(Kind::Auth { permission: None }, call).detail("the API token holds characters that no token has")
        })?;
        let started = Instant::now();
        let (status, clock_ahead, result) = match self.http.exchange(call, &header).await {
            Ok(received) => {
                self.gate.observe(&rate_limit::limits(&received.headers));
                let clock_ahead = told_time(&received.headers).map(|time| time.duration_since(Timestamp::now()));
                (Some(received.status), clock_ahead, self.read(call, received, &token))
            }
            Err(unanswered) => (None, None, Err(no_answer(call, unanswered))),
        };
        (self.observer)(&Exchange {
            method: call.method.as_str(),
            resource: call.resource.as_str(),
            status,
            failure: result.as_ref().err().map(Error::kind),
            elapsed: started.elapsed(),
            rate_limit_remaining: self.gate.budget().remaining,
            clock_ahead,
        });
        result
    }

    fn token(&self, call: &Call) -> Result<Secret, Error> {
        let token = self.token.borrow().clone().ok_or_else(|| Error::of(Kind::NoToken, call))?;
        match TokenKind::of(&token) {
            TokenKind::User | TokenKind::Account | TokenKind::Unmarked => Ok(token),
            TokenKind::GlobalKey => Err(Error::of(Kind::Auth { permission: None }, call).detail(GLOBAL_KEY_REFUSED)),
        }
    }

    pub(super) fn read<T: DeserializeOwned>(
        &self,
        call: &Call,
        received: Received,
        token: &Secret,
    ) -> Result<(T, Option<ResultInfo>), Error> {
        let secrets: Vec<&Secret> = [Some(token), call.secret.as_ref()].into_iter().flatten().collect();
        let unclear = |kind, detail: String| {
            received.answered(Error::of(kind, call)).perhaps_done(!call.method.only_reads()).detail(detail)
        };
        match &received.end {
            BodyEnd::Whole => {}
            // A throttled credential must rest whatever became of the words.
            BodyEnd::TooLarge | BodyEnd::Broken(_) if received.status == 429 => {}
            BodyEnd::TooLarge => return Err(unclear(Kind::Malformed, "its body is larger than any real one".to_owned())),
            BodyEnd::Broken(error) => {
                let detail = if error.is_timeout() { "the answer stopped in the middle" } else { "the answer was cut off" };
                return Err(unclear(Kind::Transport, detail.to_owned()));
            }
        }
        let (result, info) = match Envelope::open(&received.body) {
            Some(Envelope { success: true, result, info, .. }) if received.is_success() => (result, info),
            // Some deletions answer with nothing at all.
            None if received.is_success() && received.body.is_empty() && call.method == Method::Delete => ("null", None),
            envelope => {
                let problem = envelope.map(|envelope| Problem::read(envelope.errors.as_ref(), &secrets));
                return Err(self.refusal(call, &received, problem, &secrets));
            }
        };
        let value = decode(call, result, &secrets).map_err(|detail| unclear(Kind::Malformed, detail))?;
        Ok((value, info))
    }

    fn refusal(&self, call: &Call, received: &Received, problem: Option<Problem>, secrets: &[&Secret]) -> Error {
        let permission = call.permission.as_ref().map(|&(permission, _)| permission);
        let kind = classify(received.status, problem.as_ref(), call.resource, permission);
        let pause = self.rest(kind, problem.as_ref(), rate_limit::retry_after(&received.headers));
        let unclear = matches!(kind, Kind::Server | Kind::Malformed) && !call.method.only_reads();
        // A page that repeats a secret in an encoding of its own would not be recognised.
        let quotable = call.secret.is_none() && !(received.is_success() && call.answers_with_secret);
        let page = || if quotable { Problem::page(&received.body, secrets) } else { Problem::default() };
        let error = received.answered(Error::of(kind, call)).perhaps_done(unclear);
        error.problem(problem.unwrap_or_else(page)).resting(pause)
    }

    /// What a refusal means for the credential: after a 429 nothing more is sent on it.
    fn rest(&self, kind: Kind, problem: Option<&Problem>, retry_after: Option<Duration>) -> Option<Duration> {
        if kind == Kind::RateLimited {
            let pause = retry_after.unwrap_or(PAUSE_DEFAULT);
            return Some(self.gate.block(pause + pause.mul_f64(PAUSE_JITTER * rand::random::<f64>())));
        }
        let too_many_failures = problem.is_some_and(|problem| problem.has(&[TOO_MANY_AUTH_FAILURES]));
        if too_many_failures { Some(retry_after.unwrap_or(PAUSE_DEFAULT)) } else { retry_after }
    }
}

/// The time that an answer tells, to the second.
fn told_time(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    // HTTP says GMT where mail says +0000; both are understood.
    Some(rfc2822::parse(text).ok()?.timestamp())
}

fn no_answer(call: &Call, unanswered: Unanswered) -> Error {
    let error = Error::of(Kind::Transport, call);
    match unanswered {
        Unanswered::Unsent(cause) => error.detail("there is no connection to the API").caused_by(cause),
        Unanswered::Lost(cause) => {
            let detail = if cause.is_timeout() { "no answer came in time" } else { "the connection broke before an answer came" };
            error.perhaps_done(!call.method.only_reads()).detail(detail).caused_by(cause)
        }
    }
}

/// Reads a result. The reason of a failure quotes the answer, unless a secret may be in it.
fn decode<T: DeserializeOwned>(call: &Call, result: &str, secrets: &[&Secret]) -> Result<T, String> {
    serde_json::from_str(result).map_err(|error| match (result, call.answers_with_secret) {
        ("null", _) => "it has no result".to_owned(),
        (_, true) => "its result has another shape".to_owned(),
        (_, false) => format!("its result has another shape, {}", tame(&error.to_string(), secrets)),
    })
}

impl Received {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn answered(&self, error: Error) -> Error {
        let ray = self.headers.get("cf-ray").and_then(|ray| ray.to_str().ok());
        let tame =
            |ray: &str| ray.chars().filter(|&letter| letter.is_ascii_alphanumeric() || letter == '-').take(RAY_MAX).collect();
        error.answered(self.status, ray.map(tame))
    }
}
