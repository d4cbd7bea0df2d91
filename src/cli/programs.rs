//! Running systemd's programs, with a secret only on their standard input.

use std::time::Duration;

use crate::{
    cli::Failure,
    command::{Output, Printed, Program},
    secret::Secret,
};

/// How long a program may take. Starting the service takes as long as systemd waits for it (90 s); a TPM takes seconds.
const TIME_MAX: Duration = Duration::from_secs(150);

/// The most that a program may print, in bytes. A token that is encrypted has some 1,000.
const OUTPUT_MAX: usize = 64 * 1024;

/// The programs that are run, looked up once.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    systemctl: Program,
    systemd_creds: Program,
}

impl Programs {
    /// Those on this `PATH`.
    pub(super) fn on(path: Option<&str>) -> Self {
        let find = |name: &str| Program::of_host(name, path, TIME_MAX);
        Self { systemctl: find("systemctl"), systemd_creds: find("systemd-creds") }
    }

    /// Whether there is a `systemd-creds`: systemd 250 is the first that has it.
    pub(super) fn can_encrypt(&self) -> bool {
        self.systemd_creds.is_found()
    }

    /// What `systemctl` prints.
    pub(super) async fn systemctl(&self, arguments: &[&str]) -> Result<String, Failure> {
        let printed = run(&self.systemctl, arguments, &[]).await?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// The token as an encrypted credential of this name, which only this host can read.
    pub(super) async fn encrypt(&self, name: &str, token: &Secret) -> Result<Printed, Failure> {
        run(&self.systemd_creds, &["encrypt", &format!("--name={name}"), "-", "-"], token.expose().as_bytes()).await
    }
}

async fn run(program: &Program, arguments: &[&str], input: &[u8]) -> Result<Printed, Failure> {
    let ran = program.run(arguments, input, Output::UpTo(OUTPUT_MAX)).await;
    ran.map_err(|failure| Failure::of(failure).while_doing(format!("cannot run {} {}", program.name(), arguments.join(" "))))
}
