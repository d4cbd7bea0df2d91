//! `[tunnels.NAME.load_balancer]`: the load balancer that a tunnel is a part of.

use std::time::Duration;

use serde::Serialize;

use crate::{id::BalancerId, name::Hostname};

use super::{
    duration,
    ingress::PlacedRule,
    report::{Report, Reported},
    section::Section,
    service::Service,
};

/// The shortest time between two health checks: what plans below Enterprise allow (Cloudflare's "Limitations").
const INTERVAL_MIN: Duration = Duration::from_secs(15);

/// The longest time between two health checks that Cloudflare takes.
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);

/// A tunnel's part in a load balancer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadBalancer {
    /// The load balancer's hostname: never a wildcard.
    pub hostname: Hostname,
    /// The Host header that its requests come to the tunnel with: `hostname` where a rule is for it, else the hostname of the
    /// tunnel's first rule that has one without a wildcard.
    #[serde(skip)]
    pub host: Hostname,
    /// The name of the tunnel's own pool; one made of the tunnel's and the installation's names when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The weight of the tunnel within its pool: 0 to 1.
    pub weight: f64,
    /// How a balancer that Adit makes chooses among pools.
    pub steering_policy: SteeringPolicy,
    /// How a balancer that Adit makes keeps a visitor at one pool.
    pub session_affinity: SessionAffinity,
    /// The id of somebody else's balancer that the pool may be added to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<BalancerId>,
    /// How Cloudflare checks the tunnel.
    pub monitor: Monitor,
}

/// How Cloudflare checks a tunnel: over HTTPS, with the Host header of the balancer's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Monitor {
    /// The path that is asked for.
    pub path: String,
    /// The status of a healthy answer, such as `200` or `2xx`.
    pub expected_codes: String,
    /// The time between two checks from one data centre: whole seconds, 15 s to 1 h.
    #[serde(serialize_with = "duration::serialize")]
    pub interval: Duration,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$of])* $variant,)* }

        impl $name {
            /// Cloudflare's word for each.
            pub(super) const WORDS: &'static [&'static str] = &[$($word,)*];

            const MEANINGS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant),)*];

            /// Cloudflare's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// How a balancer chooses among its pools.
    SteeringPolicy {
        /// In the order of the pools: the next one serves when those before it are unhealthy.
        Off = "off",
        /// By the region of the visitor.
        Geo = "geo",
        /// At random.
        Random = "random",
        /// The pool that answers soonest.
        DynamicLatency = "dynamic_latency",
        /// The pool that is nearest.
        Proximity = "proximity",
        /// The pool with the fewest requests under way.
        LeastOutstandingRequests = "least_outstanding_requests",
        /// The pool with the fewest connections.
        LeastConnections = "least_connections",
    }
}

words! {
    /// How a balancer keeps a visitor at one pool.
    SessionAffinity {
        /// Not at all.
        None = "none",
        /// By a cookie.
        Cookie = "cookie",
        /// By the visitor's address, then by a cookie.
        IpCookie = "ip_cookie",
        /// By a header of the request.
        Header = "header",
    }
}

pub(super) fn load_balancer(
    section: Section<'_>,
    rules: Option<&[PlacedRule]>,
    report: &mut Report<'_>,
) -> Result<LoadBalancer, Reported> {
    let hostname = section.required("hostname", report, |text| {
        let hostname: Hostname = text.parse().map_err(|error: crate::name::NameError| error.to_string())?;
        if hostname.is_wildcard() {
            return Err("a load balancer sends one Host header to its tunnel, so its hostname is no wildcard".to_owned());
        }
        Ok(hostname)
    });
    let host = match &hostname {
        Ok(hostname) => host(section, hostname, rules, report),
        Err(Reported) => Err(Reported),
    };
    let pool = section.optional("pool", report, |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err("a pool's name is made of letters, digits, - and _");
        }
        Ok(text.to_owned())
    });
    let weight = section.number("weight");
    let steering_policy = section.word("steering_policy", SteeringPolicy::MEANINGS);
    let session_affinity = section.word("session_affinity", SessionAffinity::MEANINGS);
    let join = section.optional("join", report, str::parse::<BalancerId>);
    let monitor = section.section("monitor").ok_or(Reported).and_then(|section| monitor(section, report));
    Ok(LoadBalancer {
        hostname: hostname?,
        host: host?,
        pool: pool?,
        weight: weight?,
        steering_policy: steering_policy?,
        session_affinity: session_affinity?,
        join: join?,
        monitor: monitor?,
    })
}

/// The Host header that requests for `hostname` come with, so that a rule of the tunnel answers them. `rules` is `None` when they
/// have mistakes, which are reported first.
fn host(
    section: Section<'_>,
    hostname: &Hostname,
    rules: Option<&[PlacedRule]>,
    report: &mut Report<'_>,
) -> Result<Hostname, Reported> {
    let Some(rules) = rules else { return Err(Reported) };
    let serves =
        |(_, rule): &PlacedRule| rule.takes(hostname) && !(rule.is_catch_all() && matches!(rule.service, Service::HttpStatus(_)));
    if rules.iter().any(serves) {
        return Ok(hostname.clone());
    }
    let mut named = rules.iter().filter_map(|(_, rule)| rule.hostname.as_ref());
    if let Some(other) = named.find(|other| !other.is_wildcard()) {
        return Ok(other.clone());
    }
    let place = section.get("hostname").map_or(section.place, |node| &node.place);
    let message = format!("no rule of the tunnel is for {hostname}: every request would be answered with 404");
    Err(report.error_with_help(place, message, format!("add {{ hostname = \"{hostname}\", service = … }} to its ingress")))
}

fn monitor(section: Section<'_>, report: &mut Report<'_>) -> Result<Monitor, Reported> {
    let kind = section.required("type", report, |text| {
        if text == "https" { Ok(()) } else { Err("Cloudflare's TCP monitors do not reach a tunnel; check a path over https") }
    });
    let path = section.required("path", report, |text| {
        if text.starts_with('/') { Ok(text.to_owned()) } else { Err("the path of a request starts with /") }
    });
    let expected_codes = section.required("expected_codes", report, |text| {
        let bytes = text.as_bytes();
        let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        let is_one = matches!(bytes, [b'1'..=b'5', rest @ ..] if rest.len() == 2 && (digits(rest) || rest == b"xx"));
        if is_one { Ok(text.to_owned()) } else { Err("a status is a code such as 200, or a class such as 2xx") }
    });
    let interval = section.required("interval", report, |text| {
        let interval = duration::parse(text)?;
        if interval.subsec_nanos() != 0 || !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
            return Err("the time between two checks is 15s to 1h, in whole seconds".to_owned());
        }
        Ok(interval)
    });
    kind?;
    Ok(Monitor { path: path?, expected_codes: expected_codes?, interval: interval? })
}
