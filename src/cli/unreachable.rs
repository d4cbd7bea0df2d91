//! Why nobody answers at the socket, and what to do about it.

use std::{fs, io, os::unix::fs::FileTypeExt, os::unix::fs::MetadataExt, path::Path};

use super::arguments::MAIN_FILE;
use crate::{config, config_files};

/// What is to be seen of a daemon that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sight {
    socket: Place,
    service: Service,
}

/// What stands at the socket's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not even the folder.
    NoFolder,
    /// Nothing.
    Nothing,
    /// Something else.
    NoSocket,
    /// A socket with these permission bits.
    Socket(u32),
    /// It cannot be looked at.
    Hidden,
}

/// What systemd has of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// It runs.
    Runs,
    /// It is installed, and does not run.
    Rests,
    /// It is installed, and nobody has configured an account.
    Unconfigured,
    /// There is no such unit, or no systemd.
    Missing,
}

/// What would help, after `error` from connecting to `socket`.
pub(super) fn hint(socket: &Path, error: &io::Error) -> String {
    advice(&Sight { socket: look(socket), service: service() }, error.kind())
}

fn advice(sight: &Sight, error: io::ErrorKind) -> String {
    let other = "another socket is named by --socket or ADIT_SOCKET";
    let start = match sight.service {
        Service::Runs => "the service adit runs, perhaps with another control.socket in its configuration",
        Service::Rests => {
            "the service adit does not run: \"systemctl start adit\" starts it, \"systemctl status adit\" says why it ended"
        }
        Service::Unconfigured => {
            "the service adit is installed and has no account yet: \"sudo adit setup\" asks for one and starts it"
        }
        Service::Missing => "no service adit is installed: \"adit daemon\" runs the daemon",
    };
    match (sight.socket, error) {
        (Place::Socket(mode), io::ErrorKind::PermissionDenied) => {
            format!("your user may not open the socket (mode {mode:04o}): see socket_mode under [control] in the configuration")
        }
        (Place::Hidden, _) | (_, io::ErrorKind::PermissionDenied) => {
            "your user may not look into the socket's folder: its mode should be 0755, and /run/adit is for everybody".to_owned()
        }
        (Place::NoFolder, _) => format!("its folder does not exist; {start}; {other}"),
        (Place::Nothing, _) => format!("there is no such socket; {start}; {other}"),
        (Place::NoSocket, _) => format!("what stands there is no socket; {other}"),
        (Place::Socket(_), io::ErrorKind::TimedOut) => {
            "the daemon does not take connections: it hangs or has too many; \"journalctl -u adit\" may tell".to_owned()
        }
        (Place::Socket(_), _) => match sight.service {
            Service::Runs => {
                "the socket is there and nobody listens: the daemon is being restarted, or uses another one".to_owned()
            }
            Service::Rests | Service::Unconfigured | Service::Missing => {
                format!("the socket is there and nobody listens; {start}")
            }
        },
    }
}

fn look(socket: &Path) -> Place {
    match fs::metadata(socket) {
        Ok(metadata) if metadata.file_type().is_socket() => Place::Socket(metadata.mode() & 0o777),
        Ok(_) => Place::NoSocket,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = socket.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if folder.exists() { Place::Nothing } else { Place::NoFolder }
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Place::NoFolder,
        Err(_) => Place::Hidden,
    }
}

/// What systemd has, told by its files: asking it would start a program.
fn service() -> Service {
    // systemd keeps a link for each unit that runs, named in org.freedesktop.systemd1(5) by its invocation.
    if fs::symlink_metadata("/run/systemd/units/invocation:adit.service").is_ok() {
        return Service::Runs;
    }
    let folders = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    let is_installed = folders.iter().any(|folder| Path::new(folder).join("adit.service").exists());
    match (is_installed, is_configured(Path::new(MAIN_FILE))) {
        (true, true) => Service::Rests,
        (true, false) => Service::Unconfigured,
        (false, _) => Service::Missing,
    }
}

/// Whether there is an account, as far as the caller may know: files that cannot be read or used are somebody's configuration.
fn is_configured(main: &Path) -> bool {
    let config = config_files::read(main).ok().and_then(|sources| config::parse(&sources).ok());
    config.is_none_or(|config| !config.accounts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_advice() {
        let say = |socket, service, error| advice(&Sight { socket, service }, error);
        let refused = io::ErrorKind::ConnectionRefused;
        for (socket, service, error, says) in [
            (Place::Nothing, Service::Rests, io::ErrorKind::NotFound, "systemctl start adit"),
            (Place::Nothing, Service::Runs, io::ErrorKind::NotFound, "another control.socket"),
            (Place::Nothing, Service::Unconfigured, io::ErrorKind::NotFound, "sudo adit setup"),
            (Place::NoFolder, Service::Missing, io::ErrorKind::NotFound, "\"adit daemon\" runs the daemon"),
            (Place::Socket(0o600), Service::Runs, io::ErrorKind::PermissionDenied, "mode 0600"),
            (Place::Hidden, Service::Runs, io::ErrorKind::PermissionDenied, "folder"),
            (Place::NoSocket, Service::Missing, refused, "is no socket"),
            (Place::Socket(0o666), Service::Rests, refused, "nobody listens"),
            (Place::Socket(0o666), Service::Runs, io::ErrorKind::TimedOut, "hangs or has too many"),
        ] {
            let text = say(socket, service, error);
            assert!(text.contains(says), "{socket:?} {service:?} {error:?}: {text}");
        }
    }

    #[test]
    fn a_configuration_is_one_with_an_account_or_one_that_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("adit.toml");
        assert!(is_configured(&main));
        for (text, configured) in
            [("# nothing\n", false), ("nonsense = 1\n", true), ("[accounts.default]\napi_token = { env = \"T\" }\n", true)]
        {
            fs::write(&main, text).unwrap();
            assert_eq!(is_configured(&main), configured, "{text:?}");
        }
    }

    #[test]
    fn what_stands_at_the_path_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let _listener = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        fs::write(path("file"), "").unwrap();
        assert!(matches!(look(&path("socket")), Place::Socket(_)));
        assert_eq!(look(&path("file")), Place::NoSocket);
        assert_eq!(look(&path("nothing")), Place::Nothing);
        assert_eq!(look(&path("nowhere/socket")), Place::NoFolder);
    }
}
