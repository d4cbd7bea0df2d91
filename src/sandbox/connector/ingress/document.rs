//! A configuration document as rules, with the refusals of cloudflared (`ingress/ingress.go`).

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{Ingress, Rule, Service};

/// Where a document comes from. They spell durations differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox::connector) enum Source {
    /// Pushed by the edge: durations are whole seconds.
    Remote,
    /// A configuration file: durations are text, as in `30s`.
    Local,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    ingress: Option<Vec<RuleDocument>>,
    #[serde(rename = "originRequest")]
    origin_request: Option<OriginRequest>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RuleDocument {
    hostname: Option<String>,
    path: Option<String>,
    service: Option<String>,
    #[serde(rename = "originRequest")]
    origin_request: Option<OriginRequest>,
}

/// The types are cloudflared's, so that a document with a wrong one is refused; most of them mean nothing to a stand-in.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct OriginRequest {
    connect_timeout: Option<Value>,
    tls_timeout: Option<Value>,
    tcp_keep_alive: Option<Value>,
    keep_alive_timeout: Option<Value>,
    #[serde(rename = "noHappyEyeballs")]
    _no_happy_eyeballs: Option<bool>,
    #[serde(rename = "keepAliveConnections")]
    _keep_alive_connections: Option<i64>,
    http_host_header: Option<String>,
    #[serde(rename = "originServerName")]
    _origin_server_name: Option<String>,
    #[serde(rename = "matchSNItoHost")]
    _match_sni_to_host: Option<bool>,
    #[serde(rename = "caPool")]
    _ca_pool: Option<String>,
    #[serde(rename = "noTLSVerify")]
    _no_tls_verify: Option<bool>,
    #[serde(rename = "disableChunkedEncoding")]
    _disable_chunked_encoding: Option<bool>,
    bastion_mode: Option<bool>,
    #[serde(rename = "proxyType")]
    _proxy_type: Option<String>,
    #[serde(rename = "http2Origin")]
    _http2_origin: Option<bool>,
    access: Option<Access>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Access {
    required: bool,
    team_name: String,
    aud_tag: Vec<String>,
}

/// Reads and checks a document. One without rules is fine: it answers 503.
///
/// # Errors
///
/// In cloudflared's words (for a wrong type: in ours).
pub(in crate::sandbox::connector) fn parse(document: &Value, source: Source) -> Result<Ingress, String> {
    let document = Document::deserialize(document).map_err(|error| format!("json: cannot unmarshal: {error}"))?;
    let defaults = document.origin_request.unwrap_or_default();
    check_durations(&defaults, source)?;
    let documents = document.ingress.unwrap_or_default();
    if documents.is_empty() {
        return Ok(Ingress::without_rules());
    }
    let last = documents.len() - 1;
    let rules = documents
        .into_iter()
        .enumerate()
        .map(|(index, rule)| parse_rule(rule, &defaults, source, index, index == last))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Ingress { rules })
}

fn parse_rule(
    document: RuleDocument,
    defaults: &OriginRequest,
    source: Source,
    index: usize,
    last: bool,
) -> Result<Rule, String> {
    let own = document.origin_request.unwrap_or_default();
    check_durations(&own, source)?;
    let bastion = own.bastion_mode.or(defaults.bastion_mode).unwrap_or(false);
    let service = parse_service(&document.service.unwrap_or_default(), bastion)?;
    if let Some(access) = &own.access
        && access.required
        && access.team_name.is_empty()
        && !access.aud_tag.is_empty()
    {
        return Err("access.TeamName cannot be blank when access.audTags are present".to_owned());
    }
    let (hostname, path) = (document.hostname.unwrap_or_default(), document.path.unwrap_or_default());
    check_hostname(&hostname, &path, index, last)?;
    let punycode = idna::domain_to_ascii(&hostname).ok().filter(|ascii| *ascii != hostname && !hostname.contains('*'));
    let path = if path.is_empty() {
        None
    } else {
        Some(Regex::new(&path).map_err(|error| format!("Rule #{} has an invalid regex: {error}", index + 1))?)
    };
    let http_host_header = own.http_host_header.or_else(|| defaults.http_host_header.clone()).filter(|host| !host.is_empty());
    Ok(Rule { hostname, punycode, path, service, http_host_header })
}

