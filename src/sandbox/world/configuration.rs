//! What the API checks of a tunnel's configuration before it stores it.
//!
//! The fields are those of the published schema and closed, so that a misspelt one shows. Whether cloudflared can use the
//! services is not checked: it refuses such a document itself and keeps its old one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    ingress: Vec<Rule>,
    #[serde(rename = "originRequest")]
    _origin_request: Option<OriginRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    hostname: Option<String>,
    path: Option<String>,
    service: String,
    #[serde(rename = "originRequest")]
    _origin_request: Option<OriginRequest>,
}

/// Durations are whole seconds.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OriginRequest {
    access: Option<Access>,
    ca_pool: Option<String>,
    connect_timeout: Option<i64>,
    disable_chunked_encoding: Option<bool>,
    http2_origin: Option<bool>,
    http_host_header: Option<String>,
    keep_alive_connections: Option<i64>,
    keep_alive_timeout: Option<i64>,
    #[serde(rename = "matchSNItoHost")]
    match_sni_to_host: Option<bool>,
    no_happy_eyeballs: Option<bool>,
    #[serde(rename = "noTLSVerify")]
    no_tls_verify: Option<bool>,
    origin_server_name: Option<String>,
    proxy_type: Option<ProxyType>,
    tcp_keep_alive: Option<i64>,
    tls_timeout: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Access {
    aud_tag: Vec<String>,
    team_name: String,
    required: Option<bool>,
}

#[derive(Deserialize, Serialize)]
enum ProxyType {
    #[serde(rename = "")]
    Regular,
    #[serde(rename = "socks")]
    Socks,
}

/// The document as it is stored and sent to connectors: with the read-only `warp-routing` that Cloudflare adds.
pub(crate) fn checked(mut document: Value) -> Result<Value, Error> {
    let configuration: Configuration =
        serde_json::from_value(document.clone()).map_err(|error| Error::BadConfiguration(error.to_string()))?;
    check_ingress(&configuration.ingress)?;
    if let Value::Object(fields) = &mut document {
        fields.insert("warp-routing".to_owned(), json!({ "enabled": false }));
    }
    Ok(document)
}

fn check_ingress(rules: &[Rule]) -> Result<(), Error> {
    let refused = |message: &str| Err(Error::BadConfiguration(message.to_owned()));
    let Some((last, others)) = rules.split_last() else {
        return refused("at least one ingress rule is needed");
    };
    if !is_catch_all(last) {
        return refused("The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)");
    }
    if others.iter().any(is_catch_all) {
        return refused("Only the last ingress rule may match all URLs");
    }
    if rules.iter().any(|rule| rule.service.is_empty()) {
        return refused("Every ingress rule needs a service");
    }
    Ok(())
}

fn is_catch_all(rule: &Rule) -> bool {
    let blank = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
    (blank(&rule.hostname) || rule.hostname.as_deref() == Some("*")) && blank(&rule.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_whose_last_rule_is_the_only_catch_all_is_stored() {
        let document = json!({
            "ingress": [
                { "hostname": "app.example.com", "path": "/api", "service": "http://localhost:1",
                  "originRequest": { "noTLSVerify": true, "http2Origin": true, "caPool": "/ca", "matchSNItoHost": true,
                                     "proxyType": "socks", "access": { "audTag": ["a"], "teamName": "t" } } },
                { "hostname": "*", "service": "http_status:404" },
            ],
            "originRequest": { "connectTimeout": 10 },
        });
        let stored = checked(document.clone()).unwrap();
        assert_eq!(stored["ingress"], document["ingress"]);
        assert_eq!(stored["warp-routing"], json!({ "enabled": false }));
    }

    #[test]
    fn what_the_api_refuses_is_refused_with_the_reason() {
        let rule = |hostname: &str| json!({ "hostname": hostname, "service": "http://localhost:1" });
        let catch_all = json!({ "service": "http_status:404" });
        for (ingress, reason) in [
            (json!([]), "at least one ingress rule"),
            (json!([rule("a.example.com")]), "last ingress rule must match all"),
            (json!([catch_all, catch_all]), "Only the last"),
            (json!([{ "path": "/a", "service": "http_status:404" }]), "last ingress rule must match all"),
            (json!([{ "service": "" }]), "needs a service"),
            (json!([{ "service": "http_status:404", "sevice": "x" }]), "sevice"),
            (json!([{ "service": "http_status:404", "originRequest": { "connectTimeout": "10s" } }]), "10s"),
        ] {
            let error = checked(json!({ "ingress": ingress })).unwrap_err().to_string();
            assert!(error.starts_with("Bad Configuration: Validation failed: ") && error.contains(reason), "{error}");
        }
    }
}
