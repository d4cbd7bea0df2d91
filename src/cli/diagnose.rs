//! `adit diagnose`

use clap::Args;
use jiff::Timestamp;

use super::{
    Context, Ending, Failure, Output, completion,
    render::{Cell, Look, Table, Tone, plain},
};
use crate::{
    control::api::{Diagnosis, DiagnosisLink, LinkState},
    name::Hostname,
};

/// Walk the whole way from a hostname to its origin, and name the first broken link
///
/// It shows what is known, each link with the age of that knowledge, and tries the origin as the daemon's user. Ends with 0 when
/// nothing is broken and with 1 when a link is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit diagnose app.example.com
  adit diagnose https://app.example.com/api   the rule for that path
  adit diagnose app.example.com --fresh       ask Cloudflare anew (at most 3 calls of the API)
  adit diagnose app.example.com --outside     and ask for it as a visitor would")]
pub(super) struct Arguments {
    /// The hostname, or a URL with it.
    #[arg(add = completion::hostnames())]
    hostname: String,
    /// The path that a visitor asks for, beginning with /.
    #[arg(long)]
    path: Option<String>,
    /// Ask Cloudflare for tunnel, record and configuration now, instead of going by the last pass; needs role operator.
    #[arg(long)]
    fresh: bool,
    /// Resolve the hostname and send a request to it, through Cloudflare, from this host; needs role operator.
    #[arg(long)]
    outside: bool,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Arguments { hostname, path, fresh, outside } = arguments;
    let (hostname, path) = target(&hostname, path.as_deref())?;
    let diagnosis = context.client.diagnose(&hostname, &path, fresh, outside).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&diagnosis)?,
        Output::Table => {
            let text = render(&diagnosis, context.terminal.now(), context.terminal.look);
            context.terminal.print(&text)?;
        }
    }
    Ok(match diagnosis.verdict.state {
        LinkState::Broken => Ending::Attention,
        LinkState::Ok | LinkState::Unknown | LinkState::NotChecked => Ending::Fine,
    })
}

/// Hostname and path of what was typed: a hostname, or a URL.
fn target(typed: &str, path: Option<&str>) -> Result<(String, String), Failure> {
    let usage = |why: &str| Failure::new(Ending::Usage, format!("cannot diagnose {typed:?}: {why}"));
    let is_scheme = |before: &str| !before.contains(['/', '?', '#']);
    let (hostname, own_path) = match typed.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        Some((scheme, _)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            let url = url::Url::parse(typed).map_err(|error| usage(&error.to_string()))?;
            let hostname = url.host_str().ok_or_else(|| usage("it has no hostname"))?.to_owned();
            (hostname, url.path().to_owned())
        }
        Some((scheme, _)) => return Err(usage(&format!("its scheme is {scheme:?} and must be http or https"))),
        None => {
            // As in a URL, what is behind the path decides nothing.
            let address = typed.split(['?', '#']).next().unwrap_or_default();
            let (hostname, path) = address.split_once('/').unwrap_or((address, ""));
            (hostname.to_owned(), format!("/{path}"))
        }
    };
    let own_path = Some(own_path).filter(|path| path != "/");
    match hostname.parse::<Hostname>() {
        Ok(hostname) if hostname.is_wildcard() => {
            return Err(usage("a visitor asks for one hostname and never for a wildcard"));
        }
        Ok(_) => {}
        Err(why) => return Err(usage(&why.to_string())),
    }
    let path = match (own_path, path) {
        (Some(_), Some(_)) => return Err(usage("it has a path, and --path is another one")),
        (Some(path), None) => path,
        (None, Some(path)) if path.starts_with('/') => path.to_owned(),
        (None, Some(_)) => return Err(usage("--path must begin with /")),
        (None, None) => "/".to_owned(),
    };
    Ok((hostname, path))
}

fn render(diagnosis: &Diagnosis, now: Timestamp, look: Look) -> String {
    // Sentences are what it is about, and are never cut.
    let mut table = Table::new(["LINK", "STATE", "KNOWN", "WHAT IS KNOWN"]);
    for link in &diagnosis.links {
        let known = link.seen_at.map(|at| known_since(at, now, look)).unwrap_or_default();
        table.row([Cell::new(link.link.word()), state(link), Cell::new(known), Cell::new(&link.sentence)]);
    }
    let mut text = table.render(Look { width: None, ..look });
    let verdict = &diagnosis.verdict;
    let sentence = tone(verdict.state).paint(&plain(&verdict.sentence), look);
    text.push_str(&format!("\n{sentence}\n"));
    if let Some(action) = &verdict.action {
        text.push_str(&format!("what to do: {}\n", plain(action)));
    }
    text
}

