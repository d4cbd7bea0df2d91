//! What the flags, the environment and the configuration file mean together.

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::Value;

use super::{
    arguments::Values,
    flags::{FLAGS, Flag, Kind},
    go,
};
use crate::sandbox::edge::wire::Protocol;

/// The longest grace period that cloudflared takes.
const GRACE_PERIOD_MAX: Duration = Duration::from_secs(180);

/// cloudflared's defaults.
const GRACE_PERIOD: Duration = Duration::from_secs(30);
const HA_CONNECTIONS: usize = 4;
const RETRIES: u32 = 5;
const EDGE_ADDRESS_RETRIES: u32 = 8;

/// The configuration file of a run.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) path: String,
    pub(super) document: Value,
}

impl ConfigFile {
    /// A text at the top level of the file; empty when it is not there.
    pub(super) fn text(&self, key: &str) -> &str {
        self.document.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a run is told.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) grace_period: Duration,
    /// The protocol to begin with.
    pub(super) protocol: Protocol,
    /// Whether HTTP/2 may take over when QUIC cannot connect.
    pub(super) may_fall_back: bool,
    /// Addresses of the edge, `HOST:PORT`; none means that they would be looked up in DNS.
    pub(super) edge: Vec<String>,
    pub(super) ha_connections: usize,
    pub(super) retries: u32,
    pub(super) edge_address_retries: u32,
    /// Where the process id goes after the first registration; empty for nowhere.
    pub(super) pidfile: String,
    pub(super) prechecks: bool,
}

/// Reads the configuration file that `--config` names, or the first that exists where cloudflared looks for one.
///
/// # Errors
///
/// In cloudflared's words.
pub(super) fn read_config(values: &Values, environment: &BTreeMap<String, String>) -> Result<Option<ConfigFile>, String> {
    let (path, text) = if values.is_set("config") {
        let path = values.text("config").to_owned();
        if path.is_empty() {
            return Ok(None);
        }
        match fs::read_to_string(&path) {
            Ok(text) => (path, text),
            Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
                return Err(format!("error parsing YAML in config file at {path}: read {path}: is a directory"));
            }
            Err(error) => return Err(format!("open {path}: {}", go::error_text(&error))),
        }
    } else {
        let home = environment.get("HOME").map(String::as_str).unwrap_or_default();
        match default_paths(home).find_map(|path| Some((path.clone(), fs::read_to_string(&path).ok()?))) {
            Some(found) => found,
            None => return Ok(None),
        }
    };
    if text.trim().is_empty() {
        return Ok(Some(ConfigFile { path, document: Value::Object(serde_json::Map::new()) }));
    }
    // Of YAML only the part that is JSON is understood here: it is what a program writes.
    match serde_json::from_str(&text) {
        Ok(document @ Value::Object(_)) => Ok(Some(ConfigFile { path, document })),
        Ok(_) => Err(format!("error parsing YAML in config file at {path}: yaml: line 1: not a mapping")),
        Err(error) => Err(format!("error parsing YAML in config file at {path}: yaml: line {}: {error}", error.line())),
    }
}

fn default_paths(home: &str) -> impl Iterator<Item = String> {
    let folders = [
        format!("{home}/.cloudflared"),
        format!("{home}/.cloudflare-warp"),
        format!("{home}/cloudflare-warp"),
        "/etc/cloudflared".to_owned(),
        "/usr/local/etc/cloudflared".to_owned(),
    ];
    folders.into_iter().flat_map(|folder| [format!("{folder}/config.yml"), format!("{folder}/config.yaml")])
}

/// Fills in what the configuration file sets and nothing stronger did. `output` has no effect there.
///
/// # Errors
///
/// When a value is not of the flag's type.
pub(super) fn apply_config(values: &mut Values, config: &ConfigFile) -> Result<(), String> {
    for flag in FLAGS.iter().filter(|flag| !matches!(flag.name, "config" | "output")) {
        let Some(value) = config.document.get(flag.name) else { continue };
        values.fill(flag, &config_text(flag, value)?)?;
    }
    Ok(())
}

fn config_text(flag: &Flag, value: &Value) -> Result<String, String> {
    let mismatch = |expected| Err(format!("expected {expected} found {value} for {}", flag.name));
    match (flag.kind, value) {
        (Kind::Text | Kind::Duration, Value::String(text)) => Ok(text.clone()),
        (Kind::Switch, Value::Bool(on)) => Ok(on.to_string()),
        (Kind::Integer, Value::Number(number)) if number.is_i64() => Ok(number.to_string()),
        (Kind::List, Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
        }
        (Kind::Text, _) => mismatch("string"),
        (Kind::Duration, _) => mismatch("duration"),
        (Kind::Switch, _) => mismatch("boolean"),
        (Kind::Integer, _) => mismatch("int"),
        (Kind::List, _) => mismatch("string slice"),
    }
}

