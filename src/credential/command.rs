//! A token from a program, such as the client of a secrets manager.
//!
//! The program and every folder above it must be root's: whoever can replace it can make us run anything. It gets a cleared
//! environment, no input, a process group of its own and 10 seconds. What it prints is never shown; of its complaints the
//! last line is.

use std::{
    io,
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::spawn_blocking,
    time::timeout,
};
use zeroize::Zeroizing;

use super::{Bytes, Refusal};

/// How long the program may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The most that it may print. More is not a token.
const OUTPUT_MAX: usize = 64 * 1024;

/// How much of the end of its complaints is kept, and how much of their last line is shown.
const COMPLAINT_MAX: usize = 4 * 1024;
const COMPLAINT_SHOWN: usize = 200;

/// All of the program's environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the program and returns what it printed.
pub(super) async fn run(argv: &[String]) -> Result<Bytes, Refusal> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Refusal::new("it is empty; give the program and its arguments as a list"));
    };
    let path = PathBuf::from(program);
    let checked = spawn_blocking(move || check(&path)).await.expect("looking at a file does not panic")?;
    let mut child = Command::new(checked)
        .arg0(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Refusal::caused("it cannot be run", error))?;
    match timeout(WITHIN, attend(&mut child)).await {
        Ok(Ok(Ended { status, output, .. })) if status.success() => Ok(output),
        Ok(Ok(Ended { status, complaint, .. })) => Err(Refusal::new(failure(status, &complaint))),
        Ok(Err(refusal)) => {
            end(&mut child).await;
            Err(refusal)
        }
        Err(_) => {
            end(&mut child).await;
            Err(Refusal::new(format!("it did not end within {} s and was killed", WITHIN.as_secs())))
        }
    }
}

struct Ended {
    status: ExitStatus,
    output: Bytes,
    complaint: Vec<u8>,
}

/// Takes in everything that the program says, and waits for it only then: until it is reaped, its process group is its own.
async fn attend(child: &mut Child) -> Result<Ended, Refusal> {
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    let (output, complaint) = tokio::try_join!(all_of(stdout), end_of(stderr))?;
    let status = child.wait().await.map_err(|error| Refusal::caused("its end cannot be awaited", error))?;
    Ok(Ended { status, output, complaint })
}

/// Kills the program and whatever it started.
async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        // Fails only when all of the group have ended.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}

async fn all_of(pipe: impl AsyncRead + Unpin) -> Result<Bytes, Refusal> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(OUTPUT_MAX + 1));
    pipe.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() > OUTPUT_MAX {
        return Err(Refusal::new(format!("it prints more than {OUTPUT_MAX} bytes; it must print the token alone")));
    }
    Ok(bytes)
}

async fn end_of(mut pipe: impl AsyncRead + Unpin) -> Result<Vec<u8>, Refusal> {
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

fn unreadable(error: io::Error) -> Refusal {
    Refusal::caused("its output cannot be read", error)
}

fn failure(status: ExitStatus, complaint: &[u8]) -> String {
    let complaint = String::from_utf8_lossy(complaint);
    let line = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    // Foreign text: nothing of it may act on a terminal.
    let line: String = line.trim().chars().filter(|&character| is_shown(character)).take(COMPLAINT_SHOWN).collect();
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => format!("it exited with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it did not end well".to_owned(),
    };
    if line.is_empty() { format!("{end} and no complaint") } else { format!("{end}: {line}") }
}

fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// The program's own path, links resolved, when nobody but root can replace it.
fn check(program: &Path) -> Result<PathBuf, Refusal> {
    if !program.is_absolute() {
        return Err(Refusal::new("the program needs an absolute path; nothing is looked up"));
    }
    let missing = |error| Refusal::caused("there is no such program, or it cannot be looked at", error);
    let path = program.canonicalize().map_err(missing)?;
    let metadata = path.metadata().map_err(missing)?;
    if !metadata.is_file() {
        return Err(Refusal::new("the program is not a regular file"));
    }
    check_program(metadata.mode(), metadata.uid()).map_err(Refusal::new)?;
    for folder in path.ancestors().skip(1) {
        let metadata = folder.metadata().map_err(missing)?;
        check_folder(metadata.mode(), metadata.uid())
            .map_err(|reason| Refusal::new(format!("its folder {folder:?} {reason}, so that the program could be replaced")))?;
    }
    Ok(path)
}

fn check_program(mode: u32, owner: u32) -> Result<(), String> {
    if owner != 0 {
        return Err(format!("the program belongs to user {owner}; it must belong to root"));
    }
    if mode & 0o022 != 0 {
        return Err(format!("the program's mode is {:04o}; only root may be able to write it (chmod go-w)", mode & 0o7777));
    }
    Ok(())
}

/// A group may write to a folder, as `staff` does to Debian's `/usr/local/bin`: root chose its members. Others may only where
/// the sticky bit keeps them from what is not theirs.
fn check_folder(mode: u32, owner: u32) -> Result<(), String> {
    if owner != 0 {
        return Err(format!("belongs to user {owner}"));
    }
    if mode & 0o1002 == 0o002 {
        return Err("can be written by everyone".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_root_alone_can_write_is_run() {
        for (mode, owner, fine) in
            [(0o755, 0, true), (0o555, 0, true), (0o755, 1_000, false), (0o775, 0, false), (0o757, 0, false)]
        {
            assert_eq!(check_program(mode, owner).is_ok(), fine, "{mode:o} {owner}");
        }
        for (mode, owner, fine) in
            [(0o755, 0, true), (0o2775, 0, true), (0o1777, 0, true), (0o777, 0, false), (0o755, 1_000, false)]
        {
            assert_eq!(check_folder(mode, owner).is_ok(), fine, "{mode:o} {owner}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_does_not_end_is_killed() {
        let argv = ["/bin/sh", "-c", "sleep 1000"].map(str::to_owned);
        let Err(refusal) = run(&argv).await else { panic!("it cannot have ended") };
        assert_eq!(refusal.reason, "it did not end within 10 s and was killed");
    }
}
