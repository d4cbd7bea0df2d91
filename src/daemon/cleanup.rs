//! What is left when the unit is stopped and the daemon could not end it: `adit daemon-cleanup`, the unit's `ExecStopPost=`.
//!
//! systemd runs it after every end of the daemon. Connectors are to survive all but one of these ends, so nothing is inferred from
//! markers, exit codes or `$SERVICE_RESULT` (which says the same of a stop and of a restart): systemd is asked which job the unit
//! has. Only a `stop` lets leftovers be killed. When systemd cannot be asked, nothing is done.

use std::{io, path::PathBuf, time::Duration};

use tokio::task::spawn_blocking;

use super::{options::Environment, rights::become_owner};
use crate::{
    command::{self, Output, Program},
    control,
    process::{self, Leftovers},
};

/// How long systemd may take to say which jobs there are. It does at once; one that hangs is one that cannot be asked.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// The most that systemd may say, in bytes: some 10,000 jobs.
const ANSWER_MAX: usize = 1024 * 1024;

/// How long processes that were killed may take to be gone. The kernel needs milliseconds; one that waits for a disk needs longer.
const END_TIME_MAX: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// The unit has another job than a stop, or none: connectors are left to the next daemon.
    NotStopping {
        /// The kind of the unit's job.
        job: Option<String>,
    },
    /// The unit is being stopped.
    Stopping(Leftovers),
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// systemd gave no answer.
    #[error("cannot ask systemd whether {unit} is being stopped, so its connectors are left alone")]
    Unasked {
        /// The unit.
        unit: String,
        /// Why not.
        source: command::Failure,
    },
    /// The daemon's processes could not be looked at.
    #[error("cannot look for what the daemon left in {folder:?}")]
    Unseen {
        /// The private folder of its runtime directory.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Ends what a daemon with one of these runtime directories left running, if systemd is stopping `unit`. It gives up root's rights
/// for those of the daemon's user before it reads what that user wrote.
///
/// # Errors
///
/// When systemd or the processes could not be asked about. Nothing is killed then.
pub async fn clean_up(unit: &str, runtime_dirs: &[PathBuf], environment: &Environment) -> Result<Cleanup, CleanupError> {
    let systemctl = Program::of_host("systemctl", environment.path.as_deref(), ANSWER_TIME_MAX);
    let question = ["list-jobs", "--no-legend", "--no-pager", "--plain", "--full"];
    let unasked = |source| CleanupError::Unasked { unit: unit.to_owned(), source };
    let jobs = systemctl.run(&question, &[], Output::UpTo(ANSWER_MAX)).await.map_err(unasked)?;
    let jobs = String::from_utf8_lossy(&jobs);
    let job = job_of(unit, &jobs);
    if job != Some("stop") {
        return Ok(Cleanup::NotStopping { job: job.map(str::to_owned) });
    }
    let mut all = Leftovers::default();
    for runtime_dir in runtime_dirs {
        let folder = control::private_folder(runtime_dir);
        if !folder.exists() {
            continue;
        }
        let unseen = |source| CleanupError::Unseen { folder: folder.clone(), source };
        // What is read there decides which processes are killed: with that user's rights it reaches none that the user could not have
        // killed.
        become_owner(&folder).map_err(unseen)?;
        let private = folder.clone();
        let leftovers = spawn_blocking(move || process::end_leftovers(&private, END_TIME_MAX)).await;
        let leftovers = leftovers.expect("looking at processes does not panic").map_err(unseen)?;
        all.ended.extend(leftovers.ended);
        all.left.extend(leftovers.left);
    }
    Ok(Cleanup::Stopping(all))
}

/// The kind of the unit's job in lines such as `1234 adit.service stop running`.
fn job_of<'a>(unit: &str, jobs: &'a str) -> Option<&'a str> {
    jobs.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        (words.next()? == unit).then_some(words.next()?)
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process};

    use super::*;

    #[test]
    fn only_the_units_own_job_counts() {
        let jobs = "101 other.service stop running\n102 adit.service restart running\n\n7 torn\n";
        assert_eq!(job_of("adit.service", jobs), Some("restart"));
        assert_eq!(job_of("other.service", jobs), Some("stop"));
        for unit in ["it.service", "adit", "torn", "stop", ""] {
            assert_eq!(job_of(unit, jobs), None, "{unit}");
        }
        assert_eq!(job_of("adit.service", "No jobs running.\n"), None);
    }

    /// A folder with a `systemctl` of this script. It is written by another process, or the kernel might refuse to execute it.
    fn systemctl(script: &str) -> (tempfile::TempDir, Environment) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("systemctl");
        let written = process::Command::new("/bin/sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\"", "sh"])
            .arg(&path)
            .arg(script)
            .status();
        assert!(written.unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        (directory, Environment::new([("PATH".to_owned(), path)].into_iter()))
    }

    #[tokio::test]
    async fn nothing_is_done_unless_systemd_says_stop() {
        let runtime = tempfile::tempdir().unwrap();
        let folders = [runtime.path().to_owned()];
        let (_folder, environment) = systemctl("echo 5 adit.service restart running");
        let cleanup = clean_up("adit.service", &folders, &environment).await.unwrap();
        assert_eq!(cleanup, Cleanup::NotStopping { job: Some("restart".to_owned()) });
        let (_folder, environment) = systemctl("true");
        let cleanup = clean_up("adit.service", &folders, &environment).await.unwrap();
        assert_eq!(cleanup, Cleanup::NotStopping { job: None });
        let (_folder, environment) = systemctl("echo 5 adit.service stop running");
        let cleanup = clean_up("adit.service", &folders, &environment).await.unwrap();
        assert_eq!(cleanup, Cleanup::Stopping(Leftovers::default()));
    }

    #[tokio::test]
    async fn a_systemd_that_cannot_be_asked_is_told() {
        let (_folder, environment) = systemctl("echo no bus >&2; exit 1");
        let error = clean_up("adit.service", &[], &environment).await.unwrap_err();
        assert!(error.to_string().contains("so its connectors are left alone"), "{error}");
        assert!(std::error::Error::source(&error).unwrap().to_string().ends_with("no bus"), "{error:?}");
    }
}
