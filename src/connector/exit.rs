//! How a process ended, and what that says about trying again.

use std::{borrow::Cow, time::Duration};

use super::{Reason, RestartReason};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone, and nobody could tell how: it was not our child.
    Unknown,
}

/// All that is known about the end of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub ending: Ending,
    /// The kernel killed something for want of memory at that time.
    pub out_of_memory: bool,
    /// Its last lines on stderr, oldest first, without control characters.
    pub last_lines: Vec<String>,
}

/// A process could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnFailure {
    /// Why.
    pub reason: Reason,
    /// Trying again soon will not help: the binary is missing, may not be executed or is too old.
    pub lasting: bool,
}

/// What an exit that nobody asked for means for the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    /// What happened, for people.
    pub(super) reason: Reason,
    /// What the next start is counted as.
    pub(super) restart: RestartReason,
    pub(super) remedy: Remedy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Start again at the slot's pace.
    BackOff,
    /// Start again at once: the cause is gone with the process.
    AtOnce,
    /// Start again once, with whatever is wanted by then; after that only a change can help.
    OnceMore,
    /// Only a change can help; try seldom.
    Block,
}

impl Exit {
    /// The end in words, such as `exit code 1` or `signal 9 (SIGKILL)`.
    pub fn how(&self) -> Cow<'static, str> {
        match self.ending {
            Ending::Code(code) => Cow::Owned(format!("exit code {code}")),
            Ending::Signal(number) => match signal_name(number) {
                Some(name) => Cow::Owned(format!("signal {number} ({name})")),
                None => Cow::Owned(format!("signal {number}")),
            },
            Ending::Unknown => Cow::Borrowed("an unknown end (it was started by an earlier daemon)"),
        }
    }

    /// What to make of an exit that nobody asked for, by cloudflared's exit codes and last words (`facts/cloudflared.md` 3).
    ///
    /// What cloudflared refuses it refuses before it answers and connects: whatever the end of a connector that `had_begun` looks like,
    /// another one may serve.
    pub(super) fn diagnose(&self, lived: Duration, had_begun: bool) -> Diagnosis {
        match self.by_its_words(lived) {
            Diagnosis { remedy: Remedy::Block | Remedy::OnceMore, .. } if had_begun || self.says(CONNECTING) => Diagnosis {
                reason: Reason::new("exit", self.sentence("it failed", lived)),
                restart: RestartReason::Exit,
                remedy: Remedy::BackOff,
            },
            diagnosis => diagnosis,
        }
    }

    fn by_its_words(&self, lived: Duration) -> Diagnosis {
        let diagnosis = |code, restart, remedy, what: &str| Diagnosis {
            reason: Reason::new(code, self.sentence(what, lived)),
            restart,
            remedy,
        };
        match self.ending {
            Ending::Signal(_) if self.out_of_memory => {
                let what = "the kernel ran out of memory: the host, or a limit that the daemon runs under, has too little for it (a \
                            memory_limit of its tunnel makes it use less)";
                diagnosis("out-of-memory", RestartReason::Oom, Remedy::BackOff, what)
            }
            Ending::Signal(_) => diagnosis("signal", RestartReason::Signal, Remedy::BackOff, "a signal that Adit did not send"),
            Ending::Code(0) if self.says(USAGE) => {
                diagnosis("usage", RestartReason::Exit, Remedy::Block, "cloudflared does not know one of its arguments")
            }
            Ending::Code(0) => diagnosis("exit-0", RestartReason::Exit, Remedy::BackOff, "it stopped although nobody asked"),
            Ending::Code(_) if self.says("address already in use") => {
                diagnosis("port-taken", RestartReason::Exit, Remedy::AtOnce, "its metrics port was taken")
            }
            Ending::Code(1) if ENVIRONMENT.iter().any(|words| self.says(words)) => {
                diagnosis("environment", RestartReason::Exit, Remedy::BackOff, "DNS or the edge could not be reached")
            }
            Ending::Code(1) if SETTINGS.iter().any(|words| self.says(words)) => {
                diagnosis("bad-settings", RestartReason::Exit, Remedy::Block, "cloudflared refuses how it is configured")
            }
            Ending::Code(2) => diagnosis("panic", RestartReason::Exit, Remedy::BackOff, "cloudflared panicked"),
            Ending::Code(126 | 127) => {
                diagnosis("cannot-execute", RestartReason::Exit, Remedy::BackOff, "it could not be executed")
            }
            Ending::Code(255) if TOKEN.iter().any(|words| self.says(words)) => {
                diagnosis("token-refused", RestartReason::Exit, Remedy::OnceMore, "cloudflared cannot use its token")
            }
            Ending::Code(255) => diagnosis("refused", RestartReason::Exit, Remedy::Block, "cloudflared refuses its arguments"),
            Ending::Code(_) => diagnosis("exit", RestartReason::Exit, Remedy::BackOff, "it failed"),
            Ending::Unknown => diagnosis("exit", RestartReason::Exit, Remedy::BackOff, "it ended"),
        }
    }

    fn says(&self, words: &str) -> bool {
        self.last_lines.iter().any(|line| line.contains(words))
    }

    fn sentence(&self, what: &str, lived: Duration) -> String {
        let fatal = self.last_lines.iter().find(|line| is_fatal(line) || line.contains(USAGE));
        let last = fatal.or_else(|| self.last_lines.iter().rev().find(|line| !is_noise(line)));
        let quoted = last.map(|line| format!(": {}", shortened(line))).unwrap_or_default();
        format!("{what} ({} after {}){quoted}", self.how(), in_words(lived))
    }
}

