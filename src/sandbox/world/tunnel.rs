//! Tunnels: made, renamed, configured, deleted.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    configuration,
    connection::{Connector, TunnelStatus},
    document::Collection,
    error::Error,
    state::{State, new_uuid},
};
use crate::{
    id::{AccountId, ConnectorId, TunnelId},
    name::is_uuid_shaped,
    secret::Secret,
};

/// How many live tunnels an account can have ("Account limits" of Cloudflare One).
const TUNNELS_MAX: usize = 1_000;

/// The shortest tunnel secret, in bytes.
const SECRET_BYTES_MIN: usize = 32;

/// Where a tunnel's configuration lives (`config_src`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfigSource {
    /// In a file beside cloudflared; what is stored at Cloudflare is not sent to it.
    Local,
    /// At Cloudflare.
    Cloudflare,
}

impl ConfigSource {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Cloudflare => "cloudflare",
        }
    }
}

/// One version of a tunnel's stored configuration.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// 1 for the first, one more for each `PUT`.
    pub(crate) version: i64,
    pub(crate) document: Value,
    pub(crate) saved: Timestamp,
}

/// A tunnel, live or deleted.
#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    pub(crate) id: TunnelId,
    pub(crate) account: AccountId,
    pub(crate) name: String,
    /// Base64 of the secret, as it was given.
    pub(crate) secret: Secret,
    pub(crate) source: ConfigSource,
    pub(crate) created: Timestamp,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) configuration: Option<Configuration>,
    pub(crate) connectors: BTreeMap<ConnectorId, Connector>,
    /// Since when there has been a connection without a gap.
    pub(crate) active_since: Option<Timestamp>,
    /// Since when there has been none, after there was one.
    pub(crate) inactive_since: Option<Timestamp>,
    /// The place in the order of creation.
    pub(crate) number: u64,
}

/// What a tunnel is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewTunnel {
    pub(crate) name: String,
    pub(crate) source: ConfigSource,
    /// Base64 of 32 bytes or more; made up when left out.
    pub(crate) secret: Option<Secret>,
}

/// Whether deleting a tunnel also drops its connections and private routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cascade {
    Yes,
    No,
}

impl Tunnel {
    pub(crate) fn is_live(&self) -> bool {
        self.deleted.is_none()
    }

    /// The connector token: base64 of a JSON object with the account, the tunnel and the secret.
    pub(crate) fn token(&self) -> String {
        let token = json!({ "a": self.account, "t": self.id, "s": self.secret.expose() });
        BASE64_STANDARD.encode(token.to_string())
    }

    /// Whether `secret` (base64) decodes to this tunnel's secret.
    pub(crate) fn has_secret(&self, secret: &str) -> bool {
        let own = BASE64_STANDARD.decode(self.secret.expose());
        own.is_ok() && own.ok() == BASE64_STANDARD.decode(secret).ok()
    }

    pub(crate) fn status(&self) -> TunnelStatus {
        TunnelStatus::of(self)
    }
}

impl State {
    pub(crate) fn create_tunnel(&mut self, account: &AccountId, new: NewTunnel, now: Timestamp) -> Result<&Tunnel, Error> {
        self.check_tunnel_name(account, &new.name, None)?;
        if let Some(secret) = &new.secret {
            check_secret(secret)?;
        }
        if self.tunnels.values().filter(|tunnel| tunnel.account == *account && tunnel.is_live()).count() >= TUNNELS_MAX {
            return Err(Error::Quota { what: "tunnels", max: TUNNELS_MAX });
        }
        let id: TunnelId = new_uuid().parse().expect("a UUID is an identifier");
        let tunnel = Tunnel {
            id: id.clone(),
            account: account.clone(),
            name: new.name,
            secret: new.secret.unwrap_or_else(random_secret),
            source: new.source,
            created: now,
            deleted: None,
            configuration: None,
            connectors: BTreeMap::new(),
            active_since: None,
            inactive_since: None,
            number: self.next_number(),
        };
        self.touch();
        Ok(self.tunnels.entry(id).or_insert(tunnel))
    }

    /// Any tunnel of the account, deleted ones included.
    pub(crate) fn tunnel(&self, account: &AccountId, id: &TunnelId) -> Result<&Tunnel, Error> {
        self.tunnels.get(id).filter(|tunnel| tunnel.account == *account).ok_or(Error::TunnelNotFound)
    }

