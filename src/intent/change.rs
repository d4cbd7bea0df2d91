//! Changes that come over the control socket: tunnels of its own, and stops.

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Inner, Intent, blocking};
use crate::{
    config::{self, Config, DefinitionError, Origin, Problems, Source, Tunnel},
    connector::Stop,
    error_text::with_causes,
    event::DaemonEvent,
    failpoint::{self, Point},
    hexadecimal::hexadecimal,
    name::TunnelName,
    store::StoreError,
};

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Something was made that was not there.
    Created,
    /// Something is different from before.
    Updated,
    /// Everything was so already.
    Unchanged,
}

/// Why a change was not made; nothing is different from before.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no tunnel of that name.
    #[error("there is no tunnel {0}")]
    NotFound(TunnelName),
    /// There may be one of that name, and its definition cannot be used.
    #[error("the tunnel {name} is held: {why}")]
    Held {
        /// The tunnel.
        name: TunnelName,
        /// What is wrong with its definition.
        why: String,
    },
    /// There is one, and it is another.
    #[error("there is a tunnel {0} with another definition")]
    Exists(TunnelName),
    /// The tunnel is defined in a file.
    #[error("the tunnel {name} is defined in {origin} and can only be changed there")]
    ReadOnly {
        /// The tunnel.
        name: TunnelName,
        /// Where it is defined.
        origin: Origin,
    },
    /// Somebody else changed it since it was looked at.
    #[error("the tunnel {0} was changed since it was looked at")]
    Stale(TunnelName),
    /// The definition has no form in TOML.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The definition is wrong.
    #[error("{0}")]
    Problems(Problems),
    /// It cannot be kept.
    #[error("{}", with_causes(.0))]
    Store(#[from] StoreError),
}

/// Changes whenever a tunnel's definition does: letters and digits.
pub fn definition_version(tunnel: &Tunnel) -> String {
    version(tunnel)
}

/// Changes whenever what the files say does: letters and digits. Tunnels made over the socket have versions of their own.
pub fn configuration_version(config: &Config) -> String {
    let mut config = config.clone();
    config.tunnels.retain(|_, tunnel| matches!(tunnel.origin, Origin::File(_)));
    version(&config)
}

/// The beginning of the SHA-256 of `value` as JSON.
fn version(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("a configuration is made of strings, numbers, lists and tables");
    hexadecimal(&Sha256::digest(json)[..VERSION_BYTES])
}

/// How much of the digest names a version: enough that two versions of one definition never meet by chance.
const VERSION_BYTES: usize = 12;

impl Intent {
    /// Makes a tunnel, or finds that there is exactly that one already. A definition that cannot be used is replaced.
    ///
    /// # Errors
    ///
    /// When there is another one of that name, when the definition is wrong, or when it cannot be kept.
    pub async fn create(&self, name: TunnelName, definition: Map<String, Value>) -> Result<Changed, ChangeError> {
        self.change(move |inner| {
            let (tunnel, text) = inner.judge(&name, &definition)?;
            match inner.intended.borrow().config.tunnels.get(&name) {
                Some(current) if *current == tunnel => return Ok(Changed::Unchanged),
                Some(_) => return Err(ChangeError::Exists(name)),
                None => {}
            }
            // A stop may have outlived the tunnel that it was for.
            inner.write_stop(&name, None)?;
            inner.store.write_definition(&name, &text)?;
            Ok(Changed::Created)
        })
        .await
    }

    /// Whether [`Intent::create`] would make that tunnel, without making it.
    ///
    /// # Errors
    ///
    /// As for [`Intent::create`], but for what only writing shows.
    pub async fn check(&self, name: TunnelName, definition: Map<String, Value>) -> Result<(), ChangeError> {
        let inner = self.0.clone();
        blocking(move || match inner.intended.borrow().config.tunnels.get(&name) {
            Some(current) if *current != inner.judge(&name, &definition)?.0 => Err(ChangeError::Exists(name)),
            Some(_) => Ok(()),
            None => inner.judge(&name, &definition).map(drop),
        })
        .await
    }

    /// Replaces a tunnel's definition. With `expected`, only when [`definition_version`] of the one that is there is that still.
    ///
    /// # Errors
    ///
    /// When there is no such tunnel, when it is held or defined in a file, when somebody else changed it, when the definition is wrong,
    /// or when it cannot be kept.
    pub async fn replace(
        &self,
        name: TunnelName,
        definition: Map<String, Value>,
        expected: Option<String>,
    ) -> Result<Changed, ChangeError> {
        self.change(move |inner| {
            let current = inner.own(&name, expected.as_deref())?;
            let (tunnel, text) = inner.judge(&name, &definition)?;
            if current == tunnel {
                return Ok(Changed::Unchanged);
            }
            inner.store.write_definition(&name, &text)?;
            Ok(Changed::Updated)
        })
        .await
    }

