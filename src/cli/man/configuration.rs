//! adit.toml(5), from the configuration's grammar.

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::pages::{MANUAL, Page, SOURCE};
use crate::config::{self, KeyReference};

/// The page of the configuration's files.
pub(super) fn page() -> Page {
    let mut roff = Roff::new();
    roff.control("TH", ["ADIT.TOML", "5", "", SOURCE, MANUAL]);
    roff.control("SH", ["NAME"]).text([roman("adit.toml - the configuration of adit")]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman("/etc/adit/adit.toml")]).control("br", []).text([roman("/etc/adit/conf.d/*.toml")]);
    roff.control("SH", ["DESCRIPTION"]);
    for paragraph in DESCRIPTION {
        roff.control("PP", []).text([roman(paragraph)]);
    }
    let mut section = "";
    let keys = config::keys();
    for key in &keys {
        let head = key.key.split('.').next().unwrap_or_default();
        if head != section {
            section = head;
            roff.control("SH", [format!("[{head}]").as_str()]);
        }
        entry(key, &mut roff);
    }
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in EXAMPLE.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("SH", ["SEE ALSO"]).text([roman("adit(1), adit-config-check(1), adit-config-show(1), adit-config-schema(1)")]);
    Page { name: "adit.toml".to_owned(), section: 5, roff: roff.render() }
}

fn entry(key: &KeyReference, roff: &mut Roff) {
    roff.control("TP", []);
    let note = match &key.default {
        Some(default) => roman(format!(" (default {default})")),
        None if key.required => roman(" (required)"),
        None => roman(""),
    };
    roff.text([bold(key.key.as_str()), roman(" = "), italic(key.value.as_str()), note]);
    roff.text([roman(key.meaning)]);
}

const DESCRIPTION: [&str; 4] = [
    "The daemon reads adit.toml and then every file of conf.d in the order of their names. They have the same grammar and are merged; \
     the same tunnel or hostname twice is an error that names both places.",
    "An unknown key is an error, with the one that may be meant. All mistakes are reported at once: \"adit config check\" shows them \
     without a daemon. When the files are bad, the daemon runs the configuration that it accepted last.",
    "Routes are written in cloudflared's own words and spelling. A block of a cloudflared configuration can be pasted.",
    "Below, NAME stands for a name that you give and [] for each element of a list.",
];

const EXAMPLE: &str = "\
[accounts.default]
api_token = { credential = \"cloudflare-api-token\" }

[tunnels.web]
replicas = 2
ingress = [
  { hostname = \"app.example.com\", service = \"http://localhost:8080\" },
]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_grammar_is_on_the_page() {
        let text = page().roff.replace("\\-", "-");
        for key in config::keys() {
            assert!(text.contains(&key.key), "{}", key.key);
        }
    }

    #[test]
    fn the_example_is_accepted() {
        let source = config::Source { path: "adit.toml".into(), text: EXAMPLE.to_owned() };
        config::parse(&[source]).unwrap();
    }
}
