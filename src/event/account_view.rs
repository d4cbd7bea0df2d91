//! What is known of an account, as its last pass saw it.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use crate::{
    id::AccountId,
    name::TunnelName,
    plan::{Conflict, DriftKind, Hold, PlanHash, ProvisionedTunnel},
};

/// All that is known of an account.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AccountView {
    /// Its id, once it is known.
    pub account_id: Option<AccountId>,
    /// How its credential is.
    pub credential: CredentialState,
    /// Its tunnels.
    #[serde(skip)]
    pub tunnels: BTreeMap<TunnelName, Arc<ProvisionedTunnel>>,
    /// Everything that is held in it.
    pub holds: Vec<Hold>,
    /// Every name that somebody else holds.
    pub conflicts: Vec<Conflict>,
    /// The names of its active zones.
    pub zones: Vec<String>,
    /// The plan that waits for an operator.
    pub waiting: Option<WaitingPlan>,
    /// Requests left in the scarcest rate-limit window.
    pub rate_limit_remaining: Option<u64>,
    /// How many things are left over in it, as far as a pass sees it.
    pub orphans: usize,
    /// How many things that Adit wrote are not as it wrote them, as the last pass that could read the account left them.
    pub drift: BTreeMap<DriftKind, usize>,
    /// How many connectors that are no processes of this host are connected to a tunnel, for each that was looked at.
    pub rogue_connectors: BTreeMap<TunnelName, usize>,
}

/// A plan that waits for an operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingPlan {
    /// What `adit apply` has to name for it.
    pub hash: PlanHash,
    /// How much it changes.
    pub summary: String,
}

/// How a credential is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum CredentialState {
    /// Nothing was asked with it yet.
    #[default]
    Unknown,
    /// Cloudflare takes it.
    Usable,
    /// There is none.
    Missing {
        /// Why.
        reason: String,
    },
    /// Cloudflare refuses it, or it lacks a permission.
    Refused {
        /// What was refused, and which permission it needs.
        reason: String,
    },
}
