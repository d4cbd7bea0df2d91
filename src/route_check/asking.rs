//! How cloudflared asks an origin.

use serde_json::{Map, Value};

use crate::name::Hostname;

/// How cloudflared asks an origin, as far as it matters to one request.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asking {
    /// The Host header, where it is not the hostname of the request.
    pub host: Option<String>,
    /// The name that the origin's certificate has to have, where it is not that in its address.
    pub server_name: Option<String>,
    /// Whether the origin is asked by TLS for the host of the request.
    pub match_host: bool,
    /// Whether any certificate is taken.
    pub no_verify: bool,
    /// The file with the authorities of its certificate.
    pub ca_pool: Option<String>,
}

impl Asking {
    /// What a rule says, and where it says nothing what its tunnel says.
    pub fn of(tunnel: Option<&Map<String, Value>>, rule: Option<&Map<String, Value>>) -> Self {
        let value = |key: &str| rule.and_then(|rule| rule.get(key)).or_else(|| tunnel.and_then(|tunnel| tunnel.get(key)));
        let text = |key: &str| value(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let is_set = |key: &str| value(key).and_then(Value::as_bool).unwrap_or(false);
        Self {
            host: text("httpHostHeader"),
            server_name: text("originServerName"),
            match_host: is_set("matchSNItoHost"),
            no_verify: is_set("noTLSVerify"),
            ca_pool: text("caPool"),
        }
    }

    /// The Host header of a request for `hostname`; `None` when nothing names one and the origin's own address has to do.
    pub fn host_of(&self, hostname: Option<&Hostname>) -> Option<String> {
        let requested = hostname.filter(|hostname| !hostname.is_wildcard());
        self.host.clone().or_else(|| requested.map(ToString::to_string))
    }

    /// The name that the origin's certificate has to have when it is asked for `host`; `None` for that in its address.
    pub fn name_of<'a>(&'a self, host: Option<&'a str>) -> Option<&'a str> {
        if self.match_host { host } else { self.server_name.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_in_a_certificate_is_the_one_that_cloudflared_expects() {
        let app: Hostname = "app.example.com".parse().unwrap();
        let asking = |rule: Value| Asking::of(json!({ "httpHostHeader": "inner.example.com" }).as_object(), rule.as_object());
        let name = |rule: Value| {
            let asking = asking(rule);
            let host = asking.host_of(Some(&app));
            asking.name_of(host.as_deref()).map(str::to_owned)
        };
        assert_eq!(name(json!({})), None, "that of the service's address");
        assert_eq!(name(json!({ "originServerName": "cert.example.com" })).as_deref(), Some("cert.example.com"));
        assert_eq!(name(json!({ "matchSNItoHost": true })).as_deref(), Some("inner.example.com"));
    }

    #[test]
    fn a_wildcard_names_no_host() {
        let asking = Asking::default();
        let host = |hostname: &str| asking.host_of(Some(&hostname.parse().unwrap()));
        assert_eq!((host("*.example.com"), asking.host_of(None)), (None, None));
        assert_eq!(host("app.example.com").as_deref(), Some("app.example.com"));
    }
}
