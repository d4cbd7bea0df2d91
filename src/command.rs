//! Programs that the configuration names: the one way in which the daemon runs something that is not a connector.
//!
//! A program is run from a list of arguments, without a shell. It and every folder above it must be root's: whoever can replace it
//! can make us run anything. It gets a cleared environment with nothing but a `PATH`, a process group of its own and 10 seconds.
//! When it ends, when its time is over and when nobody waits for it any more, whatever is left of its group is killed.

mod trusted;

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    runtime::Handle,
    task::spawn_blocking,
    time::timeout,
};
use zeroize::Zeroizing;

use crate::foreign_text::is_hidden;

pub use self::trusted::check;

/// How long a program may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The most that a program may print which is asked for all of its output, in bytes.
const OUTPUT_MAX: usize = 64 * 1024;

/// How much of the end of its complaints is kept, and how much of their last line is shown.
const COMPLAINT_MAX: usize = 4 * 1024;
const COMPLAINT_SHOWN: usize = 200;

/// All of a program's environment.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program printed; wiped when dropped, as it may be a secret.
pub type Printed = Zeroizing<Vec<u8>>;

/// What is kept of a program's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// All of it. A program that prints more than 64 KiB is killed.
    Whole,
    /// None of it; it may print as much as it likes.
    Nothing,
}

/// Why a program did not do what it was run for. The text is for people, without a full stop, and shows nothing of what it printed
/// to its output.
#[derive(Debug)]
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

/// Runs a program with `input` on its stdin, and returns what it printed.
///
/// # Errors
///
/// When the program may not be run, fails, or does not end in time.
pub async fn run(argv: &[String], input: &[u8], output: Output) -> Result<Printed, Failure> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Failure::not_run("it is empty; give the program and its arguments as a list"));
    };
    let path = PathBuf::from(program);
    let checked = spawn_blocking(move || check(&path)).await.expect("looking at a file does not panic")?;
    let child = Command::new(checked)
        .arg0(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::caused("it cannot be run", error))?;
    let mut running = Running { child: Some(child) };
    match timeout(WITHIN, running.attend(input, output)).await {
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
            let reason = format!("it did not end within {} s and was killed", WITHIN.as_secs());
            Err(Failure { why: Why::TimeOver, reason, source: None })
        }
    }
}

/// A program that runs. When it is dropped before its end was seen, its whole group is killed.
struct Running {
    /// There until it is dropped.
    child: Option<Child>,
}

struct Ended {
    status: ExitStatus,
    printed: Printed,
    complaint: Vec<u8>,
}

impl Running {
    /// Hands over the input, takes in everything that the program says, and waits for it only then: until it is reaped, its process
    /// group is its own.
    async fn attend(&mut self, input: &[u8], output: Output) -> Result<Ended, Failure> {
        let child = self.child();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that does not want its input closes it, which is no failure.
                let _ = stdin.write_all(input).await;
            }
            Ok(())
        };
        let print = async {
            match output {
                Output::Whole => all_of(stdout).await,
                Output::Nothing => end_of(stdout).await.map(|_| Printed::default()),
            }
        };
        let ((), printed, complaint) = tokio::try_join!(feed, print, end_of(stderr))?;
        let awaited = |error| Failure::caused("its end cannot be awaited", error);
        self.exited().await.map_err(awaited)?;
        // Whatever it left behind in its group has no time of its own.
        self.kill();
        let status = self.child().wait().await.map_err(awaited)?;
        Ok(Ended { status, printed, complaint })
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("it is there until it is dropped")
    }

    /// Waits until the program has ended, without reaping it.
    async fn exited(&self) -> io::Result<()> {
        let Some(pid) = self.group() else { return Ok(()) };
        // On a thread of its own, which ends with the program: a handler of SIGCHLD would interrupt every other thread that waits.
        let wait = move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        spawn_blocking(wait).await.expect("waiting for a program does not panic")?;
        Ok(())
    }

    async fn end(&mut self) {
        self.kill();
        let _ = self.child().wait().await;
    }

    fn kill(&self) {
        if let Some(group) = self.group() {
            // Fails only when all of the group have ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// The process group, while it is certain to be the program's: until that is reaped.
    fn group(&self) -> Option<Pid> {
        self.child.as_ref().and_then(Child::id).and_then(|id| Pid::from_raw(id.cast_signed()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // Reaped by a task: an orphan would be left to a handler of SIGCHLD, which interrupts every thread that waits.
        if let (Some(mut child), Ok(runtime)) = (self.child.take(), Handle::try_current())
            && child.id().is_some()
        {
            runtime.spawn(async move { child.wait().await });
        }
    }
}

async fn all_of(pipe: impl AsyncRead + Unpin) -> Result<Printed, Failure> {
    // Room for everything from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(OUTPUT_MAX + 1));
    pipe.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() > OUTPUT_MAX {
        return Err(Failure::not_run(format!("it prints more than {OUTPUT_MAX} bytes; it must print the secret alone")));
    }
    Ok(bytes)
}

async fn end_of(mut pipe: impl AsyncRead + Unpin) -> Result<Vec<u8>, Failure> {
    let mut tail = Vec::new();
    let mut chunk = [0; COMPLAINT_MAX];
    loop {
        let read = pipe.read(&mut chunk).await.map_err(unreadable)?;
        if read == 0 {
            return Ok(tail);
        }
        tail.extend_from_slice(&chunk[..read]);
        tail.drain(..tail.len().saturating_sub(COMPLAINT_MAX));
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::caused("its output cannot be read", error)
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
