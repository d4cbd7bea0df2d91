//! Whether some process is a connector, or was started by one.

use std::{fs, io};

use nix::unistd::getsid;
use rustix::process::Pid;

use super::command_line::INSTANCE;

/// Whether the process was started as a connector or by one: of this daemon, of one before it, or of another on this host. Every
/// connector leads a session of its own and has an instance id in its environment; what it starts inherits both.
///
/// # Errors
///
/// When nothing can be known of the process: it is gone, or it belongs to somebody else.
pub fn is_of_connector(pid: Pid) -> io::Result<bool> {
    if has_instance_id(pid)? {
        return Ok(true);
    }
    match leader_of(pid)? {
        None => Ok(false),
        Some(leader) if leader == pid => Ok(false),
        // The leader of a session may be gone, or be somebody else: then it is no connector of ours.
        Some(leader) => Ok(has_instance_id(leader).unwrap_or(false)),
    }
}

/// The leader of the session that a process is in, or nothing when it is outside the PID namespace of this daemon (getsid(2) then
/// says 0: a daemon in a container, say). Who started the namespace is above the daemon, and a connector is below it.
fn leader_of(pid: Pid) -> io::Result<Option<Pid>> {
    let process = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
    Ok(Pid::from_raw(getsid(Some(process))?.as_raw()))
}

fn has_instance_id(pid: Pid) -> io::Result<bool> {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))?;
    Ok(names_instance(&environment))
}

pub(super) fn names_instance(environment: &[u8]) -> bool {
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable.strip_prefix(INSTANCE.as_bytes()).is_some_and(|value| value.starts_with(b"=")))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn pid(child: &Child) -> Pid {
        Pid::from_child(child)
    }

    #[test]
    fn only_the_whole_name_of_the_variable_counts() {
        assert!(names_instance(b"PATH=/bin\0ADIT_INSTANCE=x\0"));
        assert!(!names_instance(b"PATH=/bin\0ADIT_INSTANCES=x\0XADIT_INSTANCE=x\0"));
        assert!(!names_instance(b""));
    }

    #[test]
    fn a_process_in_the_session_of_a_connector_is_of_it_whatever_its_own_environment_says() {
        // The shell leads a session and tells who the child of it is, which has no environment at all.
        let script = "env -i sleep 60 & echo $!; wait";
        let mut leader = Command::new("setsid")
            .args(["--wait", "sh", "-c", script])
            .env(INSTANCE, "x")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(leader.stdout.take().unwrap()), &mut line).unwrap();
        let child = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        let answer = is_of_connector(child).unwrap();
        rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
        leader.wait().unwrap();
        assert!(answer);
    }

    #[test]
    fn other_processes_are_not_and_one_that_is_gone_cannot_be_judged() {
        let mut other = Command::new("sleep").arg("60").env_clear().env("PATH", "/usr/bin:/bin").spawn().unwrap();
        assert!(!is_of_connector(pid(&other)).unwrap());
        other.kill().unwrap();
        let gone = pid(&other);
        other.wait().unwrap();
        assert!(is_of_connector(gone).is_err());
    }
}
