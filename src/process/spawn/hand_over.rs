//! What a connector gets besides its command line: its secret, and the configuration where Adit writes it.

use std::{
    fs, io,
    io::Write,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{MemfdFlags, SealFlags};

use crate::{
    connector::{Launch, LaunchConfiguration, Reason, SpawnFailure},
    process::{command_line::TOKEN_PATH, credentials},
};

/// Puts the secret where only the child finds it, and the configuration, if Adit has to write one, beside the record at `stem`.
pub(super) fn hand_over(launch: &Launch, stem: &Path) -> Result<(OwnedFd, Option<PathBuf>), SpawnFailure> {
    let cannot =
        |error: io::Error| super::failure("cannot-hand-over", format!("cannot hand over token or configuration: {error}"), false);
    match &launch.configuration {
        LaunchConfiguration::Remote => Ok((sealed(launch.token.expose().as_bytes()).map_err(cannot)?, None)),
        LaunchConfiguration::Local(configuration) => {
            let credentials = credentials::from_token(&launch.token).ok_or_else(|| SpawnFailure {
                reason: Reason::new(
                    "bad-token",
                    "cannot make credentials of the connector token: it is not in Cloudflare's form",
                ),
                lasting: true,
            })?;
            let path = stem.with_extension(format!("{}.config", stem.extension().unwrap_or_default().display()));
            write_configuration(&path, configuration, launch).map_err(cannot)?;
            Ok((sealed(credentials.expose().as_bytes()).map_err(cannot)?, Some(path)))
        }
    }
}

fn write_configuration(path: &Path, configuration: &serde_json::Value, launch: &Launch) -> io::Result<()> {
    let mut document = configuration.as_object().cloned().unwrap_or_default();
    document.insert("tunnel".to_owned(), launch.tunnel_id.as_str().into());
    document.insert("credentials-file".to_owned(), TOKEN_PATH.into());
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec_pretty(&document)?)
}

/// A file in memory with `content`, which nobody can change any more.
fn sealed(content: &[u8]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("adit-secret", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = fs::File::from(memory);
    file.write_all(content)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::AsRawFd};

    use super::*;

    #[test]
    fn a_sealed_secret_is_read_by_its_path_and_cannot_be_changed() {
        let secret = sealed(b"token").unwrap();
        let path = format!("/proc/self/fd/{}", secret.as_raw_fd());
        let mut text = String::new();
        fs::File::open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "token");
        assert!(fs::File::from(secret).write_all(b"x").is_err());
    }

    #[test]
    fn a_local_configuration_names_tunnel_and_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        let launch = crate::connector::testing::launch();
        let ingress = serde_json::json!({ "ingress": [{ "service": "http_status:404" }], "tunnel": "another" });
        write_configuration(&path, &ingress, &launch).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            written,
            serde_json::json!({
                "credentials-file": "/dev/fd/4",
                "ingress": [{ "service": "http_status:404" }],
                "tunnel": "11111111-2222-3333-4444-555555555555",
            })
        );
    }
}
