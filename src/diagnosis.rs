//! Why a public hostname is not reached: the links from its rule to its origin, and the first that is broken.
//!
//! ```text
//!  hostname, path ─▶ find ─▶ Match ─▶ route_probe (origin; Cloudflare and the public hostname when asked) ─┐
//!                              └──────── Facts: what is wanted, what is known, what was found ◀──────┘
//!                                          └─▶ diagnose ─▶ Diagnosis: every link, and the first broken one
//! ```
//!
//! [`find`] and [`diagnose`] are pure: everything that they judge stands in [`Facts`]. What is known already costs nothing and has
//! an age; [`route_probe`](crate::route_probe) is the thin part that goes and looks.

mod connectors;
mod find;
mod origin;
mod tunnel;
mod way;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use find::{Left, Match, Way, find};

use crate::{
    config::Tunnel,
    control::api::{Diagnosis, DiagnosisLink, DiagnosisVerdict, Link, LinkState},
    desired::Intended,
    name::{Hostname, TunnelName},
    route_probe::{OriginFinding, PublicFinding},
    status::{AccountStatus, Status, TunnelStatus},
};

/// All that a diagnosis is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The hostname that is asked about.
    pub hostname: &'a Hostname,
    /// The path, beginning with `/`.
    pub path: &'a str,
    /// When it is asked.
    pub at: Timestamp,
    /// What people want.
    pub intended: &'a Intended,
    /// What is known.
    pub status: &'a Status,
    /// How many mistakes keep the configuration's files from being in force, if whoever asks may know.
    pub mistakes: usize,
    /// What takes the request, as [`find`] found it.
    pub found: &'a Match<'a>,
    /// What the origin did.
    pub origin: Option<&'a OriginFinding>,
    /// What Cloudflare said just now, when it was asked.
    pub fresh: Option<&'a Fresh>,
    /// What a visitor sees, when that was tried.
    pub public: Option<&'a PublicFinding>,
}

/// What Cloudflare said just now. Each part stands for one call, with why it failed.
#[derive(Debug, Clone, Default)]
pub struct Fresh {
    /// The tunnel; `None` when it has no id yet.
    pub tunnel: Option<Result<FreshTunnel, String>>,
    /// The records of the hostname's name; `None` when it has none of ours.
    pub records: Option<Result<Vec<FreshRecord>, String>>,
    /// The version of the stored configuration, and whether it has a rule for the hostname.
    pub configuration: Option<Result<FreshConfiguration, String>>,
}

/// A tunnel as Cloudflare has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreshTunnel {
    /// It is there, with its health in Cloudflare's words.
    There(String),
    /// It was deleted, or nobody knows it.
    Gone,
}

/// A DNS record as Cloudflare has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshRecord {
    /// Its type.
    pub kind: String,
    /// What it points to.
    pub content: String,
    /// Whether Cloudflare's edge answers for it.
    pub proxied: bool,
}

/// A stored configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshConfiguration {
    /// Its version.
    pub version: i64,
    /// Whether it has a rule of this hostname, or one for every hostname that answers something else than 404.
    pub has_rule: bool,
}

/// What is known of the tunnel that takes the request.
#[derive(Clone, Copy)]
struct Case<'a> {
    facts: Facts<'a>,
    tunnel: &'a Tunnel,
    way: &'a Way,
    known: Option<&'a TunnelStatus>,
    account: Option<&'a AccountStatus>,
}

/// Walks the chain.
pub fn diagnose(facts: Facts<'_>) -> Diagnosis {
    let (tunnel, links) = match facts.found {
        Match::Nothing { .. } | Match::Left(_) => (None, vec![way::not_configured(&facts)]),
        Match::Tunnel { tunnel, way, rule, beside } => {
            let case = Case {
                facts,
                tunnel,
                way,
                known: facts.status.tunnels.get(&tunnel.name),
                account: facts.status.accounts.get(&tunnel.account),
            };
            let configuration = way::configuration(&case, *rule, beside);
            let mut links = vec![configuration, way::access(&case, rule.map(|(_, rule)| rule)), case.way()];
            links.extend([case.tunnel(), case.version(), case.connectors(), case.edge()]);
            let rule = rule.map(|(_, rule)| rule);
            links.extend([origin::origin(&case, rule), origin::public(&case, rule)]);
            (Some(tunnel.name.to_string()), links)
        }
    };
    let hostname = facts.hostname.to_string();
    let what = if facts.path == "/" { hostname.clone() } else { format!("{hostname}{}", facts.path) };
    let verdict = verdict(&what, &links);
    Diagnosis { hostname, path: facts.path.to_owned(), at: facts.at, tunnel, verdict, links }
}

/// The first broken link decides; where none is, the first that cannot be told.
fn verdict(what: &str, links: &[DiagnosisLink]) -> DiagnosisVerdict {
    let first = |state| links.iter().find(|link| link.state == state);
    if let Some(broken) = first(LinkState::Broken) {
        return DiagnosisVerdict {
            state: LinkState::Broken,
            link: Some(broken.link),
            sentence: format!("{what} is not served: {}", broken.sentence),
            action: broken.action.clone(),
        };
    }
    if let Some(unknown) = first(LinkState::Unknown) {
        return DiagnosisVerdict {
            state: LinkState::Unknown,
            link: Some(unknown.link),
            sentence: format!("nothing is known to be broken, but not everything can be told: {}", unknown.sentence),
            action: unknown.action.clone(),
        };
    }
    let sentence = format!("every link that was looked at is in order, so {what} should be served");
    DiagnosisVerdict { state: LinkState::Ok, link: None, sentence, action: None }
}

impl Case<'_> {
    /// From when the knowledge of what is at Cloudflare is.
    fn read_at(&self) -> Option<Timestamp> {
        self.account.and_then(|account| account.last_success)
    }

    fn name(&self) -> &TunnelName {
        &self.tunnel.name
    }
}

/// A link that requests get over.
fn fine(link: Link, sentence: impl Into<String>, seen_at: Option<Timestamp>) -> DiagnosisLink {
    DiagnosisLink { link, state: LinkState::Ok, sentence: sentence.into(), action: None, seen_at }
}

/// A link that they do not.
fn broken(link: Link, sentence: impl Into<String>, action: impl Into<String>, seen_at: Option<Timestamp>) -> DiagnosisLink {
    DiagnosisLink { link, state: LinkState::Broken, sentence: sentence.into(), action: Some(action.into()), seen_at }
}

/// A link that cannot be told.
fn unknown(link: Link, sentence: impl Into<String>, action: Option<String>, seen_at: Option<Timestamp>) -> DiagnosisLink {
    DiagnosisLink { link, state: LinkState::Unknown, sentence: sentence.into(), action, seen_at }
}

/// A link that was not looked at.
fn not_checked(link: Link, sentence: impl Into<String>) -> DiagnosisLink {
    DiagnosisLink { link, state: LinkState::NotChecked, sentence: sentence.into(), action: None, seen_at: None }
}
