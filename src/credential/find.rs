//! Whether a token is where it should be, without reading it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{CredentialError, Refusal, Source, check_name, environment_value, file};
use crate::command::{self, Failure};

/// Where systemd looks for `LoadCredential=NAME` and `LoadCredentialEncrypted=NAME` (systemd.exec(5)), and where a unit that runs has
/// what was found.
const CREDENTIAL_FOLDERS: [&str; 8] = [
    "/run/credentials/adit.service",
    "/etc/credstore.encrypted",
    "/etc/credstore",
    "/run/credstore.encrypted",
    "/run/credstore",
    "/usr/local/lib/credstore",
    "/usr/lib/credstore.encrypted",
    "/usr/lib/credstore",
];

/// Looks whether an API token is where it should be. It is neither read nor asked for, so that this disturbs nobody: a command is not
/// run.
///
/// # Errors
///
/// When it certainly is not there, or could not be used by whoever asks.
pub fn find(source: &Source) -> Result<(), CredentialError> {
    let found = match source {
        Source::Credential { directory: Some(directory), name } => check_name(name).and_then(|()| found(&directory.join(name))),
        Source::Credential { directory: None, name } => {
            check_name(name).and_then(|()| found_in(&CREDENTIAL_FOLDERS.map(PathBuf::from), name))
        }
        Source::File(path) => file::open_private(path).map(drop),
        Source::Command(argv) => program(argv.first().map_or("", String::as_str)),
        Source::Environment { value, under_systemd, .. } => environment_value(value.as_ref(), *under_systemd).map(drop),
    };
    found.map_err(|refusal| refusal.of("the API token", source))
}

fn found(path: &Path) -> Result<(), Refusal> {
    path.metadata().map(drop).map_err(|error| Refusal::caused("it is not there", error))
}

fn found_in(folders: &[PathBuf], name: &str) -> Result<(), Refusal> {
    let looks: Vec<io::Result<_>> = folders.iter().map(|folder| folder.join(name).metadata()).collect();
    // Who may not look into a folder cannot say that nothing is in it.
    let may_be_there = |look: &io::Result<_>| match look {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    if looks.iter().any(may_be_there) {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "there is none of that name; store it with \"systemd-creds encrypt --name={name} - /etc/credstore.encrypted/{name}\""
    )))
}

fn program(path: &str) -> Result<(), Refusal> {
    command::check(Path::new(path)).map(drop).map_err(|Failure { reason, source, .. }| Refusal { reason, source })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::*;
    use crate::error_text::with_causes;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = Source::File(path.clone());
        assert!(with_causes(&find(&file).unwrap_err()).contains("No such file"));
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(find(&file).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(find(&file).is_ok());
        let credential = |name: &str| Source::Credential { directory: Some(folder.path().to_owned()), name: name.to_owned() };
        assert!(find(&credential("token")).is_ok() && find(&credential("other")).is_err());
        assert!(find(&credential("../token")).unwrap_err().to_string().contains("without slashes"));
    }

    #[test]
    fn a_program_that_would_not_be_run_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        let command = |path: &str| find(&Source::Command(vec![path.to_owned()]));
        assert!(command("/bin/sh").is_ok());
        assert!(command("sh").unwrap_err().to_string().contains("absolute path"));
        for mode in [0o644, 0o777] {
            fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
            assert!(command(program.to_str().unwrap()).is_err(), "{mode:o}");
        }
    }

    #[test]
    fn a_credential_may_be_in_any_of_the_stores() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(second.path().join("token"), "").unwrap();
        let folders = [first.path().to_owned(), second.path().to_owned()];
        assert!(found_in(&folders, "token").is_ok());
        assert!(found_in(&folders, "other").unwrap_err().reason.contains("systemd-creds encrypt --name=other"));
    }
}
