//! The processes of one test host, as the kernel knows them. Nothing here asks the daemon.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::{fs, path::Path};

use adit::sandbox::switchboard::ENVIRONMENT_VARIABLE as SWITCHBOARD;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The program under test: another one where the tests were built for it (`ADIT_PROGRAM`).
pub(crate) const PROGRAM: &str = match option_env!("ADIT_PROGRAM") {
    Some(program) => program,
    None => env!("CARGO_BIN_EXE_adit"),
};

/// A process that runs; one that has ended and only waits for its parent is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// How it was called, the program's name first.
    pub(crate) arguments: Vec<String>,
    /// Its variables as `NAME=VALUE`.
    pub(crate) environment: Vec<String>,
}

impl Process {
    /// The running process with this number.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        let list = |name: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{name}")).ok()?;
            let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
            Some(parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect::<Vec<_>>())
        };
        // A process that has ended has neither.
        let (arguments, environment) = (list("cmdline")?, list("environ")?);
        (!arguments.is_empty()).then_some(Self { pid, arguments, environment })
    }

    /// Whether it is a connector and not, for example, a question after the program's version.
    pub(crate) fn is_connector(&self) -> bool {
        self.environment.iter().any(|variable| variable.starts_with(SWITCHBOARD))
            && self.arguments.iter().any(|argument| argument == "run")
    }
}

/// Every running process that the host in `directory` started. Whoever else looks at that directory is none of them.
pub(crate) fn of_host(directory: &Path) -> Vec<Process> {
    let directory = directory.to_str().unwrap();
    let started = |process: &Process| {
        let told = |name: &str| process.environment.iter().any(|variable| variable.starts_with(&format!("{name}={directory}/")));
        let is_adit = || process.arguments.first().is_some_and(|program| program == PROGRAM);
        told(SWITCHBOARD) || told("NOTIFY_SOCKET") || (is_adit() && process.arguments.iter().any(|text| text.contains(directory)))
    };
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(Process::find).filter(started).collect()
}

/// Sends a signal, as a person would.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}