    /// Removes a tunnel's definition; what it has at Cloudflare is the reconciler's to delete.
    ///
    /// # Errors
    ///
    /// As for [`Intent::replace`].
    pub async fn remove(&self, name: TunnelName, expected: Option<String>) -> Result<Changed, ChangeError> {
        self.change(move |inner| {
            inner.own(&name, expected.as_deref())?;
            inner.store.remove_definition(&name)?;
            failpoint::hit(Point::DefinitionRemoved);
            // It is removed, whatever becomes of its stop.
            if let Err(error) = inner.write_stop(&name, None) {
                inner.events.tell(DaemonEvent::StateNotWritten { error: with_causes(&error) });
            }
            Ok(Changed::Updated)
        })
        .await
    }

    /// Stops a tunnel's connectors until somebody starts them (`Some`), or ends such a stop (`None`).
    ///
    /// # Errors
    ///
    /// When there is no such tunnel, when it is held, or when the stop cannot be kept.
    pub async fn set_stop(&self, name: TunnelName, stop: Option<Stop>) -> Result<Changed, ChangeError> {
        self.change(move |inner| {
            if !inner.intended.borrow().config.tunnels.contains_key(&name) {
                return Err(inner.missing(&name));
            }
            // Whoever stopped first stays the one who stopped.
            if inner.intended.borrow().stops.contains_key(&name) == stop.is_some() {
                return Ok(Changed::Unchanged);
            }
            inner.write_stop(&name, stop)?;
            Ok(Changed::Updated)
        })
        .await
    }

    /// Why no tunnel of this name is wanted: there is none, or it is held.
    pub fn missing(&self, name: &TunnelName) -> ChangeError {
        self.0.missing(name)
    }

    /// One change at a time, where it may block, published before it is answered.
    async fn change(
        &self,
        work: impl FnOnce(&Inner) -> Result<Changed, ChangeError> + Send + 'static,
    ) -> Result<Changed, ChangeError> {
        let _one_at_a_time = self.0.changing.lock().await;
        let inner = self.0.clone();
        blocking(move || {
            let changed = work(&inner)?;
            failpoint::hit(Point::ChangeDurable);
            if changed != Changed::Unchanged {
                inner.publish();
            }
            Ok(changed)
        })
        .await
    }
}

impl Inner {
    /// The tunnel that a definition makes, and the file's text that keeps it.
    fn judge(&self, name: &TunnelName, definition: &Map<String, Value>) -> Result<(Tunnel, String), ChangeError> {
        let text = config::tunnel_toml(name, definition)?;
        let source = Source { path: self.store.definition_path(name), text };
        let config = self.intended.borrow().config.clone();
        if let Some(Tunnel { origin: origin @ Origin::File(_), .. }) = config.tunnels.get(name) {
            return Err(ChangeError::ReadOnly { name: name.clone(), origin: origin.clone() });
        }
        let tunnel = config::parse_tunnel(&source, name, &config).map_err(ChangeError::Problems)?;
        Ok((tunnel, source.text))
    }

    /// The tunnel of that name, if it was made over the socket and is the one that was looked at.
    fn own(&self, name: &TunnelName, expected: Option<&str>) -> Result<Tunnel, ChangeError> {
        let config = self.intended.borrow().config.clone();
        let tunnel = config.tunnels.get(name).ok_or_else(|| self.missing(name))?;
        if let origin @ Origin::File(_) = &tunnel.origin {
            return Err(ChangeError::ReadOnly { name: name.clone(), origin: origin.clone() });
        }
        if expected.is_some_and(|expected| expected != definition_version(tunnel)) {
            return Err(ChangeError::Stale(name.clone()));
        }
        Ok(tunnel.clone())
    }

    fn missing(&self, name: &TunnelName) -> ChangeError {
        match self.intended.borrow().held.get(name) {
            Some(why) => ChangeError::Held { name: name.clone(), why: why.clone() },
            None => ChangeError::NotFound(name.clone()),
        }
    }

    fn write_stop(&self, name: &TunnelName, stop: Option<Stop>) -> Result<(), StoreError> {
        let mut stops = self.intended.borrow().stops.clone();
        let had = stops.contains_key(name);
        match stop {
            Some(stop) => {
                stops.insert(name.clone(), stop);
            }
            None => {
                stops.remove(name);
            }
        }
        if had != stops.contains_key(name) { self.store.write_stops(&stops) } else { Ok(()) }
    }
}
