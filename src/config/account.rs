//! `[accounts.NAME]`: a Cloudflare account and how to speak to it.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};
use url::{Host, Url};

use crate::{id::AccountId, name::AccountName};

use super::{
    cloudflared::is_variable_name,
    paths,
    report::{Report, Reported},
    section::Section,
    tree::Place,
};

/// A Cloudflare account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// The account; the only one that the token can see when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Where the API token comes from.
    pub api_token: TokenSource,
    /// The most API requests.
    pub budget: Budget,
    /// The API, without a slash at the end.
    #[serde(serialize_with = "serialize_url")]
    pub api_base: Url,
}

/// Where an API token comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenSource {
    /// The systemd credential with this name.
    Credential(String),
    /// The file with this absolute path.
    File(PathBuf),
    /// What this command prints; never empty, no shell.
    Command(Vec<String>),
    /// The environment variable with this name.
    Env(String),
}

impl fmt::Display for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(formatter, "systemd credential {name:?}"),
            Self::File(path) => write!(formatter, "file {path:?}"),
            Self::Command(arguments) => {
                // The rest may say more about a secrets manager than everyone has to know.
                write!(formatter, "command {:?}", arguments.first().map_or("", String::as_str))
            }
            Self::Env(name) => write!(formatter, "environment variable {name:?}"),
        }
    }
}

/// A rate of API requests: above 0 and at most 4 a second, which is Cloudflare's limit of 1,200 in 5 minutes.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Budget(f64);

impl Budget {
    /// Requests a second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A rate that was given by the minute may have no short form by the second.
        let per_minute = self.0 * 60.0;
        let is_short = |rate: f64| (rate * 1_000.0).fract() == 0.0;
        if !is_short(self.0) && is_short(per_minute) {
            write!(formatter, "{per_minute}/m")
        } else {
            write!(formatter, "{}/s", self.0)
        }
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

pub(super) fn serialize_url<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_str())
}

/// Requests a second that Cloudflare allows a user, all tokens together (1,200 in 5 minutes).
const BUDGET_MAX: f64 = 4.0;

pub(super) fn account(section: Section<'_>, report: &mut Report<'_>) -> Result<Account, Reported> {
    let account_id = section.optional("account_id", report, account_id);
    let api_token = match section.section("api_token") {
        Some(section) => token_source(section, "the token", report),
        None => Err(Reported),
    };
    let api_base = section.required("api_base", report, api_base);
    // What answers on a loopback address is not Cloudflare, and has no such limit.
    let most = if api_base.as_ref().is_ok_and(is_loopback) { f64::MAX } else { BUDGET_MAX };
    let budget = section.required("budget", report, |text| budget(text, most));
    Ok(Account { account_id: account_id?, api_token: api_token?, budget: budget?, api_base: api_base? })
}

/// The name of an account's table.
pub(super) fn name(text: &str, place: &Place, report: &mut Report<'_>) -> Result<AccountName, Reported> {
    text.parse().map_err(|error| report.error(place, format!("cannot use {text:?} as an account's name: {error}")))
}

fn account_id(text: &str) -> Result<AccountId, &'static str> {
    const RULE: &str = "an account id is 32 hexadecimal digits (the dashboard shows it in its address)";
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(hexadecimal) {
        return Err(RULE);
    }
    text.parse().map_err(|_| RULE)
}

pub(super) fn token_source(section: Section<'_>, what: &str, report: &mut Report<'_>) -> Result<TokenSource, Reported> {
    let given: Vec<&str> = section.entries().map(|(key, _)| key).collect();
    match given[..] {
        ["credential"] => section.required("credential", report, credential).map(TokenSource::Credential),
        ["file"] => section.required("file", report, paths::absolute).map(TokenSource::File),
        ["command"] => {
            let command = section.list("command", report, argument)?;
            if command.first().is_none_or(String::is_empty) {
                return Err(report.error(section.place, "command needs at least the program, as in [\"vault\", \"kv\", \"get\"]"));
            }
            Ok(TokenSource::Command(command))
        }
        ["env"] => section.required("env", report, variable).map(TokenSource::Env),
        _ => {
            let message = format!("exactly one of credential, file, command and env must say where {what} comes from");
            Err(report.error(section.place, message))
        }
    }
}

fn credential(text: &str) -> Result<String, &'static str> {
    let allowed = |char: char| char.is_ascii_graphic() && char != '/' && char != ':';
    if text.is_empty() || text.len() > 255 || text == "." || text == ".." || !text.chars().all(allowed) {
        return Err("a systemd credential has a file's name: no /, no : and no space");
    }
    Ok(text.to_owned())
}

pub(super) fn argument(text: &str) -> Result<String, &'static str> {
    if text.contains('\0') { Err("an argument must not contain a zero byte") } else { Ok(text.to_owned()) }
}

fn variable(text: &str) -> Result<String, &'static str> {
    if is_variable_name(text) { Ok(text.to_owned()) } else { Err("it must be the name of an environment variable") }
}

fn budget(text: &str, most: f64) -> Result<Budget, String> {
    const RULE: &str = "a budget is a rate such as 3/s or 180/m";
    let (number, unit) = text.split_once('/').ok_or(RULE)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(RULE.to_owned());
    }
    let number: f64 = number.parse().map_err(|_| RULE)?;
    let per_second = match unit {
        "s" => number,
        "m" => number / 60.0,
        _ => return Err(RULE.to_owned()),
    };
    if per_second > most {
        return Err(format!(
            "Cloudflare allows {BUDGET_MAX} requests a second (1,200 in 5 minutes), all of a user's tokens together"
        ));
    }
    if per_second <= 0.0 {
        return Err("with no request at all nothing could ever be provisioned".to_owned());
    }
    Ok(Budget(per_second))
}

fn api_base(text: &str) -> Result<Url, String> {
    let mut url = checked_url(text, "http would send the token in clear: only a loopback address may be asked without TLS")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must end with the path, without ? and #".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A URL of `https`, or of `http` on a loopback address; elsewhere `in_clear` says why not. No user or password is in it.
pub(super) fn checked_url(text: &str, in_clear: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("it is no URL ({error})"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(in_clear.to_owned()),
        _ => return Err("only https can be used".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("no user name or password may stand in it".to_owned());
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
