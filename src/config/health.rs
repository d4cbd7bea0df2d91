//! `[health]` and a tunnel's `health`: how origins and public hostnames are watched.

use std::{net::SocketAddr, time::Duration};

use serde::{Serialize, Serializer};
use url::{Host, Url};

use super::{
    duration,
    report::{Report, Reported},
    section::Section,
};

/// How often routes are checked, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthChecks {
    /// Between two checks of an origin: 1 s to 1 h.
    #[serde(serialize_with = "duration::serialize")]
    pub interval: Duration,
    /// Between two requests for a public hostname: 1 s to 1 h.
    #[serde(serialize_with = "duration::serialize")]
    pub outside_interval: Duration,
    /// The DNS server that is asked for public hostnames.
    pub resolver: SocketAddr,
    /// Where requests for public hostnames go instead of to what the resolver says, by plain HTTP: an address of this host.
    #[serde(serialize_with = "serialize_front", skip_serializing_if = "Option::is_none")]
    pub front: Option<SocketAddr>,
}

/// How a tunnel's routes are watched: reported, never a reason to restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteHealth {
    /// At the origin.
    pub origin: OriginHealth,
    /// As a visitor, through Cloudflare.
    pub outside: OutsideHealth,
}

/// How origins are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OriginHealth {
    /// By connecting.
    #[default]
    #[serde(serialize_with = "serialize_tcp")]
    Tcp,
    /// By asking for a path.
    Http(HttpCheck),
    /// Not at all.
    #[serde(serialize_with = "serialize_off")]
    Off,
}

/// Whether public hostnames are asked for as a visitor would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OutsideHealth {
    /// No.
    #[default]
    #[serde(serialize_with = "serialize_off")]
    Off,
    /// Their first page: an answer that is no error of a server.
    #[serde(serialize_with = "serialize_on")]
    On,
    /// A path.
    Http(HttpCheck),
}

/// A path, and what has to come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpCheck {
    /// The path, beginning with `/`.
    #[serde(rename = "http")]
    pub path: String,
    /// The status when all is well: 100 to 599.
    pub expect: u16,
}

/// The longest path of a check: what servers commonly take.
const PATH_LENGTH_MAX: usize = 2_048;

fn serialize_tcp<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("tcp")
}

fn serialize_on<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("on")
}

fn serialize_off<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("off")
}

fn serialize_front<S: Serializer>(front: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
    match front {
        Some(address) => serializer.collect_str(&format_args!("http://{address}")),
        None => serializer.serialize_none(),
    }
}

/// The table `[health]`.
pub(super) fn checks(section: Section<'_>, report: &mut Report<'_>) -> Result<HealthChecks, Reported> {
    let interval = section.required("interval", report, duration::interval);
    let outside_interval = section.required("outside_interval", report, duration::interval);
    let resolver = section.required("resolver", report, resolver);
    let front = section.optional("front", report, front);
    Ok(HealthChecks { interval: interval?, outside_interval: outside_interval?, resolver: resolver?, front: front? })
}

/// A tunnel's key `health`.
pub(super) fn of_tunnel(section: Section<'_>, report: &mut Report<'_>) -> Result<RouteHealth, Reported> {
    let origin = match section.section("origin") {
        Some(section) => http_check(section, report).map(OriginHealth::Http),
        None => section.word("origin", &[("tcp", false), ("off", true)]).map(|is_off| match is_off {
            true => OriginHealth::Off,
            false => OriginHealth::Tcp,
        }),
    };
    let outside = match section.section("outside") {
        Some(section) => http_check(section, report).map(OutsideHealth::Http),
        None => section.word("outside", &[("on", true), ("off", false)]).map(|is_on| match is_on {
            true => OutsideHealth::On,
            false => OutsideHealth::Off,
        }),
    };
    Ok(RouteHealth { origin: origin?, outside: outside? })
}

fn http_check(section: Section<'_>, report: &mut Report<'_>) -> Result<HttpCheck, Reported> {
    let path = section.required("http", report, path);
    let expect = section.integer("expect");
    Ok(HttpCheck { path: path?, expect: expect? })
}

fn path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("the path of a request starts with /".to_owned());
    }
    if text.len() > PATH_LENGTH_MAX {
        return Err(format!("it is at most {PATH_LENGTH_MAX} bytes long"));
    }
    if text.contains(|char: char| char.is_ascii_control() || matches!(char, ' ' | '#')) {
        return Err("it is sent as it stands, so it has no space, no # and no control character".to_owned());
    }
    Ok(text.to_owned())
}

fn resolver(text: &str) -> Result<SocketAddr, &'static str> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 && !address.ip().is_unspecified() => Ok(address),
        Ok(_) | Err(_) => Err("it must be an address with a port, as in 1.1.1.1:53 or [2606:4700:4700::1111]:53"),
    }
}

fn front(text: &str) -> Result<SocketAddr, &'static str> {
    const RULE: &str = "it must be http:// with a loopback address and a port, as in http://127.0.0.1:8080";
    let url: Url = text.parse().map_err(|_| RULE)?;
    let is_bare = url.scheme() == "http" && matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let is_bare = is_bare && url.username().is_empty() && url.password().is_none();
    let address = match url.host() {
        Some(Host::Ipv4(address)) if address.is_loopback() => address.into(),
        Some(Host::Ipv6(address)) if address.is_loopback() => address.into(),
        Some(Host::Ipv4(_) | Host::Ipv6(_) | Host::Domain(_)) | None => return Err(RULE),
    };
    match url.port_or_known_default() {
        Some(port) if is_bare && port > 0 => Ok(SocketAddr::new(address, port)),
        Some(_) | None => Err(RULE),
    }
}
