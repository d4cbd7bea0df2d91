//! `[cloudflared]`: how connectors are run.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    days, duration, paths,
    problem::quoted,
    report::{Report, Reported},
    section::{Section, as_text, parsed},
};

/// How connectors are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cloudflared {
    /// As written: an absolute path, or a bare name to be looked up on PATH.
    pub binary: PathBuf,
    /// Put between `tunnel` and `run`. Every connector's launch shares these and the variables.
    pub extra_args: Arc<[String]>,
    /// Added to the environment that a connector gets.
    pub env: Arc<BTreeMap<String, String>>,
    /// How long open requests may take when a connector is stopped: above 0 and at most 3 minutes.
    #[serde(serialize_with = "duration::serialize")]
    pub grace_period: Duration,
    /// How long the first connector with another program must be well before the others follow: above 0 and at most an hour.
    #[serde(serialize_with = "duration::serialize")]
    pub canary_period: Duration,
    /// Which of connectors' lines go to the systemd journal as well.
    pub journal: JournalLines,
    /// `HOST:PORT`s that answer when Cloudflare can be reached.
    pub edge_probe: Vec<String>,
    /// How old the secret of a tunnel gets at most that does not say so itself; `None` for any age.
    #[serde(serialize_with = "days::serialize", skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<Duration>,
}

/// Which of connectors' lines go to the systemd journal beside Adit's own log store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalLines {
    /// None.
    Off,
    /// Warnings and worse, and what has no level: panics, the reason of an exit.
    Warn,
    /// All.
    All,
}

/// The longest grace period that cloudflared takes; with more it exits (code 1).
const GRACE_PERIOD_MAX: Duration = Duration::from_secs(180);

/// Longer than this two versions should not run side by side.
const CANARY_PERIOD_MAX: Duration = Duration::from_secs(3600);

/// Flags that a configuration must not give, and why. cloudflared answers a flag that it does not know or that stands in the
/// wrong place with its help and exit code 0.
const REFUSED_FLAGS: &[(&[&str], &str)] = &[
    (&["config", "metrics", "output", "logfile", "log-directory", "pidfile"], "Adit gives this flag itself"),
    (&["no-autoupdate", "autoupdate-freq", "is-autoupdated"], "Adit replaces the binary itself and forbids cloudflared to"),
    (&["grace-period"], "write it as cloudflared.grace_period"),
    (&["protocol", "p"], "write it as the tunnel's protocol"),
    (
        &[
            "token",
            "token-file",
            "credentials-file",
            "cred-file",
            "credentials-contents",
            "origincert",
            "api-key",
            "api-email",
            "api-ca-key",
            "api-url",
        ],
        "Adit gives each connector the secret of its tunnel, and no secret may stand in a command line",
    ),
    (
        &["url", "unix-socket", "hello-world", "bastion", "socks5", "hostname", "name", "n", "id", "lb-pool"],
        "what a tunnel serves is written as its ingress",
    ),
    (
        &["features", "F", "icmpv4-src", "icmpv6-src", "max-active-flows", "dns-resolver-addrs"],
        "cloudflared takes this flag only behind `run`, and extra_args stand before it",
    ),
    (&["help", "h", "version", "v"], "with it cloudflared prints something and exits"),
];

/// Names that a connector's environment must not get from a configuration, and why. A final `*` stands for any rest.
const REFUSED_VARIABLES: &[(&[&str], &str)] = &[
    (&["NOTIFY_SOCKET", "LISTEN_*", "WATCHDOG_*"], "Adit gives each connector its own"),
    (&["CREDENTIALS_DIRECTORY"], "a connector must not learn where Adit's credentials are"),
    (
        &["TUNNEL_TOKEN", "TUNNEL_TOKEN_FILE", "TUNNEL_CRED_*", "TUNNEL_ORIGIN_CERT", "TUNNEL_API_*"],
        "a secret must not stand in an environment, where other processes can read it and cloudflared logs it",
    ),
    (
        &[
            "TUNNEL_CONFIG",
            "TUNNEL_METRICS",
            "TUNNEL_LOGFILE",
            "TUNNEL_LOGDIRECTORY",
            "TUNNEL_LOG_OUTPUT",
            "TUNNEL_MANAGEMENT_OUTPUT",
            "TUNNEL_PIDFILE",
        ],
        "Adit gives the flag of the same meaning itself",
    ),
    (&["NO_AUTOUPDATE", "AUTOUPDATE_FREQ"], "Adit replaces the binary itself and forbids cloudflared to"),
    (&["TUNNEL_GRACE_PERIOD"], "write it as cloudflared.grace_period"),
    (&["TUNNEL_TRANSPORT_PROTOCOL"], "write it as the tunnel's protocol"),
    (
        &[
            "TUNNEL_URL",
            "TUNNEL_UNIX_SOCKET",
            "TUNNEL_HELLO_WORLD",
            "TUNNEL_BASTION",
            "TUNNEL_SOCKS",
            "TUNNEL_HOSTNAME",
            "TUNNEL_NAME",
            "TUNNEL_ID",
            "TUNNEL_LB_POOL",
        ],
        "what a tunnel serves is written as its ingress",
    ),
];