fn check_hostname(hostname: &str, path: &str, index: usize, last: bool) -> Result<(), String> {
    if hostname.matches(':').count() == 1 {
        return Err("Hostname cannot contain a port".to_owned());
    }
    if hostname.rfind('*').is_some_and(|position| position > 0) {
        return Err("Hostname patterns can have at most one wildcard character (\"*\") and it can only be used for subdomains, \
                    e.g. \"*.example.com\""
            .to_owned());
    }
    let catches_all = matches!(hostname, "" | "*") && path.is_empty();
    match (last, catches_all) {
        (true, false) => {
            Err("The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)".to_owned())
        }
        (false, true) => Err(format!(
            "Rule #{} is matching the hostname '{hostname}', but this will match every hostname, meaning the rules which follow it \
             will never be triggered.",
            index + 1
        )),
        (true, true) | (false, false) => Ok(()),
    }
}

fn parse_service(text: &str, bastion: bool) -> Result<Service, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Service::Unix { tls: false, path: path.to_owned() });
    }
    if let Some(path) = text.strip_prefix("unix+tls:") {
        return Ok(Service::Unix { tls: true, path: path.to_owned() });
    }
    if let Some(status) = text.strip_prefix("http_status:") {
        let number: i64 =
            status.parse().map_err(|_| format!("invalid HTTP status code: strconv.Atoi: parsing {status:?}: invalid syntax"))?;
        let valid = u16::try_from(number).ok().filter(|status| (100..=999).contains(status));
        return valid.map(Service::Status).ok_or_else(|| format!("invalid HTTP status code: {number}"));
    }
    match text {
        "hello_world" | "hello-world" => return Ok(Service::HelloWorld),
        "socks-proxy" => return Ok(Service::Stream(text.to_owned())),
        "bastion" => return Ok(Service::Stream(text.to_owned())),
        _ if bastion => return Ok(Service::Stream("bastion".to_owned())),
        _ => {}
    }
    parse_url(text)
}

