//! The unit of an installed `cloudflared` service, as `systemctl cat` prints it.

use std::fmt;

use super::CONFIG_FILE;
use crate::secret::Secret;

/// What an installed service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledService {
    /// Files with variables, in the unit's order. A token in one of them is the one that counts, and the last one if several have
    /// one. None are named where an argument of the unit has the token, which counts before every variable.
    pub environment_files: Vec<EnvironmentFile>,
    /// Where it takes its tunnel from when none of them has a token.
    pub tunnel: ServiceTunnel,
}

/// Where a service's cloudflared takes its tunnel from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceTunnel {
    /// A token in the unit itself.
    Token(Secret),
    /// A file with the token.
    TokenFile(String),
    /// A configuration file.
    Config(String),
}

/// A file with variables for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// Where it is.
    pub path: String,
    /// Whether the service starts without it as well.
    pub is_optional: bool,
}

/// Why a unit tells of no tunnel. It shows nothing of what the unit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitError {
    /// It starts nothing.
    NoExecStart,
    /// It starts something else.
    NotCloudflared,
}

impl fmt::Display for UnitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoExecStart => "it has no ExecStart=",
            Self::NotCloudflared => "its ExecStart= does not run cloudflared",
        })
    }
}

impl std::error::Error for UnitError {}

