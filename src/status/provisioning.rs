//! What is known of tunnels and accounts at Cloudflare.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

pub use crate::plan::ProvisionedTunnel;

use super::Status;
use crate::{
    event::{AccountView, PassResult, ProvisioningEvent},
    name::{AccountName, TunnelName},
};

/// What is known of one account.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AccountStatus {
    /// What the reconciler knows of it.
    #[serde(flatten)]
    pub view: AccountView,
    /// The pass that ended last.
    pub last_pass: Option<LastPass>,
    /// When a pass last did all that could be done.
    pub last_success: Option<Timestamp>,
    /// Until when nothing is asked, because the rate limit was reached.
    pub rate_limited_until: Option<Timestamp>,
}

/// A pass that ended.
#[derive(Debug, Clone, Serialize)]
pub struct LastPass {
    /// When it ended.
    pub at: Timestamp,
    /// What it was made for.
    pub why: &'static str,
    /// How it ended.
    pub result: PassResult,
    /// When it began, by a clock that nobody sets.
    #[serde(skip)]
    pub began: Instant,
    /// How long it took, in seconds.
    #[serde(rename = "duration_seconds", serialize_with = "serialize_seconds")]
    pub duration: Duration,
    /// How many steps were applied.
    pub applied: usize,
    /// The first thing that went wrong.
    pub error: Option<String>,
}

/// Takes in what happened to provisioning at `at`.
pub(super) fn fold(status: &mut Status, event: &ProvisioningEvent, at: Timestamp) {
    match event {
        ProvisioningEvent::Seen { account, view } => {
            see(status, account, &view.tunnels);
            let known = status.accounts.entry(account.clone()).or_default();
            known.view = AccountView { tunnels: Default::default(), ..(**view).clone() };
        }
        ProvisioningEvent::AccountLeft { account } => {
            see(status, account, &BTreeMap::new());
            status.accounts.remove(account);
        }
        ProvisioningEvent::PassFinished { account, why, result, began, duration, applied, error } => {
            let known = status.accounts.entry(account.clone()).or_default();
            if result.is_success() {
                known.last_success = Some(at);
            }
            known.rate_limited_until = known.rate_limited_until.filter(|until| *until > at);
            let (result, began, duration, applied) = (*result, *began, *duration, *applied);
            known.last_pass = Some(LastPass { at, why, result, began, duration, applied, error: error.clone() });
        }
        ProvisioningEvent::RateLimited { account, pause } => {
            // A pause beyond what a timestamp can hold is no pause that anybody waits for.
            let until = at.checked_add(*pause).unwrap_or(Timestamp::MAX);
            status.accounts.entry(account.clone()).or_default().rate_limited_until = Some(until);
        }
        // They tell what happened; what is known comes with `Seen`.
        ProvisioningEvent::StepApplied { .. }
        | ProvisioningEvent::StepFailed { .. }
        | ProvisioningEvent::HoldBegan { .. }
        | ProvisioningEvent::HoldEnded { .. }
        | ProvisioningEvent::ConflictBegan { .. }
        | ProvisioningEvent::ConflictEnded { .. }
        | ProvisioningEvent::EditFound { .. }
        | ProvisioningEvent::EditOverwritten { .. }
        | ProvisioningEvent::TunnelGone { .. }
        | ProvisioningEvent::StateUnwritable { .. }
        | ProvisioningEvent::Rotation { .. }
        | ProvisioningEvent::ConnectionsCut { .. }
        | ProvisioningEvent::RogueConnectorsFound { .. }
        | ProvisioningEvent::RogueConnectorsGone { .. }
        | ProvisioningEvent::OrphanDeleted { .. }
        | ProvisioningEvent::OrphanKept { .. } => {}
    }
}

/// Takes in the tunnels that an account has.
fn see(status: &mut Status, account: &AccountName, tunnels: &BTreeMap<TunnelName, Arc<ProvisionedTunnel>>) {
    for (name, tunnel) in &mut status.tunnels {
        let here = tunnel.provisioned.as_deref().is_some_and(|provisioned| provisioned.account == *account);
        if here && !tunnels.contains_key(name) {
            tunnel.provisioned = None;
        }
    }
    for (name, provisioned) in tunnels {
        status.tunnels.entry(name.clone()).or_default().provisioned = Some(provisioned.clone());
    }
    status.tunnels.retain(|_, tunnel| !tunnel.is_gone());
}

fn serialize_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ConfigurationSource, Fate};

    fn account() -> AccountName {
        "default".parse().unwrap()
    }

    fn seen(tunnels: &[&str]) -> ProvisioningEvent {
        let tunnel = |name: &&str| {
            let provisioned = ProvisionedTunnel {
                private_routes: Vec::new(),
                account: account(),
                id: None,
                cloudflare_name: format!("{name}.adit-a1b2c3d4"),
                cloudflare_status: None,
                source: ConfigurationSource::Remote,
                written_version: None,
                fate: Fate::Keep,
                routes: Vec::new(),
                holds: Vec::new(),
                conflict: None,
                secret: Default::default(),
            };
            (name.parse().unwrap(), Arc::new(provisioned))
        };
        let view = AccountView { tunnels: tunnels.iter().map(tunnel).collect(), ..AccountView::default() };
        ProvisioningEvent::Seen { account: account(), view: Arc::new(view) }
    }

    fn finished(result: PassResult) -> ProvisioningEvent {
        let (began, duration) = (Instant::now(), Duration::from_secs(1));
        ProvisioningEvent::PassFinished { account: account(), why: "interval", result, began, duration, applied: 0, error: None }
    }

    #[test]
    fn a_tunnel_of_which_nothing_is_left_leaves_the_status() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        fold(&mut status, &seen(&["api", "web"]), Timestamp::UNIX_EPOCH);
        assert_eq!(status.tunnels.len(), 2);
        fold(&mut status, &seen(&["web"]), Timestamp::UNIX_EPOCH);
        assert_eq!(status.tunnels.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["web"]);
    }

    #[test]
    fn nothing_is_known_any_more_of_an_account_that_left() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        fold(&mut status, &seen(&["web"]), Timestamp::UNIX_EPOCH);
        fold(&mut status, &finished(PassResult::Failed), Timestamp::UNIX_EPOCH);
        fold(&mut status, &ProvisioningEvent::AccountLeft { account: account() }, Timestamp::UNIX_EPOCH);
        assert!(status.tunnels.is_empty() && status.accounts.is_empty());
    }

    #[test]
    fn a_failed_pass_leaves_the_last_success() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(60).unwrap());
        fold(&mut status, &finished(PassResult::Held), early);
        fold(&mut status, &finished(PassResult::Failed), late);
        let known = &status.accounts[&account()];
        assert_eq!(known.last_success, Some(early));
        assert_eq!(known.last_pass.as_ref().map(|pass| pass.at), Some(late));
    }

    #[test]
    fn a_rate_limit_is_shown_until_it_ends() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        let pause = Duration::from_secs(300);
        fold(&mut status, &ProvisioningEvent::RateLimited { account: account(), pause }, Timestamp::UNIX_EPOCH);
        assert_eq!(status.accounts[&account()].rate_limited_until, Some(Timestamp::from_second(300).unwrap()));
        fold(&mut status, &finished(PassResult::Clean), Timestamp::from_second(301).unwrap());
        assert_eq!(status.accounts[&account()].rate_limited_until, None);
    }
}
