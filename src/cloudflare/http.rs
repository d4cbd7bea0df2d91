//! One HTTP exchange: the request out, the whole answer in, within limits of time and size.

use std::{fmt, time::Duration};

use reqwest::{
    Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use zeroize::Zeroizing;

use crate::{
    http_client::{self, Trust},
    secret::Secret,
};

use super::{Error, call::Call, retry};

/// What one exchange may take.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Until the connection stands, TLS included.
    pub(super) connect: Duration,
    /// Between two pieces of the answer.
    pub(super) read: Duration,
    /// From the first byte out to the last byte in.
    pub(super) total: Duration,
    /// Bytes of an answer's body, unpacked. A list of 1,000 tunnels takes 2 MB at most, 5,000 DNS records about 3 MB.
    pub(super) body_max: usize,
    /// The pause before the first repetition, at most.
    pub(super) pause_first: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(15),
            total: Duration::from_secs(30),
            body_max: 16 * 1024 * 1024,
            pause_first: retry::PAUSE_FIRST,
        }
    }
}

/// How long an unused connection is kept. Short, because a request on a connection that the other side has just closed is
/// lost without a word on whether it was carried out.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// An HTTP client that knows where the API is and how to behave there.
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
    body_max: usize,
}

/// What came back, as far as it came.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) end: BodyEnd,
}

/// How the body ended.
pub(super) enum BodyEnd {
    Whole,
    TooLarge,
    Broken(reqwest::Error),
}

/// Nothing came back.
pub(super) enum Unanswered {
    /// The request was never sent.
    Unsent(reqwest::Error),
    /// It may have been received.
    Lost(reqwest::Error),
}

impl Http {
    /// A client for the API at `base`: `https`, or `http` on a loopback address, where no token crosses a network.
    ///
    /// A redirect, which the API does not have, would take the token to another address; and cloudflared's own connections to the edge
    /// take no proxy either.
    pub(super) fn new(base: &Url, user_agent: &str, limits: &Limits) -> Result<Self, Error> {
        let task = || format!("use the API base URL \"{base}\"");
        check_base(base).map_err(|rule| Error::settings(task(), rule))?;
        let builder = http_client::builder(Trust::of_scheme(base.scheme()))
            .user_agent(user_agent)
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .timeout(limits.total)
            .pool_idle_timeout(IDLE_CONNECTION);
        let client =
            builder.build().map_err(|error| Error::settings(task(), "the HTTP client cannot be made").caused_by(error))?;
        Ok(Self { client, base: base.clone(), body_max: limits.body_max })
    }

    /// Sends `call` with `token` and takes in the answer.
    pub(super) async fn exchange(&self, call: &Call, token: &HeaderValue) -> Result<Received, Unanswered> {
        let mut request = self
            .client
            .request(call.method.into(), self.url(call))
            .header(AUTHORIZATION, token)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.clone());
        }
        match request.send().await {
            Ok(response) => Ok(self.receive(response).await),
            Err(error) if error.is_connect() || error.is_builder() => Err(Unanswered::Unsent(error)),
            Err(error) => Err(Unanswered::Lost(error)),
        }
    }

    async fn receive(&self, mut response: Response) -> Received {
        let mut body = Vec::new();
        let end = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.body_max => break BodyEnd::TooLarge,
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break BodyEnd::Whole,
                Err(error) => break BodyEnd::Broken(error),
            }
        };
        Received { status: response.status().as_u16(), headers: response.headers().clone(), body, end }
    }

    fn url(&self, call: &Call) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http and https URLs have a path").pop_if_empty().extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        url
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Http").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// The header that carries `token`; `None` when it holds what no header may.
pub(super) fn authorization(token: &Secret) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn check_base(base: &Url) -> Result<(), &'static str> {
    if !base.username().is_empty() || base.password().is_some() {
        return Err("it must not hold a user name or a password");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("it must not have a query or a fragment");
    }
    match base.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(base) => Ok(()),
        "http" => Err("http is for loopback addresses only, the API token would cross the network in clear: use https"),
        _ => Err("its scheme must be https"),
    }
}

fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::call::{Method, Resource};

    #[test]
    fn a_token_travels_in_clear_only_on_loopback() {
        for (base, fine) in [
            ("https://api.cloudflare.com/client/v4", true),
            ("http://127.0.0.1:8080/client/v4", true),
            ("http://[::1]:8080", true),
            ("http://localhost/", true),
            ("http://api.cloudflare.com/client/v4", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://10.0.0.1/", false),
            ("https://user:password@api.cloudflare.com/", false),
            ("https://api.cloudflare.com/client/v4?a=b", false),
            ("ftp://127.0.0.1/", false),
            ("unix:/run/api.sock", false),
        ] {
            assert_eq!(check_base(&base.parse().unwrap()).is_ok(), fine, "{base}");
        }
    }

    #[test]
    fn paths_are_appended_whether_the_base_ends_in_a_slash_or_not() {
        for base in ["http://127.0.0.1:1/client/v4", "http://127.0.0.1:1/client/v4/"] {
            let http = Http::new(&base.parse().unwrap(), "adit", &Limits::default()).unwrap();
            let call = Call::new(Method::Get, Resource::Zones, ["zones", "*.a b/"], "list zones").query("name", "*.ä&b");
            assert_eq!(http.url(&call).as_str(), "http://127.0.0.1:1/client/v4/zones/*.a%20b%2F?name=*.%C3%A4%26b");
        }
    }

    #[test]
    fn the_authorization_header_does_not_show_the_token() {
        let header = authorization(&Secret::new("hunter2")).unwrap();
        assert_eq!(header, "Bearer hunter2");
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(authorization(&Secret::new("a\nb")).is_none());
    }
}
