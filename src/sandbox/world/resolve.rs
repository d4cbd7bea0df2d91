//! Which tunnel a public hostname leads to.

use serde_json::Value;

use super::{document::Collection, record::RecordKind, state::State, zone::Zone, zone::ZoneStatus};
use crate::id::{TUNNEL_DOMAIN_SUFFIX, TunnelId};

impl State {
    /// The live tunnel behind `hostname`: by a load balancer of that name, else by a proxied CNAME of that name, else by the
    /// closest wildcard above it. A name that has records of its own is covered by no wildcard.
    pub(crate) fn resolve(&self, hostname: &str) -> Option<TunnelId> {
        let hostname = hostname.strip_suffix('.').unwrap_or(hostname).to_lowercase();
        let zone = self.zone_of(&hostname).filter(|zone| zone.status == ZoneStatus::Active)?;
        if let Some(tunnel) = self.balanced(zone, &hostname) {
            return Some(tunnel);
        }
        let mut name = hostname.clone();
        let mut rest = hostname.as_str();
        while zone.named(&name).next().is_none() {
            rest = rest.split_once('.')?.1;
            name = format!("*.{rest}");
        }
        let targets = zone.named(&name).filter(|record| record.body.kind == RecordKind::Cname && record.body.proxied);
        targets.filter_map(|record| self.target(zone, &record.body.content)).next()
    }

    /// The zone with the longest name that `hostname` stands in.
    pub(crate) fn zone_of(&self, hostname: &str) -> Option<&Zone> {
        let covers = |zone: &&Zone| {
            hostname == zone.name || hostname.strip_suffix(zone.name.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        self.zones.values().filter(covers).max_by_key(|zone| zone.name.len())
    }

    /// The first tunnel among the pools of an enabled load balancer.
    fn balanced(&self, zone: &Zone, hostname: &str) -> Option<TunnelId> {
        let enabled = |value: &Value| value.get("enabled").and_then(Value::as_bool).unwrap_or(true);
        let balancers = self.documents.live(Collection::LoadBalancers, zone.id.as_str());
        let balancer = balancers.into_iter().find(|balancer| balancer.text("name") == Some(hostname))?;
        if balancer.body.get("enabled") == Some(&Value::Bool(false)) {
            return None;
        }
        let pools = balancer.body.get("default_pools")?.as_array()?.iter().filter_map(Value::as_str);
        let pools = pools.filter_map(|id| self.documents.get(Collection::Pools, zone.account.as_str(), id));
        let pools = pools.filter(|pool| pool.body.get("enabled") != Some(&Value::Bool(false)));
        let origins = pools.filter_map(|pool| pool.body.get("origins")?.as_array()).flatten().filter(|origin| enabled(origin));
        origins.filter_map(|origin| self.target(zone, origin.get("address")?.as_str()?)).next()
    }

    /// The live tunnel that a CNAME's or an origin's target names. It serves only names of its own account.
    fn target(&self, zone: &Zone, target: &str) -> Option<TunnelId> {
        let id: TunnelId = target.strip_suffix(TUNNEL_DOMAIN_SUFFIX)?.parse().ok()?;
        self.live_tunnel(&zone.account, &id).ok().map(|tunnel| tunnel.id.clone())
    }
}
