//! What is asked to learn whether a route leads anywhere.

use std::{fmt, path::PathBuf};

use url::Host;

use super::{Asking, CheckKind};
use crate::{
    config::{HttpCheck, IngressRule, OriginHealth, OutsideHealth, Scheme, Service, Tunnel},
    name::Hostname,
};

/// Something to ask. Equal questions have equal answers, so they are asked once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whether a connection is taken.
    Connect(Place),
    /// Whether an origin answers a request as it should.
    Ask {
        /// The origin: one that speaks HTTP.
        service: Service,
        /// How it is asked.
        asking: Asking,
        /// The Host header; that of the service's address when `None`.
        host: Option<String>,
        /// The path.
        path: String,
        /// The status that has to come back.
        expect: u16,
    },
    /// Whether a visitor gets an answer.
    Visit {
        /// The public hostname, no wildcard.
        hostname: Hostname,
        /// The path.
        path: String,
        /// The status that has to come back; any that is no error of a server when `None`.
        expect: Option<u16>,
    },
}

/// Where a connection is opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A port of a host.
    Tcp(Host, u16),
    /// A socket of this host.
    Unix(PathBuf),
}

impl Place {
    /// Where the server of a service is; `None` for one that is no server, or that is whatever the client asks for.
    pub fn of(service: &Service) -> Option<Self> {
        match service {
            Service::Url(url) => Some(Self::Tcp(url.host().clone(), url.port())),
            Service::Unix(socket) | Service::UnixTls(socket) => Some(Self::Unix(socket.clone())),
            Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(place) => place.fmt(formatter),
            // The path stands in what it answers.
            Self::Ask { service, .. } => service.fmt(formatter),
            Self::Visit { hostname, path, .. } => write!(formatter, "https://{hostname}{path}"),
        }
    }
}

impl Question {
    /// From where it is asked.
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Connect(_) | Self::Ask { .. } => CheckKind::Origin,
            Self::Visit { .. } => CheckKind::Outside,
        }
    }

    /// What to ask of the origin of `rule`, if it is to be checked and there is something to ask.
    pub fn of_origin(tunnel: &Tunnel, rule: &IngressRule) -> Option<Self> {
        let place = Place::of(&rule.service)?;
        match (&tunnel.health.origin, speaks_http(&rule.service)) {
            (OriginHealth::Off, _) => None,
            (OriginHealth::Tcp, _) | (OriginHealth::Http(_), false) => Some(Self::Connect(place)),
            (OriginHealth::Http(HttpCheck { path, expect }), true) => {
                let asking = Asking::of(tunnel.origin_request.as_ref(), rule.origin_request.as_ref());
                let host = asking.host_of(rule.hostname.as_ref());
                Some(Self::Ask { service: rule.service.clone(), asking, host, path: path.clone(), expect: *expect })
            }
        }
    }

    /// What to ask of the public hostname of `rule`, a rule of `tunnel`, if it is to be checked and has one that can be asked for. Of
    /// several rules for a hostname it is the one that takes the path of the check: no path can be made from an expression.
    pub fn of_hostname(tunnel: &Tunnel, rule: &IngressRule) -> Option<Self> {
        let hostname = rule.hostname.clone().filter(|hostname| !hostname.is_wildcard())?;
        // What carries other protocols is for clients that speak WebSocket, and a fixed status says nothing.
        if !speaks_http(&rule.service) && rule.service != Service::HelloWorld {
            return None;
        }
        let (path, expect) = match &tunnel.health.outside {
            OutsideHealth::Off => return None,
            OutsideHealth::On => ("/", None),
            OutsideHealth::Http(HttpCheck { path, expect }) => (path.as_str(), Some(*expect)),
        };
        let bare = path.split_once('?').map_or(path, |(path, _)| path);
        let taking = tunnel.ingress.iter().find(|other| other.takes(&hostname) && other.takes_path(bare))?;
        std::ptr::eq(taking, rule).then(|| Self::Visit { hostname, path: path.to_owned(), expect })
    }
}

fn speaks_http(service: &Service) -> bool {
    match service {
        Service::Url(url) => match url.scheme() {
            Scheme::Http | Scheme::Https => true,
            Scheme::Tcp => false,
        },
        Service::Unix(_) | Service::UnixTls(_) => true,
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => false,
    }
}
