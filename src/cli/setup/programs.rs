//! Running systemd's programs: with a cleared environment, a limit of time, and a secret only on their standard input.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::{cli::Failure, daemon::find_program, secret::Secret};

/// How long a program may take. Starting the service takes as long as systemd waits for it (90 s); a TPM takes seconds.
const TIME_MAX: Duration = Duration::from_secs(150);

/// The programs that are run, looked up once.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    systemctl: PathBuf,
    systemd_creds: PathBuf,
    path: Option<String>,
}

impl Programs {
    /// Those on this `PATH`.
    pub(super) fn on(path: Option<&str>) -> Self {
        let find = |name: &str| find_program(Path::new(name), path);
        Self { systemctl: find("systemctl"), systemd_creds: find("systemd-creds"), path: path.map(str::to_owned) }
    }

    /// Whether there is a `systemd-creds`: systemd 250 is the first that has it.
    pub(super) fn can_encrypt(&self) -> bool {
        self.systemd_creds.is_absolute()
    }

    /// What `systemctl` prints.
    pub(super) async fn systemctl(&self, arguments: &[&str]) -> Result<String, Failure> {
        let printed = self.run(&self.systemctl, arguments, None).await?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// The token as an encrypted credential of this name, which only this host can read.
    pub(super) async fn encrypt(&self, name: &str, token: &Secret) -> Result<Vec<u8>, Failure> {
        self.run(&self.systemd_creds, &["encrypt", &format!("--name={name}"), "-", "-"], Some(token)).await
    }

    async fn run(&self, program: &Path, arguments: &[&str], input: Option<&Secret>) -> Result<Vec<u8>, Failure> {
        let called = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
        let doing = format!("cannot run {called} {}", arguments.join(" "));
        let failed = |error: io::Error| Failure::of(error).while_doing(doing.clone());
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.path.as_ref().map(|path| ("PATH", path))).current_dir("/");
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let ending = async {
            if let (Some(secret), Some(mut stdin)) = (input, child.stdin.take()) {
                // It is shorter than what a pipe holds. A program that does not read it says why by how it ends.
                let _ = stdin.write_all(secret.expose().as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = timeout(TIME_MAX, ending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
        Err(failed(io::Error::other(format!("{}: {why}", output.status))))
    }
}
