//! How the daemon was called, and what of its environment it goes by.

use std::{collections::BTreeMap, path::PathBuf};

use super::{descriptor_store::PassedDescriptors, logging::LogSettings};
use crate::secret::Secret;

/// How `adit daemon` was called.
#[derive(Debug, Clone)]
pub struct Options {
    /// The main configuration file.
    pub config: PathBuf,
    /// The environment, read once when the program started.
    pub environment: Environment,
}

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `CREDENTIALS_DIRECTORY`: where systemd put the unit's credentials.
    pub credentials_directory: Option<PathBuf>,
    /// Whether the program runs as a systemd unit (`INVOCATION_ID`).
    pub under_systemd: bool,
    /// `STATE_DIRECTORY`: where the unit keeps its state, for a start without a readable configuration.
    pub state_directory: Option<PathBuf>,
    /// `RUNTIME_DIRECTORY`: where the unit keeps what only this boot needs.
    pub runtime_directory: Option<PathBuf>,
    /// `PATH`, on which `cloudflared` is looked up.
    pub path: Option<String>,
    /// `TERM`: which terminal there is.
    pub terminal: Option<String>,
    /// The locale that decides about characters: the first of `LC_ALL`, `LC_CTYPE` and `LANG` that has a value.
    pub locale: Option<String>,
    /// What decides about logging.
    pub log: LogSettings,
    /// What systemd says about descriptors.
    pub passed: PassedDescriptors,
    /// Every variable, for tokens that are given in one. Empty under systemd, where none may be.
    variables: BTreeMap<String, Secret>,
}

impl Environment {
    /// Takes in the variables of this process.
    pub fn new(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut variables: BTreeMap<String, Secret> = variables.map(|(name, value)| (name, Secret::new(value))).collect();
        let text = |name: &str| variables.get(name).map(|value| value.expose().to_owned());
        let log = LogSettings { filter: text("ADIT_LOG"), journal_stream: text("JOURNAL_STREAM") };
        let credentials_directory = text("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let state_directory = text("STATE_DIRECTORY").map(PathBuf::from);
        let runtime_directory = text("RUNTIME_DIRECTORY").map(PathBuf::from);
        let path = text("PATH");
        let terminal = text("TERM");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(text).find(|value| !value.is_empty());
        let passed = PassedDescriptors {
            notify_socket: text("NOTIFY_SOCKET"),
            pid: text("LISTEN_PID"),
            count: text("LISTEN_FDS"),
            names: text("LISTEN_FDNAMES"),
        };
        let under_systemd = variables.contains_key("INVOCATION_ID");
        if under_systemd {
            variables.clear();
        }
        Self {
            credentials_directory,
            under_systemd,
            state_directory,
            runtime_directory,
            path,
            terminal,
            locale,
            log,
            passed,
            variables,
        }
    }

    /// Whether the locale's characters are more than ASCII.
    pub fn is_unicode(&self) -> bool {
        let locale = self.locale.as_deref().unwrap_or_default().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    /// The value of the variable `name`.
    pub(super) fn variable(&self, name: &str) -> Option<Secret> {
        self.variables.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_first_locale_with_a_value_decides_about_characters() {
        for (variables, unicode) in [
            (vec![], false),
            (vec![("LANG", "de_DE.UTF-8")], true),
            (vec![("LANG", "C.utf8"), ("LC_ALL", "")], true),
            (vec![("LANG", "de_DE.UTF-8"), ("LC_CTYPE", "C")], false),
            (vec![("LANG", "C"), ("LC_CTYPE", "C"), ("LC_ALL", "en_US.UTF-8")], true),
        ] {
            assert_eq!(environment(&variables).is_unicode(), unicode, "{variables:?}");
        }
    }

    #[test]
    fn no_token_comes_from_the_environment_of_a_unit() {
        let alone = environment(&[("CLOUDFLARE_API_TOKEN", "hunter2")]);
        assert_eq!(alone.variable("CLOUDFLARE_API_TOKEN"), Some(Secret::new("hunter2")));
        let unit = environment(&[("CLOUDFLARE_API_TOKEN", "hunter2"), ("INVOCATION_ID", "1")]);
        assert!(unit.under_systemd);
        assert_eq!(unit.variable("CLOUDFLARE_API_TOKEN"), None);
    }
}
