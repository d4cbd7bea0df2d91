//! Arguments that several commands have.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use clap::Args;

use super::when::duration;

/// Waiting for what was asked for.
#[derive(Debug, Clone, Args)]
pub(super) struct Wait {
    /// Wait until it has come true, and tell on stderr how it goes.
    #[arg(long)]
    pub(super) wait: bool,
    /// How long to wait at most.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration, requires = "wait")]
    pub(super) timeout: Duration,
}

/// Consent to what cannot be taken back.
#[derive(Debug, Clone, Args)]
pub(super) struct Yes {
    /// Do it without asking.
    #[arg(short, long)]
    pub(super) yes: bool,
}

/// The main configuration file of the package's unit.
pub(super) const MAIN_FILE: &str = "/etc/adit/adit.toml";

/// The configuration on this host's disk.
#[derive(Debug, Clone, Args)]
pub(super) struct Files {
    /// The main file; every *.toml in the folder conf.d beside it belongs to it.
    #[arg(long = "config", value_name = "FILE", default_value = MAIN_FILE)]
    pub(super) main: PathBuf,
}

/// An ingress rule.
#[derive(Debug, Clone, Args)]
pub(super) struct Rule {
    /// The hostname that leads to the tunnel, such as app.example.com or *.dev.example.com.
    #[arg(long)]
    pub(super) hostname: Option<String>,
    /// Where requests go, such as http://localhost:8080 or unix:/run/app.sock.
    #[arg(long)]
    pub(super) service: Option<String>,
    /// Only requests whose path matches this regular expression.
    #[arg(long, value_name = "REGEX")]
    pub(super) path: Option<String>,
    /// Make no DNS record for the hostname.
    #[arg(long, requires = "hostname")]
    pub(super) no_dns: bool,
}

impl Rule {
    /// The rule in the configuration's grammar; `None` when nothing of it was given.
    pub(super) fn value(&self) -> Option<serde_json::Value> {
        let mut rule = serde_json::Map::new();
        let texts = [("hostname", &self.hostname), ("path", &self.path), ("service", &self.service)];
        rule.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?.into()))));
        if self.no_dns {
            rule.insert("dns".to_owned(), false.into());
        }
        (!rule.is_empty()).then_some(rule.into())
    }
}

/// How many are asked for.
///
/// # Errors
///
/// The rule that it breaks.
pub(super) fn count(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| format!("it must be a number from 1 to {}", u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_told_its_bounds() {
        assert_eq!(count("7").map(u16::from), Ok(7));
        for text in ["0", "-1", "x", "70000"] {
            assert_eq!(count(text).unwrap_err(), "it must be a number from 1 to 65535", "{text}");
        }
    }
}
