//! Whether a token is where it should be, without reading it.

use std::{
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access},
    process::geteuid,
};

use super::{CredentialError, Source};

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

/// The widest mode of a file that holds a secret.
const MODE_MAX: u32 = 0o600;

/// Looks whether an API token is where it should be. It is neither read nor asked for, so that this disturbs nobody: a command is not
/// run.
///
/// # Errors
///
/// When it certainly is not there, or could not be used.
pub fn find(source: &Source) -> Result<(), CredentialError> {
    let missing = match source {
        Source::Credential { directory: Some(directory), name } => found(&directory.join(name)).err(),
        Source::Credential { directory: None, name } => found_in(&CREDENTIAL_FOLDERS.map(PathBuf::from), name).err(),
        Source::File(path) => private(path).err(),
        Source::Command(argv) => program(argv.first().map_or("", String::as_str)).err(),
        Source::Environment { under_systemd: true, .. } => {
            Some("systemd shows a unit's environment to everyone; use a credential, a file or a command there".to_owned())
        }
        Source::Environment { value: None, .. } => Some("it is not set".to_owned()),
        Source::Environment { value: Some(_), .. } => None,
    };
    missing
        .map_or(Ok(()), |reason| Err(CredentialError { what: "the API token", from: source.to_string(), reason, source: None }))
}

fn found(path: &Path) -> Result<(), String> {
    path.metadata().map(drop).map_err(|error| error.to_string())
}

fn found_in(folders: &[PathBuf], name: &str) -> Result<(), String> {
    let looks: Vec<io::Result<_>> = folders.iter().map(|folder| folder.join(name).metadata()).collect();
    // Who may not look into a folder cannot say that nothing is in it.
    let may_be_there = |look: &io::Result<_>| match look {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    if looks.iter().any(may_be_there) {
        return Ok(());
    }
    Err(format!(
        "there is none of that name; store it with \"systemd-creds encrypt --name={name} - /etc/credstore.encrypted/{name}\""
    ))
}

fn private(path: &Path) -> Result<(), String> {
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if mode & !MODE_MAX != 0 {
        return Err(format!("its mode is {mode:04o}, wider than 0600; run: chmod 600 {path:?}"));
    }
    let me = geteuid().as_raw();
    access(path, Access::READ_OK).map_err(|_| format!("user {me} may not read it; it must belong to the daemon's user"))
}

fn program(path: &str) -> Result<(), String> {
    if !Path::new(path).is_absolute() {
        return Err("the program needs an absolute path; nothing is looked up".to_owned());
    }
    let metadata = Path::new(path).metadata().map_err(|error| error.to_string())?;
    let executable = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    if executable { Ok(()) } else { Err("it is no executable file".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = Source::File(path.clone());
        assert!(find(&file).unwrap_err().to_string().contains("No such file"));
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(find(&file).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(find(&file).is_ok());
        let credential = |name: &str| Source::Credential { directory: Some(folder.path().to_owned()), name: name.to_owned() };
        assert!(find(&credential("token")).is_ok() && find(&credential("other")).is_err());
        assert!(find(&Source::Command(vec!["/bin/sh".to_owned()])).is_ok());
        assert!(find(&Source::Command(vec!["sh".to_owned()])).is_err());
        assert!(find(&Source::Command(vec![path.to_str().unwrap().to_owned()])).is_err());
    }

    #[test]
    fn a_credential_may_be_in_any_of_the_stores() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(second.path().join("token"), "").unwrap();
        let folders = [first.path().to_owned(), second.path().to_owned()];
        assert!(found_in(&folders, "token").is_ok());
        assert!(found_in(&folders, "other").unwrap_err().contains("systemd-creds encrypt --name=other"));
    }
}
