//! The flags of cloudflared 2026.8.0 that a tunnel may be run with: a table.

/// One flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// The long name, without dashes; also its key in a configuration file.
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    /// The environment variables that set it, the strongest first.
    pub(super) variables: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// What a flag's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Switch,
    Integer,
    Duration,
    /// Repeatable; in the environment, divided by commas.
    List,
}

/// On which side of the word `run` a flag may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    After,
    Either,
}

/// The flag of this name or alias, if it may stand here: before `run` ([`Place::Before`]) or after it ([`Place::After`]).
pub(super) fn find(name: &str, place: Place) -> Option<&'static Flag> {
    FLAGS
        .iter()
        .filter(|flag| flag.place == place || flag.place == Place::Either)
        .find(|flag| flag.name == name || flag.aliases.contains(&name))
}

const fn flag(name: &'static str, variables: &'static [&'static str], kind: Kind, place: Place) -> Flag {
    Flag { name, aliases: &[], variables, kind, place }
}

const fn alias(flag: Flag, aliases: &'static [&'static str]) -> Flag {
    Flag { name: flag.name, aliases, variables: flag.variables, kind: flag.kind, place: flag.place }
}

use Kind::{Duration, Integer, List, Switch, Text};
use Place::{After, Before, Either};

/// Every flag, in the order in which the help lists them.
pub(super) const FLAGS: &[Flag] = &[
    flag("config", &[], Text, Before),
    flag("origincert", &["TUNNEL_ORIGIN_CERT"], Text, Before),
    flag("autoupdate-freq", &[], Duration, Before),
    flag("no-autoupdate", &["NO_AUTOUPDATE"], Switch, Before),
    flag("no-prechecks", &["TUNNEL_NO_PRECHECKS"], Switch, Before),
    flag("metrics", &["TUNNEL_METRICS"], Text, Before),
    flag("pidfile", &["TUNNEL_PIDFILE"], Text, Before),
    alias(flag("credentials-file", &["TUNNEL_CRED_FILE"], Text, Either), &["cred-file"]),
    flag("region", &["TUNNEL_REGION"], Text, Before),
    flag("edge-ip-version", &["TUNNEL_EDGE_IP_VERSION"], Text, Before),
    flag("edge-bind-address", &["TUNNEL_EDGE_BIND_ADDRESS"], Text, Before),
    flag("label", &[], Text, Before),
    flag("grace-period", &["TUNNEL_GRACE_PERIOD"], Duration, Before),
    flag("compression-quality", &["TUNNEL_COMPRESSION_LEVEL"], Integer, Before),
    flag("name", &["TUNNEL_NAME"], Text, Before),
    flag("hostname", &["TUNNEL_HOSTNAME"], Text, Before),
    flag("id", &["TUNNEL_ID"], Text, Before),
    flag("lb-pool", &["TUNNEL_LB_POOL"], Text, Before),
    flag("api-key", &["TUNNEL_API_KEY"], Text, Before),
    flag("api-email", &["TUNNEL_API_EMAIL"], Text, Before),
    flag("api-ca-key", &["TUNNEL_API_CA_KEY"], Text, Before),
    flag("metrics-update-freq", &["TUNNEL_METRICS_UPDATE_FREQ"], Duration, Before),
    flag("tag", &["TUNNEL_TAG"], List, Before),
    flag("retries", &["TUNNEL_RETRIES"], Integer, Before),
    flag("max-edge-addr-retries", &[], Integer, Before),
    flag("rpc-timeout", &[], Duration, Before),
    flag("write-stream-timeout", &["TUNNEL_STREAM_WRITE_TIMEOUT"], Duration, Before),
    flag("dial-edge-timeout", &["DIAL_EDGE_TIMEOUT"], Duration, Before),
    flag("heartbeat-interval", &[], Duration, Before),
    flag("heartbeat-count", &[], Integer, Before),
    flag("ha-connections", &[], Integer, Before),
    flag("edge", &["TUNNEL_EDGE"], List, Before),
    flag("cacert", &["TUNNEL_CACERT"], Text, Before),
    flag("is-autoupdated", &[], Switch, Before),
    flag("stdin-control", &["STDIN_CONTROL"], Switch, Before),
    flag("quick-service", &[], Text, Before),
    flag("api-url", &["TUNNEL_API_URL"], Text, Before),
    flag("management-hostname", &["TUNNEL_MANAGEMENT_HOSTNAME"], Text, Before),
    flag("management-diagnostics", &["TUNNEL_MANAGEMENT_DIAGNOSTICS"], Switch, Before),
    flag("service-op-ip", &["TUNNEL_SERVICE_OP_IP"], Text, Before),
    flag("trace-output", &["TUNNEL_TRACE_OUTPUT"], Text, Before),
    flag("loglevel", &["TUNNEL_LOGLEVEL"], Text, Before),
    alias(flag("transport-loglevel", &["TUNNEL_PROTO_LOGLEVEL", "TUNNEL_TRANSPORT_LOGLEVEL"], Text, Before), &["proto-loglevel"]),
    flag("logfile", &["TUNNEL_LOGFILE"], Text, Before),
    flag("log-directory", &["TUNNEL_LOGDIRECTORY"], Text, Before),
    flag("output", &["TUNNEL_MANAGEMENT_OUTPUT", "TUNNEL_LOG_OUTPUT"], Text, Before),
    flag("credentials-contents", &["TUNNEL_CRED_CONTENTS"], Text, After),
    alias(flag("post-quantum", &["TUNNEL_POST_QUANTUM"], Switch, Either), &["pq"]),
    alias(flag("protocol", &["TUNNEL_TRANSPORT_PROTOCOL"], Text, Either), &["p"]),
    alias(flag("features", &[], List, After), &["F"]),
    flag("token", &["TUNNEL_TOKEN"], Text, After),
    flag("token-file", &["TUNNEL_TOKEN_FILE"], Text, After),
    flag("icmpv4-src", &["TUNNEL_ICMPV4_SRC"], Text, After),
    flag("icmpv6-src", &["TUNNEL_ICMPV6_SRC"], Text, After),
    flag("max-active-flows", &["TUNNEL_MAX_ACTIVE_FLOWS"], Integer, After),
    flag("dns-resolver-addrs", &["TUNNEL_DNS_RESOLVER_ADDRS"], List, After),
    flag("url", &["TUNNEL_URL"], Text, Either),
    flag("hello-world", &["TUNNEL_HELLO_WORLD"], Switch, Either),
    flag("unix-socket", &["TUNNEL_UNIX_SOCKET"], Text, Either),
    flag("socks5", &["TUNNEL_SOCKS"], Switch, Either),
    flag("bastion", &["TUNNEL_BASTION"], Switch, Either),
    flag("proxy-connect-timeout", &[], Duration, Either),
    flag("proxy-tls-timeout", &[], Duration, Either),
    flag("proxy-tcp-keepalive", &[], Duration, Either),
    flag("proxy-no-happy-eyeballs", &[], Switch, Either),
    flag("proxy-keepalive-connections", &[], Integer, Either),
    flag("proxy-keepalive-timeout", &[], Duration, Either),
    flag("http-host-header", &["TUNNEL_HTTP_HOST_HEADER"], Text, Either),
    flag("origin-server-name", &["TUNNEL_ORIGIN_SERVER_NAME"], Text, Either),
    flag("origin-ca-pool", &["TUNNEL_ORIGIN_CA_POOL"], Text, Either),
    flag("no-tls-verify", &["NO_TLS_VERIFY"], Switch, Either),
    flag("no-chunked-encoding", &["TUNNEL_NO_CHUNKED_ENCODING"], Switch, Either),
    flag("http2-origin", &["TUNNEL_ORIGIN_ENABLE_HTTP2"], Switch, Either),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, parse};

    /// Refused only because they would stand before `run`.
    const MISPLACED: [&str; 4] = ["icmpv4-src", "icmpv6-src", "max-active-flows", "dns-resolver-addrs"];

    #[test]
    fn what_a_configuration_must_not_give_as_a_flag_it_must_not_give_by_another_name_or_as_a_variable() {
        let is_refused =
            |line: String| parse(&[Source { path: "adit.toml".into(), text: format!("[cloudflared]\n{line}") }]).is_err();
        for flag in FLAGS {
            let by_flag = is_refused(format!("extra_args = ['--{}=1']", flag.name));
            for alias in flag.aliases {
                assert_eq!(is_refused(format!("extra_args = ['--{alias}=1']")), by_flag, "--{alias} is --{}", flag.name);
            }
            for variable in flag.variables.iter().filter(|_| !MISPLACED.contains(&flag.name)) {
                assert_eq!(is_refused(format!("env = {{ {variable} = '1' }}")), by_flag, "{variable} is --{}", flag.name);
            }
        }
    }
}
