//! Where secrets come from: API tokens and signing secrets from outside, connector tokens and tunnel secrets from within.
//!
//! What comes from outside is one line of text in a systemd credential, a file, the output of a command or an environment variable.
//! Whatever could let someone else read or replace it is refused, with what to do about it; no error ever shows the text.

mod command;
mod connector_token;
mod file;
mod find;
mod text;

use std::{fmt, io, path::PathBuf, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};

use crate::secret::Secret;

pub use self::connector_token::{ConnectorToken, ConnectorTokenError, connector_token, new_tunnel_secret, parse_connector_token};
pub use self::find::find;

/// How long reading a file may take: a file on a network file system that does not answer must not hold its reader for ever.
const FILE_WITHIN: Duration = Duration::from_secs(10);

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential {
        /// `$CREDENTIALS_DIRECTORY`, as systemd gave it.
        directory: Option<PathBuf>,
        /// The credential's name: a file's name within it.
        name: String,
    },
    /// A file of ours or of root, that nobody else can read.
    File(PathBuf),
    /// A program with its arguments, which prints the secret. No shell is involved.
    Command(Vec<String>),
    /// An environment variable, outside of systemd only: an environment is easy to read and hard to change.
    Environment {
        /// The variable's name.
        name: String,
        /// What it held when the program started.
        value: Option<Secret>,
        /// Whether the program runs as a systemd unit.
        under_systemd: bool,
    },
}

impl Source {
    /// Whether another reading may give another secret without a restart of the program.
    pub fn may_change(&self) -> bool {
        match self {
            Self::File(_) | Self::Command(_) => true,
            Self::Credential { .. } | Self::Environment { .. } => false,
        }
    }
}

/// Why there is no secret. The text says what to do, and never holds the secret.
#[derive(Debug)]
pub struct CredentialError {
    what: &'static str,
    from: String,
    reason: String,
    source: Option<io::Error>,
}

/// Reads an API token.
///
/// A systemd credential is a copy that systemd makes when the unit starts; the other sources may give another token each
/// time. A command has 10 seconds, and is killed when its reader stops waiting.
///
/// # Errors
///
/// When there is no token, when others could read or replace it, or when what is there cannot be a token.
pub async fn read(source: &Source) -> Result<Secret, CredentialError> {
    read_as(source, "the API token", text::token).await
}

/// Reads a secret that something is signed with: at least 16 characters of ASCII.
///
/// # Errors
///
/// As for a token.
pub async fn read_signing_secret(source: &Source) -> Result<Secret, CredentialError> {
    read_as(source, "the signing secret", text::signing_secret).await
}

async fn read_as(
    source: &Source,
    what: &'static str,
    parse: fn(&[u8]) -> Result<Secret, &'static str>,
) -> Result<Secret, CredentialError> {
    let bytes = match source {
        Source::Credential { directory, name } => {
            match check_name(name).and(directory.as_ref().ok_or_else(|| no_directory(name))) {
                // Its mode is systemd's affair: 0400, or 0440 with an access list for the unit's user.
                Ok(directory) => on_files(directory.join(name), file::read_any).await,
                Err(refusal) => Err(refusal),
            }
        }
        Source::File(path) => on_files(path.clone(), file::read_private).await,
        Source::Command(argv) => command::run(argv).await,
        Source::Environment { value, under_systemd, .. } => {
            environment_value(value.as_ref(), *under_systemd).map(|value| value.expose().as_bytes().to_vec().into())
        }
    };
    let secret = bytes.and_then(|bytes| parse(&bytes).map_err(Refusal::new));
    secret.map_err(|refusal| refusal.of(what, source))
}

fn check_name(credential: &str) -> Result<(), Refusal> {
    if matches!(credential, "" | "." | "..") || credential.contains(['/', '\0']) {
        return Err(Refusal::new("a credential's name is a file's name, without slashes"));
    }
    Ok(())
}

fn no_directory(name: &str) -> Refusal {
    Refusal::new(format!(
        "systemd gave no credentials directory; the unit needs LoadCredential={name}:PATH or LoadCredentialEncrypted={name}:PATH"
    ))
}

fn environment_value(value: Option<&Secret>, under_systemd: bool) -> Result<&Secret, Refusal> {
    if under_systemd {
        return Err(Refusal::new("systemd shows a unit's environment to everyone; use a credential, a file or a command there"));
    }
    value.ok_or_else(|| Refusal::new("it is not set"))
}

/// The token in what somebody gave: one line, of the characters that tokens have.
///
/// # Errors
///
/// Which rule is broken, as in "it is empty"; never by what.
pub fn api_token(bytes: &[u8]) -> Result<Secret, &'static str> {
    text::token(bytes)
}

/// What was wrong with one source.
struct Refusal {
    reason: String,
    source: Option<io::Error>,
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), source: None }
    }

    fn caused(reason: impl Into<String>, source: io::Error) -> Self {
        Self { reason: reason.into(), source: Some(source) }
    }

    /// Why there is no such secret at `source`.
    fn of(self, what: &'static str, source: &Source) -> CredentialError {
        CredentialError { what, from: source.to_string(), reason: self.reason, source: self.source }
    }
}

/// A secret before it is checked; wiped when dropped.
type Bytes = zeroize::Zeroizing<Vec<u8>>;

async fn on_files(path: PathBuf, read: fn(PathBuf) -> Result<Bytes, Refusal>) -> Result<Bytes, Refusal> {
    match timeout(FILE_WITHIN, spawn_blocking(move || read(path))).await {
        Ok(result) => result.expect("reading a file does not panic"),
        Err(_) => Err(Refusal::new(format!("its file system does not answer within {} s", FILE_WITHIN.as_secs()))),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential { name, .. } => write!(formatter, "the systemd credential {name:?}"),
            Self::File(path) => write!(formatter, "the file {path:?}"),
            // The arguments may hold more than anyone should see.
            Self::Command(argv) => write!(formatter, "the command {:?}", argv.first().map_or("", String::as_str)),
            Self::Environment { name, .. } => write!(formatter, "the environment variable {name:?}"),
        }
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot read {} from {}: {}", self.what, self.from, self.reason)
    }
}

impl std::error::Error for CredentialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests;
