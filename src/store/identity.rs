//! `install.toml`: which installation this is, and on which machine.

use std::path::Path;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Store, StoreError, durable, versioned};
use crate::record::{InstallId, Seal};

const FILE: &str = "install.toml";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Install {
    id: String,
    /// A hash of the machine's id, which itself is confidential (machine-id(5)).
    machine: Option<String>,
}

/// Reads who we are, or decides it.
pub(super) fn establish(directory: &Path, machine_id: Option<&str>) -> Result<(InstallId, Option<Seal>), StoreError> {
    match known(directory, machine_id) {
        Some(known) => Ok(known),
        None => Ok((create(directory, machine_id)?, None)),
    }
}

/// Reads who we are; `None` where that was never decided.
pub(super) fn known(directory: &Path, machine_id: Option<&str>) -> Option<(InstallId, Option<Seal>)> {
    let path = directory.join(FILE);
    let unreadable = |why: String| {
        let nobody = InstallId::new("00000000").expect("eight digits are an install id");
        Some((nobody, Some(Seal::Unreadable(format!("cannot read {path:?}: {why}")))))
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
    let here = machine_id.map(fingerprint);
    let elsewhere = matches!((&install.machine, &here), (Some(there), Some(here)) if there != here);
    Some((id, elsewhere.then_some(Seal::OtherMachine)))
}

fn has_records(directory: &Path) -> bool {
    durable::list(&directory.join("records"), ".toml").is_ok_and(|records| !records.is_empty())
}

fn create(directory: &Path, machine_id: Option<&str>) -> Result<InstallId, StoreError> {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    let text: String = (0..InstallId::LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
    let id = InstallId::new(&text).expect("the alphabet is an install id's");
    write(directory, &id, machine_id)?;
    Ok(id)
}

fn write(directory: &Path, id: &InstallId, machine_id: Option<&str>) -> Result<(), StoreError> {
    let install = Install { id: id.as_str().to_owned(), machine: machine_id.map(fingerprint) };
    durable::write(&directory.join(FILE), versioned::render(&install).as_bytes())
}

impl Store {
    /// Binds the state to this machine, because the one that it came from is gone. It counts from the next start on.
    ///
    /// # Errors
    ///
    /// When it cannot be written, and when it is not known which installation this is.
    pub fn take_over(&self, machine_id: Option<&str>) -> Result<(), StoreError> {
        match self.seal() {
            None | Some(Seal::OtherMachine) => write(&self.inner.directory, self.install(), machine_id),
            Some(seal @ Seal::Unreadable(_)) => Err(StoreError::Sealed(seal.clone())),
        }
    }
}

/// A hash of the machine's id for this purpose alone, as machine-id(5) asks for.
fn fingerprint(machine_id: &str) -> String {
    let digest = Sha256::digest(format!("adit:{}", machine_id.trim()));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
