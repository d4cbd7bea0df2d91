//! What the pass knows about each tunnel, as the status shows it.

mod balancers;
mod private;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Conflict, Hold, Input, Plan, Scope, Step, parting::wanted_by, with_parting_rules};
use crate::{
    connector::document_number,
    desired::{DesiredTunnel, fingerprint},
    id::{RecordId, TunnelId},
    name::{AccountName, Hostname, TunnelName},
    record::{ConfigurationSource, Fate, KeptDocument, RotationStage, RulePlace, SecretLife, TunnelRecord},
};

/// What is known of one tunnel at Cloudflare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProvisionedTunnel {
    /// Its account.
    pub account: AccountName,
    /// Its id, once it has one.
    pub id: Option<TunnelId>,
    /// What it is, or will be, called at Cloudflare.
    pub cloudflare_name: String,
    /// `inactive`, `healthy`, `degraded` or `down`, as Cloudflare said at the last complete read.
    pub cloudflare_status: Option<String>,
    /// Where its configuration lives.
    pub source: ConfigurationSource,
    /// The version of the configuration that Adit wrote last.
    pub written_version: Option<i64>,
    /// What is to become of it.
    pub fate: Fate,
    /// Its routes, in the order of its rules; those of a tunnel that left the configuration by hostname.
    pub routes: Vec<RouteStatus>,
    /// What leads into it from the private side, networks first.
    pub private_routes: Vec<PrivateRouteStatus>,
    /// What is held of it, or of all that it stands in.
    pub holds: Vec<Hold>,
    /// Who holds its name at Cloudflare.
    pub conflict: Option<Conflict>,
    /// How old its secret is.
    pub secret: SecretStatus,
}

/// How old a tunnel's secret is. The secret itself is nowhere here.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SecretStatus {
    /// Since when it is the tunnel's secret, if that is known.
    pub since: Option<Timestamp>,
    /// Its change to another one, while that goes on.
    pub rotation: Option<RotationStatus>,
}

/// The change of a tunnel's secret that goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RotationStatus {
    /// How far it is.
    pub stage: RotationStage,
    /// Whether everybody else is cut off.
    pub emergency: bool,
    /// Who asked for it; `None` for the schedule.
    pub by: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
}

impl SecretStatus {
    fn of(life: &SecretLife) -> Self {
        let rotation = life.rotation.as_ref().map(|rotation| RotationStatus {
            stage: rotation.stage,
            emergency: rotation.emergency,
            by: rotation.by.clone(),
            began_at: rotation.began_at,
        });
        Self { since: life.since, rotation }
    }
}

/// What is known of one route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteStatus {
    /// What leads to the tunnel.
    pub kind: RouteKind,
    /// The hostname; a rule without one matches every hostname.
    pub hostname: Option<Hostname>,
    /// The path, as a regular expression.
    pub path: Option<String>,
    /// Where requests go; unknown for a tunnel that left the configuration.
    pub service: Option<String>,
    /// Whose its DNS record is.
    pub dns: DnsStatus,
    /// How far it is.
    pub state: RouteState,
    /// The id of its DNS record, if Adit made one.
    pub record_id: Option<RecordId>,
    /// Why it is not live.
    pub reason: Option<String>,
}

/// What leads to a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// An ingress rule, mostly with a hostname.
    Hostname,
    /// A load balancer, through the tunnel's pool.
    LoadBalancer,
}

/// Whose the DNS record of a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsStatus {
    /// Adit's.
    Managed,
    /// Somebody else's (`dns = false`), or the rule has no hostname.
    Foreign,
}

/// How far a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteState {
    /// The record is there and ready connectors run the rule.
    Live,
    /// Something has to happen first.
    Pending,
    /// Somebody else holds the name.
    Conflict,
    /// Its tunnel left the configuration; the record is still there.
    Orphaned,
    /// An operator stopped its tunnel.
    Off,
}

/// What is known of each tunnel of the account, by the input and the plan that was made from it. `stopped` are the tunnels that
/// an operator stopped.
pub fn view(input: &Input<'_>, plan: &Plan, stopped: &BTreeSet<TunnelName>) -> BTreeMap<TunnelName, Arc<ProvisionedTunnel>> {
    let mut tunnels = BTreeMap::new();
    let wanted_by = wanted_by(input.desired);
    let changing: BTreeSet<&Hostname> = plan.steps.iter().chain(&plan.waiting).filter_map(Step::hostname).collect();
    for (name, want) in &input.desired.tunnels {
        let record = input.records.tunnels.get(name).filter(|record| record.account_id == *input.account_id);
        let in_force = Some(InForce::new(want, name, record, &wanted_by));
        let view = View { input, plan, changing: &changing, name, record, stopped: stopped.contains(name), in_force };
        tunnels.insert(name.clone(), Arc::new(view.wanted(want)));
    }
    for record in input.records.in_account(input.account_id) {
        if !tunnels.contains_key(&record.name) {
            let view = View {
                input,
                plan,
                changing: &changing,
                name: &record.name,
                record: Some(record),
                stopped: false,
                in_force: None,
            };
            tunnels.insert(record.name.clone(), Arc::new(view.left_behind(record)));
        }
    }
    tunnels
}

