//! Which processes of a tunnel hold which secret: what a rotation has to know before it forgets one.

use std::collections::BTreeMap;

use super::Fingerprint;
use crate::{id::ConnectorId, name::TunnelName};

/// A process that was started with a tunnel's secret, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The fingerprint of the token that it was started with: [`super::LaunchFacts::token`].
    pub token: Fingerprint,
    /// Its id at Cloudflare, once it has said it.
    pub connector_id: Option<ConnectorId>,
    /// What it does.
    pub role: HolderRole,
}

/// What a process that holds a secret does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderRole {
    /// It serves.
    Ready,
    /// It is being started, or has no connection.
    Coming,
    /// It finishes its requests.
    Leaving,
}

/// The processes of every tunnel, by replica: under the name that its slots have, which a renamed tunnel had before.
pub type Holders = BTreeMap<TunnelName, BTreeMap<u8, Vec<Holder>>>;
