//! The HTTP clients: a few that are kept, because making one reads the host's certificates, and some for one request.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use reqwest::{Client, ClientBuilder, dns};
use tokio::sync::OnceCell;
use url::Host;

use super::visitor::Visitor;
use crate::{
    config::{Service, forbidden_address},
    error_text::with_causes,
    host_names::HostNames,
    http_client::{self, Trust},
    route_check::Asking,
    whole_file,
};

/// The most bytes of a file with certificates: far more than any has.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// The clients.
pub(super) struct Clients {
    names: HostNames,
    /// For origins that are asked in the clear.
    plain: OnceCell<Client>,
    /// For origins whose certificates are looked at.
    verifying: OnceCell<Client>,
    /// For origins whose certificates are not.
    trusting: OnceCell<Client>,
    visitor: OnceCell<Visitor>,
}

/// How an origin is asked by HTTP.
pub(super) struct Way<'a> {
    pub(super) service: &'a Service,
    pub(super) asking: &'a Asking,
    /// The hostname that its certificate has to have, where it is not that in its address.
    pub(super) name: Option<&'a str>,
    /// Whether it is asked by TLS.
    pub(super) tls: bool,
    /// Whether its certificate is looked at.
    pub(super) verify: bool,
}

impl Clients {
    pub(super) fn new(names: HostNames) -> Self {
        Self { names, plain: OnceCell::new(), verifying: OnceCell::new(), trusting: OnceCell::new(), visitor: OnceCell::new() }
    }

    /// Who asks for public hostnames.
    pub(super) async fn visitor(&self) -> Result<&Visitor, String> {
        self.visitor.get_or_try_init(|| async { Visitor::new() }).await
    }

    /// The client that asks an origin so.
    pub(super) async fn for_origin(&self, way: &Way<'_>) -> Result<Client, String> {
        let Way { service, asking, name, tls, verify } = *way;
        let pool = asking.ca_pool.as_deref().filter(|_| verify);
        if matches!(service, Service::Url(_)) && pool.is_none() && name.is_none() {
            let cell = match (tls, verify) {
                (false, _) => &self.plain,
                (true, true) => &self.verifying,
                (true, false) => &self.trusting,
            };
            let made = async { built(self.resolving(origins(verify))) };
            return cell.get_or_try_init(|| made).await.cloned();
        }
        let mut builder = self.resolving(origins(verify));
        if let Some(pool) = pool {
            let pool = PathBuf::from(pool);
            let read = tokio::task::spawn_blocking(move || certificates(&pool)).await;
            builder = builder.tls_certs_merge(read.map_err(|error| error.to_string())??);
        }
        match service {
            Service::Unix(socket) | Service::UnixTls(socket) => builder = builder.unix_socket(socket.as_path()),
            Service::Url(url) => {
                if let Some(name) = name {
                    let addresses = addresses(&self.names, url.host(), url.port()).await.map_err(|error| error.to_string())?;
                    builder = builder.resolve_to_addrs(name, &addresses);
                }
            }
            Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => {}
        }
        built(builder)
    }

    fn resolving(&self, builder: ClientBuilder) -> ClientBuilder {
        builder.dns_resolver(OriginNames(self.names.clone()))
    }
}

/// What all of them have in common.
pub(super) fn builder(trust: Trust) -> ClientBuilder {
    http_client::builder(trust)
        .no_gzip()
        // A check that goes over a connection of the last one says nothing about the next visitor's.
        .pool_max_idle_per_host(0)
}

fn origins(verify: bool) -> ClientBuilder {
    let trust = if verify { Trust::Host } else { Trust::Nobody };
    builder(trust).tls_danger_accept_invalid_certs(!verify)
}

pub(super) fn built(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| with_causes(&error))
}

/// The host's names, without those that lead where nobody may publish anything.
struct OriginNames(HostNames);

impl dns::Resolve for OriginNames {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let names = self.0.clone();
        Box::pin(async move {
            let found = addresses(&names, &Host::Domain(name.as_str().to_owned()), 0).await?;
            Ok(Box::new(found.into_iter()) as dns::Addrs)
        })
    }
}

/// The addresses of an origin: those that may be published.
pub(super) async fn addresses(names: &HostNames, host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = match host {
        Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
        Host::Domain(name) => names.resolve(format!("{name}:{port}")).await?,
    };
    let refused = found.iter().find_map(|address| forbidden_address(address.ip()));
    let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| forbidden_address(address.ip()).is_none()).collect();
    match (allowed.is_empty(), refused) {
        (false, _) => Ok(allowed),
        (true, Some(reason)) => Err(io::Error::other(format!("it is not asked: {reason}"))),
        (true, None) => Err(io::Error::other("its name has no address")),
    }
}

fn certificates(pool: &Path) -> Result<Vec<reqwest::Certificate>, String> {
    let fault = |why: String| format!("caPool {pool:?} cannot be used: {why}");
    let pem = whole_file::read(pool, CERTIFICATES_MAX).map_err(|error| fault(error.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fault(with_causes(&error)))
}

/// Names that were looked up before the request, for the client that visits.
#[derive(Clone, Default)]
pub(super) struct KnownNames(Arc<std::sync::Mutex<std::collections::BTreeMap<String, Vec<SocketAddr>>>>);

/// How many names are remembered before they are forgotten together: more than there are hostnames.
const KNOWN_NAMES_MAX: usize = 20_000;

impl KnownNames {
    /// Remembers where a name leads.
    pub(super) fn put(&self, name: &str, addresses: Vec<SocketAddr>) {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= KNOWN_NAMES_MAX {
            known.clear();
        }
        known.insert(name.to_owned(), addresses);
    }
}

impl dns::Resolve for KnownNames {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(name.as_str()).cloned();
        Box::pin(async move {
            let known = known.ok_or_else(|| io::Error::other("its name was forgotten"))?;
            Ok(Box::new(known.into_iter()) as dns::Addrs)
        })
    }
}
