//! Processes that look like ours and are not. None of them may ever get a signal.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use crate::processes::Process;

/// Where the kernel takes the next process's number from, in this process's namespace.
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// How often a number is tried for: others start processes too.
const TRIES_MAX: usize = 20;

/// The decoys.
#[derive(Default)]
pub(crate) struct Decoys {
    all: Vec<(String, Child)>,
}

impl Decoys {
    /// One that is called and told what this process is, but for the instance that it is of.
    pub(crate) fn like(&mut self, process: &Process) -> io::Result<u32> {
        let mut command = stand_in(&process.arguments);
        for variable in &process.environment {
            if let Some((name, value)) = variable.split_once('=').filter(|(name, _)| !name.starts_with("ADIT_SANDBOX")) {
                command.env(name, if name == "ADIT_INSTANCE" { "another" } else { value });
            }
        }
        command.env_remove("NOTIFY_SOCKET");
        self.start(format!("like process {}", process.pid), command)
    }

    /// One that has the number of a process that has just ended. Whether it got it.
    pub(crate) fn in_place_of(&mut self, process: &Process) -> io::Result<bool> {
        for _ in 0..TRIES_MAX {
            fs::write(LAST_PID, (process.pid - 1).to_string())?;
            let pid = self.start(format!("in the place of process {}", process.pid), stand_in(&process.arguments))?;
            if pid == process.pid {
                return Ok(true);
            }
            let (_, mut child) = self.all.pop().expect("it was just started");
            child.kill()?;
            child.wait()?;
        }
        Ok(false)
    }

    fn start(&mut self, what: String, mut command: Command) -> io::Result<u32> {
        let child = command.spawn()?;
        let pid = child.id();
        self.all.push((what, child));
        Ok(pid)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Those that have ended, which nobody but somebody else's signal can have done.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let mut ended = Vec::new();
        self.all.retain_mut(|(what, child)| match child.try_wait() {
            Ok(None) => true,
            status => {
                ended.push(format!("the decoy {what} ended: {status:?}"));
                false
            }
        });
        ended
    }
}

impl Drop for Decoys {
    fn drop(&mut self) {
        for (_, child) in &mut self.all {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A shell that waits and has these words behind its own.
fn stand_in(arguments: &[String]) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .arg0(arguments.first().map_or("cloudflared", String::as_str))
        // A pipe that nobody writes to keeps it until it is killed.
        .args(["-c", "read never"])
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