pub(super) fn cloudflared(section: Section<'_>, report: &mut Report<'_>) -> Result<Cloudflared, Reported> {
    let binary = section.required("binary", report, binary);
    let extra_args = extra_args(section, report);
    let env = env(section, report);
    let grace_period = section.required("grace_period", report, grace_period);
    let canary_period = section.required("canary_period", report, canary_period);
    let edge_probe = section.list("edge_probe", report, host_port);
    let rotate_every = section.optional("rotate_every", report, days::parse);
    let journal =
        section.word("journal", &[("off", JournalLines::Off), ("warn", JournalLines::Warn), ("all", JournalLines::All)]);
    Ok(Cloudflared {
        binary: binary?,
        extra_args: extra_args?,
        env: Arc::new(env?),
        grace_period: grace_period?,
        canary_period: canary_period?,
        journal: journal?,
        edge_probe: edge_probe?,
        rotate_every: rotate_every?,
    })
}

fn binary(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() {
        return Err("it must be a program's name or absolute path");
    }
    if text.contains('/') { paths::absolute(text) } else { Ok(PathBuf::from(text)) }
}

fn canary_period(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if duration.is_zero() {
        return Err("a connector that is never watched shows nothing".to_owned());
    }
    if duration > CANARY_PERIOD_MAX {
        return Err("it is at most 1h".to_owned());
    }
    Ok(duration)
}

fn grace_period(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if duration.is_zero() {
        return Err("with 0 cloudflared cuts every open request at once".to_owned());
    }
    if duration > GRACE_PERIOD_MAX {
        return Err("cloudflared takes at most 3m".to_owned());
    }
    Ok(duration)
}

fn host_port(text: &str) -> Result<String, &'static str> {
    const RULE: &str = "it must be HOST:PORT, as in region1.v2.argotunnel.com:7844";
    let (host, port) = text.rsplit_once(':').ok_or(RULE)?;
    url::Host::parse(host).map_err(|_| RULE)?;
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(RULE),
    }
}

fn extra_args(section: Section<'_>, report: &mut Report<'_>) -> Result<Arc<[String]>, Reported> {
    let mut arguments = Vec::new();
    // Whether the argument may be the value of the flag before it.
    let mut may_be_value = false;
    for item in section.items("extra_args") {
        let value_here = may_be_value;
        may_be_value = as_text(item).is_some_and(|(text, _)| text.starts_with('-') && !text.contains('='));
        arguments.push(parsed(item, report, |text| argument(text, value_here)));
    }
    arguments.into_iter().collect()
}

fn argument(text: &str, may_be_value: bool) -> Result<String, String> {
    if text.contains('\0') {
        return Err("an argument must not contain a zero byte".to_owned());
    }
    let Some(flag) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')) else {
        let rule = "extra_args are flags and their values; cloudflared would take this for a command";
        return if may_be_value { Ok(text.to_owned()) } else { Err(rule.to_owned()) };
    };
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    if name.is_empty() {
        return Err("extra_args are flags and their values".to_owned());
    }
    match REFUSED_FLAGS.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, reason)) => Err((*reason).to_owned()),
        None => Ok(text.to_owned()),
    }
}

fn env(section: Section<'_>, report: &mut Report<'_>) -> Result<BTreeMap<String, String>, Reported> {
    let Some(env) = section.section("env") else { return Err(Reported) };
    let mut result = BTreeMap::new();
    let mut failed = false;
    for (name, node) in env.entries() {
        if let Err(reason) = variable(name) {
            report.error(&node.place, format!("cannot set {}: {reason}", quoted(name)));
            failed = true;
        }
        match as_text(node) {
            Some((value, place)) if value.contains('\0') => {
                report.error(place, "cannot use this value: it must not contain a zero byte");
                failed = true;
            }
            Some((value, _)) => {
                result.insert(name.to_owned(), value.to_owned());
            }
            None => failed = true,
        }
    }
    if failed { Err(Reported) } else { Ok(result) }
}

fn variable(name: &str) -> Result<(), &'static str> {
    if !is_variable_name(name) {
        return Err("the name of an environment variable is made of letters, digits and _, and does not start with a digit");
    }
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    };
    match REFUSED_VARIABLES.iter().find(|(patterns, _)| patterns.iter().any(matches)) {
        Some((_, reason)) => Err(reason),
        None => Ok(()),
    }
}

/// Whether `name` can be the name of an environment variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
