//! Programs: the one way in which something is run that is no connector and does not talk to a person.
//!
//! A program is run from a list of arguments, without a shell. It gets a cleared environment with nothing but a `PATH`, a process
//! group of its own and a limit of time. When it ends, when its time is over and when nobody waits for it any more, whatever is left
//! of its group is killed.
//!
//! One that the configuration names must be root's, with every folder above it: whoever can replace it can make us run anything. One of
//! the host's own is looked up on the `PATH` of whoever runs Adit.

mod running;
mod search;
mod trusted;

use std::{io, os::unix::process::ExitStatusExt, path::PathBuf, process::ExitStatus, time::Duration};

use tokio::{process::Command, task::spawn_blocking, time::timeout};
use zeroize::Zeroizing;

use self::running::{Ended, Running};
use crate::foreign_text::is_hidden;

pub use self::{
    search::{find, folders},
    trusted::check,
};

/// How long a program that the configuration names may take.
const WITHIN: Duration = Duration::from_secs(10);

/// How much of the last line of its complaints is shown, in characters.
const COMPLAINT_SHOWN: usize = 200;

/// The `PATH` of programs that the configuration names, and where the host's own are looked up when nobody says where they are.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program printed; wiped when dropped, as it may be a secret.
pub type Printed = Zeroizing<Vec<u8>>;

/// A program, and how it is run.
#[derive(Debug, Clone)]
pub struct Program {
    file: PathBuf,
    /// What it is told that it is called.
    name: String,
    search_path: String,
    within: Duration,
}

/// What is kept of a program's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// All of it. A program that prints more bytes is killed.
    UpTo(usize),
    /// None of it; it may print as much as it likes.
    Nothing,
}

/// Why a program did not do what it was run for. The text is for people, without a full stop, and shows nothing of what it printed
/// to its output.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// What happened.
    pub why: Why,
    /// The same in words.
    pub reason: String,
    /// The system's own error, where there is one.
    pub source: Option<io::Error>,
}

/// What happened to a program that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was not run, or could not be attended to.
    NotRun,
    /// It ended with a failure.
    Failed,
    /// It printed more than it may, and was killed.
    TooMuch,
    /// Its time was over, and it was killed.
    TimeOver,
}

impl Failure {
    /// A failure of a program that was not run to its end.
    pub(crate) fn not_run(reason: impl Into<String>) -> Self {
        Self { why: Why::NotRun, reason: reason.into(), source: None }
    }

    pub(crate) fn caused(reason: impl Into<String>, source: io::Error) -> Self {
        Self { why: Why::NotRun, reason: reason.into(), source: Some(source) }
    }
}

/// Runs a program that the configuration names with `input` on its stdin, and returns what it printed.
///
/// # Errors
///
/// When the program may not be run, fails, or does not end within 10 seconds.
pub async fn run(argv: &[String], input: &[u8], output: Output) -> Result<Printed, Failure> {
    let Some((name, arguments)) = argv.split_first() else {
        return Err(Failure::not_run("it is empty; give the program and its arguments as a list"));
    };
    let path = PathBuf::from(name);
    let file = spawn_blocking(move || check(&path)).await.expect("looking at a file does not panic")?;
    let program = Program { file, name: name.clone(), search_path: PATH.to_owned(), within: WITHIN };
    program.run(arguments, input, output).await
}

impl Program {
    /// The host's program of this name, looked up on this `PATH` and run with it. It may take `within`.
    pub fn of_host(name: &str, path: Option<&str>, within: Duration) -> Self {
        let file = find(name.as_ref(), path);
        Self { file, name: name.to_owned(), search_path: path.unwrap_or(PATH).to_owned(), within }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is such a program.
    pub fn is_found(&self) -> bool {
        self.file.is_absolute()
    }

    /// Runs it with `input` on its stdin, and returns what it printed.
    ///
    /// # Errors
    ///
    /// When it cannot be run, fails, or does not end in time.
    pub async fn run(&self, arguments: &[impl AsRef<str>], input: &[u8], output: Output) -> Result<Printed, Failure> {
        let mut command = Command::new(&self.file);
        command.arg0(&self.name).args(arguments.iter().map(AsRef::as_ref)).env_clear().env("PATH", &self.search_path);
        let started = Running::start(command.current_dir("/"), input);
        let mut running = started.map_err(|error| Failure::caused("it cannot be run", error))?;
        match timeout(self.within, running.attend(input, output)).await {
            Ok(Ok(Ended { status, printed, .. })) if status.success() => Ok(printed),
            Ok(Ok(Ended { status, complaint, .. })) => {
                Err(Failure { why: Why::Failed, reason: failure(status, &complaint), source: None })
            }
            Ok(Err(failure)) => {
                running.end().await;
                Err(failure)
            }
            Err(_) => {
                running.end().await;
                let reason = format!("it did not end within {} s and was killed", self.within.as_secs());
                Err(Failure { why: Why::TimeOver, reason, source: None })
            }
        }
    }
}

fn failure(status: ExitStatus, complaint: &[u8]) -> String {
    let complaint = String::from_utf8_lossy(complaint);
    let line = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    // Foreign text: nothing of it may act on a terminal.
    let line: String = line.trim().chars().filter(|&char| !is_hidden(char)).take(COMPLAINT_SHOWN).collect();
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => format!("it exited with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it did not end well".to_owned(),
    };
    if line.is_empty() { format!("{end} and no complaint") } else { format!("{end}: {line}") }
}

#[cfg(test)]
mod tests;
