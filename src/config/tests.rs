//! The configuration through its public face.

mod document;
mod example;
mod forbidden;
mod hooks;
mod load_balancers;
mod merging;
mod over_socket;
mod properties;
mod rules;
mod sections;

use std::fmt::Display;

use super::*;

/// A file with one account, so that tunnels have one.
pub(super) const ACCOUNT: &str = "[accounts.default]\napi_token = { credential = 'cloudflare-api-token' }\n";

pub(super) fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.to_owned() }
}

/// The files as one configuration.
pub(super) fn parse_files(files: &[(&str, &str)]) -> Result<Config, Problems> {
    let sources: Vec<Source> = files.iter().map(|(path, text)| source(path, text)).collect();
    parse(&sources)
}

/// `text` as `adit.toml` with an account in another file.
pub(super) fn parse_text(text: &str) -> Result<Config, Problems> {
    parse_files(&[("adit.toml", text), ("account.toml", ACCOUNT)])
}

/// `body` as the table of a tunnel `web`.
pub(super) fn parse_body(body: &str) -> Result<Tunnel, Problems> {
    parse_text(&format!("[tunnels.web]\n{body}")).map(|mut config| config.tunnels.remove(&"web".parse().unwrap()).unwrap())
}

/// What is wrong with `text`, as people see it.
pub(super) fn problems_of<T, E: Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// Asserts that `text` has exactly these problems.
#[track_caller]
pub(super) fn assert_problems(text: &str, expected: &str) {
    assert_eq!(problems_of(parse_text(text)), expected, "{text}");
}
