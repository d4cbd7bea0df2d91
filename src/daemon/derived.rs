//! What follows from the configuration for parts that do not know it, as it changes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use super::tokens::Tokens;
use crate::{
    command,
    config::{Config, TokenSource},
    desired::Intended,
    supervisor::Supervisor,
};

/// What they go by.
pub(super) struct Derived {
    /// `cloudflared` as an absolute path.
    pub(super) binary: watch::Sender<Arc<Path>>,
    /// Where it is asked whether Cloudflare's edge can be reached.
    pub(super) edge_probe: watch::Sender<Vec<String>>,
    /// The files that secrets lie in, which no connector may open.
    pub(super) secrets: watch::Sender<Vec<PathBuf>>,
    /// On which programs are looked up.
    path: Option<String>,
}

impl Derived {
    /// What follows from `config`. Programs are looked up on `path`.
    pub(super) fn of(config: &Config, path: Option<String>) -> Self {
        Self {
            binary: watch::Sender::new(command::find(&config.cloudflared.binary, path.as_deref()).into()),
            edge_probe: watch::Sender::new(config.cloudflared.edge_probe.clone()),
            secrets: watch::Sender::new(secret_files(config)),
            path,
        }
    }

    /// Takes over every change of the configuration, for the tokens and the roll-out of another cloudflared, too.
    pub(super) async fn follow(self, mut intended: watch::Receiver<Arc<Intended>>, tokens: Tokens, supervisor: Supervisor) {
        while intended.changed().await.is_ok() {
            let config = intended.borrow_and_update().config.clone();
            self.secrets.send_replace(secret_files(&config));
            tokens.follow(&config);
            supervisor.observe_for(config.cloudflared.canary_period);
            self.edge_probe.send_replace(config.cloudflared.edge_probe.clone());
            let found = command::find(&config.cloudflared.binary, self.path.as_deref());
            self.binary.send_if_modified(|current| {
                let changed = **current != *found;
                if changed {
                    *current = found.into();
                }
                changed
            });
        }
    }
}

/// The files that API tokens and the webhook's secret lie in. Landlock cannot close a file in `/etc` without closing what is replaced
/// there while connectors run, above all `/etc/resolv.conf`.
fn secret_files(config: &Config) -> Vec<PathBuf> {
    let tokens = config.accounts.values().map(|account| &account.api_token);
    let sources = tokens.chain(config.hooks.webhook.iter().map(|webhook| &webhook.secret));
    let file = |source: &TokenSource| match source {
        TokenSource::File(path) if !path.starts_with("/etc") => Some(path.clone()),
        TokenSource::File(_) | TokenSource::Credential(_) | TokenSource::Command(_) | TokenSource::Env(_) => None,
    };
    sources.filter_map(file).collect()
}
