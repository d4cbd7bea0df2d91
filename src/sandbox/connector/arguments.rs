//! What a command line of cloudflared asks for.
//!
//! The grammar is that of Go's `flag` package, once for each word: `cloudflared FLAGS tunnel FLAGS run FLAGS [TUNNEL]`. Flags end at
//! the first argument without a dash. A flag that is unknown, misplaced or has a bad value prints help on standard output and ends
//! in exit code **0**.

use std::collections::BTreeMap;

use super::{
    flags::{self, FLAGS, Flag, Kind, Place},
    go,
};

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Invocation {
    Version {
        short: bool,
    },
    Help(Help),
    /// `tunnel` without a further word that is known.
    Tunnel,
    Run {
        values: Values,
        positionals: Vec<String>,
    },
    ValidateIngress(Values),
}

/// Which help to print, and what was wrong, in cloudflared's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Help {
    pub(super) topic: Topic,
    pub(super) mistake: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Tunnel,
    Run,
}

/// The flags that were set, with their values as text.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Values(BTreeMap<&'static str, Vec<String>>);

impl Values {
    /// Whether the flag was given at all, be it empty.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The flag's text; empty when it was not given.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.last()).map_or("", String::as_str)
    }

    /// Every value of a repeatable flag.
    pub(super) fn list(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every flag that was set, in alphabetical order, with its value as Go prints it.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(name, values)| (*name, values.join(" ")))
    }

    /// Sets what is not set yet.
    pub(super) fn fill(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        if self.is_set(flag.name) {
            return Ok(());
        }
        let values = match flag.kind {
            Kind::List => value.split(',').map(|item| item.trim().to_owned()).collect(),
            Kind::Text | Kind::Switch | Kind::Integer | Kind::Duration => vec![check(flag, value)?],
        };
        self.0.insert(flag.name, values);
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        let value = check(flag, value)?;
        let values = self.0.entry(flag.name).or_default();
        match flag.kind {
            Kind::List => values.extend(value.split(',').map(|item| item.trim().to_owned())),
            Kind::Text | Kind::Switch | Kind::Integer | Kind::Duration => *values = vec![value],
        }
        Ok(())
    }
}

/// Reads a command line (without the program's name) and the environment.
pub(super) fn parse(arguments: &[String], environment: &BTreeMap<String, String>) -> Invocation {
    let mut values = Values::default();
    let rest = match take_flags(&mut values, arguments, Place::Before, Topic::Tunnel) {
        Ok(rest) => rest,
        Err(invocation) => return invocation,
    };
    match rest {
        [word, rest @ ..] if word == "version" => {
            Invocation::Version { short: rest.iter().any(|argument| argument == "--short" || argument == "-s") }
        }
        [word, rest @ ..] if word == "tunnel" => parse_tunnel(values, rest, environment),
        // Without a word cloudflared would install itself; with another it does what no supervisor asks for.
        _ => Invocation::Help(Help { topic: Topic::Tunnel, mistake: None }),
    }
}

fn parse_tunnel(mut values: Values, arguments: &[String], environment: &BTreeMap<String, String>) -> Invocation {
    let rest = match take_flags(&mut values, arguments, Place::Before, Topic::Tunnel) {
        Ok(rest) => rest,
        Err(invocation) => return invocation,
    };
    match rest {
        [word, rest @ ..] if word == "run" => {
            let positionals = match take_flags(&mut values, rest, Place::After, Topic::Run) {
                Ok(rest) => rest.to_vec(),
                Err(invocation) => return invocation,
            };
            match take_environment(&mut values, environment) {
                Ok(()) => Invocation::Run { values, positionals },
                Err(mistake) => Invocation::Help(Help { topic: Topic::Run, mistake: Some(mistake) }),
            }
        }
        [ingress, validate, ..] if ingress == "ingress" && validate == "validate" => Invocation::ValidateIngress(values),
        _ => Invocation::Tunnel,
    }
}

/// Takes the flags in front and gives the arguments behind them.
fn take_flags<'a>(
    values: &mut Values,
    mut arguments: &'a [String],
    place: Place,
    topic: Topic,
) -> Result<&'a [String], Invocation> {
    let help = |mistake| Invocation::Help(Help { topic, mistake });
    while let [first, rest @ ..] = arguments {
        if first == "--" {
            return Ok(rest);
        }
        let Some(text) = first.strip_prefix('-').filter(|text| !text.is_empty()) else { break };
        let text = text.strip_prefix('-').unwrap_or(text);
        let (name, attached) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        match name {
            "help" | "h" => return Err(help(None)),
            "version" | "v" | "V" => return Err(Invocation::Version { short: false }),
            _ => {}
        }
        let Some(flag) = flags::find(name, place) else {
            return Err(help(Some(format!("flag provided but not defined: -{name}"))));
        };
        arguments = rest;
        let value = match (attached, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Switch) => "true",
            (None, Kind::Text | Kind::Integer | Kind::Duration | Kind::List) => match rest {
                [value, after @ ..] => {
                    arguments = after;
                    value
                }
                [] => return Err(help(Some(format!("flag needs an argument: -{name}")))),
            },
        };
        values.set(flag, value).map_err(|mistake| help(Some(mistake)))?;
    }
    Ok(arguments)
}

