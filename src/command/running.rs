//! A program that runs, and whatever it starts in its process group.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    runtime::Handle,
    task::spawn_blocking,
};
use zeroize::Zeroizing;

use super::{Failure, Output, Printed, Why};

/// How much of the end of its complaints is kept, in bytes.
const COMPLAINT_MAX: usize = 4 * 1024;

/// A program that runs. When it is dropped before its end was seen, its whole group is killed.
pub(super) struct Running {
    /// There until it is dropped.
    child: Option<Child>,
}

pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) printed: Printed,
    pub(super) complaint: Vec<u8>,
}

impl Running {
    /// Starts it, in a process group of its own.
    pub(super) fn start(command: &mut Command, input: &[u8]) -> io::Result<Self> {
        command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        Ok(Self { child: Some(command.spawn()?) })
    }

    /// Hands over the input, takes in everything that the program says, and waits for it only then: until it is reaped, its process
    /// group is its own.
    pub(super) async fn attend(&mut self, input: &[u8], output: Output) -> Result<Ended, Failure> {
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
                Output::UpTo(most) => all_of(stdout, most).await,
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

    /// Kills what is left of the group, and reaps the program.
    pub(super) async fn end(&mut self) {
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

async fn all_of(pipe: impl AsyncRead + Unpin, most: usize) -> Result<Printed, Failure> {
    // Room for everything from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    pipe.take(most as u64 + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() > most {
        return Err(Failure { why: Why::TooMuch, reason: format!("it prints more than {most} bytes"), source: None });
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