fn state(link: &DiagnosisLink) -> Cell {
    Cell::toned(link.state.word(), tone(link.state))
}

fn tone(state: LinkState) -> Tone {
    match state {
        LinkState::Ok => Tone::Good,
        LinkState::Broken => Tone::Bad,
        LinkState::Unknown => Tone::Notice,
        LinkState::NotChecked => Tone::Faint,
    }
}

/// How old the knowledge is, on a terminal; what is not older than the question is `now` there.
fn known_since(at: Timestamp, now: Timestamp, look: Look) -> String {
    match look.ago_in_column(at, now) {
        age if age == "0s ago" => "now".to_owned(),
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::{DiagnosisVerdict, Link};

    #[test]
    fn a_hostname_a_url_and_a_hostname_with_a_path_are_understood() {
        for (typed, path, expected) in [
            ("app.example.com", None, Ok(("app.example.com", "/"))),
            ("app.example.com", Some("/api"), Ok(("app.example.com", "/api"))),
            ("app.example.com/api/v1", None, Ok(("app.example.com", "/api/v1"))),
            ("https://App.Example.com/api?x=1", None, Ok(("app.example.com", "/api"))),
            ("http://app.example.com", Some("/a"), Ok(("app.example.com", "/a"))),
            ("https://user:word@app.example.com:8443/", None, Ok(("app.example.com", "/"))),
            ("HTTPS://app.example.com", None, Ok(("app.example.com", "/"))),
            ("app.example.com/", Some("/a"), Ok(("app.example.com", "/a"))),
            ("app.example.com?x=1", None, Ok(("app.example.com", "/"))),
            ("app.example.com/a?to=https://b.example.com#c", None, Ok(("app.example.com", "/a"))),
            ("ssh://app.example.com", None, Err("must be http or https")),
            ("app.example.com/a", Some("/b"), Err("another one")),
            ("app.example.com", Some("api"), Err("must begin with /")),
            ("app", None, Err("needs a dot")),
            ("", None, Err("must not be empty")),
        ] {
            let found = target(typed, path).map_err(|failure| failure.report());
            match expected {
                Ok((hostname, path)) => assert_eq!(found.unwrap(), (hostname.to_owned(), path.to_owned()), "{typed}"),
                Err(words) => {
                    let report = found.unwrap_err();
                    assert!(report.contains(words), "{report}");
                }
            }
        }
    }

    #[test]
    fn the_verdict_stands_below_the_links_with_what_to_do() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let link = |link, state, sentence: &str, seen_at| DiagnosisLink {
            link,
            state,
            sentence: sentence.to_owned(),
            action: None,
            seen_at,
        };
        let diagnosis = Diagnosis {
            hostname: "app.example.com".to_owned(),
            path: "/".to_owned(),
            at,
            tunnel: Some("web".to_owned()),
            verdict: DiagnosisVerdict {
                state: LinkState::Broken,
                link: Some(Link::Dns),
                sentence: "app.example.com is not served: Cloudflare has no record\u{1b}[31m".to_owned(),
                action: Some("`adit apply` makes it again".to_owned()),
            },
            links: vec![
                link(Link::Configuration, LinkState::Ok, "rule 1 takes it", Some(at)),
                link(Link::Dns, LinkState::Broken, "Cloudflare has no record", Some(at - jiff::SignedDuration::from_mins(2))),
                link(Link::Origin, LinkState::NotChecked, "it was not tried", None),
            ],
        };
        let file = render(&diagnosis, at, Look { colour: false, width: None });
        assert!(file.contains("broken       2026-01-02T03:02:05Z  Cloudflare has no record"), "{file}");
        insta::assert_snapshot!(render(&diagnosis, at, Look { colour: false, width: Some(20) }), @r"
        LINK           STATE        KNOWN   WHAT IS KNOWN
        configuration  ok           now     rule 1 takes it
        dns            broken       2m ago  Cloudflare has no record
        origin         not checked          it was not tried

        app.example.com is not served: Cloudflare has no record[31m
        what to do: `adit apply` makes it again
        ");
    }
}
