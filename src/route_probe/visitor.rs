//! At the public hostname, as a visitor would.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::{Client, Method, Response, header};
use tokio::time::timeout;

use super::{
    Prober, PublicFinding,
    clients::{KnownNames, builder, built},
};
use crate::{
    cloudflare::tame,
    config::is_public_address,
    dns_lookup::{self, LookupError},
    error_text::with_causes,
    http_client::{self, Trust},
    name::Hostname,
};

/// How long a visitor's request may take, once its address is known.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// How much of an error page is read: Cloudflare's own say their number in the first lines.
const PAGE_MAX: usize = 8 * 1024;

/// The port of HTTPS.
const HTTPS: u16 = 443;

/// From where a visitor comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vantage {
    /// The DNS server that knows the way.
    pub resolver: SocketAddr,
    /// Where to go instead, by plain HTTP.
    pub front: Option<SocketAddr>,
}

/// Who visits: one client for all, because making one reads the host's certificates.
pub(super) struct Visitor {
    client: Client,
    names: KnownNames,
}

impl Visitor {
    pub(super) fn new() -> Result<Self, String> {
        let names = KnownNames::default();
        built(builder(Trust::Host).dns_resolver(names.clone())).map(|client| Self { client, names })
    }
}

/// Looks up the hostname and asks for `path` once.
pub(super) async fn look(prober: &Prober, from: Vantage, hostname: &Hostname, path: &str, method: Method) -> PublicFinding {
    let addresses: Vec<IpAddr> = match dns_lookup::addresses(from.resolver, hostname).await {
        Ok(addresses) => addresses,
        Err(error @ (LookupError::NoSuchName { .. } | LookupError::NoAddress { .. })) => {
            return PublicFinding::NoAddress(with_causes(&error));
        }
        Err(error @ (LookupError::Refused { .. } | LookupError::Silent { .. } | LookupError::Unreachable { .. })) => {
            return PublicFinding::NoResolver(with_causes(&error));
        }
    };
    let addresses = match from.front {
        Some(_) => addresses,
        // Whoever writes a record, or answers for the resolver, must not send us to what only this host and its neighbours reach.
        None => match addresses.iter().copied().filter(|address| is_public_address(*address)).collect::<Vec<IpAddr>>() {
            public if public.is_empty() => return PublicFinding::NotPublic(addresses),
            public => public,
        },
    };
    match timeout(ANSWER_TIME_MAX, visit(prober, from, &addresses, hostname, path, method)).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(why)) => PublicFinding::Silent { addresses, why: tame(&why, &[]) },
        Err(_) => PublicFinding::Silent { addresses, why: format!("no answer within {} s", ANSWER_TIME_MAX.as_secs()) },
    }
}

async fn visit(
    prober: &Prober,
    from: Vantage,
    addresses: &[IpAddr],
    hostname: &Hostname,
    path: &str,
    method: Method,
) -> Result<PublicFinding, String> {
    let visitor = prober.clients.visitor().await?;
    let request = match from.front {
        Some(front) => visitor.client.request(method, format!("http://{front}{path}")).header(header::HOST, hostname.as_str()),
        None => {
            visitor.names.put(hostname.as_str(), addresses.iter().map(|address| SocketAddr::new(*address, HTTPS)).collect());
            visitor.client.request(method, format!("https://{hostname}{path}"))
        }
    };
    let answer = request.send().await.map_err(http_client::cause)?;
    let status = answer.status().as_u16();
    let through_cloudflare = answer.headers().contains_key("cf-ray");
    let to_login = leads_to_login(answer.headers().get(header::LOCATION));
    // The number stands on the page alone.
    let error_code = if through_cloudflare && status >= 500 { error_code(answer).await } else { None };
    Ok(PublicFinding::Answered { addresses: addresses.to_vec(), status, through_cloudflare, to_login, error_code })
}

fn leads_to_login(location: Option<&header::HeaderValue>) -> bool {
    let location = location.and_then(|location| location.to_str().ok()).and_then(|text| text.parse::<url::Url>().ok());
    location.is_some_and(|url| url.host_str().is_some_and(|host| host.ends_with(".cloudflareaccess.com")))
}

/// The number of the error that Cloudflare's own page tells, as far as its beginning says it.
async fn error_code(mut answer: Response) -> Option<u16> {
    let mut page = Vec::new();
    while page.len() < PAGE_MAX
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        page.extend_from_slice(&chunk[..chunk.len().min(PAGE_MAX - page.len())]);
    }
    number_on(&String::from_utf8_lossy(&page))
}

/// As in `error code: 1033`, in any case, or in `Error 1033`.
fn number_on(page: &str) -> Option<u16> {
    let page = page.to_ascii_lowercase();
    let numbers = page.match_indices("error").filter_map(|(at, word)| {
        let rest = page[at + word.len()..].trim_start();
        let rest = rest.strip_prefix("code").unwrap_or(rest).trim_start_matches([':', ' ']);
        let digits = rest.split(|char: char| !char.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().ok()
    });
    numbers.into_iter().find(|number| (1_000..2_000).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_access_is_known_by_where_it_leads() {
        let leads = |text: &'static str| leads_to_login(Some(&header::HeaderValue::from_static(text)));
        assert!(leads("https://team.cloudflareaccess.com/cdn-cgi/access/login/app.example.com?kid=1"));
        assert!(!leads("https://cloudflareaccess.com.example.org/") && !leads("/login") && !leads_to_login(None));
    }

    #[test]
    fn cloudflares_error_pages_tell_their_number() {
        for (page, expected) in [
            ("error code: 1033", Some(1033)),
            ("<title>Cloudflare Tunnel error</title><h1>Error <span>", None),
            ("<h1>Error 1033</h1> Ray ID", Some(1033)),
            ("error code: 502", None),
            ("no such thing", None),
            ("error error code: 99999 error 1016", Some(1016)),
        ] {
            assert_eq!(number_on(page), expected, "{page}");
        }
    }
}
