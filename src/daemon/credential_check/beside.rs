//! What load balancers and Access need of a token, tried when the configuration wants them.

use super::{attempted, failed, passed, zones_of};
use crate::{
    cloudflare::{Client, LoadBalancerPatch, Zone},
    config::{AccessDemand, Tunnel},
    control::api::Check,
    id::{AccountId, BalancerId, PoolId},
    name::Hostname,
};

/// What is wanted beside tunnels and DNS records.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The hostnames of load balancers.
    balanced: Vec<Hostname>,
    /// Whether a hostname demands an Access application.
    access: bool,
}

impl Beside {
    /// What these tunnels want.
    pub(super) fn of<'a>(tunnels: impl Iterator<Item = &'a Tunnel>) -> Self {
        let mut beside = Self::default();
        for tunnel in tunnels {
            beside.balanced.extend(tunnel.load_balancer.iter().map(|balancer| balancer.hostname.clone()));
            beside.access |= tunnel.ingress.iter().any(|rule| tunnel.access_of(rule) == AccessDemand::Required);
        }
        beside
    }

    pub(super) async fn check(&self, client: &Client, account: &AccountId, zones: &[Zone]) -> Vec<Check> {
        let mut checks = Vec::new();
        if !self.balanced.is_empty() {
            let nobody: PoolId = "00000000000000000000000000000000".parse().expect("it has the form of an identifier");
            checks.push(match client.pools(account).await {
                Ok(pools) => passed("read pools and monitors", format!("{} pools", pools.len())),
                Err(error) => failed("read pools and monitors", error.to_string()),
            });
            checks.push(attempted("change pools and monitors", client.delete_pool(account, &nobody).await));
        }
        let (wanted, homeless) = zones_of(zones, &self.balanced);
        checks.extend(homeless);
        for zone in wanted {
            let nobody: BalancerId = "00000000000000000000000000000000".parse().expect("it has the form of an identifier");
            let patch = LoadBalancerPatch { description: Some(String::new()), ..LoadBalancerPatch::default() };
            let changed = client.patch_load_balancer(&zone.id, &nobody, &patch).await.map(drop);
            checks.push(attempted(&format!("change load balancers of {}", zone.name), changed));
        }
        if self.access {
            checks.push(match client.access_apps(account).await {
                Ok(apps) => passed("read Access applications", format!("{} applications", apps.len())),
                Err(error) => failed("read Access applications", error.to_string()),
            });
        }
        checks
    }
}
