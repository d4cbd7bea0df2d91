//! What a refusal means: by HTTP status first, code second, text only where no code is known.
//!
//! The codes and what is known about them are collected with their sources from the official documentation and clients and
//! from public issue threads; Cloudflare publishes no list. Where a code means something for one resource only, the resource
//! is asked for, because services number their errors on their own.

use super::{Conflict, Kind, Permission, call::Resource, envelope::Problem};

/// "Throttled", beside HTTP 429. 971 is below the published minimum of 1000 for codes.
const THROTTLED: [i64; 2] = [971, 10_429];

/// Bad token or missing permission, whatever the status: account services (10000, and 9106 for a malformed token), zone
/// services (9109, and 6111 under 6003 for a malformed header), and too many failures of that sort (10502).
const UNAUTHENTICATED: [i64; 5] = [10_000, 9_106, 9_109, 6_111, TOO_MANY_AUTH_FAILURES];

/// "Too many authentication failures": wants a long pause.
pub(super) const TOO_MANY_AUTH_FAILURES: i64 = 10_502;

/// "Invalid API Token", from verify only, also for a token of the other kind.
const INVALID_TOKEN: i64 = 1_000;

/// "No route for that URI": a wrong id or path of ours, which must never be read as "it is gone".
const NO_ROUTE: i64 = 7_003;

/// What an answer means that is not success.
///
/// `problem` is `None` when the body was no envelope; then only statuses that cannot be mistaken count, and a 404 is a
/// proxy's or a wrong address's, not the API's word that something is gone.
pub(super) fn classify(status: u16, problem: Option<&Problem>, resource: Resource, permission: Option<Permission>) -> Kind {
    if status == 429 {
        return Kind::RateLimited;
    }
    if status >= 500 || status == 408 {
        return Kind::Server;
    }
    let auth = Kind::Auth { permission };
    let Some(problem) = problem else {
        return if matches!(status, 401 | 403) { auth } else { Kind::Malformed };
    };
    if problem.has(&THROTTLED) {
        return Kind::RateLimited;
    }
    if matches!(status, 401 | 403) || problem.has(&UNAUTHENTICATED) {
        return auth;
    }
    if resource == Resource::Verify && problem.has(&[INVALID_TOKEN]) {
        return auth;
    }
    if problem.has(&[NO_ROUTE]) {
        return Kind::Invalid;
    }
    if let Some(kind) = by_code(problem, resource) {
        return kind;
    }
    match status {
        404 | 410 => Kind::NotFound,
        409 => Kind::Conflict(Conflict::Other),
        _ => Kind::Invalid,
    }
}

