//! Whether this program would start here, and go on with what runs: `adit daemon --check`.
//!
//! It looks at everything that a start needs and changes nothing, so that it can be asked at any time, also beside a running daemon.
//! A package asks the program that it is about to put in the place of another.
//!
//! Root looks with the rights of the daemon's user: what that user may not read would keep the daemon from starting, and what it put
//! into its folders leads root nowhere.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::geteuid;
use serde::Serialize;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    options::{Environment, Options},
    places::{machine_id, state_dir},
    rights, tokens,
};
use crate::{
    command,
    config::{Account, Config, TokenSource},
    control, credential,
    error_text::with_causes,
    intent::{FirstReading, last_accepted},
    name::AccountName,
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

/// How long looking may take. It is done in a moment; a folder that does not answer, or a pipe in the place of a file, must not hold an
/// upgrade for ever.
const LOOKING_TIME_MAX: Duration = Duration::from_secs(30);

/// Looks whether the daemon would start. Root has the rights of the daemon's user afterwards.
pub async fn check(options: Options) -> Check {
    match timeout(LOOKING_TIME_MAX, spawn_blocking(move || look(&options))).await {
        Ok(looked) => looked.expect("looking does not panic"),
        Err(_) => {
            let limit = LOOKING_TIME_MAX.as_secs();
            let problem =
                format!("cannot read what the daemon would read: a file or its file system does not answer within {limit} s");
            Check { problems: vec![problem], ..Check::default() }
        }
    }
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

fn look(options: &Options) -> Check {
    let mut check = Check::default();
    let reading = FirstReading::of(&options.config);
    let state_dir = state_dir(&reading, &options.environment);
    // Before root's rights go: the folders of systemd's credentials are closed to everybody else.
    check.tokens(reading.accounts().filter(|(_, account)| is_of_systemd(account)), &options.environment);
    if let Err(error) = rights::become_daemon(&state_dir) {
        check.problems.push(format!("cannot look with the rights of the daemon's user: {error}"));
        return check;
    }
    let reading = FirstReading::of(&options.config);
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
    if let Some(store) = &store {
        check.rest_of(store, &config);
    }
    check.places(&config, &state_dir);
    check.records(&control::private_folder(&config.daemon.runtime_dir));
    check.binary(&config, &options.environment);
    check.tokens(config.accounts.iter(), &options.environment);
    check
}

fn is_of_systemd(account: &Account) -> bool {
    match account.api_token {
        TokenSource::Credential(_) => true,
        TokenSource::File(_) | TokenSource::Command(_) | TokenSource::Env(_) => false,
    }
}

impl Check {
    fn problem(&mut self, error: &dyn std::error::Error) {
        self.problems.push(with_causes(error));
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

    /// What else is in it that a start reads.
    fn rest_of(&mut self, store: &Store, config: &Config) {
        // All accounts are in one file, so that the first that cannot be read says it for all.
        self.problems.extend(config.accounts.keys().find_map(|account| store.account_id(account).err()));
        // Read only when the files are bad, and replaced by them when they are good.
        let unread = store.accepted().err();
        self.notes.extend(unread.map(|why| format!("the configuration that was accepted last could not be gone back to: {why}")));
    }

    /// Whether tokens are where they should be.
    fn tokens<'a>(&mut self, accounts: impl Iterator<Item = (&'a AccountName, &'a Account)>, environment: &Environment) {
        for (name, account) in accounts {
            let found = credential::find(&tokens::source(&account.api_token, environment));
            let problem = found.err().map(|error| format!("account {name}: {}", with_causes(&error)));
            self.problems.extend(problem.filter(|problem| !self.problems.contains(problem)));
        }
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
        if let Err(error) = process::check_binary(&command::find(&config.cloudflared.binary, environment.path.as_deref())) {
            self.problem(&error);
        }
    }
}
