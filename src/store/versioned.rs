//! State files that say which version of Adit's format they have.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// The version that this release writes. A release reads the versions up to its own.
const VERSION: i64 = 1;

/// The text of a state file: its version, then `content`.
pub(super) fn render<T: Serialize>(content: &T) -> Zeroizing<String> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        version: i64,
        #[serde(flatten)]
        content: &'a T,
    }
    let text = toml::to_string(&Versioned { version: VERSION, content }).expect("state is made of strings, numbers and tables");
    Zeroizing::new(text)
}

/// The content of a state file, or in one sentence why it cannot be trusted.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // A parser's message may quote the line, and a line may hold a secret.
    let mut table: toml::Table = text.parse().map_err(|_| "it is torn: not whole TOML".to_owned())?;
    match table.remove("version") {
        Some(toml::Value::Integer(VERSION)) => {}
        Some(toml::Value::Integer(version)) if version > VERSION => {
            return Err(format!("a newer release of adit wrote it (version {version}, this one knows {VERSION})"));
        }
        Some(_) | None => return Err("it is not adit's: it has no version".to_owned()),
    }
    table.try_into().map_err(|_| "it is not adit's: a key is missing, unknown or of another kind".to_owned())
}
