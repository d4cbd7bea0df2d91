//! The host that is set up: where things go, and who may read them.

use std::path::{Path, PathBuf, absolute};

use nix::unistd::{Gid, Uid, User, geteuid};

use super::Failure;
use crate::{
    cli::{Ending, arguments::MAIN_FILE, programs::Programs},
    daemon::{DAEMON_USER, Environment},
};

/// Whose daemon is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The package's unit.
    Service,
    /// One that the caller starts: nothing of systemd is touched.
    OwnDaemon,
}

/// Where things go.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) kind: Kind,
    /// The main configuration file.
    pub(super) main: PathBuf,
    /// The folder of tokens in plain files.
    pub(super) tokens: PathBuf,
    /// Where systemd looks for encrypted credentials.
    pub(super) encrypted: PathBuf,
    /// The folder of the unit's drop-ins.
    pub(super) drop_ins: PathBuf,
    /// Whether systemd runs this host.
    pub(super) has_systemd: bool,
    /// Whose a plain token file must be, if not the caller's.
    pub(super) daemon: Option<(Uid, Gid)>,
    pub(super) programs: Programs,
    /// `PATH`, on which cloudflared is looked up.
    pub(super) path: Option<String>,
}

impl Host {
    /// The host as its caller sees it; `main` is the main configuration file that was named.
    ///
    /// # Errors
    ///
    /// When the caller may not set the unit up, or there is no user that it could run as.
    pub(super) fn of(main: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let path = environment.path.clone();
        let programs = Programs::on(path.as_deref());
        match main.filter(|main| *main != Path::new(MAIN_FILE)) {
            Some(main) => Self::of_own_daemon(main, programs, path),
            None => Self::of_service(programs, path),
        }
    }

    fn of_service(programs: Programs, path: Option<String>) -> Result<Self, Failure> {
        if !geteuid().is_root() {
            let message = "cannot set up the service adit: it takes root, for files in /etc and for systemctl";
            let hint = "sudo adit setup; for a daemon that you start yourself: adit setup --config ./adit.toml";
            return Err(Failure::new(Ending::NotPermitted, message).with_hint(hint));
        }
        let Some(user) = User::from_name(DAEMON_USER).map_err(|error| Failure::of(std::io::Error::from(error)))? else {
            let message = format!("cannot set up the service adit: there is no user \"{DAEMON_USER}\" that it could run as");
            return Err(Failure::new(Ending::Failed, message).with_hint("install the package; from a checkout: systemd-sysusers"));
        };
        Ok(Self {
            kind: Kind::Service,
            main: PathBuf::from(MAIN_FILE),
            tokens: PathBuf::from("/etc/adit/credentials"),
            encrypted: PathBuf::from("/etc/credstore.encrypted"),
            drop_ins: PathBuf::from("/etc/systemd/system/adit.service.d"),
            has_systemd: Path::new("/run/systemd/system").is_dir(),
            daemon: Some((user.uid, user.gid)),
            programs,
            path,
        })
    }

    fn of_own_daemon(main: &Path, programs: Programs, path: Option<String>) -> Result<Self, Failure> {
        let main = absolute(main)?;
        let folder = main.parent().unwrap_or(Path::new("/"));
        Ok(Self {
            kind: Kind::OwnDaemon,
            tokens: folder.join("credentials"),
            encrypted: folder.join("credstore.encrypted"),
            drop_ins: folder.join("adit.service.d"),
            has_systemd: false,
            daemon: None,
            programs,
            path,
            main,
        })
    }
}
