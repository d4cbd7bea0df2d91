//! Which hostnames may be public: those whose Access application exists.
//!
//! ```text
//!  the applications …                       what leads to the hostname
//!  cover it                                 is made, and kept
//!  could not be read                        stays as it is: nothing is made, nothing taken away
//!  do not cover it, and never did           stays as it is, and is not made
//!  do not cover it any more (read by id)    is withdrawn: the DNS record is deleted, the pool leaves its balancer
//! ```
//!
//! That a list lacks an application proves nothing, so what is public is withdrawn only when the application that covered it
//! last is read by its id and is gone, or covers the hostname no longer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{HoldCode, Known, Planner, Question, Scope, Standing, Step, step::Facts};
use crate::{
    id::AccessAppId,
    name::{Hostname, TunnelName},
    observed::{Found, ObservedApp, Part},
    record::Fate,
};

/// A change of what is on record about Access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum AccessStep {
    /// Other applications cover the hostnames of a tunnel than when it was last looked at. Changes only the record.
    NoteApplications {
        /// The tunnel.
        tunnel: TunnelName,
        /// The application of each hostname that demands one.
        applications: BTreeMap<Hostname, AccessAppId>,
    },
}

impl AccessStep {
    /// What is to be known of it.
    pub(super) fn facts(&self) -> Facts<'_> {
        let Self::NoteApplications { tunnel, .. } = self;
        Facts::noting('~', "note-applications", tunnel)
    }

    /// What it does, for a person, without its sign.
    pub fn describe(&self) -> String {
        let Self::NoteApplications { tunnel, applications } = self;
        match applications.len() {
            0 => format!("access to {tunnel}: no hostname demands an application"),
            1 => format!("access to {tunnel}: an application covers 1 hostname"),
            count => format!("access to {tunnel}: applications cover {count} hostnames"),
        }
    }
}

/// Why a hostname may not be made public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Nothing is made; what is there stays.
    Refused,
    /// What is there is taken away.
    Withdrawn,
}

impl Planner<'_> {
    /// Finds the hostnames that may not be public, and notes which applications cover the others.
    pub(super) fn check_access(&mut self) {
        for (tunnel, want) in &self.input.desired.tunnels {
            let known = self.records.get(tunnel).map(|record| record.access.clone()).unwrap_or_default();
            if self.standing.get(tunnel) == Some(&Standing::Held) {
                continue;
            }
            let mut applications = BTreeMap::new();
            for (hostname, paths) in &want.protected {
                if let Some(app) = self.application(tunnel, hostname, paths, known.get(hostname)) {
                    applications.insert(hostname.clone(), app);
                }
            }
            if applications != known && self.records.contains_key(tunnel) {
                let step = AccessStep::NoteApplications { tunnel: tunnel.clone(), applications };
                self.steps.push(Step::Access(step));
            }
        }
    }

    /// Whether nothing may lead to the hostname now.
    pub(super) fn is_closed(&self, tunnel: &TunnelName, hostname: &Hostname) -> bool {
        self.closed.contains_key(&(tunnel.clone(), hostname.clone()))
    }

    /// Whether what leads to the hostname is taken away.
    pub(super) fn is_withdrawn(&self, tunnel: &TunnelName, hostname: &Hostname) -> bool {
        self.closed.get(&(tunnel.clone(), hostname.clone())) == Some(&Closed::Withdrawn)
    }

    /// Takes away the DNS records of hostnames whose application has gone.
    pub(super) fn plan_withdrawals(&mut self) {
        let records: Vec<Known<'_>> = self.records.values().filter(|record| record.fate == Fate::Keep).cloned().collect();
        for record in &records {
            for (hostname, dns) in &record.dns {
                let wanted = self.input.desired.tunnels.get(&record.name).is_some_and(|want| want.hostnames.contains(hostname));
                if wanted && self.is_withdrawn(&record.name, hostname) {
                    self.release(record, hostname, dns);
                }
            }
        }
    }

    /// The application that covers a hostname, as far as is on record or was read; closes the hostname when none does.
    fn application(
        &mut self,
        tunnel: &TunnelName,
        hostname: &Hostname,
        paths: &BTreeSet<Option<String>>,
        known: Option<&AccessAppId>,
    ) -> Option<AccessAppId> {
        let scope = Scope::Route { tunnel: tunnel.clone(), hostname: hostname.clone() };
        let key = (tunnel.clone(), hostname.clone());
        let input = self.input;
        let apps = match &input.observed.access_apps {
            Some(Part::Complete(apps)) => apps,
            Some(Part::Gap(gap)) => {
                self.hold_gap(scope, gap);
                self.closed.insert(key, Closed::Refused);
                return known.cloned();
            }
            None => {
                self.hold(scope, HoldCode::Unread, "the Access applications were not read yet");
                self.closed.insert(key, Closed::Refused);
                return known.cloned();
            }
        };
        // One that is on record stays so while it covers: that of two the other one is listed first is no news.
        let covering = |app: &&ObservedApp| covers_all(app, hostname, paths);
        let app = apps.iter().filter(covering).find(|app| Some(&app.id) == known).or_else(|| apps.iter().find(covering));
        if let Some(app) = app {
            return Some(app.id.clone());
        }
        let what = what_is_missing(hostname, paths);
        let gone = match known.map(|id| (id, input.observed.answers.apps.get(id))) {
            None => {
                let why = format!("{what}: create one, or set access = \"off\"; until then nothing new leads to it");
                self.hold(scope, HoldCode::AccessMissing, why);
                false
            }
            Some((id, None)) => {
                self.questions.insert(Question::AccessApp(id.clone()));
                self.hold(scope, HoldCode::Unproven, format!("{what}, and the one that did was not read by its id yet"));
                false
            }
            Some((_, Some(Part::Gap(gap)))) => {
                self.hold_gap(scope, gap);
                false
            }
            Some((_, Some(Part::Complete(Found::There(app))))) if covers_all(app, hostname, paths) => {
                let why = format!("the list of Access applications lacks {:?}, which exists: it is not complete", app.name);
                self.hold(scope, HoldCode::Unproven, why);
                false
            }
            Some((id, Some(Part::Complete(Found::NotFound)))) if !self.sees_tunnels() => {
                let why = format!("Access application {id} is not known, but nothing else of the account is shown either");
                self.hold(scope, HoldCode::Unproven, why);
                false
            }
            Some((id, Some(Part::Complete(Found::There(_) | Found::NotFound)))) => {
                let why = format!("{what} any more ({id} did): what Adit made to lead there is withdrawn until one does again");
                self.hold(scope, HoldCode::AccessMissing, why);
                true
            }
        };
        self.closed.insert(key, if gone { Closed::Withdrawn } else { Closed::Refused });
        known.cloned()
    }
}

