//! Whether this program would start here, and go on with what runs: `adit daemon --check`.
//!
//! It looks at everything that a start needs and changes nothing, so that it can be asked at any time, also beside a running daemon.
//! A package asks the program that it is about to put in the place of another.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::{
    binary,
    options::{Environment, Options},
    run::{DEFAULT_STATE_DIR, machine_id},
    tokens,
};
use crate::{
    config::Config,
    control, credential,
    intent::{FirstReading, last_accepted},
    process::{self, readable_records},
    store::Store,
};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Check {
    /// Everything that would keep the daemon from starting, or from running what it should; one sentence each.
    pub problems: Vec<String>,
    /// What is unusual, and would not keep it.
    pub notes: Vec<String>,
    /// How many tunnels it would run.
    pub tunnels: usize,
    /// How many running connectors it would look for by their records.
    pub records: usize,
}

/// Looks whether the daemon would start.
pub async fn check(options: Options) -> Check {
    spawn_blocking(move || look(&options)).await.expect("looking does not panic")
}

/// The runtime directories in which a daemon with these files may have run: by the files, by what was accepted last, and by systemd.
pub fn runtime_dirs(main: &Path, environment: &Environment) -> Vec<PathBuf> {
    let reading = FirstReading::of(main);
    let by_files = reading.runtime_dir();
    let store = Store::look(&state_dir(&reading, environment), machine_id().as_deref()).ok().flatten();
    let accepted = store.and_then(|store| last_accepted(&store));
    let by_accepted = accepted.map(|config| config.daemon.runtime_dir);
    let mut folders: Vec<PathBuf> =
        by_files.into_iter().chain(by_accepted).chain(environment.runtime_directory.clone()).collect();
    folders.sort();
    folders.dedup();
    folders
}

fn state_dir(reading: &FirstReading, environment: &Environment) -> PathBuf {
    let state_dir = reading.state_dir().or_else(|| environment.state_directory.clone());
    state_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_STATE_DIR))
}

fn look(options: &Options) -> Check {
    let mut check = Check::default();
    let reading = FirstReading::of(&options.config);
    let state_dir = state_dir(&reading, &options.environment);
    let store = check.store(&state_dir);
    let config = match reading.would_run(store.as_ref()) {
        Ok(would_run) => {
            check.notes.extend(would_run.refused.iter().map(|problem| format!("the files would not be in force: {problem}")));
            check.problems.extend(would_run.unreadable);
            let held = would_run.intended.held.iter();
            check.problems.extend(held.map(|(tunnel, why)| format!("cannot read what tunnel {tunnel} should be: {why}")));
            would_run.intended.config
        }
        Err(nothing) => {
            check.problems.extend(nothing.problems().iter().cloned());
            return check;
        }
    };
    check.tunnels = config.tunnels.len();
    check.places(&config, &state_dir);
    check.records(&control::private_folder(&config.daemon.runtime_dir));
    check.binary(&config, &options.environment);
    for (name, account) in &config.accounts {
        let found = credential::find(&tokens::source(&account.api_token, &options.environment));
        check.problems.extend(found.err().map(|error| format!("account {name}: {error}")));
    }
    check
}

impl Check {
    fn problem(&mut self, error: &dyn std::error::Error) {
        self.problems.push(process::with_cause(error));
    }

    /// The state directory, as far as it can be read.
    fn store(&mut self, state_dir: &Path) -> Option<Store> {
        let store = match Store::look(state_dir, machine_id().as_deref()) {
            Ok(store) => store?,
            Err(error) => {
                self.problem(&error);
                return None;
            }
        };
        self.problems.extend(store.seal().map(|seal| format!("cannot use {state_dir:?}: {seal}")));
        match store.records() {
            Ok(records) => {
                let held = records.held.iter();
                self.problems.extend(held.map(|(tunnel, why)| format!("cannot use the record of tunnel {tunnel}: {why}")));
            }
            Err(error) => self.problem(&error),
        }
        Some(store)
    }

    /// The folders of the runtime directory and of the socket.
    fn places(&mut self, config: &Config, state_dir: &Path) {
        // Who asks may be root. The daemon is the user whose state it is.
        let daemon = fs::metadata(state_dir).map_or_else(|_| geteuid().as_raw(), |metadata| metadata.uid());
        for obstacle in control::obstacles(&config.daemon.runtime_dir, &config.control.socket, daemon) {
            self.problem(&obstacle);
        }
    }

    /// The records of running connectors: one that cannot be read would be a connector that is not adopted.
    fn records(&mut self, private: &Path) {
        match readable_records(private) {
            Ok(records) => {
                self.records = records.readable;
                let unreadable = records.unreadable.iter();
                self.problems
                    .extend(unreadable.map(|(path, why)| format!("cannot adopt the connector of record {path:?}: {why}")));
            }
            Err(error) => self.problems.push(format!("cannot list the records of running connectors in {private:?}: {error}")),
        }
    }

    fn binary(&mut self, config: &Config, environment: &Environment) {
        if let Err(error) = process::check_binary(&binary::resolve(&config.cloudflared.binary, environment.path.as_deref())) {
            self.problem(&error);
        }
    }
}
