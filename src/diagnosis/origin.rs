//! The service behind the rule, and the public hostname as a visitor meets it.

use std::net::IpAddr;

use super::{Case, Way, broken, fine, not_checked, unknown};
use crate::{
    config::{IngressRule, Service},
    control::api::{DiagnosisLink, Link},
    route_check::{CheckState, RouteKey},
    route_probe::{OriginFinding, PublicFinding, meaning},
    status::{Check, RouteChecks},
};

/// The service behind the rule.
pub(super) fn origin(case: &Case<'_>, rule: Option<&IngressRule>) -> DiagnosisLink {
    let at = Some(case.facts.at);
    let Some(rule) = rule else {
        let why = match case.way {
            Way::Private(_) => "devices reach the private hostname's own address through the connector",
            Way::Record(_) | Way::ForeignRecord(_) | Way::Balancer(_) => "no rule says which one",
        };
        return not_checked(Link::Origin, why);
    };
    let service = &rule.service;
    let action = || format!("look whether it runs and listens there as the daemon's user sees it: {service}");
    match (case.facts.origin, service) {
        (None, _) => match known(case, rule).and_then(|checks| checks.origin.as_ref()) {
            Some(check) => as_checked(Link::Origin, check, &check.asked, action()),
            None => not_checked(Link::Origin, format!("{service} was not tried")),
        },
        (Some(OriginFinding::NoServer), Service::HttpStatus(status)) => {
            fine(Link::Origin, format!("cloudflared itself answers with status {status}"), at)
        }
        (Some(OriginFinding::NoServer), _) => fine(Link::Origin, format!("cloudflared itself answers ({service})"), at),
        (Some(OriginFinding::Connected), _) => fine(Link::Origin, format!("{service} takes connections"), at),
        (Some(OriginFinding::Answered { path, status }), _) if *status >= 500 => {
            let sentence = format!("{service} answers HEAD {path} with {status}, by itself");
            broken(Link::Origin, sentence, "look at the service's own log", at)
        }
        (Some(OriginFinding::Answered { path, status }), _) => {
            fine(Link::Origin, format!("{service} answers HEAD {path} with {status}"), at)
        }
        (Some(OriginFinding::Refused(why)), _) => {
            broken(Link::Origin, format!("{service} takes no connection: {why}"), action(), at)
        }
        (Some(OriginFinding::Spoiled(why)), _) => {
            let sentence = format!("{service} takes connections, and then it fails: {why}");
            let action = "look whether it speaks the scheme of the rule; for its certificate, see originServerName, caPool and \
                          noTLSVerify under originRequest";
            broken(Link::Origin, sentence, action, at)
        }
    }
}

/// The public hostname.
pub(super) fn public(case: &Case<'_>, rule: Option<&IngressRule>) -> DiagnosisLink {
    let (hostname, at) = (case.facts.hostname, Some(case.facts.at));
    if let Way::Private(_) = case.way {
        return not_checked(Link::PublicRequest, "a private hostname is not public");
    }
    let link = Link::PublicRequest;
    match case.facts.public {
        None => match rule.and_then(|rule| known(case, rule)).and_then(|checks| checks.outside.as_ref()) {
            Some(check) => as_checked(link, check, &check.asked, "--outside asks for it anew".to_owned()),
            None => not_checked(link, "--outside asks for it as a visitor would"),
        },
        Some(PublicFinding::NoAddress(why)) => {
            let sentence = format!("no address of {hostname} is known: {why}");
            unknown(
                link,
                sentence,
                Some("a record that was just made takes a while; health.resolver says who is asked".to_owned()),
                at,
            )
        }
        Some(PublicFinding::NoResolver(why)) => {
            let sentence = format!("nobody says which address {hostname} has: {why}");
            unknown(link, sentence, Some("look at health.resolver, and whether this host may ask it (port 53)".to_owned()), at)
        }
        Some(PublicFinding::NotPublic(addresses)) => {
            let sentence = format!("{hostname} leads to {}, where nothing public is; it was not asked", listed(addresses));
            let action = "look at its record, and who answers as health.resolver";
            broken(link, sentence, action, at)
        }
        Some(PublicFinding::Silent { addresses, why }) => {
            let sentence = format!("nobody answers at {}: {why}", listed(addresses));
            unknown(link, sentence, Some("look whether this host may open connections to port 443".to_owned()), at)
        }
        Some(PublicFinding::Answered { addresses, status, through_cloudflare: false, .. }) => {
            let sentence = format!("the answer ({status}) does not come through Cloudflare, but from {}", listed(addresses));
            let action = "look for another DNS server, hosts file or proxy that answers for the hostname on this network";
            broken(link, sentence, action, at)
        }
        Some(PublicFinding::Answered { status, to_login: true, .. }) => {
            fine(link, format!("Cloudflare answers {status} and leads to the login of Access"), at)
        }
        Some(PublicFinding::Answered { addresses, status, .. }) => match meaning(*status) {
            Some((what, action)) => broken(link, format!("a visitor gets {status}: {what}"), action, at),
            None => fine(link, format!("a visitor gets {status} through {}", listed(addresses)), at),
        },
    }
}

/// What the regular checks of a rule's route found.
fn known<'a>(case: &Case<'a>, rule: &IngressRule) -> Option<&'a RouteChecks> {
    let key = RouteKey { hostname: rule.hostname.clone(), path: rule.path.clone() };
    case.known?.checks.get(&key)
}

/// What the last regular check found, with the time of that.
fn as_checked(link: Link, check: &Check, asked: &str, action: String) -> DiagnosisLink {
    let sentence = format!("{asked} {} (by the last regular check)", check.reason.sentence);
    match check.state {
        CheckState::Up => fine(link, sentence, check.checked_at),
        CheckState::Down => broken(link, sentence, action, check.checked_at),
        CheckState::Pending => unknown(link, sentence, Some(action), check.checked_at),
        CheckState::Unknown => not_checked(link, format!("{asked}: {}", check.reason.sentence)),
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    match addresses.iter().all(is_of_cloudflare) {
        true => format!("{} of Cloudflare", list.join(", ")),
        false => format!("{} (no addresses that Cloudflare publishes)", list.join(", ")),
    }
}

/// Whether Cloudflare publishes the address as its own (`cloudflare.com/ips`). Some zones have addresses of their owners.
fn is_of_cloudflare(address: &IpAddr) -> bool {
    PUBLISHED.iter().any(|range| range.parse::<ipnet::IpNet>().expect("each is a range").contains(address))
}

/// The ranges that proxied hostnames resolve into.
const PUBLISHED: &[&str] = &[
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudflares_addresses_are_known() {
        for (address, expected) in [("104.16.1.1", true), ("2606:4700::1", true), ("192.0.2.1", false), ("::1", false)] {
            assert_eq!(is_of_cloudflare(&address.parse().unwrap()), expected, "{address}");
        }
        assert!(PUBLISHED.iter().all(|range| range.parse::<ipnet::IpNet>().is_ok()));
    }
}
