//! The installed service: what it runs, its end and its way back.

use std::path::Path;

use super::source::{self, Found, of_token, read_config};
use crate::{
    cli::{Failure, programs::Programs},
    import::{EnvironmentFile, ServiceTunnel, installed_service, token_in},
    secret::Secret,
};

/// The tunnel that the unit runs.
pub(super) async fn read(unit: &str, programs: &Programs) -> Result<Found, Failure> {
    let text = programs.systemctl(&["cat", "--", unit]).await?;
    let service = installed_service(&text);
    let service = service.map_err(|error| Failure::of(error).while_doing(format!("cannot import the service {unit:?}")))?;
    if let Some(token) = token_of(&service.environment_files)? {
        return of_token(&token);
    }
    match service.tunnel {
        ServiceTunnel::Token(token) => of_token(&token),
        ServiceTunnel::TokenFile(path) => of_token(&Secret::new(source::read(Path::new(&path))?.as_str())),
        ServiceTunnel::Config(path) => read_config(Path::new(&path)),
    }
}

/// The token in files of variables. The last of them that has one counts, as for systemd.
fn token_of(files: &[EnvironmentFile]) -> Result<Option<Secret>, Failure> {
    for EnvironmentFile { path, is_optional } in files.iter().rev() {
        let path = Path::new(path);
        if *is_optional && !path.exists() {
            continue;
        }
        if let Some(token) = token_in(&source::read(path)?) {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

/// Stops the service and keeps it from starting again.
pub(super) async fn stop(unit: &str, programs: &Programs) -> Result<(), Failure> {
    programs.systemctl(&["disable", "--now", "--", unit]).await.map(drop)
}

/// Starts it as it was.
pub(super) async fn start(unit: &str, programs: &Programs) -> Result<(), Failure> {
    programs.systemctl(&["enable", "--now", "--", unit]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_file_with_a_token_counts_and_one_that_may_be_missing_may() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, is_optional| {
            let path = folder.path().join(name).display().to_string();
            EnvironmentFile { path, is_optional }
        };
        fs::write(folder.path().join("first"), "TUNNEL_TOKEN=former\n").unwrap();
        fs::write(folder.path().join("second"), "TUNNEL_TOKEN=latter\n").unwrap();
        fs::write(folder.path().join("third"), "OTHER=1\n").unwrap();
        let all = [file("first", false), file("second", false), file("third", false), file("missing", true)];
        assert_eq!(token_of(&all).unwrap(), Some(Secret::new("latter")));
        assert_eq!(token_of(&all[2..]).unwrap(), None);
        assert!(token_of(&[file("missing", false)]).unwrap_err().report().contains("missing"));
    }
}
