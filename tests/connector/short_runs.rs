//! Runs that end by themselves: one table of command lines with exit codes and words, for the stand-in and the original alike.

use std::time::Duration;

use tokio::time::Instant;

use crate::subject::Subject;

struct Case {
    what: &'static str,
    /// See [`Subject::fill`].
    line: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    code: i32,
    /// What standard output has in it.
    stdout: &'static str,
    /// How standard error ends; nothing means that it is not looked at.
    stderr: &'static str,
}

const NONE: &[(&str, &str)] = &[];
const TOKEN: &[(&str, &str)] = &[("TUNNEL_TOKEN", "TOKEN")];

/// A row of the table.
const fn case(
    what: &'static str,
    line: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    code: i32,
    stdout: &'static str,
    stderr: &'static str,
) -> Case {
    Case { what, line, variables, code, stdout, stderr }
}

const NO_TUNNEL: &str = "as the last command line argument or in the configuration file.\nSee 'cloudflared tunnel run --help'.";
const BAD_TOKEN: &str = "Provided Tunnel token is not valid.\nSee 'cloudflared tunnel run --help'.";
const NO_DNS: &str = "Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com: ";
const NO_CATCH_ALL: &str = "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)";

/// The beginning of every run that gets so far that it would look for an edge.
const AT: [&str; 6] = ["tunnel", "--config", "", "--no-autoupdate", "--metrics", "127.0.0.1:0"];

