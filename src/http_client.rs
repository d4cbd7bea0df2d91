//! What all HTTP clients of the program have in common: they go where they are told and nowhere else.

use reqwest::{Client, ClientBuilder, redirect};

/// Which certificates another side's is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Those of the host.
    Host,
    /// None, for plain HTTP and for whoever checks nothing: the host's are not needed, and there may be none.
    Nobody,
}

impl Trust {
    /// What a client needs that asks by this scheme.
    pub fn of_scheme(scheme: &str) -> Self {
        if scheme == "http" { Self::Nobody } else { Self::Host }
    }
}

/// A client that follows no redirect, repeats nothing by itself and uses no proxy, whatever the environment says: the daemon's
/// environment is no configuration. Making one that trusts the host's certificates reads them.
pub fn builder(trust: Trust) -> ClientBuilder {
    // Fails only when the process has a provider already, which is then used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("adit/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy();
    match trust {
        Trust::Host => builder,
        Trust::Nobody => builder.tls_certs_only([]),
    }
}

/// The innermost cause of a failure, which is what a person can act on. It never shows the URL.
pub fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cause_does_not_show_the_url() {
        let client = builder(Trust::Nobody).build().unwrap();
        for url in ["http://127.0.0.1:1/canary?canary", "https://127.0.0.1:1/canary", "ftp://127.0.0.1/canary"] {
            let error = client.get(url).send().await.unwrap_err();
            let cause = cause(error);
            assert!(!cause.is_empty() && !cause.contains("canary"), "{cause}");
        }
    }
}
