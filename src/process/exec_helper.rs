//! What happens between our own `posix_spawn` and cloudflared's first instruction.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

use nix::sys::{
    resource::{Resource, setrlimit},
    stat::{Mode, umask},
};

use super::raw;

/// The word on the command line that turns the `adit` program into this helper: `adit connector-exec DIRECTORY PROGRAM ARGUMENT…`.
pub const EXEC_HELPER: &str = "connector-exec";

/// The first descriptor that is not passed on: 3 is the metrics socket, 4 the token.
const FIRST_OWN_DESCRIPTOR: u32 = 5;

/// Sheds what a connector must not have and becomes it. `arguments` are those behind [`EXEC_HELPER`]. It comes back only when
/// that fails: with 127 when the program does not exist, 126 otherwise, and the reason on stderr.
pub fn exec_helper(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let (Some(directory), Some(program)) = (arguments.next(), arguments.next()) else {
        return give_up("cannot run a connector: the directory and the program are missing", None, 2);
    };
    if let Err(error) = shed(directory.as_ref()) {
        return give_up("cannot prepare a connector's process", Some(&error), 126);
    }
    // Also sets SIGPIPE back to its default, which Rust's start-up changed.
    let error = Command::new(&program).args(arguments).exec();
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    give_up(&format!("cannot run {program:?}"), Some(&error), code)
}

fn shed(directory: &Path) -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    std::env::set_current_dir(directory)?;
    // A core dump would hold the token.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    rustix::thread::set_no_new_privs(true)?;
    raw::ignore_hangup()?;
    leave_the_daemons_protection();
    raw::close_on_exec_from(FIRST_OWN_DESCRIPTOR)
}

/// The daemon may be protected from the kernel's out-of-memory killer; a connector must go before it. Raising the value needs no
/// right, and where it cannot be written (a read-only /proc) the connector runs all the same.
fn leave_the_daemons_protection() {
    const FILE: &str = "/proc/self/oom_score_adj";
    let protected = std::fs::read_to_string(FILE).is_ok_and(|text| text.trim_start().starts_with('-'));
    if protected {
        let _ = std::fs::write(FILE, "0");
    }
}

fn give_up(what: &str, why: Option<&io::Error>, code: u8) -> ExitCode {
    let why = why.map(|error| format!(": {error}")).unwrap_or_default();
    let _ = writeln!(io::stderr(), "adit: {what}{why}");
    ExitCode::from(code)
}
