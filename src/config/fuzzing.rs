//! The laws of the configuration: of files, of definitions that come as JSON, and of the values in both.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Config, Origin, Problems, Service, Source, Tunnel, bytes as amount, days, duration, parse, parse_tunnel, path_regex, paths,
    salvage, show, tunnel_toml,
};
use crate::{id::TunnelId, name::TunnelName};

/// What stands between two files.
const NEXT_FILE: &str = "# next file\n";

/// The most that is said about a file that is wrong all over: a hundred problems, each with a key that may be all of the file.
const SAID_MAX: usize = 128 * 1024;
const SAID_PER_BYTE: usize = 1_000;

/// Any text as the files of a configuration: whatever is wrong is said, and what is taken is what is shown.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let files = text.split(NEXT_FILE).take(4).enumerate();
    let sources: Vec<Source> = files.map(|(number, text)| source(&format!("{number}.toml"), text)).collect();
    match parse(&sources) {
        Err(problems) => check_problems(&problems, &sources),
        Ok(config) => {
            let again = parse(&[source("shown.toml", &show(&config))]).unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(again.with_origins_of(&config), config.clone().without_warnings());
            let salvaged = salvage(&sources).expect("it has no mistake");
            assert_eq!((&salvaged.daemon, &salvaged.access, &salvaged.hooks), (&config.daemon, &config.access, &config.hooks));
            config.tunnels.values().for_each(|tunnel| check_definition(tunnel, &config));
        }
    }
    let _ = salvage(&sources);
}

/// Any JSON as a tunnel's definition over the socket.
pub fn definition(bytes: &[u8]) {
    let Ok(definition) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return };
    let name: TunnelName = "web".parse().expect("it is a name");
    let Ok(text) = tunnel_toml(&name, &definition) else { return };
    // What is nested too deep is refused with the text.
    let Ok(file) = text.parse::<toml::Table>() else {
        return assert!(parse_tunnel(&source("web.toml", &text), &name, &nothing()).is_err());
    };
    assert!(file.keys().eq(["tunnels"]) && file["tunnels"].as_table().is_some_and(|tunnels| tunnels.keys().eq(["web"])));
    let config = parse(&[source("adit.toml", "[accounts.default]\napi_token = { file = '/etc/t' }\n")]).expect("it is right");
    let source = source("web.toml", &text);
    match parse_tunnel(&source, &name, &config) {
        Err(problems) => check_problems(&problems, &[source]),
        Ok(tunnel) => check_definition(&tunnel, &config),
    }
}

/// A tunnel that is told as JSON is the same tunnel when it comes back.
fn check_definition(tunnel: &Tunnel, config: &Config) {
    let json = serde_json::to_value(tunnel).expect("a tunnel has a JSON form");
    let toml = tunnel_toml(&tunnel.name, json.as_object().expect("it is an object")).expect("it has a form in TOML");
    let alone = Config { tunnels: BTreeMap::new(), ..config.clone() };
    let again =
        parse_tunnel(&source("web.toml", &toml), &tunnel.name, &alone).unwrap_or_else(|problems| panic!("{problems}\n{toml}"));
    assert_eq!(again, Tunnel { origin: Origin::Api, ..tunnel.clone() });
}

fn check_problems(problems: &Problems, sources: &[Source]) {
    assert!(!problems.0.is_empty());
    for problem in &problems.0 {
        let source = sources.iter().find(|source| source.path == problem.path).expect("it is in one of the files");
        let line = source.text.split('\n').nth(problem.line - 1).unwrap_or_else(|| panic!("{problem} is behind the file's end"));
        assert!(
            (1..=line.chars().count() + 1).contains(&problem.column),
            "{problem} is behind its line's end, at {}",
            problem.column
        );
        assert!(!problem.message.is_empty());
        let shown = problem.to_string();
        assert!(!shown.contains(|char: char| char.is_control()), "{shown:?}");
    }
    let (said, length) = (problems.to_string().len(), sources.iter().map(|source| source.text.len()).sum::<usize>());
    assert!(said <= SAID_MAX + SAID_PER_BYTE * length, "{said} bytes are said about {length}");
}

/// Any text as each kind of value: what is written of it is the same value.
pub fn values(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(duration) = duration::parse(text) {
        assert_eq!(duration::parse(&duration::display(duration)), Ok(duration));
    }
    if let Ok(amount) = amount::parse(text) {
        assert_eq!(amount::parse(&amount.to_string()), Ok(amount));
    }
    assert_eq!(days::parse(text).is_ok(), text.strip_suffix('d').is_some_and(is_year));
    if let Ok(service) = text.parse::<Service>() {
        assert_eq!(service.to_string().parse().as_ref(), Ok(&service));
    }
    if let Ok(path) = paths::absolute(text) {
        assert!(path.is_absolute() && paths::is_inside(&path, std::path::Path::new("/")));
        assert!(paths::is_inside(&path, &path) && paths::is_inside(&path.join("x"), &path));
    }
    if path_regex::check(text).is_ok() {
        let _ = (path_regex::finds(text, "/api/v1"), path_regex::finds_everything(text));
    }
    if let Ok(id) = text.parse::<TunnelId>() {
        let url: url::Url = format!("https://api.invalid/{id}/x").parse().expect("an id stands in a path");
        assert_eq!(url.path(), format!("/{text}/x"));
    }
    let _ = (text.parse::<super::Who>(), text.parse::<super::Pattern>());
}

fn is_year(digits: &str) -> bool {
    digits.parse::<u16>().is_ok_and(|days| (1..=365).contains(&days)) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn nothing() -> Config {
    parse(&[]).expect("no file at all is a configuration")
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.to_owned() }
}

impl Config {
    fn without_warnings(self) -> Self {
        Self { warnings: Vec::new(), ..self }
    }

    /// As if its tunnels stood in the files in which those of `other` stand.
    fn with_origins_of(mut self, other: &Self) -> Self {
        for (name, tunnel) in &mut self.tunnels {
            if let Some(other) = other.tunnels.get(name) {
                tunnel.origin = other.origin.clone();
            }
        }
        self.without_warnings()
    }
}
