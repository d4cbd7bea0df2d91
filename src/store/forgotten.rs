//! `forgotten/NAME.toml`: what a tunnel that is ours no longer has at Cloudflare, so that it can be found again.

use std::path::PathBuf;

use super::{Store, StoreError, durable, versioned};
use crate::{name::TunnelName, record::Forgotten};

impl Store {
    /// What is known of a tunnel that was given up. A note that cannot be read is none: it is only a help.
    pub fn forgotten(&self, name: &TunnelName) -> Option<Forgotten> {
        let text = durable::read(&self.forgotten_path(name)).ok()??;
        versioned::parse(&text).ok()
    }

    /// Keeps what a tunnel has that is being given up.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn note_forgotten(&self, name: &TunnelName, forgotten: &Forgotten) -> Result<(), StoreError> {
        self.check_writable()?;
        durable::write(&self.forgotten_path(name), versioned::render(forgotten).as_bytes())
    }

    /// Drops the note: the tunnel is ours again.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn drop_forgotten(&self, name: &TunnelName) -> Result<(), StoreError> {
        self.check_writable()?;
        durable::remove(&self.forgotten_path(name))
    }

    fn forgotten_path(&self, name: &TunnelName) -> PathBuf {
        self.path("forgotten").join(format!("{name}.toml"))
    }
}
