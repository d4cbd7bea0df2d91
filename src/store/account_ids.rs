//! `accounts.toml`: the id of each account, pinned when it was first used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, durable, versioned};
use crate::{id::AccountId, name::AccountName};

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    accounts: BTreeMap<String, AccountId>,
}

impl Store {
    /// The id that was pinned for an account; `None` before its first use.
    ///
    /// # Errors
    ///
    /// In one sentence why it cannot be read.
    pub fn account_id(&self, account: &AccountName) -> Result<Option<AccountId>, String> {
        Ok(self.read_account_ids()?.accounts.remove(account.as_str()))
    }

    /// The accounts that are pinned to this id.
    ///
    /// # Errors
    ///
    /// In one sentence why they cannot be read.
    pub fn accounts_pinned_to(&self, id: &AccountId) -> Result<Vec<AccountName>, String> {
        let pinned = self.read_account_ids()?.accounts.into_iter().filter(|(_, pinned)| pinned == id);
        Ok(pinned.filter_map(|(name, _)| name.parse().ok()).collect())
    }

    /// Pins the id of an account.
    ///
    /// # Errors
    ///
    /// When it cannot be written, and when the others cannot be read: they are left as they are.
    pub fn pin_account_id(&self, account: &AccountName, id: &AccountId) -> Result<(), StoreError> {
        self.check_writable()?;
        let path = self.path("accounts.toml");
        let mut written = self.read_account_ids().map_err(|why| StoreError::Held { path: path.clone(), why })?;
        written.accounts.insert(account.to_string(), id.clone());
        durable::write(&path, versioned::render(&written).as_bytes())
    }

    fn read_account_ids(&self) -> Result<Written, String> {
        let path = self.path("accounts.toml");
        let text = durable::read(&path).map_err(|error| format!("cannot read {path:?}: {error}"))?;
        let Some(text) = text else { return Ok(Written::default()) };
        versioned::parse(&text).map_err(|why| format!("cannot read {path:?}: {why}"))
    }
}
