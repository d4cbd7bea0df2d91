//! The daemon's life: its start, its end, and the end of everything with it.

use std::{
    fs::{self, OpenOptions, Permissions},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use adit::control::api::State;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

use super::{
    Ended, Host,
    look::{LOOK_EVERY, PATIENCE},
    processes::{self, PROGRAM},
    unit::Unit,
};

/// How often it is looked for processes that are left, at the end of a test. A process that was killed is gone by the second look.
const ROUNDS_MAX: usize = 1_000;

impl Host {
    /// Starts the daemon and waits until it answers.
    pub(crate) async fn start(&self) {
        self.start_with(&[]).await;
    }

    /// The same, with more variables in its environment.
    pub(crate) async fn start_with(&self, variables: &[(&str, &Path)]) {
        self.launch_with(variables);
        self.until("the daemon answers", async |host| host.client.version().await.is_ok()).await;
    }

    /// Starts the daemon without waiting for it.
    pub(crate) fn launch(&self) {
        self.launch_with(&[]);
    }

    /// The same, with more variables in its environment.
    pub(crate) fn launch_with(&self, variables: &[(&str, &Path)]) {
        assert!(self.daemon.borrow().is_none(), "a daemon runs already");
        self.manager.forget();
        let daemon = self.daemon_command(variables).spawn().unwrap();
        self.daemon.replace(Some(daemon));
    }

    /// `adit daemon` in an environment that has no more than systemd's would.
    pub(crate) fn daemon_command(&self, variables: &[(&str, &Path)]) -> Command {
        // Made before the runtime directory is asked for, as systemd makes it.
        fs::create_dir_all(self.path("run")).unwrap();
        fs::set_permissions(self.path("run"), Permissions::from_mode(0o755)).unwrap();
        let log = OpenOptions::new().append(true).create(true).open(self.path("daemon.log")).unwrap();
        let mut command = self.unit.borrow().as_ref().map_or_else(|| Command::new(PROGRAM), Unit::command);
        command
            .args(["daemon", "--config"])
            .arg(self.path("adit.toml"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("NOTIFY_SOCKET", self.path("notify.sock"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// The number of the daemon's process.
    pub(crate) fn daemon_pid(&self) -> u32 {
        self.daemon.borrow().as_ref().expect("a daemon was started").id()
    }

    /// Starts a daemon that is expected to end by itself.
    pub(crate) async fn start_in_vain(&self) -> Ended {
        self.start_in_vain_with(&[]).await
    }

    /// The same, with more variables in its environment.
    pub(crate) async fn start_in_vain_with(&self, variables: &[(&str, &Path)]) -> Ended {
        let logged = self.log().len();
        self.launch_with(variables);
        let code = self.ended().await;
        Ended { code, stdout: String::new(), stderr: self.log().split_off(logged) }
    }

    /// Waits until the daemon has ended, and gives its exit code.
    pub(crate) async fn ended(&self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.daemon_status() {
                break status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end\n{}", self.log_tail());
            sleep(LOOK_EVERY).await;
        };
        self.daemon.replace(None);
        status.code()
    }

    /// How the daemon ended, if it has.
    pub(crate) fn daemon_status(&self) -> Option<ExitStatus> {
        self.daemon.borrow_mut().as_mut()?.try_wait().unwrap()
    }

    /// Stops the daemon as systemd does, and gives its exit code.
    pub(crate) async fn terminate(&self) -> Option<i32> {
        processes::signal(self.daemon_pid(), Signal::SIGTERM);
        self.ended().await
    }

    /// Kills a tunnel's first connector, and waits until another is ready in its place.
    pub(crate) async fn kill_connector(&self, tunnel: &str) {
        let killed = self.connector(tunnel).await;
        processes::signal(killed.pid.unwrap(), Signal::SIGKILL);
        self.until("another is in its place", async |host| {
            let connector = host.connector(tunnel).await;
            connector.generation > killed.generation && connector.state == State::Ready
        })
        .await;
    }

    /// Forgets a daemon that has ended.
    pub(crate) fn forget_daemon(&self) {
        self.daemon.replace(None);
    }

    /// Whether a daemon was started that was not seen to end.
    pub(crate) fn has_daemon(&self) -> bool {
        self.daemon.borrow().is_some()
    }

    /// Ends the daemon with SIGKILL.
    pub(crate) fn kill(&self) {
        let mut daemon = self.daemon.take().expect("a daemon was started");
        daemon.kill().unwrap();
        assert_eq!(daemon.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // First the daemon, or it would start again what is ended here; its connectors outlive it by design.
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for _ in 0..ROUNDS_MAX {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for process in left {
                // One that has ended meanwhile is fine.
                let _ = kill(Pid::from_raw(process.pid as i32), Signal::SIGKILL);
            }
        }
    }
}
