//! Ingress rules: which request goes to which service.

mod document;

use regex::Regex;

pub(super) use self::document::{Source, parse};

/// The rules in force. The last one matches everything.
#[derive(Debug)]
pub(super) struct Ingress {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// Empty or `*` for every hostname.
    hostname: String,
    /// The hostname in Punycode when that differs.
    punycode: Option<String>,
    path: Option<Regex>,
    pub(super) service: Service,
    /// The `Host` header for the origin, when it is not the request's.
    pub(super) http_host_header: Option<String>,
}

/// Where a rule's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Service {
    /// `http://` or `https://`, with host and port.
    Http {
        tls: bool,
        host: String,
        port: u16,
        text: String,
    },
    /// `unix:` or `unix+tls:`.
    Unix {
        tls: bool,
        path: String,
    },
    Status(u16),
    HelloWorld,
    /// What carries no plain request: `ssh://`, `tcp://`, `bastion`, `socks-proxy` and the like.
    Stream(String),
    /// There are no rules: 503 for every request.
    NoRules,
}

impl std::fmt::Display for Service {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http { text, .. } | Self::Stream(text) => formatter.write_str(text),
            Self::Unix { tls: false, path } => write!(formatter, "unix:{path}"),
            Self::Unix { tls: true, path } => write!(formatter, "unix+tls:{path}"),
            Self::Status(status) => write!(formatter, "http_status:{status}"),
            Self::HelloWorld => formatter.write_str("hello_world"),
            Self::NoRules => formatter.write_str("http_status:503"),
        }
    }
}

impl Ingress {
    /// What holds without a configuration.
    pub(super) fn without_rules() -> Self {
        let rule =
            Rule { hostname: String::new(), punycode: None, path: None, service: Service::NoRules, http_host_header: None };
        Self { rules: vec![rule] }
    }

    /// The first rule that matches, with its index.
    pub(super) fn find(&self, host: &str, path: &str) -> (usize, &Rule) {
        let host = host.split_once(':').map_or(host, |(name, _)| name);
        let found = self.rules.iter().enumerate().find(|(_, rule)| rule.matches(host, path));
        found.unwrap_or_else(|| {
            let last = self.rules.len() - 1;
            (last, &self.rules[last])
        })
    }
}

impl Rule {
    fn matches(&self, host: &str, path: &str) -> bool {
        let hostname_matches = matches!(self.hostname.as_str(), "" | "*")
            || matches_hostname(&self.hostname, host)
            || self.punycode.as_deref().is_some_and(|punycode| matches_hostname(punycode, host));
        hostname_matches && self.path.as_ref().is_none_or(|regex| regex.is_match(path))
    }
}

fn matches_hostname(pattern: &str, host: &str) -> bool {
    pattern == host
        || pattern.strip_prefix("*.").is_some_and(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(ingress: &Ingress, host: &str, path: &str) -> String {
        ingress.find(host, path).1.service.to_string()
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let ingress = parse(
            &json!({"ingress": [
                {"hostname": "app.example.com", "path": "^/api", "service": "http_status:201"},
                {"hostname": "app.example.com", "service": "http_status:202"},
                {"hostname": "*.example.com", "service": "http_status:203"},
                {"hostname": "bücher.example", "service": "http_status:204"},
                {"path": "\\.png$", "service": "http_status:205"},
                {"service": "http_status:404"},
            ]}),
            Source::Remote,
        )
        .unwrap();
        for (host, path, service) in [
            ("app.example.com", "/api/users", "http_status:201"),
            ("app.example.com:8443", "/", "http_status:202"),
            ("a.b.example.com", "/", "http_status:203"),
            ("example.com", "/", "http_status:404"),
            ("notexample.com", "/", "http_status:404"),
            ("xn--bcher-kva.example", "/", "http_status:204"),
            ("other.test", "/logo.png", "http_status:205"),
        ] {
            assert_eq!(find(&ingress, host, path), service, "{host}{path}");
        }
    }

    #[test]
    fn without_rules_every_request_gets_503() {
        assert_eq!(find(&Ingress::without_rules(), "app.example.com", "/"), "http_status:503");
    }
}