/// What every line about a connection to the edge has, in text and in JSON, also one about a connection that cannot be had.
const CONNECTING: &str = "connIndex";

/// What cloudflared says before its help, when it does not know an argument.
const USAGE: &str = "Incorrect Usage";

/// Last words of an exit 1 that says something about the network, not about the connector.
const ENVIRONMENT: [&str; 5] = [
    "edge discovery",
    "Could not lookup srv records",
    "no free edge addresses",
    "connection with edge closed",
    "error looking up Cloudflare edge IPs",
];

/// Last words of an exit 1 that will come again until someone changes the configuration.
const SETTINGS: [&str; 6] = [
    "Couldn't start tunnel",
    "error parsing YAML",
    "The last ingress rule must match all URLs",
    "is an invalid address",
    "Invalid JSON when parsing tunnel credentials file",
    "tunnel credentials file not found",
];

/// Last words of an exit 255 that is about the token and not about an argument.
const TOKEN: [&str; 2] = ["Tunnel token is not valid", "Failed to read token file"];

/// Lines that stand last without being the reason.
fn is_noise(line: &str) -> bool {
    line.is_empty() || line.starts_with("See 'cloudflared")
}

/// What a Go program dies of; the stacks of its goroutines follow.
fn is_fatal(line: &str) -> bool {
    line.starts_with("panic: ") || line.starts_with("fatal error: ")
}

/// The longest quotation in a sentence, in characters.
const QUOTE_MAX: usize = 200;

fn shortened(line: &str) -> Cow<'_, str> {
    match line.char_indices().nth(QUOTE_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &line[..end])),
        None => Cow::Borrowed(line),
    }
}