/// What a unit's cloudflared runs. As in cloudflared a token comes before a token file, and both before a configuration.
///
/// # Errors
///
/// When the unit does not start cloudflared.
pub fn installed_service(unit: &str) -> Result<InstalledService, UnitError> {
    let mut exec: Option<Vec<String>> = None;
    let (mut variables, mut files) = (Vec::new(), Vec::new());
    let mut in_service = false;
    for line in joined(unit) {
        let line = line.trim();
        if line.starts_with('[') {
            in_service = line == "[Service]";
            continue;
        }
        if !in_service || line.starts_with(['#', ';']) {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        match (key.trim(), value.trim()) {
            // An empty assignment takes back what stood before it.
            ("ExecStart", "") => exec = None,
            ("ExecStart", value) => exec = Some(words(value)),
            ("Environment", "") => variables.clear(),
            ("Environment", value) => variables.extend(words(value)),
            ("EnvironmentFile", "") => files.clear(),
            ("EnvironmentFile", value) => {
                let path = value.strip_prefix('-');
                files.push(EnvironmentFile { path: path.unwrap_or(value).to_owned(), is_optional: path.is_some() });
            }
            _ => {}
        }
    }
    let exec = exec.ok_or(UnitError::NoExecStart)?;
    let program = exec.first().map(|program| program.trim_start_matches(['@', '-', ':', '+', '!'])).unwrap_or_default();
    if program.rsplit('/').next() != Some("cloudflared") {
        return Err(UnitError::NotCloudflared);
    }
    // What is set again counts as it was set last, as by a drop-in.
    let variable =
        |name: &str| variables.iter().rev().find_map(|text| text.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
    let given = |flag: &str, name: &str| argument(&exec, flag).or_else(|| variable(name)).filter(|value| !value.is_empty());
    let tunnel = if let Some(token) = given("token", "TUNNEL_TOKEN") {
        ServiceTunnel::Token(Secret::new(token))
    } else if let Some(path) = given("token-file", "TUNNEL_TOKEN_FILE") {
        ServiceTunnel::TokenFile(path)
    } else {
        ServiceTunnel::Config(given("config", "TUNNEL_CONFIG").unwrap_or_else(|| CONFIG_FILE.to_owned()))
    };
    let environment_files = if argument(&exec, "token").is_some() { Vec::new() } else { files };
    Ok(InstalledService { environment_files, tunnel })
}

/// The token in a file of variables, as systemd reads it.
pub fn token_in(environment_file: &str) -> Option<Secret> {
    let lines = environment_file.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let value = lines.filter_map(|line| line.strip_prefix("TUNNEL_TOKEN=")).next_back()?;
    words(value).first().map(|token| Secret::new(token.as_str())).filter(|token| !token.is_empty())
}

/// The lines, with those that end in a backslash put together with the next.
fn joined(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        let (content, continues) = match line.strip_suffix('\\') {
            Some(content) => (content, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(content);
            }
            None => lines.push(content.to_owned()),
        }
        goes_on = continues;
    }
    lines
}

/// Words as systemd splits them: at white space, with single and double quotes and backslashes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), char) if char == open => quote = None,
            (Some(_) | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, char) if char.is_whitespace() => words.extend(word.take()),
            (Some(_) | None, char) => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

/// The value of `--flag VALUE` or `--flag=VALUE`.
fn argument(arguments: &[String], flag: &str) -> Option<String> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        let rest = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?.strip_prefix(flag)?;
        if rest.is_empty() { arguments.get(index + 1).cloned() } else { rest.strip_prefix('=').map(str::to_owned) }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &str) -> Result<InstalledService, UnitError> {
        installed_service(&format!("[Unit]\nDescription=x\n[Service]\n{lines}\n[Install]\nWantedBy=multi-user.target\n"))
    }

    #[test]
    fn each_form_of_the_installed_service_is_read() {
        let program = "ExecStart=/usr/bin/cloudflared --no-autoupdate";
        let token = || ServiceTunnel::Token(Secret::new("eyJ"));
        for (lines, expected) in [
            (format!("{program} tunnel run --token eyJ"), token()),
            (format!("{program} tunnel run --token=eyJ"), token()),
            (format!("{program} tunnel run \\\n  --token \"eyJ\""), token()),
            (format!("Environment='TUNNEL_TOKEN=eyJ' A=b\n{program} tunnel run"), token()),
            (
                format!("{program} tunnel run --token-file /etc/cloudflared/token"),
                ServiceTunnel::TokenFile("/etc/cloudflared/token".to_owned()),
            ),
            (format!("Environment=TUNNEL_TOKEN=old\n{program} tunnel run\n[Service]\nEnvironment=TUNNEL_TOKEN=eyJ"), token()),
            (
                format!("{program} --config /etc/cloudflared/a.yml tunnel run"),
                ServiceTunnel::Config("/etc/cloudflared/a.yml".to_owned()),
            ),
            (format!("ExecStart=/bin/old\nExecStart=\n{program} tunnel run --token eyJ"), token()),
            (format!("{program} tunnel run"), ServiceTunnel::Config(CONFIG_FILE.to_owned())),
        ] {
            assert_eq!(of(&lines), Ok(InstalledService { environment_files: Vec::new(), tunnel: expected }), "{lines}");
        }
        assert_eq!(of("Type=notify"), Err(UnitError::NoExecStart));
        assert_eq!(of("ExecStart=/usr/sbin/nginx"), Err(UnitError::NotCloudflared));
    }

    #[test]
    fn files_of_variables_count_before_all_but_a_token_among_the_arguments() {
        let files = "EnvironmentFile=-/etc/default/cloudflared\nEnvironmentFile=/etc/more";
        let file = |path: &str, is_optional| EnvironmentFile { path: path.to_owned(), is_optional };
        let named = vec![file("/etc/default/cloudflared", true), file("/etc/more", false)];
        let token = ServiceTunnel::Token(Secret::new("eyJ"));
        for (lines, environment_files, tunnel) in [
            ("ExecStart=cloudflared tunnel run", named.clone(), ServiceTunnel::Config(CONFIG_FILE.to_owned())),
            ("ExecStart=cloudflared --config /a.yml tunnel run", named.clone(), ServiceTunnel::Config("/a.yml".to_owned())),
            ("ExecStart=cloudflared tunnel run --token-file /t", named.clone(), ServiceTunnel::TokenFile("/t".to_owned())),
            ("Environment=TUNNEL_TOKEN=eyJ\nExecStart=cloudflared tunnel run", named, token.clone()),
            ("ExecStart=cloudflared tunnel run --token eyJ", Vec::new(), token),
        ] {
            assert_eq!(of(&format!("{files}\n{lines}")), Ok(InstalledService { environment_files, tunnel }), "{lines}");
        }
    }

    #[test]
    fn the_token_is_found_in_a_file_of_variables() {
        let text = "# TUNNEL_TOKEN=old\nOTHER=1\nTUNNEL_TOKEN=\"eyJ\"\n";
        assert_eq!(token_in(text), Some(Secret::new("eyJ")));
        assert_eq!(token_in("A=b"), None);
    }

    proptest! {
        #[test]
        fn no_unit_panics(text in "(\\[Service\\]\n)?(ExecStart=|Environment=|\"|'|\\\\|\\PC|\n){0,30}") {
            let _ = installed_service(&text);
            let _ = token_in(&text);
        }
    }
}