fn parse_url(text: &str) -> Result<Service, String> {
    let incomplete = || format!("{text} is an invalid address, please make sure it has a scheme and a hostname");
    let (scheme, rest) = text.split_once("://").ok_or_else(incomplete)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bracketed_end = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority[bracketed_end..].find(':') {
        Some(colon) => (&authority[..bracketed_end + colon], Some(&authority[bracketed_end + colon + 1..])),
        None => (authority, None),
    };
    let bad_port = |port: &str| format!("parse {text:?}: invalid port {:?} after host", format!(":{port}"));
    let default_port = if scheme == "https" || scheme == "wss" { 443 } else { 80 };
    let port = match port {
        None | Some("") => default_port,
        Some(port) => port.parse().map_err(|_| bad_port(port))?,
    };
    if scheme.is_empty() || host.is_empty() {
        return Err(incomplete());
    }
    if path.starts_with('/') {
        return Err(format!(
            "{text} is an invalid address, ingress rules don't support proxying to a different path on the origin service. The path \
             will be the same as the eyeball request's path"
        ));
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match scheme {
        "http" | "ws" => Ok(Service::Http { tls: false, host, port, text: text.to_owned() }),
        "https" | "wss" => Ok(Service::Http { tls: true, host, port, text: text.to_owned() }),
        _ => Ok(Service::Stream(text.to_owned())),
    }
}

fn check_durations(request: &OriginRequest, source: Source) -> Result<(), String> {
    let durations = [&request.connect_timeout, &request.tls_timeout, &request.tcp_keep_alive, &request.keep_alive_timeout];
    for value in durations.into_iter().flatten() {
        let good = match source {
            Source::Remote => value.is_i64(),
            Source::Local => value.as_str().is_some_and(|text| super::super::go::parse_duration(text).is_some()),
        };
        if !good {
            return Err(format!("strconv.ParseInt: parsing {}: invalid syntax", Value::from(value.to_string())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(rules: Value) -> String {
        parse(&json!({ "ingress": rules }), Source::Remote).err().unwrap_or_else(|| "accepted".to_owned())
    }

    #[test]
    fn what_cloudflared_refuses_is_refused_in_its_words() {
        let catch_all = json!({"service": "http_status:404"});
        let cases = [
            (json!([{"service": "nope"}]), "nope is an invalid address, please make sure it has a scheme and a hostname"),
            (json!([{"service": "localhost:80"}]), "localhost:80 is an invalid address, please make sure it has a scheme and"),
            (json!([{"service": "http://localhost/x"}]), "http://localhost/x is an invalid address, ingress rules don't support"),
            (json!([{"service": "http_status:99"}]), "invalid HTTP status code: 99"),
            (json!([{"service": "http_status:no"}]), "invalid HTTP status code: strconv.Atoi"),
            (json!([{"hostname": "a.example", "service": "http://a:1"}]), "The last ingress rule must match all URLs"),
            (json!([catch_all, catch_all]), "Rule #1 is matching the hostname '', but this will match every hostname"),
            (json!([{"hostname": "a.*.example", "service": "http://a:1"}, catch_all]), "Hostname patterns can have at most one"),
            (json!([{"hostname": "a.example:80", "service": "http://a:1"}, catch_all]), "Hostname cannot contain a port"),
            (json!([{"path": "(", "service": "http://a:1"}, catch_all]), "Rule #1 has an invalid regex"),
            (json!([{"service": "http://a:1", "originRequest": {"connectTimeout": "30s"}}]), "strconv.ParseInt: parsing"),
            (json!([{"service": 7}]), "json: cannot unmarshal"),
        ];
        for (rules, beginning) in cases {
            let refusal = refusal(rules);
            assert!(refusal.starts_with(beginning), "{refusal}");
        }
    }

    #[test]
    fn services_are_told_apart() {
        let http = |tls, host: &str, port, text: &str| Service::Http { tls, host: host.to_owned(), port, text: text.to_owned() };
        let cases = [
            ("http://localhost:8080", http(false, "localhost", 8080, "http://localhost:8080")),
            ("https://[::1]", http(true, "::1", 443, "https://[::1]")),
            ("unix:/run/a.sock", Service::Unix { tls: false, path: "/run/a.sock".to_owned() }),
            ("http_status:204", Service::Status(204)),
            ("hello_world", Service::HelloWorld),
            ("ssh://localhost:22", Service::Stream("ssh://localhost:22".to_owned())),
            ("bastion", Service::Stream("bastion".to_owned())),
        ];
        for (text, service) in cases {
            assert_eq!(parse_service(text, false), Ok(service), "{text}");
        }
    }

    #[test]
    fn a_local_document_spells_durations_as_text() {
        let document = json!({"ingress": [{"service": "http://a:1", "originRequest": {"connectTimeout": "30s"}}]});
        assert!(parse(&document, Source::Local).is_ok());
    }

    #[test]
    fn the_host_header_of_a_rule_is_stronger_than_the_default() {
        let document = json!({
            "originRequest": {"httpHostHeader": "default.test"},
            "ingress": [
                {"hostname": "a.example", "service": "http://a:1", "originRequest": {"httpHostHeader": "own.test"}},
                {"service": "http://a:1"},
            ],
        });
        let ingress = parse(&document, Source::Remote).unwrap();

        assert_eq!(ingress.find("a.example", "/").1.http_host_header.as_deref(), Some("own.test"));
        assert_eq!(ingress.find("b.example", "/").1.http_host_header.as_deref(), Some("default.test"));
    }
}
