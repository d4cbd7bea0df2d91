//! What the checks of routes find, and what that says of a route.

use super::{Code, NOTHING, code};

/// Reasons of a check of an origin, or of a public hostname from outside.
pub const CHECK_REASONS: &[Code] = &[
    code("access-login", "Visitors are led to the login of Access; what is behind it is not seen.", NOTHING),
    code("answers", "It answers as it should.", NOTHING),
    code("no-address", "The resolver knows no address for the hostname.", "Look at the record: `adit route list`, `adit plan`."),
    code("no-answer", "It takes a connection and gives no answer.", "Look at the service; it may hang or be overloaded."),
    code("no-connection", "It takes no connection.", "Look whether the service runs, and where it listens."),
    code(
        "no-connector",
        "Cloudflare has no connector for the hostname (530, error 1033).",
        "`adit status TUNNEL` has each connector's reason.",
    ),
    code("not-checked-yet", "It was not checked yet.", NOTHING),
    code(
        "not-public",
        "The hostname leads only to addresses that no server on the internet has; none of them is asked.",
        "Look at its record, and at who answers as `health.resolver`.",
    ),
    code(
        "not-through-cloudflare",
        "Somebody else than Cloudflare answers for the hostname.",
        "Look where the hostname's record leads; another resolver may tell it differently.",
    ),
    code(
        "origin-unreachable",
        "Cloudflare answers 502: the connector cannot reach the origin.",
        "Look at the service behind it.",
    ),
    code(
        "resolver-silent",
        "The resolver does not say where the hostname leads, so nobody can tell whether visitors get through.",
        "Look at `health.resolver`, and whether this host may ask it (port 53).",
    ),
    code("server-error", "Cloudflare answers with an error of its own.", "`adit diagnose HOSTNAME` walks the way."),
    code("stale", "It was not checked for three periods; what it was then is not told any more.", NOTHING),
    code("takes-connections", "It takes connections; nothing more is asked of it.", NOTHING),
    code("wrong-status", "It answers with another status than `expect` says.", "Look at the service, or at `expect`."),
];

/// What the health of a route finds.
pub const ROUTE_FINDINGS: &[Code] = &[
    code("connectors-missing", "Some connectors of its tunnel do not serve.", "`adit status TUNNEL` has each one's reason."),
    code("no-connector", "No connector of its tunnel serves.", "`adit status TUNNEL` has each one's reason."),
    code("not-live", "What leads to it at Cloudflare is not as it is wanted.", "`adit plan` says what is missing."),
    code("origin-down", "Its origin does not answer as it should.", "Look at the service; no connector is restarted for it."),
    code("origin-unknown", "Its origin was not checked yet, or too long ago.", NOTHING),
    code("probe-failed", "Visitors do not get through to it.", "`adit diagnose HOSTNAME --outside` walks the way."),
    code("probe-pending", "Visitors do not get through to it yet; its record is new.", NOTHING),
    code("probe-unknown", "Whether visitors get through was not checked yet, or too long ago.", NOTHING),
    code(
        "version-behind",
        "A connector runs an older configuration than the one that was written.",
        "It is sent by Cloudflare within seconds; if it lasts, look at `adit plan`.",
    ),
];