impl Settings {
    /// Checks the values as cloudflared does before it starts a tunnel.
    ///
    /// # Errors
    ///
    /// The reason that follows "Couldn't start tunnel".
    pub(super) fn new(values: &Values) -> Result<Self, String> {
        for tag in values.list("tag") {
            if tag.split_once('=').is_none_or(|(name, value)| name.is_empty() || value.is_empty()) {
                return Err(format!("Tag parse failure: Cannot parse tag value {tag}"));
            }
        }
        let protocol = if values.is_set("protocol") { values.text("protocol") } else { "auto" };
        let (protocol, may_fall_back) = match protocol {
            "quic" => (Protocol::Quic, false),
            "http2" | "h2mux" => (Protocol::Http2, false),
            "auto" if values.is_set("token") => (Protocol::Quic, true),
            // Without the flag the protocol comes from a DNS record, and a look-up that fails means HTTP/2.
            "auto" => (Protocol::Http2, false),
            other => {
                return Err(format!(
                    "unknown protocol {other}, Available protocols: 'auto' - automatically chooses the best protocol over time \
                     (the default; and also the recommended one); 'quic' - based on QUIC, relying on UDP egress to Cloudflare \
                     edge; 'http2' - using Go's HTTP2 library, relying on TCP egress to Cloudflare edge"
                ));
            }
        };
        let grace_period = go::parse_duration(values.text("grace-period")).unwrap_or(GRACE_PERIOD);
        if grace_period > GRACE_PERIOD_MAX {
            return Err("grace-period must be equal or less than 3m0s".to_owned());
        }
        let ip_version = values.text("edge-ip-version");
        if !matches!(ip_version, "" | "4" | "6" | "auto") {
            return Err(format!("invalid value for edge-ip-version: {ip_version}"));
        }
        let bind_address = values.text("edge-bind-address");
        if !bind_address.is_empty() && bind_address.parse::<std::net::IpAddr>().is_err() {
            return Err(format!("invalid value for edge-bind-address: {bind_address}"));
        }
        let certificates = values.text("cacert");
        if !certificates.is_empty()
            && let Err(error) = fs::metadata(certificates)
        {
            return Err(format!(
                "unable to create TLS config to connect with edge: failed to append cert: open {certificates}: {}",
                go::error_text(&error)
            ));
        }
        Ok(Self {
            grace_period,
            protocol,
            may_fall_back,
            edge: values.list("edge").iter().filter(|address| !address.is_empty()).cloned().collect(),
            ha_connections: number(values, "ha-connections").unwrap_or(HA_CONNECTIONS).max(1),
            retries: number(values, "retries").unwrap_or(RETRIES),
            edge_address_retries: number(values, "max-edge-addr-retries").unwrap_or(EDGE_ADDRESS_RETRIES),
            pidfile: values.text("pidfile").to_owned(),
            prechecks: values.text("no-prechecks") != "true",
        })
    }
}

fn number<T: std::str::FromStr>(values: &Values, name: &str) -> Option<T> {
    values.text(name).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::connector::flags;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let mut values = Values::default();
        for (name, value) in pairs {
            let flag = FLAGS.iter().find(|flag| flag.name == *name).unwrap();
            values.fill(flag, value).unwrap();
        }
        values
    }

    #[test]
    fn the_first_protocol_depends_on_how_the_token_came() {
        let cases = [
            (vec![("token", "")], (Protocol::Quic, true)),
            (vec![], (Protocol::Http2, false)),
            (vec![("token", ""), ("protocol", "http2")], (Protocol::Http2, false)),
            (vec![("token", ""), ("protocol", "quic")], (Protocol::Quic, false)),
        ];
        for (pairs, expected) in cases {
            let settings = Settings::new(&values(&pairs)).unwrap();
            assert_eq!((settings.protocol, settings.may_fall_back), expected, "{pairs:?}");
        }
    }

    #[test]
    fn bad_values_are_refused_with_a_reason() {
        for (name, value, reason) in [
            ("grace-period", "4m", "grace-period must be equal or less than 3m0s"),
            ("protocol", "h3", "unknown protocol h3, "),
            ("edge-ip-version", "5", "invalid value for edge-ip-version: 5"),
            ("tag", "nokey", "Tag parse failure: Cannot parse tag value nokey"),
            ("cacert", "/nonexistent", "unable to create TLS config to connect with edge: "),
        ] {
            let error = Settings::new(&values(&[(name, value)])).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }

    #[test]
    fn a_configuration_file_sets_what_nothing_stronger_did() {
        let document = serde_json::json!({"metrics": "file:1", "grace-period": "5s", "output": "json", "no-autoupdate": true});
        let config = ConfigFile { path: "config.yml".to_owned(), document };
        let mut values = values(&[("metrics", "line:1")]);

        apply_config(&mut values, &config).unwrap();

        assert_eq!(values.text("metrics"), "line:1");
        assert_eq!(values.text("grace-period"), "5s");
        assert!(!values.is_set("output"));
        assert!(flags::find("output", flags::Place::Before).is_some());
    }

    #[test]
    fn a_configuration_file_with_a_wrong_type_is_refused() {
        let config = ConfigFile { path: "config.yml".to_owned(), document: serde_json::json!({"no-autoupdate": "yes"}) };

        let error = apply_config(&mut Values::default(), &config).unwrap_err();

        assert_eq!(error, "expected boolean found \"yes\" for no-autoupdate");
    }
}
