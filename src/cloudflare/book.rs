//! What a credential has spent, kept for the next daemon: one that crashes again and again must not exceed the budget, nor forget that
//! Cloudflare asked for a pause.
//!
//! A small file in the runtime directory. A reboot, which takes longer than a burst lasts, voids it by the boot's id. Its times are
//! those of the clock that counts from the boot, so that no step of the wall clock matters. It names the credential by a fingerprint:
//! another one has a budget of its own.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pacer::Spent;
use crate::{
    boot,
    hexadecimal::hexadecimal,
    secret::Secret,
    whole_file::{self, Keep},
};

/// The version of the file. One of another version is taken for one that cannot be read.
const VERSION: u32 = 1;

/// The largest file that is read; what is written has some 200 bytes.
const FILE_MAX: u64 = 4 * 1024;

/// Where one credential's spending is kept.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    pub(super) boot_id: String,
}

/// Which credential it is, without telling what it is: the first 64 bits of a SHA-256 over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialId(pub(super) String);

/// What was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing, or nothing that counts any more.
    Nothing,
    /// This.
    Spent(Spent),
    /// Something that cannot be read.
    Unreadable,
}

#[derive(Serialize, Deserialize)]
struct Page {
    credential: CredentialId,
    /// Milliseconds since the boot until which requests are spent.
    spent_until: u64,
    /// Milliseconds since the boot until which nothing is sent.
    blocked_until: u64,
}

impl CredentialId {
    pub(super) fn of(token: &Secret) -> Self {
        let digest = Sha256::new().chain_update(b"adit budget\0").chain_update(token.expose()).finalize();
        Self(hexadecimal(&digest[..8]))
    }
}

impl Book {
    /// A book at `path`. `None` where the kernel does not say which boot this is: then nothing is kept.
    pub(super) fn open(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), boot_id: boot::id().ok()? })
    }

    /// What an earlier daemon kept of this credential.
    pub(super) fn read(&self, credential: &CredentialId) -> Kept {
        let page = match whole_file::read(&self.path, FILE_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::Nothing,
            read => read.ok().and_then(|bytes| boot::parse::<Page>(VERSION, &self.boot_id, &bytes).ok()),
        };
        let Some(page) = page else { return Kept::Unreadable };
        let Some(page) = page.filter(|page| page.credential == *credential) else { return Kept::Nothing };
        let now = boot::age();
        let left = |until: u64| Duration::from_millis(until).saturating_sub(now);
        Kept::Spent(Spent { ahead: left(page.spent_until), blocked: left(page.blocked_until) })
    }

    /// Keeps what is spent.
    pub(super) fn write(&self, credential: &CredentialId, spent: Spent) -> io::Result<()> {
        let now = boot::age();
        let until = |left: Duration| u64::try_from((now + left).as_millis()).unwrap_or(u64::MAX);
        let (spent_until, blocked_until) = (until(spent.ahead), until(spent.blocked));
        let page = Page { credential: credential.clone(), spent_until, blocked_until };
        whole_file::replace(&self.path, &boot::render(VERSION, &self.boot_id, page), Keep::ThisBoot)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn credential(token: &str) -> CredentialId {
        CredentialId::of(&Secret::new(token))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_was_written_is_read_again_by_the_same_credential_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("budget/default.json");
        let book = Book::open(&path).unwrap();
        assert_eq!(book.read(&credential("one")), Kept::Nothing);
        book.write(&credential("one"), Spent { ahead: seconds(7), blocked: seconds(120) }).unwrap();
        let Kept::Spent(spent) = Book::open(&path).unwrap().read(&credential("one")) else { panic!("it was kept") };
        assert!(spent.ahead <= seconds(7) && spent.ahead > seconds(5), "{spent:?}");
        assert!(spent.blocked <= seconds(120) && spent.blocked > seconds(115), "{spent:?}");
        assert_eq!(book.read(&credential("another")), Kept::Nothing);
    }

    #[test]
    fn another_boot_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.json");
        let before = Book { path: path.clone(), boot_id: "an earlier one".to_owned() };
        before.write(&credential("one"), Spent { ahead: seconds(7), blocked: seconds(120) }).unwrap();
        assert_eq!(Book::open(&path).unwrap().read(&credential("one")), Kept::Nothing);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_from_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.json");
        let book = Book::open(&path).unwrap();
        for text in ["", "{", "{\"version\":2}", "[]", &"x".repeat(5_000)] {
            fs::write(&path, text).unwrap();
            assert_eq!(book.read(&credential("one")), Kept::Unreadable, "{text:.20}");
        }
    }

    #[test]
    fn the_token_is_not_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.json");
        Book::open(&path).unwrap().write(&credential("canary"), Spent { ahead: seconds(1), blocked: seconds(0) }).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("canary"));
    }
}