macro_rules! run {
    ($($argument:expr),* $(,)?) => { &[AT[0], AT[1], AT[2], AT[3], AT[4], AT[5], $($argument),*] };
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    // What it is.
    case("version", &["version"], NONE, 0, "cloudflared version 2026.", ""),
    case("short version", &["version", "--short"], NONE, 0, "2026.", ""),
    case("version as a flag", &["--version"], NONE, 0, "cloudflared version 2026.", ""),

    // Flags: what is not understood is help on standard output, and success.
    case("an unknown flag", &["tunnel", "--config", "", "--nonsense", "run"], TOKEN, 0, "Incorrect Usage. flag provided but not defined: -nonsense", ""),
    case("an unknown flag after run", &["tunnel", "--config", "", "run", "--nonsense"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -nonsense", ""),
    case("the token's flag stands after run", &["tunnel", "--config", "", "--token", "x", "run"], NONE, 0, "Incorrect Usage. flag provided but not defined: -token", ""),
    case("so does that of its file", &["tunnel", "--config", "", "--token-file", "x", "run"], NONE, 0, "Incorrect Usage. flag provided but not defined: -token-file", ""),
    case("the metrics flag stands before run", &["tunnel", "--config", "", "run", "--metrics", "127.0.0.1:0"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -metrics", ""),
    case("so does the log level", &["tunnel", "--config", "", "run", "--loglevel", "info"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -loglevel", ""),
    case("so does the form of the output", &["tunnel", "--config", "", "run", "--output", "json"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -output", ""),
    case("so does the log file", &["tunnel", "--config", "", "run", "--logfile", "x"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -logfile", ""),
    case("so does the grace period", &["tunnel", "--config", "", "run", "--grace-period", "1s"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -grace-period", ""),
    case("so does the update", &["tunnel", "--config", "", "run", "--no-autoupdate"], TOKEN, 0, "Incorrect Usage: flag provided but not defined: -no-autoupdate", ""),
    case("a flag that needs a value", &["tunnel", "--config", "", "run", "--token"], NONE, 0, "Incorrect Usage: flag needs an argument: -token", ""),
    case("a duration needs a unit", &["tunnel", "--config", "", "--grace-period", "30", "run"], TOKEN, 0, "Incorrect Usage. invalid value \"30\" for flag -grace-period: parse error", ""),
    case("a number is a number", &["tunnel", "--config", "", "--retries", "many", "run"], TOKEN, 0, "Incorrect Usage. invalid value \"many\" for flag -retries: parse error", ""),
    case("a switch is true or false", &["tunnel", "--config", "", "--no-autoupdate=maybe", "run"], TOKEN, 0, "Incorrect Usage. invalid boolean value \"maybe\" for -no-autoupdate: parse error", ""),
    case("help", &["tunnel", "run", "--help"], NONE, 0, "cloudflared tunnel run", ""),

    // Values that are understood and refused.
    case("the grace period has a limit", run!["--grace-period", "4m", "run"], TOKEN, 1, "", "grace-period must be equal or less than 3m0s"),
    case("also in the environment", run!["run"], &[("TUNNEL_TOKEN", "TOKEN"), ("TUNNEL_GRACE_PERIOD", "3m1s")], 1, "", "grace-period must be equal or less than 3m0s"),
    case("a tag has a form", run!["--tag", "nokey", "run"], TOKEN, 1, "", "Cannot parse tag value nokey"),
    case("the protocol is one of three", run!["--protocol", "h3", "run"], TOKEN, 1, "", "relying on TCP egress to Cloudflare edge"),
    case("also after run", run!["run", "--protocol", "h3"], TOKEN, 1, "", "relying on TCP egress to Cloudflare edge"),
    case("an IP version is one of three", run!["--edge-ip-version", "5", "run"], TOKEN, 1, "", "invalid value for edge-ip-version: 5"),
    case("certificates must exist", run!["--cacert", "@/missing.pem", "run"], TOKEN, 1, "", "open @/missing.pem: no such file or directory"),
    case("a unix socket is no metrics address", &["tunnel", "--config", "", "--metrics", "unix:/tmp/m.sock", "run"], TOKEN, 1, "", "unknown port"),
    case("a leaked LISTEN_FDS is fatal", run!["run"], &[("TUNNEL_TOKEN", "TOKEN"), ("LISTEN_FDS", "1")], 1, "", "error inheriting socket fd 3: file file+net listener: "),

    // The token.
    case("a run needs a tunnel", &["tunnel", "--config", "", "run"], NONE, 255, "", NO_TUNNEL),
    case("an empty token is none", &["tunnel", "--config", "", "run", "--token", ""], NONE, 255, "", NO_TUNNEL),
    case("so is an empty token file", &["tunnel", "--config", "", "run", "--token-file", "@/empty-token"], NONE, 255, "", NO_TUNNEL),
    case("a run takes one tunnel", &["tunnel", "--config", "", "run", "a", "b"], TOKEN, 255, "", "accepts only one argument, the ID or name of the tunnel to run.\nSee 'cloudflared tunnel run --help'."),
    case("a token is base64 of JSON", &["tunnel", "--config", "", "run"], &[("TUNNEL_TOKEN", "nonsense")], 255, "", BAD_TOKEN),
    case("with its padding", &["tunnel", "--config", "", "run"], &[("TUNNEL_TOKEN", "e30")], 255, "", BAD_TOKEN),
    case("a token file must exist", &["tunnel", "--config", "", "run", "--token-file", "@/missing"], NONE, 255, "", "Failed to read token file: open @/missing: no such file or directory\nSee 'cloudflared tunnel run --help'."),
    case("a token file is a file", &["tunnel", "--config", "", "run", "--token-file", "@"], NONE, 255, "", "Failed to read token file: read @: is a directory\nSee 'cloudflared tunnel run --help'."),
    case("a token file is read, blanks and all, and DNS fails", run!["run", "--token-file", "@/token", "--token", ""], NONE, 1, "", "DNS"),
    case("the token wins over its file", run!["run", "--token-file", "@/missing", "--token", "TOKEN"], NONE, 1, "", "DNS"),
    case("the file may be named in the environment", run!["run"], &[("TUNNEL_TOKEN_FILE", "@/token")], 1, "", "DNS"),
    case("a token without a tunnel is taken", run!["run", "--token-file", "@/token-of-nobody"], NONE, 1, "", "DNS"),
    case("one word more is ignored beside a token", run!["run", "web"], TOKEN, 1, "", "DNS"),

    // Files.
    case("a configuration file must exist", &["tunnel", "--config", "@/missing.yml", "run"], TOKEN, 1, "", "open @/missing.yml: no such file or directory"),
    case("a configuration file is a file", &["tunnel", "--config", "@", "run"], TOKEN, 1, "", "read @: is a directory"),
    case("a configuration file is YAML", &["tunnel", "--config", "@/broken.yml", "run"], TOKEN, 1, "", "ERROR-IN-YAML"),
    case("its values have types", &["tunnel", "--config", "@/wrong-type.yml", "run"], TOKEN, 1, "", "no-autoupdate"),
    case("a configuration file in the home counts beside a token", &["tunnel", "--metrics", "127.0.0.1:0", "run"], TOKEN, 1, "", "relying on TCP egress to Cloudflare edge"),
    case("unless the flag says that there is none", run!["run"], TOKEN, 1, "", "DNS"),
    case("or names an empty one", &["tunnel", "--config", "@/empty.yml", "--metrics", "127.0.0.1:0", "run"], TOKEN, 1, "", "DNS"),
    case("the last rule catches everything", &["tunnel", "--config", "@/no-catch-all.yml", "--metrics", "127.0.0.1:0", "run"], TOKEN, 1, "", NO_CATCH_ALL),
    case("a service is an address", &["tunnel", "--config", "@/bad-service.yml", "--metrics", "127.0.0.1:0", "run"], TOKEN, 1, "", "nope is an invalid address, please make sure it has a scheme and a hostname"),
    case("a tunnel by id needs its credentials", &["tunnel", "--config", "@/no-credentials.yml", "run"], NONE, 1, "", "Tunnel credentials file '@/missing.json' doesn't exist or is not a file"),
    case("and they are JSON", &["tunnel", "--config", "@/broken-credentials.yml", "run"], NONE, 1, "", "Invalid JSON when parsing tunnel credentials file"),
    case("a tunnel by name needs a certificate", &["tunnel", "--config", "", "run", "web"], NONE, 1, "", "CERTIFICATE"),
    case("a configuration can be checked", &["tunnel", "--config", "@/good.yml", "ingress", "validate"], NONE, 0, "OK", ""),
    case("a bad configuration is found", &["tunnel", "--config", "@/no-catch-all.yml", "ingress", "validate"], NONE, 1, "", NO_CATCH_ALL),
    case("tunnel alone is nothing", &["tunnel", "--config", ""], NONE, 1, "", ""),

    // The network.
    case("without DNS there is no edge", run!["run"], TOKEN, 1, "", "DNS"),
    case("nor for one protocol", run!["--protocol", "http2", "run"], TOKEN, 1, "", "DNS"),
    case("and the prechecks change nothing", &["tunnel", "--config", "", "--metrics", "127.0.0.1:0", "run"], TOKEN, 1, "", "DNS"),
];

/// What is wrong with a run, if anything is.
fn mistake(subject: &Subject, case: &Case) -> Option<String> {
    let output = subject.command(case.line, case.variables).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let error = stderr.trim_end();
    let last_line = error.lines().last().unwrap_or_default();
    let is_error_right = match case.stderr {
        // What follows is the resolver's own.
        "DNS" => last_line.starts_with(NO_DNS),
        "ERROR-IN-YAML" => last_line.starts_with(&subject.fill("error parsing YAML in config file at @/broken.yml: yaml: ")),
        "CERTIFICATE" => last_line.starts_with("error parsing tunnel ID: Error locating origin cert: "),
        end if end.contains('\n') => error.ends_with(&subject.fill(end)),
        part => last_line.contains(&subject.fill(part)),
    };
    let is_right = output.status.code() == Some(case.code) && stdout.contains(case.stdout) && is_error_right;
    let part: String = stdout.chars().take(300).collect();
    (!is_right).then(|| format!("{}: {}\nstdout: {part}\nstderr: {stderr}", case.what, output.status))
}

#[test]
fn every_short_run_ends_as_the_table_says() {
    let mut mistakes = Vec::new();
    for subject in Subject::all() {
        let of_it = CASES.iter().filter_map(|case| mistake(&subject, case));
        mistakes.extend(of_it.map(|mistake| format!("{}, {mistake}", subject.name())));
    }
    assert!(mistakes.is_empty(), "{} differ:\n\n{}", mistakes.len(), mistakes.join("\n"));
}

#[test]
fn a_start_without_dns_takes_half_a_second_to_fail() {
    for subject in Subject::all() {
        let started = Instant::now();
        let ended = subject.command(run!["run"], TOKEN).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", subject.name());
        assert!(started.elapsed() >= Duration::from_millis(500), "{}: {:?}", subject.name(), started.elapsed());
    }
}