    /// A tunnel of the account that is not deleted.
    pub(crate) fn live_tunnel(&self, account: &AccountId, id: &TunnelId) -> Result<&Tunnel, Error> {
        self.tunnel(account, id).and_then(|tunnel| if tunnel.is_live() { Ok(tunnel) } else { Err(Error::TunnelNotFound) })
    }

    pub(crate) fn live_tunnel_mut(&mut self, account: &AccountId, id: &TunnelId) -> Result<&mut Tunnel, Error> {
        self.live_tunnel(account, id)?;
        self.tunnels.get_mut(id).ok_or(Error::TunnelNotFound)
    }

    /// Gives a tunnel another name, another secret, or both. Connections that are up stay up.
    pub(crate) fn patch_tunnel(
        &mut self,
        account: &AccountId,
        id: &TunnelId,
        name: Option<String>,
        secret: Option<Secret>,
    ) -> Result<&Tunnel, Error> {
        self.live_tunnel(account, id)?;
        if let Some(name) = &name {
            self.check_tunnel_name(account, name, Some(id))?;
        }
        if let Some(secret) = &secret {
            check_secret(secret)?;
        }
        self.touch();
        let tunnel = self.live_tunnel_mut(account, id)?;
        tunnel.name = name.unwrap_or_else(|| tunnel.name.clone());
        tunnel.secret = secret.unwrap_or_else(|| tunnel.secret.clone());
        Ok(tunnel)
    }

    pub(crate) fn delete_tunnel(
        &mut self,
        account: &AccountId,
        id: &TunnelId,
        cascade: Cascade,
        now: Timestamp,
    ) -> Result<&Tunnel, Error> {
        let has_connections = !self.live_tunnel(account, id)?.connectors.is_empty();
        let routes: Vec<(Collection, String)> = self.routes_of(account, id);
        match cascade {
            Cascade::No if has_connections => return Err(Error::TunnelHasConnections),
            Cascade::No if !routes.is_empty() => return Err(Error::TunnelHasRoutes),
            Cascade::No | Cascade::Yes => {}
        }
        for (collection, route) in routes {
            self.documents.mark_deleted(collection, account.as_str(), &route, now);
        }
        self.touch();
        let tunnel = self.live_tunnel_mut(account, id)?;
        tunnel.drop_connectors(None, now);
        tunnel.deleted = Some(now);
        Ok(tunnel)
    }

    /// Stores a configuration as a new version. One that is stored for a `local` tunnel does not reach its connectors.
    pub(crate) fn put_configuration(
        &mut self,
        account: &AccountId,
        id: &TunnelId,
        document: Value,
        now: Timestamp,
    ) -> Result<&Tunnel, Error> {
        self.live_tunnel(account, id)?;
        let document = configuration::checked(document)?;
        self.touch();
        let tunnel = self.live_tunnel_mut(account, id)?;
        let version = tunnel.configuration.as_ref().map_or(0, |configuration| configuration.version) + 1;
        tunnel.configuration = Some(Configuration { version, document, saved: now });
        Ok(tunnel)
    }

    fn check_tunnel_name(&self, account: &AccountId, name: &str, own: Option<&TunnelId>) -> Result<(), Error> {
        if name.is_empty() || is_uuid_shaped(name) {
            return Err(Error::Invalid("name must not be empty or look like a UUID".to_owned()));
        }
        let taken =
            |tunnel: &&Tunnel| tunnel.account == *account && tunnel.is_live() && tunnel.name == name && Some(&tunnel.id) != own;
        if self.tunnels.values().any(|tunnel| taken(&tunnel)) { Err(Error::TunnelNameTaken) } else { Ok(()) }
    }
}

fn check_secret(secret: &Secret) -> Result<(), Error> {
    match BASE64_STANDARD.decode(secret.expose()) {
        Ok(bytes) if bytes.len() >= SECRET_BYTES_MIN => Ok(()),
        Ok(_) | Err(_) => Err(Error::Invalid(format!("tunnel_secret must be base64 of at least {SECRET_BYTES_MIN} bytes"))),
    }
}

fn random_secret() -> Secret {
    Secret::new(BASE64_STANDARD.encode(rand::random::<[u8; SECRET_BYTES_MIN]>()))
}