/// A duration as people say it: `420 ms`, `4.2 s`, `7 min`, `3.5 h`.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        ..0.9995 => format!("{} ms", duration.as_millis()),
        ..99.95 => format!("{seconds:.1} s").replace(".0 s", " s"),
        ..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_told_apart_by_code_and_last_words() {
        use Remedy::{AtOnce, BackOff, Block, OnceMore};
        use RestartReason as Restart;
        for (ending, line, code, restart, remedy) in [
            (Ending::Code(0), "", "exit-0", Restart::Exit, BackOff),
            (Ending::Code(0), "Incorrect Usage. flag provided but not defined: -x", "usage", Restart::Exit, Block),
            (Ending::Code(255), "Provided Tunnel token is not valid.", "token-refused", Restart::Exit, OnceMore),
            (Ending::Code(255), "Failed to read token file: open F: permission denied", "token-refused", Restart::Exit, OnceMore),
            (Ending::Code(255), "requires the ID or name of the tunnel", "refused", Restart::Exit, Block),
            (Ending::Code(1), "failed to bind: bind: address already in use", "port-taken", Restart::Exit, AtOnce),
            (Ending::Code(1), "Could not lookup srv records on _v2-origintunneld", "environment", Restart::Exit, BackOff),
            (Ending::Code(1), "there are no free edge addresses left to resolve to", "environment", Restart::Exit, BackOff),
            (Ending::Code(1), "error parsing YAML in config file at F: yaml: line 1", "bad-settings", Restart::Exit, Block),
            (Ending::Code(1), "something else", "exit", Restart::Exit, BackOff),
            (Ending::Code(2), "goroutine 1 [running]:", "panic", Restart::Exit, BackOff),
            (Ending::Code(127), "adit: cannot run \"cloudflared\"", "cannot-execute", Restart::Exit, BackOff),
            (Ending::Signal(9), "", "signal", Restart::Signal, BackOff),
            (Ending::Signal(11), "", "signal", Restart::Signal, BackOff),
            (Ending::Unknown, "", "exit", Restart::Exit, BackOff),
        ] {
            let exit = Exit { ending, out_of_memory: false, last_lines: vec![line.to_owned()] };
            let diagnosis = exit.diagnose(Duration::from_secs(1), false);
            assert_eq!((&*diagnosis.reason.code, diagnosis.restart, diagnosis.remedy), (code, restart, remedy), "{exit:?}");
        }
    }

    #[test]
    fn nothing_is_refused_by_a_connector_that_had_begun() {
        let retrying = "2026-11-23T23:38:06Z INF Retrying connection in up to 4s connIndex=0 event=0 ip=127.0.0.1";
        let invalid = r#"{"error":"nope is an invalid address","message":"Failed to deserialize new configuration"}"#;
        for (ending, lines, had_begun) in [
            (Ending::Code(255), vec![""], true),
            (Ending::Code(255), vec!["Provided Tunnel token is not valid."], true),
            (Ending::Code(1), vec!["Couldn't start tunnel"], true),
            (Ending::Code(255), vec![retrying], false),
            (Ending::Code(1), vec![r#"{"connIndex":0,"message":"Registered tunnel connection"}"#, invalid], false),
        ] {
            let last_lines = lines.into_iter().map(str::to_owned).collect();
            let exit = Exit { ending, out_of_memory: false, last_lines };
            let diagnosis = exit.diagnose(Duration::from_secs(44), had_begun);
            assert_eq!((&*diagnosis.reason.code, diagnosis.remedy), ("exit", Remedy::BackOff), "{exit:?}");
        }
    }

    #[test]
    fn a_kill_while_the_kernel_was_out_of_memory_is_told_as_such() {
        let exit = Exit { ending: Ending::Signal(9), out_of_memory: true, last_lines: vec![] };
        assert_eq!(exit.diagnose(Duration::ZERO, true).restart, RestartReason::Oom);
    }

    #[test]
    fn the_sentence_quotes_the_last_line_that_says_something() {
        let exit = Exit {
            ending: Ending::Code(255),
            out_of_memory: false,
            last_lines: vec!["Provided Tunnel token is not valid.".into(), "See 'cloudflared tunnel run --help'.".into()],
        };
        assert_eq!(
            exit.diagnose(Duration::from_millis(70), false).reason.sentence,
            "cloudflared cannot use its token (exit code 255 after 70 ms): Provided Tunnel token is not valid."
        );
    }

    #[test]
    fn of_a_panic_the_sentence_quotes_its_text_and_not_the_end_of_the_stack() {
        let lines =
            ["panic: assignment to entry in nil map", "", "goroutine 1 [running]:", "main.main()", "\t/cmd/main.go:1 +0x1d"];
        let last_lines = lines.map(str::to_owned).into();
        let exit = Exit { ending: Ending::Code(2), out_of_memory: false, last_lines };
        assert_eq!(
            exit.diagnose(Duration::from_secs(2), false).reason.sentence,
            "cloudflared panicked (exit code 2 after 2 s): panic: assignment to entry in nil map"
        );
    }

    #[test]
    fn durations_read_as_people_say_them() {
        for (millis, words) in
            [(0, "0 ms"), (420, "420 ms"), (4_000, "4 s"), (4_200, "4.2 s"), (420_000, "7 min"), (12_600_000, "3.5 h")]
        {
            assert_eq!(in_words(Duration::from_millis(millis)), words);
        }
    }
}
