//! Someone in the dashboard: edits behind the back of everybody who uses the API.
//!
//! They pass the same checks as the API's own calls, but no limit, no permission and no fault.

mod networks;
mod objects;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    World,
    error::Error,
    record::{RecordBody, RecordKind, RecordSettings},
    state::State,
    token::{Permission, TokenStatus},
    tunnel::{Cascade, ConfigSource, NewTunnel},
    zone::ZoneStatus,
};
use crate::{
    id::{AccountId, RecordId, TunnelId, ZoneId},
    secret::Secret,
};

/// A hand on the dashboard; made by [`World::dashboard`].
#[derive(Debug, Clone)]
pub struct Dashboard {
    pub(super) world: World,
}

impl Dashboard {
    /// Creates a record in the zone that `name` stands in: proxied where the type allows it, automatic TTL, no comment.
    ///
    /// # Errors
    /// There is no such zone, it is full, or a record of that name is in the way.
    pub fn create_record(&self, name: &str, kind: RecordKind, content: &str) -> Result<RecordId, Error> {
        let body = RecordBody {
            kind,
            name: name.to_owned(),
            content: content.to_owned(),
            ttl: 1,
            proxied: kind.is_proxiable(),
            comment: None,
            tags: Vec::new(),
            settings: RecordSettings::default(),
        };
        self.world.change(|state| {
            let zone = state.zone_of(name).ok_or(Error::ZoneNotFound)?.id.clone();
            let record = state.zone_mut(&zone)?.create_record(body, Timestamp::now())?;
            state.touch();
            Ok(record.id)
        })
    }

    /// Changes fields of the one record of this name, given as the API's `PATCH` takes them, such as `{"proxied": false}`.
    ///
    /// # Errors
    /// There is no record of that name, or several, or the fields break a rule.
    pub fn edit_record(&self, name: &str, fields: Value) -> Result<(), Error> {
        let fields: Map<String, Value> = serde_json::from_value(fields).map_err(|error| Error::Invalid(error.to_string()))?;
        self.world.change(|state| {
            let (zone, record) = only_record(state, name)?;
            state.zone_mut(&zone)?.patch_record(&record, fields, Timestamp::now())?;
            state.touch();
            Ok(())
        })
    }

    /// Deletes the one record of this name.
    ///
    /// # Errors
    /// There is no record of that name, or several.
    pub fn delete_record(&self, name: &str) -> Result<(), Error> {
        self.world.change(|state| {
            let (zone, record) = only_record(state, name)?;
            state.zone_mut(&zone)?.delete_record(&record)?;
            state.touch();
            Ok(())
        })
    }

    /// Creates a tunnel with a secret that nobody else knows, configured at Cloudflare.
    ///
    /// # Errors
    /// The name is taken by a live tunnel, or is none.
    pub fn create_tunnel(&self, account: &AccountId, name: &str) -> Result<TunnelId, Error> {
        let new = NewTunnel { name: name.to_owned(), source: ConfigSource::Cloudflare, secret: None };
        self.world.change(|state| state.create_tunnel(account, new, Timestamp::now()).map(|tunnel| tunnel.id.clone()))
    }

    /// Deletes a tunnel, with its connections and routes.
    ///
    /// # Errors
    /// There is no such live tunnel.
    pub fn delete_tunnel(&self, tunnel: &TunnelId) -> Result<(), Error> {
        self.world.change(|state| {
            let account = account_of(state, tunnel)?;
            state.delete_tunnel(&account, tunnel, Cascade::Yes, Timestamp::now()).map(drop)
        })
    }

    /// Gives a tunnel another name.
    ///
    /// # Errors
    /// There is no such live tunnel, or the name is taken.
    pub fn rename_tunnel(&self, tunnel: &TunnelId, name: &str) -> Result<(), Error> {
        self.world.change(|state| {
            let account = account_of(state, tunnel)?;
            state.patch_tunnel(&account, tunnel, Some(name.to_owned()), None).map(drop)
        })
    }

    /// Gives a tunnel another secret, base64 of 32 bytes or more. Connections that are up stay up.
    ///
    /// # Errors
    /// There is no such live tunnel, or the secret is none.
    pub fn rotate_secret(&self, tunnel: &TunnelId, secret: &Secret) -> Result<(), Error> {
        self.world.change(|state| {
            let account = account_of(state, tunnel)?;
            state.patch_tunnel(&account, tunnel, None, Some(secret.clone())).map(drop)
        })
    }

    /// Stores a configuration, such as `{"ingress": [{"service": "http_status:404"}]}`. Saving one in the dashboard makes a
    /// `local` tunnel one that is configured at Cloudflare.
    ///
    /// # Errors
    /// There is no such live tunnel, or the document is refused.
    pub fn put_configuration(&self, tunnel: &TunnelId, config: Value) -> Result<(), Error> {
        self.world.change(|state| {
            let account = account_of(state, tunnel)?;
            state.put_configuration(&account, tunnel, config, Timestamp::now())?;
            state.live_tunnel_mut(&account, tunnel)?.source = ConfigSource::Cloudflare;
            Ok(())
        })
    }

    /// Switches a token off or on.
    ///
    /// # Errors
    /// There is no such token.
    pub fn set_token_status(&self, token: &Secret, status: TokenStatus) -> Result<(), Error> {
        self.world.change(|state| {
            state.token_mut(token.expose())?.spec.status = status;
            Ok(())
        })
    }

    /// Gives a token other permissions.
    ///
    /// # Errors
    /// There is no such token.
    pub fn set_token_permissions(&self, token: &Secret, permissions: &[Permission]) -> Result<(), Error> {
        self.world.change(|state| {
            state.token_mut(token.expose())?.spec.permissions = permissions.iter().copied().collect();
            Ok(())
        })
    }

    /// Makes a zone active or pending.
    ///
    /// # Errors
    /// There is no zone of that name.
    pub fn set_zone_status(&self, name: &str, status: ZoneStatus) -> Result<(), Error> {
        self.world.change(|state| {
            let zone = state.zones.values_mut().find(|zone| zone.name == name).ok_or(Error::ZoneNotFound)?;
            zone.status = status;
            state.touch();
            Ok(())
        })
    }
}

fn account_of(state: &State, tunnel: &TunnelId) -> Result<AccountId, Error> {
    state.tunnels.get(tunnel).map(|tunnel| tunnel.account.clone()).ok_or(Error::TunnelNotFound)
}

fn only_record(state: &State, name: &str) -> Result<(ZoneId, RecordId), Error> {
    let zone = state.zone_of(name).ok_or(Error::ZoneNotFound)?;
    let mut records = zone.named(name);
    let record = records.next().ok_or(Error::RecordNotFound)?;
    match records.next() {
        None => Ok((zone.id.clone(), record.id.clone())),
        Some(_) => Err(Error::Invalid(format!("several records have the name \"{name}\""))),
    }
}
