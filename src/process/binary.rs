//! The cloudflared binary: whether it can be used, which file it is, and when another one takes its place.
//!
//! This file judges: a binary can be used when it is there, may be executed, says its version, and is not too old.

mod held;
mod places;
mod watch;

pub(super) use held::Access;
pub use held::HeldBinary;
pub use watch::{BinaryWatch, Inspection};

use std::{
    fmt,
    io::{self, Read},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};

use crate::{
    connector::{Reason, SpawnFailure},
    error_text::with_causes,
};

/// cloudflared's version: year, month, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The year.
    pub year: u16,
    /// The month, or what was counted up within the year.
    pub month: u16,
    /// The patch.
    pub patch: u16,
}

/// The first version with `--token-file`, JSON logs and nothing that a supervisor trips over (`facts/cloudflared.md` 11).
const VERSION_MIN: Version = Version { year: 2025, month: 6, patch: 1 };
/// `version --short` takes 45 ms; a binary that takes this long hangs, or its disk does.
const VERSION_TIME_MAX: Duration = Duration::from_secs(10);
/// No version is longer, in bytes.
const VERSION_TEXT_MAX: usize = 256;

/// Why a binary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// It is not there, or the way to it is barred.
    #[error("cannot find the cloudflared binary {path:?} (install cloudflared, or set [cloudflared] binary)")]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Why it is not.
        source: io::Error,
    },
    /// It is there and is no program.
    #[error("cannot execute the cloudflared binary {path:?}: it is no executable file")]
    NotExecutable {
        /// What is no program.
        path: PathBuf,
    },
    /// It did not say its version.
    #[error("cannot ask the cloudflared binary {path:?} for its version")]
    Silent {
        /// What was run.
        path: PathBuf,
        /// Why that failed.
        source: io::Error,
    },
    /// It said something else.
    #[error("cannot read the version of the cloudflared binary {path:?}: it says {text:?} (expected such as 2026.8.0)")]
    Unknown {
        /// What was run.
        path: PathBuf,
        /// What it said.
        text: String,
    },
    /// It lacks what Adit needs.
    #[error("cannot use the cloudflared binary {path:?}: its version {version} is older than {VERSION_MIN}")]
    TooOld {
        /// What was run.
        path: PathBuf,
        /// What it is.
        version: Version,
    },
}

/// Runs `path version --short` and judges it. It blocks, for at most ten seconds.
pub fn check_binary(path: &Path) -> Result<Version, BinaryError> {
    let own = || path.to_owned();
    let metadata = std::fs::metadata(path).map_err(|source| BinaryError::Missing { path: own(), source })?;
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        return Err(BinaryError::NotExecutable { path: own() });
    }
    let text = ask_version(path).map_err(|source| {
        if source.kind() == io::ErrorKind::PermissionDenied {
            BinaryError::NotExecutable { path: own() }
        } else {
            BinaryError::Silent { path: own(), source }
        }
    })?;
    let Ok(version) = text.trim().parse::<Version>() else {
        return Err(BinaryError::Unknown { path: own(), text: text.trim().to_owned() });
    };
    if version < VERSION_MIN {
        return Err(BinaryError::TooOld { path: own(), version });
    }
    Ok(version)
}

fn ask_version(path: &Path) -> io::Result<String> {
    let mut child = Command::new(path)
        .args(["version", "--short"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let answer = read_answer(&mut child);
    // Whatever it and those that it started still do is of no interest. The number is its own until it is waited for, and so is that
    // of its group.
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait()?;
    answer
}

fn read_answer(child: &mut Child) -> io::Result<String> {
    let mut stdout = child.stdout.take().expect("stdout is piped");
    #[expect(clippy::disallowed_methods, reason = "this waits for another program on a thread of its own, in real time")]
    let deadline = Instant::now() + VERSION_TIME_MAX;
    let mut text = Vec::new();
    loop {
        #[expect(clippy::disallowed_methods, reason = "as above")]
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("ten seconds fit");
        let ready = match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&left)) {
            // A signal says nothing about the program.
            Err(Errno::INTR) => continue,
            ready => ready?,
        };
        if ready == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time"));
        }
        let mut chunk = [0; VERSION_TEXT_MAX];
        let length = stdout.read(&mut chunk)?;
        text.extend_from_slice(&chunk[..length]);
        if length == 0 || text.len() >= VERSION_TEXT_MAX {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

impl From<&BinaryError> for SpawnFailure {
    fn from(error: &BinaryError) -> Self {
        let (code, lasting) = match error {
            BinaryError::Missing { .. } => ("binary-missing", true),
            BinaryError::NotExecutable { .. } => ("binary-not-executable", true),
            BinaryError::Silent { .. } => ("binary-silent", false),
            BinaryError::Unknown { .. } => ("binary-unknown", true),
            BinaryError::TooOld { .. } => ("binary-too-old", true),
        };
        Self { reason: Reason::new(code, with_causes(error)), lasting }
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next()?.split(|other: char| !other.is_ascii_digit()).next()?.parse().ok();
        match (number(), number(), number()) {
            (Some(year), Some(month), Some(patch)) => Ok(Self { year, month, patch }),
            (_, _, _) => Err(()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.year, self.month, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A script at a fresh path, written by another process: this one's threads may fork while it is open for writing, and the
    /// kernel would then refuse to execute it.
    pub(super) fn binary_named(directory: &tempfile::TempDir, name: &str, script: &str) -> PathBuf {
        let path = directory.path().join(name);
        let written = Command::new("/bin/sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .arg(script)
            .status();
        assert!(written.unwrap().success());
        path
    }

    fn binary(directory: &tempfile::TempDir, script: &str) -> PathBuf {
        binary_named(directory, "cloudflared", script)
    }

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("2025.10.1").unwrap() > version("2025.9.2").unwrap());
        assert_eq!(version("2026.8.0-dev").unwrap().to_string(), "2026.8.0");
        for bad in ["", "DEV", "2026", "2026.8", "a.b.c", "99999999.1.1"] {
            assert_eq!(version(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn a_current_binary_is_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let path = binary(&directory, "[ \"$*\" = \"version --short\" ] && echo 2026.8.0");
        assert_eq!(check_binary(&path).unwrap().to_string(), "2026.8.0");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let missing = check_binary(&directory.path().join("nothing")).unwrap_err();
        assert!(matches!(missing, BinaryError::Missing { .. }), "{missing}");
        for (script, words) in [
            ("echo 2025.6.0", "its version 2025.6.0 is older than 2025.6.1"),
            ("echo hello", "it says \"hello\" (expected such as 2026.8.0)"),
            ("exit 1", "it says \"\""),
        ] {
            let error = check_binary(&binary(&directory, script)).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let path = binary(&directory, "echo 2026.8.0");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(check_binary(&path), Err(BinaryError::NotExecutable { .. })));
        assert!(matches!(check_binary(directory.path()), Err(BinaryError::NotExecutable { .. })));
    }
}
