//! One POST to the webhook, signed, within limits of time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};

use super::{courier::Parcel, signature, verdict::Outcome};
use crate::{
    credential::{self, Source},
    error_text::with_causes,
    http_client::{self, Trust},
    secret::Secret,
};

/// Until the connection stands, TLS included; and from the first byte out to the answer's head.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: long enough for the next delivery of a busy minute.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// The headers by which a delivery and its tries are known.
const DELIVERY: &str = "adit-delivery";
const TRY: &str = "adit-try";

/// Sends deliveries to one address.
pub(super) struct Sender {
    client: Client,
    url: Url,
    secret: Source,
    /// What a command gave: it may be slow and costly, so that it is asked again only when the secret is refused.
    known: Mutex<Option<Secret>>,
}

impl Sender {
    /// A sender to `url` that signs with what `secret` gives. It follows no redirects and uses no proxy.
    ///
    /// # Errors
    ///
    /// In words, when the host lacks what TLS needs.
    pub(super) fn new(url: Url, secret: Source) -> Result<Self, String> {
        let builder = http_client::builder(Trust::of_scheme(url.scheme()))
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .pool_idle_timeout(IDLE_CONNECTION);
        let client = builder.build().map_err(|error| format!("the HTTP client cannot be made: {}", with_causes(&error)))?;
        Ok(Self { client, url, secret, known: Mutex::new(None) })
    }

    /// Sends a delivery for the `number`-th time. Nothing of the answer's body is read.
    pub(super) async fn send(&self, parcel: &Parcel, number: u32) -> Outcome {
        let secret = match self.signing_secret().await {
            Ok(secret) => secret,
            Err(why) => return Outcome::Unanswered(why),
        };
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(DELIVERY, &parcel.id)
            .header(TRY, number)
            .header(signature::HEADER, signature::sign(&secret, Timestamp::now(), &parcel.body))
            .body(parcel.body.clone());
        match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                if matches!(status, 401 | 403) {
                    *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                Outcome::Answered { status, retry_after: retry_after(answer.headers()) }
            }
            Err(error) => Outcome::Unanswered(in_words(error)),
        }
    }

    /// What went wrong, and where. The path and the query stay untold: some services hide a secret there.
    pub(super) fn about(&self, why: &str) -> String {
        format!("{}: {why}", self.url.origin().ascii_serialization())
    }

    async fn signing_secret(&self) -> Result<Secret, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(secret) = known {
            return Ok(secret);
        }
        let secret = credential::read_signing_secret(&self.secret).await.map_err(|error| with_causes(&error))?;
        if let Source::Command(_) = self.secret {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret.clone());
        }
        Ok(secret)
    }
}

/// `Retry-After` in whole seconds. A date says nothing to a host whose clock may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What the client says, without the URL.
fn in_words(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer came in time".to_owned();
    }
    let what = if error.is_connect() { "there is no connection" } else { "no answer came" };
    format!("{what}: {}", http_client::cause(error))
}
