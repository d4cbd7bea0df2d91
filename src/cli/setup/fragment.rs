//! The files that are made: what they say, and whether the configuration can be used with them. Everything here is pure.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{
    config::{self, Config, Problems, Source, TokenSource, tunnel_toml},
    config_files,
    id::AccountId,
    name::{AccountName, TunnelName},
};

/// The credential that the package's unit loads without a drop-in, for the account that nobody named otherwise.
const FIRST_CREDENTIAL: &str = "cloudflare-api-token";
const FIRST_ACCOUNT: &str = "default";

/// What a main file says that was missing.
pub(super) const EMPTY_MAIN: &str =
    "# Adit's configuration. Files in conf.d beside it are read after it; `adit config show` shows all of it.\n";

/// What stands at the head of what is made.
const HEAD: &str = "# Made by `adit setup`. Change it as you like: it is read like every other file of the configuration.\n";

/// The systemd credential for an account's token.
pub(super) fn credential_name(account: &AccountName) -> String {
    if account.as_str() == FIRST_ACCOUNT { FIRST_CREDENTIAL.to_owned() } else { format!("{FIRST_CREDENTIAL}-{account}") }
}

/// Whether the package's unit has to be told of the credential.
pub(super) fn needs_drop_in(credential: &str) -> bool {
    credential != FIRST_CREDENTIAL
}

/// The file of an account, beside the main one.
pub(super) fn account_path(main: &Path, account: &AccountName) -> PathBuf {
    config_files::folder(main).join(format!("account-{account}.toml"))
}

/// The file of a tunnel, beside the main one.
pub(super) fn tunnel_path(main: &Path, tunnel: &TunnelName) -> PathBuf {
    config_files::folder(main).join(format!("tunnel-{tunnel}.toml"))
}

/// The unit's drop-in for an account's credential.
pub(super) fn drop_in_path(folder: &Path, account: &AccountName) -> PathBuf {
    folder.join(format!("account-{account}.conf"))
}

/// What an account's file says.
pub(super) fn account_text(account: &AccountName, id: Option<&AccountId>, token: &TokenSource, api_base: Option<&str>) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let source = match token {
        TokenSource::Credential(name) => format!("credential = {}", quoted(name)),
        TokenSource::File(path) => format!("file = {}", quoted(&path.to_string_lossy())),
        TokenSource::Command(argv) => {
            format!("command = [{}]", argv.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
        }
        TokenSource::Env(name) => format!("env = {}", quoted(name)),
    };
    let id = id.map(|id| format!("account_id = {}\n", quoted(id.as_str()))).unwrap_or_default();
    let api_base = api_base.map(|base| format!("api_base = {}\n", quoted(base))).unwrap_or_default();
    format!("{HEAD}[accounts.{account}]\n{id}api_token = {{ {source} }}\n{api_base}")
}

/// What a tunnel's file says: one rule.
///
/// # Errors
///
/// When the rule has no form in TOML.
pub(super) fn tunnel_text(tunnel: &TunnelName, account: &AccountName, rule: &Value) -> anyhow::Result<String> {
    let mut definition = Map::new();
    definition.insert("account".to_owned(), Value::from(account.as_str()));
    definition.insert("ingress".to_owned(), Value::Array(vec![rule.clone()]));
    Ok(format!("{HEAD}{}", tunnel_toml(tunnel, &definition)?))
}

/// What the unit's drop-in says.
pub(super) fn drop_in_text(account: &AccountName, credential: &str) -> String {
    format!(
        "# Made by `adit setup --name {account}`: the API token of account \"{account}\".\n[Service]\nLoadCredentialEncrypted={credential}\n"
    )
}

/// The configuration that these files make with those that are there, read in the order of their names.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(super) fn together(main: &Path, there: &[Source], new: &[Source]) -> Result<Config, Problems> {
    let is_new = |source: &&Source| new.iter().any(|new| new.path == source.path);
    let mut sources: Vec<Source> = there.iter().filter(|source| !is_new(source)).chain(new).cloned().collect();
    sources.sort_by_key(|source| (source.path != main, source.path.clone()));
    config::parse(&sources)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(text: &str) -> AccountName {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_made_is_read_back_as_it_was_meant() {
        let main = Path::new("/etc/adit/adit.toml");
        let id: AccountId = "0a1b2c3d4e5f60718293a4b5c6d7e8f9".parse().unwrap();
        for token in [TokenSource::Credential("cloudflare-api-token".to_owned()), TokenSource::File("/a \"b\"/c".into())] {
            let text = account_text(&name("default"), Some(&id), &token, Some("http://127.0.0.1:1/client/v4"));
            let account = Source { path: account_path(main, &name("default")), text };
            let rule = json!({ "hostname": "app.example.com", "service": "http://localhost:8080" });
            let web: TunnelName = "web".parse().unwrap();
            let tunnel = Source { path: tunnel_path(main, &web), text: tunnel_text(&web, &name("default"), &rule).unwrap() };
            let there = Source { path: main.to_owned(), text: EMPTY_MAIN.to_owned() };
            let config = together(main, &[there], &[tunnel, account]).unwrap();
            assert_eq!(config.accounts[&name("default")].api_token, token);
            assert_eq!(config.accounts[&name("default")].account_id, Some(id.clone()));
            assert_eq!(config.tunnels[&web].ingress[0].service.to_string(), "http://localhost:8080");
            assert!(config.warnings.is_empty());
        }
    }

    #[test]
    fn a_file_that_is_written_anew_takes_the_place_of_its_former_self() {
        let main = Path::new("/etc/adit/adit.toml");
        let account = |env: &str| Source {
            path: account_path(main, &name("default")),
            text: account_text(&name("default"), None, &TokenSource::Env(env.to_owned()), None),
        };
        let config = together(main, &[account("BEFORE")], &[account("AFTER")]).unwrap();
        assert_eq!(config.accounts[&name("default")].api_token, TokenSource::Env("AFTER".to_owned()));
    }

    #[test]
    fn only_the_first_account_needs_no_drop_in() {
        for (account, credential, drop_in) in
            [("default", "cloudflare-api-token", false), ("second", "cloudflare-api-token-second", true)]
        {
            let found = credential_name(&name(account));
            assert_eq!((found.as_str(), needs_drop_in(&found)), (credential, drop_in));
        }
        let text = drop_in_text(&name("second"), "cloudflare-api-token-second");
        assert!(text.ends_with("[Service]\nLoadCredentialEncrypted=cloudflare-api-token-second\n"), "{text}");
    }
}
