//! Files of cloudflared, read with the caller's rights.

use std::{fs::File, io::Read, path::Path};

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    cli::{Ending, Failure},
    control::api::Problem,
    credential::parse_connector_token,
    id::TunnelId,
    import::{FILE_BYTES_MAX, Remark, Translation, translate},
    name::is_uuid_shaped,
    secret::Secret,
};

/// What was found on this host.
#[derive(Debug)]
pub(super) struct Found {
    /// The tunnel's id.
    pub(super) id: TunnelId,
    /// Its name, where the files tell it.
    pub(super) tunnel_name: Option<String>,
    /// Its configuration file, if there is one.
    pub(super) translation: Option<Translation>,
}

/// A credentials file as far as it is needed. The secret stays where it is: the daemon asks Cloudflare for the tunnel's own.
#[derive(Deserialize)]
struct Credentials {
    #[serde(alias = "tunnelid", alias = "tunnelID", rename = "TunnelID")]
    tunnel_id: TunnelId,
    #[serde(alias = "tunnelname", rename = "TunnelName", default)]
    tunnel_name: Option<String>,
}

/// Reads a configuration file, and the credentials that it names.
pub(super) fn read_config(path: &Path) -> Result<Found, Failure> {
    let text = read(path)?;
    let translation = translate(&text).map_err(|refusal| {
        let remarks = refusal.0.into_iter().map(|Remark { line, key, why }| {
            let place = if key.is_empty() { String::new() } else { format!(": {key}") };
            Problem { at: Some(format!("line {line}{place}")), problem: why }
        });
        let failure = Failure::new(Ending::Failed, format!("cannot import {path:?}: it is not what cloudflared would read"));
        failure.with_details(remarks.collect()).with_hint("cloudflared's configuration is YAML with tunnel: and ingress:")
    })?;
    let credentials = translation.credentials_file.as_ref().map(|file| credentials(Path::new(file))).transpose()?;
    let named = translation.tunnel.clone().filter(|tunnel| is_uuid_shaped(tunnel));
    let id = match (named, &credentials) {
        (Some(named), Some(credentials)) if !named.eq_ignore_ascii_case(credentials.tunnel_id.as_str()) => {
            let message = format!(
                "cannot import {path:?}: it is for tunnel {named}, and its credentials are of tunnel {}",
                credentials.tunnel_id
            );
            return Err(Failure::new(Ending::Failed, message));
        }
        (_, Some(credentials)) => credentials.tunnel_id.clone(),
        (Some(named), None) => named.to_ascii_lowercase().parse().map_err(Failure::of)?,
        (None, None) => {
            let message = format!("cannot import {path:?}: it names neither a tunnel's id nor a credentials-file");
            return Err(Failure::new(Ending::Failed, message).with_hint("write tunnel: UUID into it"));
        }
    };
    let written = translation.tunnel.clone().filter(|tunnel| !is_uuid_shaped(tunnel));
    let tunnel_name = written.or_else(|| credentials?.tunnel_name);
    Ok(Found { id, tunnel_name, translation: Some(translation) })
}

/// The tunnel of a connector token.
pub(super) fn of_token(token: &Secret) -> Result<Found, Failure> {
    let token = parse_connector_token(token).map_err(Failure::of)?;
    Ok(Found { id: token.tunnel, tunnel_name: None, translation: None })
}

/// The text of a file within bounds.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let done = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    done.map_err(|error| Failure::of(anyhow::Error::new(error).context(format!("cannot read {path:?}"))))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(Ending::Failed, format!("cannot read {path:?}: it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn credentials(path: &Path) -> Result<Credentials, Failure> {
    let text = read(path)?;
    // The error of the JSON reader may quote a part of the file, so it is not shown.
    serde_json::from_str(&text).map_err(|_| {
        let message = format!("cannot read {path:?}: it is no credentials file of cloudflared, which is JSON with a TunnelID");
        Failure::new(Ending::Failed, message)
    })
}