fn take_environment(values: &mut Values, environment: &BTreeMap<String, String>) -> Result<(), String> {
    for flag in FLAGS {
        let found = flag.variables.iter().find_map(|variable| environment.get(*variable));
        if let Some(value) = found
            && !(value.is_empty() && flag.kind != Kind::Text)
        {
            values.fill(flag, value)?;
        }
    }
    Ok(())
}

/// Refuses a value that is not of the flag's kind, in the words of Go's `flag` package.
fn check(flag: &Flag, value: &str) -> Result<String, String> {
    let name = flag.name;
    match flag.kind {
        Kind::Text | Kind::List => Ok(value.to_owned()),
        Kind::Switch => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("true".to_owned()),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("false".to_owned()),
            _ => Err(format!("invalid boolean value {value:?} for -{name}: parse error")),
        },
        Kind::Integer if value.parse::<i64>().is_err() => Err(format!("invalid value {value:?} for flag -{name}: parse error")),
        Kind::Duration if go::parse_duration(value).is_none() => {
            Err(format!("invalid value {value:?} for flag -{name}: parse error"))
        }
        Kind::Integer | Kind::Duration => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str, environment: &[(&str, &str)]) -> Invocation {
        let arguments: Vec<String> = line.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse(&arguments, &environment)
    }

    fn values_of(line: &str, environment: &[(&str, &str)]) -> Values {
        let invocation = parse_line(line, environment);
        let Invocation::Run { values, .. } = invocation else { panic!("{line}: {invocation:?}") };
        values
    }

    #[test]
    fn a_supervisors_whole_line_is_understood() {
        let line = r#"tunnel --config "" --no-autoupdate --metrics 127.0.0.1:1 --output=json --grace-period 30s --edge a:1 --edge b:2
            run --protocol http2 --token-file /dev/fd/5 --token """#;
        let values = values_of(line, &[]);

        assert_eq!(values.text("config"), "");
        assert!(values.is_set("config") && values.is_set("token"));
        assert_eq!(values.text("no-autoupdate"), "true");
        assert_eq!(values.text("output"), "json");
        assert_eq!(values.list("edge"), ["a:1", "b:2"]);
        assert_eq!(values.text("token-file"), "/dev/fd/5");
    }

    #[test]
    fn flags_have_their_side_of_run() {
        let cases = [
            ("tunnel --token x run", Topic::Tunnel, "flag provided but not defined: -token"),
            ("tunnel run --metrics 127.0.0.1:1", Topic::Run, "flag provided but not defined: -metrics"),
            ("tunnel --nonsense run", Topic::Tunnel, "flag provided but not defined: -nonsense"),
            ("tunnel --grace-period 30 run", Topic::Tunnel, r#"invalid value "30" for flag -grace-period: parse error"#),
            ("tunnel --retries many run", Topic::Tunnel, r#"invalid value "many" for flag -retries: parse error"#),
            (
                "tunnel --no-autoupdate=maybe run",
                Topic::Tunnel,
                r#"invalid boolean value "maybe" for -no-autoupdate: parse error"#,
            ),
            ("tunnel run --token", Topic::Run, "flag needs an argument: -token"),
        ];
        for (line, topic, mistake) in cases {
            let expected = Invocation::Help(Help { topic, mistake: Some(mistake.to_owned()) });
            assert_eq!(parse_line(line, &[]), expected, "{line}");
        }
        assert_eq!(values_of("tunnel --protocol quic run", &[]), values_of("tunnel run --protocol quic", &[]));
    }

    #[test]
    fn an_argument_without_a_dash_ends_the_flags() {
        let invocation = parse_line("tunnel run my-tunnel --token x", &[]);
        let Invocation::Run { positionals, .. } = invocation else { panic!("{invocation:?}") };
        assert_eq!(positionals, ["my-tunnel", "--token", "x"]);
    }

    #[test]
    fn the_environment_sets_what_the_line_does_not() {
        let environment =
            [("TUNNEL_TOKEN", "abc"), ("TUNNEL_EDGE", "a:1,b:2"), ("TUNNEL_METRICS", "env:1"), ("NO_AUTOUPDATE", "1")];
        let values = values_of("tunnel --metrics line:1 run", &environment);

        assert_eq!(values.text("token"), "abc");
        assert_eq!(values.list("edge"), ["a:1", "b:2"]);
        assert_eq!(values.text("metrics"), "line:1");
        assert_eq!(values.text("no-autoupdate"), "true");
    }

    #[test]
    fn the_other_words_are_told_apart() {
        assert_eq!(parse_line("version", &[]), Invocation::Version { short: false });
        assert_eq!(parse_line("version --short", &[]), Invocation::Version { short: true });
        assert_eq!(parse_line("tunnel", &[]), Invocation::Tunnel);
        assert!(matches!(parse_line("tunnel --config F ingress validate", &[]), Invocation::ValidateIngress(_)));
        assert!(matches!(parse_line("", &[]), Invocation::Help(Help { mistake: None, .. })));
    }
}