fn by_code(problem: &Problem, resource: Resource) -> Option<Kind> {
    let known: &[(i64, Kind)] = match resource {
        Resource::Tunnels => &[
            (1_013, Kind::Conflict(Conflict::TunnelName)),
            (1_022, Kind::Conflict(Conflict::Connections)),
            (1_023, Kind::Conflict(Conflict::PrivateRoutes)),
        ],
        Resource::DnsRecords => &[
            (81_044, Kind::NotFound),
            (81_045, Kind::Quota),
            (81_053, Kind::Conflict(Conflict::Record)),
            (81_054, Kind::Conflict(Conflict::Record)),
            (81_057, Kind::Conflict(Conflict::Record)),
            (81_058, Kind::Conflict(Conflict::IdenticalRecord)),
        ],
        Resource::NetworkRoutes | Resource::HostnameRoutes => &[(1_014, Kind::Conflict(Conflict::PrivateRoute))],
        Resource::Verify
        | Resource::Accounts
        | Resource::Zones
        | Resource::Configurations
        | Resource::Connections
        | Resource::VirtualNetworks
        | Resource::LoadBalancing
        | Resource::Access => &[],
    };
    let kind = known.iter().find(|(code, _)| problem.has(&[*code])).map(|&(_, kind)| kind);
    // 81045 is not certain, and no code of load balancing is known; the words are.
    let counted = match resource {
        Resource::DnsRecords => problem.says("quota exceeded"),
        Resource::LoadBalancing => ["quota", "limit", "maximum number"].iter().any(|word| problem.says(word)),
        Resource::Verify
        | Resource::Accounts
        | Resource::Zones
        | Resource::Tunnels
        | Resource::Configurations
        | Resource::Connections
        | Resource::NetworkRoutes
        | Resource::VirtualNetworks
        | Resource::HostnameRoutes
        | Resource::Access => false,
    };
    kind.or_else(|| counted.then_some(Kind::Quota))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let auth = Kind::Auth { permission: Some(Permission::DnsEdit) };
        use Resource::{Configurations, DnsRecords, HostnameRoutes, NetworkRoutes, Tunnels, Verify, Zones};
        for (status, codes, resource, expected) in [
            (401, &[10_000_i64] as &[i64], Tunnels, auth),
            (403, &[9_109], DnsRecords, auth),
            (403, &[], Zones, auth),
            (400, &[6_003, 6_111], Zones, auth),
            (400, &[6_003], Zones, Kind::Invalid),
            (400, &[9_106], Tunnels, auth),
            (400, &[1_000], Verify, auth),
            (400, &[1_000], Tunnels, Kind::Invalid),
            (400, &[10_502], Zones, auth),
            (200, &[10_000], Tunnels, auth),
            (429, &[], Zones, Kind::RateLimited),
            (429, &[10_000], Zones, Kind::RateLimited),
            (400, &[971], Zones, Kind::RateLimited),
            (200, &[10_429], Zones, Kind::RateLimited),
            (409, &[1_013], Tunnels, Kind::Conflict(Conflict::TunnelName)),
            (400, &[1_013], Tunnels, Kind::Conflict(Conflict::TunnelName)),
            (400, &[1_013], Zones, Kind::Invalid),
            (400, &[1_022], Tunnels, Kind::Conflict(Conflict::Connections)),
            (400, &[1_023], Tunnels, Kind::Conflict(Conflict::PrivateRoutes)),
            (409, &[1_014], NetworkRoutes, Kind::Conflict(Conflict::PrivateRoute)),
            (400, &[1_014], HostnameRoutes, Kind::Conflict(Conflict::PrivateRoute)),
            (409, &[1_014], Tunnels, Kind::Conflict(Conflict::Other)),
            (409, &[], Tunnels, Kind::Conflict(Conflict::Other)),
            (400, &[81_053], DnsRecords, Kind::Conflict(Conflict::Record)),
            (400, &[81_054], DnsRecords, Kind::Conflict(Conflict::Record)),
            (400, &[81_057], DnsRecords, Kind::Conflict(Conflict::Record)),
            (400, &[81_058], DnsRecords, Kind::Conflict(Conflict::IdenticalRecord)),
            (200, &[81_058], DnsRecords, Kind::Conflict(Conflict::IdenticalRecord)),
            (400, &[81_045], DnsRecords, Kind::Quota),
            (400, &[1_004, 9_021], DnsRecords, Kind::Invalid),
            (404, &[81_044], DnsRecords, Kind::NotFound),
            (404, &[], Tunnels, Kind::NotFound),
            (404, &[1_003], Tunnels, Kind::NotFound),
            (404, &[7_003], Tunnels, Kind::Invalid),
            (400, &[7_003], Zones, Kind::Invalid),
            (400, &[1_056], Configurations, Kind::Invalid),
            (200, &[], Tunnels, Kind::Invalid),
            (500, &[10_000], Tunnels, Kind::Server),
            (503, &[], Configurations, Kind::Server),
            (408, &[], Zones, Kind::Server),
        ] {
            let errors = codes.iter().map(|code| json!({"code": code, "message": "words"})).collect();
            let problem = Problem::read(Some(&errors), &[]);
            let kind = classify(status, Some(&problem), resource, Some(Permission::DnsEdit));
            assert_eq!(kind, expected, "{status} {codes:?} {resource:?}");
        }
    }

    #[test]
    fn a_full_zone_is_known_by_its_words() {
        let problem = Problem::read(Some(&json!([{"code": 1, "message": "Record quota exceeded."}])), &[]);
        assert_eq!(classify(400, Some(&problem), Resource::DnsRecords, None), Kind::Quota);
        assert_eq!(classify(400, Some(&problem), Resource::Tunnels, None), Kind::Invalid);
    }

    #[test]
    fn a_page_that_is_no_envelope_never_says_that_something_is_gone() {
        for (status, expected) in [
            (200, Kind::Malformed),
            (302, Kind::Malformed),
            (400, Kind::Malformed),
            (404, Kind::Malformed),
            (410, Kind::Malformed),
            (401, Kind::Auth { permission: None }),
            (403, Kind::Auth { permission: None }),
            (429, Kind::RateLimited),
            (502, Kind::Server),
            (530, Kind::Server),
        ] {
            assert_eq!(classify(status, None, Resource::Tunnels, None), expected, "{status}");
        }
    }
}
