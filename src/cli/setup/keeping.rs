//! Where the API token is kept: as a credential that systemd encrypts, or in a file that only the daemon's user may read.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{
    Ending, Failure, Store, fragment,
    host::{Host, Kind},
};
use crate::{
    config::{Config, TokenSource},
    name::AccountName,
    secret::Secret,
};

/// Where a token is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Encrypted by systemd, under this name.
    Credential(String),
    /// In this file.
    File(PathBuf),
}

/// Where a token is to be kept, and why there, when that is not what one would expect.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) target: Target,
    note: Option<String>,
    /// Whether it may be a file instead, when systemd cannot encrypt.
    may_be_file: bool,
}

/// A token as it is written.
pub(super) struct Kept {
    pub(super) target: Target,
    pub(super) path: PathBuf,
    pub(super) content: Zeroizing<Vec<u8>>,
    pub(super) note: Option<String>,
}

impl Target {
    /// How the configuration says it.
    pub(super) fn source(&self) -> TokenSource {
        match self {
            Self::Credential(name) => TokenSource::Credential(name.clone()),
            Self::File(path) => TokenSource::File(path.clone()),
        }
    }
}

/// Decides where the token of an account goes, which may have a place in the configuration already.
///
/// # Errors
///
/// When that place is not one that can be written, or belongs to another account.
pub(super) fn place(host: &Host, store: Store, account: &AccountName, config: &Config) -> Result<Place, Failure> {
    let certain = |target| Place { target, note: None, may_be_file: false };
    let place = match config.accounts.get(account).map(|account| &account.api_token) {
        Some(TokenSource::Credential(name)) => certain(Target::Credential(name.clone())),
        Some(TokenSource::File(path)) => certain(Target::File(path.clone())),
        Some(source @ (TokenSource::Command(_) | TokenSource::Env(_))) => {
            let message = format!("cannot keep a token for account \"{account}\": it comes from {source}");
            return Err(Failure::new(Ending::Conflict, message).with_hint("change it there, or change api_token in its file"));
        }
        None => match (store, obstacle(host)) {
            (Store::File, _) => certain(file(host, account)),
            (Store::Systemd, Some(why)) => {
                let message = format!("cannot keep the token as a systemd credential: {why}");
                return Err(Failure::new(Ending::Failed, message).with_hint("--store file keeps it in a file of mode 0600"));
            }
            (Store::Auto, Some(why)) => {
                let note = (host.kind == Kind::Service).then(|| in_file_because(why));
                Place { note, ..certain(file(host, account)) }
            }
            (Store::Systemd | Store::Auto, None) => {
                let target = Target::Credential(fragment::credential_name(account));
                Place { may_be_file: store == Store::Auto, ..certain(target) }
            }
        },
    };
    let source = place.target.source();
    match config.accounts.iter().find(|(name, other)| *name != account && other.api_token == source) {
        None => Ok(place),
        Some((other, _)) => {
            let message = format!("cannot keep the token of account \"{account}\": {source} is account \"{other}\"'s");
            Err(Failure::new(Ending::Conflict, message).with_hint("--name gives the new account another name"))
        }
    }
}

fn in_file_because(why: &str) -> String {
    format!("the token is kept in a file of mode 0600, because {why}")
}

/// Why systemd cannot keep it.
fn obstacle(host: &Host) -> Option<&'static str> {
    match host.kind {
        Kind::OwnDaemon => Some("only the service adit gets credentials from systemd"),
        Kind::Service if !host.has_systemd => Some("systemd does not run this host"),
        Kind::Service if !host.programs.can_encrypt() => Some("there is no systemd-creds (systemd 250 or later has it)"),
        Kind::Service => None,
    }
}

fn file(host: &Host, account: &AccountName) -> Target {
    Target::File(host.tokens.join(account.as_str()))
}

/// Whether a token is in its place, as far as that is this command's affair.
pub(super) fn is_kept(host: &Host, source: &TokenSource) -> bool {
    match source {
        // systemd takes a plain one as well.
        TokenSource::Credential(name) => {
            let plain = host.encrypted.with_file_name("credstore");
            [&host.encrypted, &plain].iter().any(|folder| folder.join(name).exists())
        }
        TokenSource::File(path) => path.exists(),
        TokenSource::Command(_) | TokenSource::Env(_) => true,
    }
}

/// The token as it is written at its place. Nothing is written yet.
///
/// # Errors
///
/// When systemd cannot encrypt it, and it may not be a file instead.
pub(super) async fn keep(host: &Host, account: &AccountName, place: Place, token: &Secret) -> Result<Kept, Failure> {
    let Place { target, note, may_be_file } = place;
    let in_file = |path: PathBuf, note| {
        let content = Zeroizing::new(format!("{}\n", token.expose()).into_bytes());
        Kept { target: Target::File(path.clone()), path, content, note }
    };
    let name = match target {
        Target::File(path) => return Ok(in_file(path, note)),
        Target::Credential(name) => name,
    };
    match host.programs.encrypt(&name, token).await {
        Ok(encrypted) => {
            let path = host.encrypted.join(&name);
            Ok(Kept { target: Target::Credential(name), path, content: encrypted, note })
        }
        Err(failure) if may_be_file => {
            Ok(in_file(host.tokens.join(account.as_str()), Some(in_file_because(&failure.sentence()))))
        }
        Err(failure) => Err(failure.with_hint("nothing was kept; --store file keeps it in a file of mode 0600")),
    }
}

/// The same for a look at what would be written: nothing is encrypted, and the token is not in it.
pub(super) fn would_keep(host: &Host, place: Place) -> Kept {
    let path = match &place.target {
        Target::Credential(name) => host.encrypted.join(name),
        Target::File(path) => path.clone(),
    };
    Kept { target: place.target, path, content: Zeroizing::default(), note: place.note }
}
