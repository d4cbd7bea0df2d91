//! The installed service: what it runs, its end and its way back.

use std::{io, path::Path, process::Output};

use super::source::{self, Found, of_token, read_config};
use crate::{
    cli::{Ending, Failure},
    import::{ServiceTunnel, service_tunnel, token_in},
    secret::Secret,
};

/// What the unit runs.
fn unit_tunnel(unit: &str) -> Result<ServiceTunnel, Failure> {
    let output = systemctl(&["cat", "--", unit])?;
    service_tunnel(&String::from_utf8_lossy(&output.stdout))
        .map_err(|error| Failure::new(Ending::Failed, format!("cannot import the service {unit:?}: {error}")))
}

/// The tunnel of the unit.
pub(super) fn read(unit: &str) -> Result<Found, Failure> {
    match unit_tunnel(unit)? {
        ServiceTunnel::Token(token) => of_token(&token),
        ServiceTunnel::TokenFile(path) => of_token(&Secret::new(source::read(Path::new(&path))?.as_str())),
        ServiceTunnel::Config(path) => read_config(Path::new(&path)),
        ServiceTunnel::EnvironmentFiles(paths) => {
            for path in &paths {
                if let Some(token) = token_in(&source::read(Path::new(path))?) {
                    return of_token(&token);
                }
            }
            read_config(Path::new("/etc/cloudflared/config.yml"))
        }
    }
}

/// Stops the service and keeps it from starting again.
pub(super) fn stop(unit: &str) -> Result<(), Failure> {
    systemctl(&["disable", "--now", "--", unit]).map(drop)
}

/// Starts it as it was.
pub(super) fn start(unit: &str) -> Result<(), Failure> {
    systemctl(&["enable", "--now", "--", unit]).map(drop)
}

fn systemctl(arguments: &[&str]) -> Result<Output, Failure> {
    let doing = || format!("cannot run systemctl {}", arguments.join(" "));
    let output = std::process::Command::new("systemctl").args(arguments).stdin(std::process::Stdio::null()).output();
    let output = output.map_err(|error: io::Error| Failure::of(anyhow::Error::new(error).context(doing())))?;
    if output.status.success() {
        return Ok(output);
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(Ending::Failed, format!("{}: {}", doing(), why.lines().next().unwrap_or("it failed").trim())))
}