pub use private::PrivateRouteStatus;

/// Why a route is pending whose DNS record is to be changed.
pub const RECORD_CHANGES: &str = "its DNS record is still to be changed";

/// Why a route is pending that waits for nothing but a connector.
pub const NO_READY_CONNECTOR: &str = "no connector of its tunnel is ready";

struct View<'a> {
    input: &'a Input<'a>,
    plan: &'a Plan,
    /// Hostnames whose record the plan changes.
    changing: &'a BTreeSet<&'a Hostname>,
    name: &'a TunnelName,
    record: Option<&'a TunnelRecord>,
    stopped: bool,
    in_force: Option<InForce<'a>>,
}

/// By what the configuration is known that is to be in force.
struct InForce<'a> {
    sha256: Cow<'a, str>,
    /// The number of a local one.
    number: Option<i64>,
}

impl<'a> InForce<'a> {
    fn new(
        want: &'a DesiredTunnel,
        name: &TunnelName,
        record: Option<&TunnelRecord>,
        wanted_by: &BTreeMap<&Hostname, &TunnelName>,
    ) -> Self {
        let leaves = |hostname: &Hostname| {
            let has_heir = || wanted_by.get(hostname).is_some_and(|heir| *heir != name);
            record
                .is_some_and(|record| record.parting.contains_key(hostname) || (record.dns.contains_key(hostname) && has_heir()))
        };
        // Nearly always nothing leaves, and then no rule has to be looked at.
        let record = record.filter(|record| record.parting.keys().chain(record.dns.keys()).any(leaves));
        let before = record.and_then(|record| record.document.as_ref()).map(KeptDocument::value);
        let document = with_parting_rules(&want.document, before.as_ref(), leaves);
        let number = match want.source {
            ConfigurationSource::Local => Some(document_number(&document)),
            ConfigurationSource::Remote => None,
        };
        let sha256 = match &document {
            Cow::Borrowed(_) => Cow::Borrowed(want.sha256.as_str()),
            Cow::Owned(document) => Cow::Owned(fingerprint(document)),
        };
        Self { sha256, number }
    }
}

