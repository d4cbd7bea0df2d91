//! `install.toml`: which installation this is, and on which machine.

use std::{fs, path::Path, sync::PoisonError};

use jiff::Timestamp;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Standing, Store, StoreError, durable, versioned};
use crate::{
    hexadecimal::hexadecimal,
    record::{InstallId, Seal},
};

const FILE: &str = "install.toml";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Install {
    id: String,
    /// A hash of the machine's id, which itself is confidential (machine-id(5)).
    machine: Option<String>,
    /// Since when it is of that machine.
    #[serde(default)]
    since: Option<Timestamp>,
    /// A hash of the id: every marker at Cloudflare has the id in it, so that it must not be changed by hand.
    #[serde(default)]
    check: Option<String>,
}

/// Reads who we are, or decides it.
pub(super) fn establish(directory: &Path, machine_id: Option<&str>) -> Result<Standing, StoreError> {
    match known(directory, machine_id) {
        Some(known) => Ok(known),
        None => {
            let (install, since) = (fresh_id(), Timestamp::now());
            write(directory, &install, machine_id, since)?;
            Ok(Standing { install, seal: None, since: Some(since) })
        }
    }
}

/// Reads who we are; `None` where that was never decided.
pub(super) fn known(directory: &Path, machine_id: Option<&str>) -> Option<Standing> {
    let path = directory.join(FILE);
    let unreadable = |why: String| {
        let nobody = InstallId::new("00000000").expect("eight digits are an install id");
        let seal = Some(Seal::Unreadable(format!("cannot read {path:?}: {why}")));
        Some(Standing { install: nobody, seal, since: None })
    };
    let text = match durable::read(&path) {
        Ok(Some(text)) => text,
        // Made anew it would be another installation, and everything that is on record somebody else's.
        Ok(None) if has_records(directory) => return unreadable("it is missing, and there are records of tunnels".to_owned()),
        Ok(None) => return None,
        Err(error) => return unreadable(error.to_string()),
    };
    let install: Install = match versioned::parse(&text) {
        Ok(install) => install,
        Err(why) => return unreadable(why),
    };
    let Some(id) = InstallId::new(&install.id) else { return unreadable("its id is not eight of a-z and 0-9".to_owned()) };
    if install.check.is_some_and(|check| check != hash_of_id(&id)) {
        let why = format!(
            "its id was changed by hand to {:?}, and everything at Cloudflare carries the one before (put that back)",
            id.as_str()
        );
        return unreadable(why);
    }
    let here = machine_id.map(fingerprint);
    let elsewhere = matches!((&install.machine, &here), (Some(there), Some(here)) if there != here);
    Some(Standing { install: id, seal: elsewhere.then_some(Seal::OtherMachine), since: install.since })
}

fn has_records(directory: &Path) -> bool {
    durable::list(&directory.join("records"), ".toml").is_ok_and(|records| !records.is_empty())
}

fn fresh_id() -> InstallId {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    let text: String = (0..InstallId::LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
    InstallId::new(&text).expect("the alphabet is an install id's")
}

fn write(directory: &Path, id: &InstallId, machine_id: Option<&str>, since: Timestamp) -> Result<(), StoreError> {
    let machine = machine_id.map(fingerprint);
    let install = Install { id: id.as_str().to_owned(), machine, since: Some(since), check: Some(hash_of_id(id)) };
    durable::write(&directory.join(FILE), versioned::render(&install).as_bytes())
}

impl Store {
    /// Binds the state to this machine, because the one that it came from is gone. From then on it may be written.
    ///
    /// # Errors
    ///
    /// When it cannot be written, and when it is not known which installation this is.
    pub(super) fn take_over(&self, machine_id: Option<&str>) -> Result<(), StoreError> {
        let standing = self.standing();
        if let Some(seal @ Seal::Unreadable(_)) = standing.seal {
            return Err(StoreError::Sealed(seal));
        }
        self.become_of(standing.install, machine_id)
    }

    /// Becomes another installation that has made nothing. What was on record is set aside, in this order: what it was is copied,
    /// its records go there, and last the id changes, so that a crash in between leaves state that is still sealed.
    ///
    /// # Errors
    ///
    /// When something cannot be written or moved.
    pub(super) fn begin_anew(&self, machine_id: Option<&str>) -> Result<(), StoreError> {
        let old = self.standing().install;
        let aside = self.path("set-aside").join(format!("{}-{}", old.as_str(), Timestamp::now().as_millisecond()));
        durable::make_directory(&aside)?;
        if let Ok(Some(text)) = durable::read(&self.path(FILE)) {
            durable::write(&aside.join(FILE), text.as_bytes())?;
        }
        let (from, to) = (self.path("records"), aside.join("records"));
        if from.exists() {
            fs::rename(&from, &to).map_err(|error| StoreError::io("set aside", &from, error))?;
        }
        for folder in [aside.as_path(), self.inner.directory.as_path()] {
            durable::sync_directory(folder)?;
        }
        self.become_of(fresh_id(), machine_id)
    }

    fn become_of(&self, install: InstallId, machine_id: Option<&str>) -> Result<(), StoreError> {
        let since = Timestamp::now();
        write(&self.inner.directory, &install, machine_id, since)?;
        *self.inner.standing.write().unwrap_or_else(PoisonError::into_inner) =
            Standing { install, seal: None, since: Some(since) };
        Ok(())
    }
}

/// A hash of the id, to notice that somebody changed it.
fn hash_of_id(id: &InstallId) -> String {
    hexadecimal(&Sha256::digest(format!("adit-install:{}", id.as_str()))[..4])
}

/// A hash of the machine's id for this purpose alone, as machine-id(5) asks for.
fn fingerprint(machine_id: &str) -> String {
    hexadecimal(&Sha256::digest(format!("adit:{}", machine_id.trim()))[..16])
}
