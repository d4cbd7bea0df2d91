//! What of a launch outlives it: enough to compare it with another, and to know what its process still needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BinaryId, Launch, LaunchConfiguration, Transport};
use crate::secret::Secret;

/// A launch in so few bytes that a generation record and every running generation can keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 16]);

/// What the machine needs to know of a launch while its process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFacts {
    /// Two equal launches, and only these, have the same one. The program's path is no part of it.
    pub fingerprint: Fingerprint,
    /// The token's part of it alone, so that a rotation is told from another change.
    pub token: Fingerprint,
    /// The program file, once it is chosen; unknown for a process whose record does not name it.
    #[serde(default)]
    pub binary: Option<BinaryId>,
    /// How long a stopping connector may finish its requests.
    pub grace_period: Duration,
    /// Whether a process is useless before the edge has pushed a configuration to it.
    pub needs_version: bool,
    /// How many connections make it whole.
    pub connections: u8,
    /// Over what it was started, where that is left open. It makes no difference between two launches.
    #[serde(default)]
    pub transport: Transport,
    /// The [number](document_number) of its local configuration, if that is where its rules come from.
    #[serde(default)]
    pub document: Option<i64>,
}

impl LaunchFacts {
    /// The facts of a process of which nobody knows how it was started: no launch equals it, so it is replaced as soon as its
    /// tunnel is known to be wanted. `grace_period` is how long it may finish its requests when it goes.
    pub fn unknown(grace_period: Duration) -> Self {
        let nothing = Digest::new().finish();
        let transport = Transport::AsConfigured;
        Self {
            fingerprint: nothing,
            token: nothing,
            grace_period,
            needs_version: false,
            connections: 1,
            transport,
            binary: None,
            document: None,
        }
    }
}

/// The fingerprint of a connector token, as [`LaunchFacts::token`] has it.
pub fn token_fingerprint(token: &Secret) -> Fingerprint {
    Fingerprint::of(token.expose().as_bytes())
}

impl Launch {
    /// The facts that outlive this launch. Which program file it becomes is decided when it is started.
    pub fn facts(&self) -> LaunchFacts {
        LaunchFacts {
            fingerprint: self.fingerprint(),
            token: token_fingerprint(&self.token),
            binary: None,
            grace_period: self.grace_period,
            needs_version: match self.configuration {
                LaunchConfiguration::Remote => true,
                LaunchConfiguration::Local(_) => false,
            },
            connections: self.connections(),
            transport: self.transport,
            document: match &self.configuration {
                LaunchConfiguration::Remote => None,
                LaunchConfiguration::Local(value) => Some(document_number(value)),
            },
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        // A path names different programs at different times: what runs is told by the file, which has a field of its own.
        let Self {
            account_id,
            tunnel_id,
            token,
            binary: _,
            extra_args,
            env,
            protocol,
            grace_period,
            configuration,
            transport: _,
        } = self;
        let mut digest = Digest::new();
        digest.text("account", account_id.as_str());
        digest.text("tunnel", tunnel_id.as_str());
        digest.text("token", token.expose());
        for argument in extra_args.iter() {
            digest.text("argument", argument);
        }
        for (name, value) in env.iter() {
            digest.text("variable", name);
            digest.text("value", value);
        }
        digest.text("protocol", protocol);
        digest.text("grace", &grace_period.as_millis().to_string());
        match configuration {
            LaunchConfiguration::Remote => digest.text("configuration", "remote"),
            // serde_json keeps objects sorted by key, so equal values have equal text.
            LaunchConfiguration::Local(value) => digest.text("local", &value.to_string()),
        }
        digest.finish()
    }

    /// Four, unless the operator's arguments say otherwise (`--ha-connections`, cloudflared's hidden flag; 0 acts as 1).
    fn connections(&self) -> u8 {
        let mut arguments = self.extra_args.iter();
        while let Some(argument) = arguments.next() {
            let Some(rest) = argument.strip_prefix("--ha-connections") else { continue };
            let value = match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if rest.is_empty() => arguments.next().map(String::as_str),
                None => None,
            };
            if let Some(connections) = value.and_then(|value| value.parse::<u8>().ok()) {
                return connections.max(1);
            }
        }
        CONNECTIONS
    }
}

/// What a local configuration is known by where a remote one has its version: always below zero, so that neither is taken for the
/// other, and the same for equal documents alone.
pub fn document_number(document: &serde_json::Value) -> i64 {
    let mut digest = Digest::new();
    digest.text("local", &document.to_string());
    let mut number = [0; 8];
    number.copy_from_slice(&digest.finish().0[..8]);
    -(i64::from_be_bytes(number) & i64::MAX) - 1
}

/// How many connections cloudflared holds to the edge by itself.
const CONNECTIONS: u8 = 4;

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        let mut digest = Digest::new();
        digest.part("", bytes);
        digest.finish()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = u128::from_str_radix(&text, 16)
            .map_err(|_| format!("cannot read the launch hash {text:?}: it is not hexadecimal"))?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        format!("{:032x}", u128::from_be_bytes(fingerprint.0))
    }
}

/// Hashes parts so that no two different lists of parts look the same: each goes in with its name and length.
struct Digest(Sha256);

impl Digest {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn text(&mut self, name: &str, text: &str) {
        self.part(name, text.as_bytes());
    }

    fn part(&mut self, name: &str, bytes: &[u8]) {
        self.0.update(name.as_bytes());
        self.0.update([0]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> Fingerprint {
        let hash = self.0.finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        Fingerprint(short)
    }
}

#[cfg(test)]
mod tests {
    use crate::connector::testing::launch;

    #[test]
    fn any_difference_between_two_launches_shows_in_their_fingerprints() {
        let base = launch();
        let mut others = vec![base.clone(); 5];
        others[0].extra_args = ["--region".into(), "us".into()].into();
        others[1].extra_args = ["--regionus".into()].into();
        others[2].token = crate::secret::Secret::new("another");
        others[3].grace_period *= 2;
        others[4].configuration = super::LaunchConfiguration::Local(serde_json::json!({ "ingress": [] }));
        let mut seen = std::collections::BTreeSet::from([String::from(base.facts().fingerprint)]);
        for other in &others {
            assert!(seen.insert(other.facts().fingerprint.into()), "{other:?}");
        }
        assert_eq!(base.facts(), launch().facts());
    }

    #[test]
    fn what_adit_chose_itself_is_no_difference_between_two_launches() {
        let (base, mut over_http2) = (launch(), launch());
        over_http2.transport = super::Transport::Http2;
        assert_eq!(base.facts().fingerprint, over_http2.facts().fingerprint);
        assert_eq!(over_http2.facts().transport, super::Transport::Http2);
    }

    #[test]
    fn a_rotated_token_is_told_from_another_change() {
        let (base, mut rotated, mut changed) = (launch(), launch(), launch());
        rotated.token = crate::secret::Secret::new("another");
        changed.protocol = "http2".to_owned();
        assert_ne!(base.facts().token, rotated.facts().token);
        assert_eq!(base.facts().token, changed.facts().token);
    }

    #[test]
    fn the_number_of_connections_follows_the_operators_arguments() {
        for (arguments, connections) in [
            (vec![], 4),
            (vec!["--ha-connections", "2"], 2),
            (vec!["--ha-connections=8"], 8),
            (vec!["--ha-connections", "0"], 1),
            (vec!["--ha-connections"], 4),
        ] {
            let mut launch = launch();
            launch.extra_args = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            assert_eq!(launch.facts().connections, connections, "{arguments:?}");
        }
    }
}