impl View<'_> {
    fn wanted(&self, want: &DesiredTunnel) -> ProvisionedTunnel {
        let rules = want.document.get("ingress").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let text = |rule: &Value, key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut routes = Vec::new();
        for rule in rules {
            let hostname = text(rule, "hostname").and_then(|hostname| hostname.parse().ok());
            let path = text(rule, "path");
            if hostname.is_none() && path.is_none() {
                continue; // The catch-all behind the routes.
            }
            routes.push(self.route(want, hostname, path, text(rule, "service")));
        }
        routes.extend(want.load_balancer.as_ref().map(|balancer| self.balancer(balancer)));
        // They are kept for as long as nothing changes, and mostly there is one.
        routes.shrink_to_fit();
        self.tunnel(want.source, routes, self.private_routes(want))
    }

    fn left_behind(&self, record: &TunnelRecord) -> ProvisionedTunnel {
        let reason = match record.fate {
            Fate::Keep | Fate::Orphaned => "its tunnel left the configuration",
            Fate::Delete => "it is being deleted",
            Fate::Retiring => "another tunnel takes its place, to which its routes move",
        };
        let routes = record.dns.iter().map(|(hostname, dns)| RouteStatus {
            kind: RouteKind::Hostname,
            hostname: Some(hostname.clone()),
            path: None,
            service: None,
            dns: DnsStatus::Managed,
            state: RouteState::Orphaned,
            record_id: Some(dns.record_id.clone()),
            reason: Some(reason.to_owned()),
        });
        let routes = routes.chain(self.balancers_left_behind(record, reason)).collect();
        self.tunnel(record.source, routes, private::left_behind(record, reason))
    }

    fn tunnel(
        &self,
        source: ConfigurationSource,
        routes: Vec<RouteStatus>,
        private_routes: Vec<PrivateRouteStatus>,
    ) -> ProvisionedTunnel {
        let id = self.record.and_then(|record| record.id.clone());
        let listed = self.input.observed.tunnels.complete();
        let cloudflare_status =
            id.as_ref().and_then(|id| listed?.get(id)).map(|tunnel| tunnel.status.clone()).filter(|status| !status.is_empty());
        let cloudflare_name = match self.record {
            Some(record) => record.cloudflare_name.clone(),
            None => self.input.records.install.cloudflare_name(self.name),
        };
        ProvisionedTunnel {
            account: self.input.account.clone(),
            id,
            cloudflare_name,
            cloudflare_status,
            source: self.record.map_or(source, |record| record.source),
            written_version: self.record.and_then(|record| record.written.as_ref()).map(|written| written.version),
            fate: self.record.map_or(Fate::Keep, |record| record.fate),
            routes,
            private_routes,
            holds: self.holds(),
            conflict: self.tunnel_conflict().cloned(),
            secret: self.record.map(|record| SecretStatus::of(&record.secret_life)).unwrap_or_default(),
        }
    }

    fn route(
        &self,
        want: &DesiredTunnel,
        hostname: Option<Hostname>,
        path: Option<String>,
        service: Option<String>,
    ) -> RouteStatus {
        let managed = hostname.as_ref().is_some_and(|hostname| want.hostnames.contains(hostname));
        let record_id = hostname.as_ref().and_then(|hostname| self.record?.dns.get(hostname)).map(|dns| dns.record_id.clone());
        let obstacle = self.rule_conflict(hostname.as_ref(), path.as_deref());
        let obstacle = obstacle.or_else(|| self.obstacle(want, hostname.as_ref().filter(|_| managed), record_id.is_some()));
        let (state, reason) = match obstacle {
            None => (RouteState::Live, None),
            Some((state, reason)) => (state, Some(reason)),
        };
        let dns = if managed { DnsStatus::Managed } else { DnsStatus::Foreign };
        RouteStatus { kind: RouteKind::Hostname, hostname, path, service, dns, state, record_id, reason }
    }

    /// Whose rule stands in the way of a route's, in a configuration that others edit too.
    fn rule_conflict(&self, hostname: Option<&Hostname>, path: Option<&str>) -> Option<(RouteState, String)> {
        let is_it =
            |place: &RulePlace| place.hostname.as_deref() == hostname.map(Hostname::as_str) && place.path.as_deref() == path;
        let mut conflicts = self.plan.conflicts.iter().filter(|conflict| conflict.tunnel() == self.name);
        let conflict = conflicts.find(|conflict| conflict.rule().is_some_and(is_it))?;
        Some((RouteState::Conflict, conflict.to_string()))
    }

    /// Why a route is not live. `managed` is its hostname, when its DNS record is Adit's.
    fn obstacle(&self, want: &DesiredTunnel, managed: Option<&Hostname>, has_record: bool) -> Option<(RouteState, String)> {
        if self.stopped {
            return Some((RouteState::Off, "an operator stopped its tunnel".to_owned()));
        }
        let conflict = self.plan.conflicts.iter().find(|conflict| {
            let whole_tunnel = conflict.tunnel() == self.name && conflict.is_of_tunnel();
            whole_tunnel || (conflict.tunnel() == self.name && managed.is_some() && conflict.hostname() == managed)
        });
        if let Some(conflict) = conflict {
            return Some((RouteState::Conflict, conflict.to_string()));
        }
        let pending = |reason: String| Some((RouteState::Pending, reason));
        let route_hold = self.plan.holds.iter().find(|hold| match &hold.scope {
            Scope::Route { tunnel, hostname } => tunnel == self.name && Some(hostname) == managed,
            Scope::Account | Scope::Zone { .. } | Scope::Tunnel { .. } | Scope::Networks | Scope::PrivateRoute { .. } => false,
        });
        if let Some(hold) = route_hold {
            return pending(hold.why.clone());
        }
        let missing = self.record.is_none_or(|record| record.id.is_none()) || (managed.is_some() && !has_record);
        if missing {
            let hold = self.holds().into_iter().next();
            return pending(hold.map_or_else(|| "it is still to be made".to_owned(), |hold| hold.why));
        }
        if managed.is_some_and(|hostname| self.changing.contains(hostname)) {
            return pending(RECORD_CHANGES.to_owned());
        }
        let Some(runs) = self.input.reported.get(self.name) else {
            return pending(NO_READY_CONNECTOR.to_owned());
        };
        let written = self.record.and_then(|record| record.written.as_ref());
        match (want.source, written) {
            (ConfigurationSource::Local, _) if Some(*runs) == self.in_force.as_ref().and_then(|in_force| in_force.number) => None,
            (ConfigurationSource::Local, _) => {
                pending("its connectors are still to be replaced by ones with its rule".to_owned())
            }
            (ConfigurationSource::Remote, Some(written))
                if self.in_force.as_ref().is_some_and(|is| is.sha256 == written.sha256) =>
            {
                (*runs < written.version)
                    .then(|| format!("the connectors run version {runs} of the configuration, {} is written", written.version))
                    .and_then(pending)
            }
            (ConfigurationSource::Remote, _) => pending("its rule is still to be written".to_owned()),
        }
    }

    fn tunnel_conflict(&self) -> Option<&Conflict> {
        self.plan.conflicts.iter().find(|conflict| conflict.tunnel() == self.name && conflict.is_of_tunnel())
    }

    /// The holds on this tunnel, the nearest first: its own, then those of all that it stands in.
    fn holds(&self) -> Vec<Hold> {
        let own = |hold: &&Hold| hold.tunnel() == Some(self.name);
        let around = |hold: &&Hold| match &hold.scope {
            Scope::Account => true,
            Scope::Zone { zone } => {
                let want = self.input.desired.tunnels.get(self.name);
                want.is_some_and(|want| want.hostnames.iter().any(|hostname| hostname.is_in_zone(zone)))
            }
            Scope::Networks => self.has_private_routes(),
            Scope::Tunnel { .. } | Scope::Route { .. } | Scope::PrivateRoute { .. } => false,
        };
        let holds = &self.plan.holds;
        holds.iter().filter(own).chain(holds.iter().filter(around)).cloned().collect()
    }
}
