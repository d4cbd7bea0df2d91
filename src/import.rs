//! What people have from cloudflared, in the words of Adit's configuration: a pure translation.
//!
//! ```text
//!  config.yml ─▶ yaml (a tree with lines) ─▶ translate ─▶ Translation { definition, left out }
//! ```
//!
//! Nothing is dropped in silence: every key is translated, or named as left out with the reason, or refused where leaving it out
//! would let more through than before.

mod duration;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod keys;
mod origin_request;
mod translate;
mod unit;
mod yaml;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::name::{TunnelName, is_uuid_shaped};

pub use translate::translate;
pub use unit::{EnvironmentFile, InstalledService, ServiceTunnel, UnitError, installed_service, token_in};

/// The configuration file that cloudflared reads when it is told of no other.
pub const CONFIG_FILE: &str = "/etc/cloudflared/config.yml";

/// The largest file that is read, in bytes: a thousand rules with all their settings fit several times.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A cloudflared configuration in Adit's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The tunnel as the file names it: its id, or the name that it has at Cloudflare.
    pub tunnel: Option<String>,
    /// The path of the file with the tunnel's credentials, as written.
    pub credentials_file: Option<String>,
    /// The tunnel's definition in the grammar of `[tunnels.NAME]`. [`crate::config`] has the last word on it.
    pub definition: Map<String, Json>,
    /// What is not in the definition.
    pub left_out: Vec<Remark>,
}

/// Something about one key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The line, counted from 1.
    pub line: usize,
    /// The key with dots, as in `ingress[0].originRequest.ipRules`; empty for the file as a whole.
    pub key: String,
    /// What is with it: lower case, without a full stop.
    pub why: String,
}

/// Why a file cannot be translated: everything that is wrong with it, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Vec<Remark>);

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.why)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, remark) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{remark}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// The name in Adit for a tunnel that is called `text` elsewhere; `None` when nothing of it can be used, as of an id.
pub fn tunnel_name(text: &str) -> Option<TunnelName> {
    /// The longest name that Adit takes.
    const LENGTH_MAX: usize = 40;
    if is_uuid_shaped(text) {
        return None;
    }
    let mut name = String::new();
    for char in text.chars().map(|char| char.to_ascii_lowercase()) {
        if char.is_ascii_lowercase() || char.is_ascii_digit() {
            name.push(char);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(LENGTH_MAX);
    name.trim_end_matches('-').parse().ok()
}