fn what_is_missing(hostname: &Hostname, paths: &BTreeSet<Option<String>>) -> String {
    match paths.iter().next() {
        Some(Some(path)) if !paths.contains(&None) => {
            format!("access = \"required\", but no Access application covers {hostname} with the path {path:?}")
        }
        Some(_) | None => format!("access = \"required\", but no Access application covers {hostname}"),
    }
}

/// Whether an application covers the hostname with every path that demands it.
fn covers_all(app: &ObservedApp, hostname: &Hostname, paths: &BTreeSet<Option<String>>) -> bool {
    paths.iter().all(|path| app.covers.iter().any(|uri| covers(uri, hostname, path.as_deref())))
}

/// Whether an application's `hostname/path` covers what a rule takes. `pattern` is the rule's regular expression for the path.
///
/// Cloudflare's wildcards are read in their narrowest sense: `*` stands for one whole label. A path covers itself and what is
/// below it; of a pattern only a beginning without special characters behind `^` says where it is.
fn covers(uri: &str, hostname: &Hostname, pattern: Option<&str>) -> bool {
    let uri = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (domain, path) = uri.split_once('/').unwrap_or((uri, ""));
    let path = path.trim_end_matches('*').trim_end_matches('/');
    covers_domain(domain, hostname.as_str()) && (path.is_empty() || pattern.is_some_and(|pattern| is_below(path, pattern)))
}

fn covers_domain(domain: &str, hostname: &str) -> bool {
    let domain = domain.to_lowercase();
    if domain == hostname {
        return true;
    }
    match (domain.strip_prefix("*."), hostname.split_once('.')) {
        (Some(parent), Some((label, rest))) => label != "*" && rest == parent,
        (None, _) | (_, None) => false,
    }
}

/// Whether every path that a pattern finds is `path` or below it.
fn is_below(path: &str, pattern: &str) -> bool {
    let Some(pattern) = pattern.strip_prefix("^/") else { return false };
    if pattern.contains('|') || path.contains('*') {
        return false;
    }
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '/' | '-' | '_' | '~');
    let end = pattern.find(|char| !plain(char)).unwrap_or(pattern.len());
    let (literal, rest) = pattern.split_at(end);
    // The last character may be optional.
    let literal = if rest.starts_with(['?', '*', '{']) { &literal[..literal.len().saturating_sub(1)] } else { literal };
    match literal.strip_prefix(path) {
        // Without an end, `^/admin` finds `/administrator`, too.
        Some("") => rest == "$",
        Some(below) => below.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_covers_its_hostname_one_label_below_a_wildcard_and_what_is_below_its_path() {
        for (uri, hostname, pattern, expected) in [
            ("app.example.com", "app.example.com", None, true),
            ("App.Example.com", "app.example.com", None, true),
            ("app.example.com/", "app.example.com", None, true),
            ("app.example.com/*", "app.example.com", None, true),
            ("https://app.example.com", "app.example.com", None, true),
            ("other.example.com", "app.example.com", None, false),
            ("example.com", "app.example.com", None, false),
            ("*.example.com", "app.example.com", None, true),
            ("*.example.com", "a.b.example.com", None, false),
            ("*.example.com", "example.com", None, false),
            ("*.example.com", "*.example.com", None, true),
            ("app.example.com", "*.example.com", None, false),
            ("*.com", "*.example.com", None, false),
            ("a*.example.com", "app.example.com", None, false),
            ("app.example.com/admin", "app.example.com", None, false),
            ("app.example.com", "app.example.com", Some("/admin"), true),
            ("app.example.com/admin", "app.example.com", Some("/admin"), false),
            ("app.example.com/admin", "app.example.com", Some("^/admin"), false),
            ("app.example.com/admin", "app.example.com", Some("^/admin$"), true),
            ("app.example.com/admin", "app.example.com", Some("^/admin/"), true),
            ("app.example.com/admin", "app.example.com", Some("^/admin/?"), false),
            ("app.example.com/admin/*", "app.example.com", Some("^/admin/users/[0-9]+"), true),
            ("app.example.com/admin", "app.example.com", Some("^/administrator"), false),
            ("app.example.com/admin", "app.example.com", Some("^/admin/|^/public"), false),
            ("app.example.com/a*n", "app.example.com", Some("^/admin/"), false),
        ] {
            let hostname: Hostname = hostname.parse().unwrap();
            assert_eq!(covers(uri, &hostname, pattern), expected, "{uri} for {hostname} {pattern:?}");
        }
    }
}
