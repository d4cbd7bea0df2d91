//! Runs that end by themselves: one table of command lines with exit codes and words.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::json;

use crate::harness::{SECRET, stand_in, token};

struct Case {
    what: &'static str,
    /// `@` stands for the test's folder.
    line: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    code: i32,
    stdout: &'static str,
    /// How standard error ends, `@` again; nothing means that it is not looked at.
    stderr: &'static str,
}

const NONE: &[(&str, &str)] = &[];
/// `TOKEN` stands for a token that is well-formed.
const TOKEN: &[(&str, &str)] = &[("TUNNEL_TOKEN", "TOKEN")];

const CASES: &[Case] = &[
    Case { what: "version", line: &["version"], variables: NONE, code: 0, stdout: "cloudflared version 2026.", stderr: "" },
    Case { what: "short version", line: &["version", "--short"], variables: NONE, code: 0, stdout: "2026.", stderr: "" },
    Case {
        what: "an unknown flag is help and success",
        line: &["tunnel", "--config", "", "--nonsense", "run"],
        variables: TOKEN,
        code: 0,
        stdout: "Incorrect Usage. flag provided but not defined: -nonsense",
        stderr: "",
    },
    Case {
        what: "the token's flag stands after run",
        line: &["tunnel", "--config", "", "--token", "x", "run"],
        variables: NONE,
        code: 0,
        stdout: "Incorrect Usage. flag provided but not defined: -token",
        stderr: "",
    },
    Case {
        what: "the metrics flag stands before run",
        line: &["tunnel", "--config", "", "run", "--metrics", "127.0.0.1:0"],
        variables: TOKEN,
        code: 0,
        stdout: "Incorrect Usage: flag provided but not defined: -metrics",
        stderr: "",
    },
    Case {
        what: "a duration needs a unit",
        line: &["tunnel", "--config", "", "--grace-period", "30", "run"],
        variables: TOKEN,
        code: 0,
        stdout: "Incorrect Usage. invalid value \"30\" for flag -grace-period: parse error",
        stderr: "",
    },
    Case {
        what: "the grace period has a limit",
        line: &["tunnel", "--config", "", "--metrics", "127.0.0.1:0", "--grace-period", "4m", "run"],
        variables: TOKEN,
        code: 1,
        stdout: "",
        stderr: "grace-period must be equal or less than 3m0s",
    },
    Case {
        what: "a tag has a form",
        line: &["tunnel", "--config", "", "--metrics", "127.0.0.1:0", "--tag", "nokey", "run"],
        variables: TOKEN,
        code: 1,
        stdout: "",
        stderr: "Cannot parse tag value nokey",
    },
    Case {
        what: "a run needs a tunnel",
        line: &["tunnel", "--config", "", "run"],
        variables: NONE,
        code: 255,
        stdout: "",
        stderr: "as the last command line argument or in the configuration file.\nSee 'cloudflared tunnel run --help'.",
    },
    Case {
        what: "an empty token is none",
        line: &["tunnel", "--config", "", "run", "--token", ""],
        variables: NONE,
        code: 255,
        stdout: "",
        stderr: "as the last command line argument or in the configuration file.\nSee 'cloudflared tunnel run --help'.",
    },
    Case {
        what: "a run takes one tunnel",
        line: &["tunnel", "--config", "", "run", "a", "b"],
        variables: TOKEN,
        code: 255,
        stdout: "",
        stderr: "accepts only one argument, the ID or name of the tunnel to run.\nSee 'cloudflared tunnel run --help'.",
    },
    Case {
        what: "a token is base64 of JSON",
        line: &["tunnel", "--config", "", "run"],
        variables: &[("TUNNEL_TOKEN", "nonsense")],
        code: 255,
        stdout: "",
        stderr: "Provided Tunnel token is not valid.\nSee 'cloudflared tunnel run --help'.",
    },
    Case {
        what: "a token file must exist",
        line: &["tunnel", "--config", "", "run", "--token-file", "@/missing"],
        variables: NONE,
        code: 255,
        stdout: "",
        stderr: "Failed to read token file: open @/missing: no such file or directory\nSee 'cloudflared tunnel run --help'.",
    },
    Case {
        what: "a token file is a file",
        line: &["tunnel", "--config", "", "run", "--token-file", "@"],
        variables: NONE,
        code: 255,
        stdout: "",
        stderr: "Failed to read token file: read @: is a directory\nSee 'cloudflared tunnel run --help'.",
    },
    Case {
        what: "a configuration file must exist",
        line: &["tunnel", "--config", "@/missing.yml", "run"],
        variables: TOKEN,
        code: 1,
        stdout: "",
        stderr: "open @/missing.yml: no such file or directory",
    },
    Case {
        what: "the last rule catches everything",
        line: &["tunnel", "--config", "@/no-catch-all.yml", "--metrics", "127.0.0.1:0", "run"],
        variables: TOKEN,
        code: 1,
        stdout: "",
        stderr: "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)",
    },
    Case {
        what: "a tunnel by id needs its credentials",
        line: &["tunnel", "--config", "@/no-credentials.yml", "run"],
        variables: NONE,
        code: 1,
        stdout: "",
        stderr: "tunnel credentials file not found",
    },
    Case {
        what: "a configuration can be checked",
        line: &["tunnel", "--config", "@/good.yml", "ingress", "validate"],
        variables: NONE,
        code: 0,
        stdout: "OK",
        stderr: "",
    },
    Case {
        what: "a bad configuration is found",
        line: &["tunnel", "--config", "@/no-catch-all.yml", "ingress", "validate"],
        variables: NONE,
        code: 1,
        stdout: "",
        stderr: "Validation failed: The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)",
    },
    Case { what: "tunnel alone is nothing", line: &["tunnel", "--config", ""], variables: NONE, code: 1, stdout: "", stderr: "" },
];

/// These end only after cloudflared has asked DNS, so they hold for the stand-in alone.
const WITHOUT_A_NETWORK: &[Case] = &[
    Case {
        what: "the protocol is one of three",
        line: &["tunnel", "--config", "", "--metrics", "127.0.0.1:0", "--protocol", "h3", "run"],
        variables: TOKEN,
        code: 1,
        stdout: "",
        stderr: "relying on TCP egress to Cloudflare edge",
    },
    Case {
        what: "a unix socket is no metrics address",
        line: &["tunnel", "--config", "", "--metrics", "unix:/tmp/m.sock", "run"],
        variables: TOKEN,
        code: 1,
        stdout: "",
        stderr: "failed to bind to address (unix:/tmp/m.sock): lookup tcp//tmp/m.sock: unknown port",
    },
    Case {
        what: "a leaked LISTEN_FDS is fatal",
        line: &["tunnel", "--config", "", "--metrics", "127.0.0.1:0", "run"],
        variables: &[("TUNNEL_TOKEN", "TOKEN"), ("LISTEN_FDS", "1")],
        code: 1,
        stdout: "",
        stderr: "error inheriting socket fd 3: file file+net listener: bad file descriptor",
    },
    Case {
        what: "without an edge DNS fails",
        line: &["tunnel", "--config", "", "--metrics", "127.0.0.1:0", "run"],
        variables: &[("TUNNEL_TOKEN", "TOKEN"), ("ADIT_SANDBOX_TIME_SCALE", "0")],
        code: 1,
        stdout: "",
        stderr: "lookup _v2-origintunneld._tcp.argotunnel.com: no such host",
    },
];

fn run(program: &Path, folder: &Path, case: &Case) -> Output {
    let folder = folder.display().to_string();
    let variables = case.variables.iter().map(|(name, value)| (*name, value.replace("TOKEN", &token(SECRET))));
    let line = case.line.iter().map(|argument| argument.replace('@', &folder));
    let mut command = Command::new(program);
    command.args(line).env_clear().env("HOME", &folder).envs(variables).output().unwrap()
}

fn check(program: &Path, folder: &Path, case: &Case) {
    let output = run(program, folder, case);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let expected_end = case.stderr.replace('@', &folder.display().to_string());

    let seen = format!("{}: {}\nstdout: {stdout}\nstderr: {stderr}", case.what, output.status);
    assert_eq!(output.status.code(), Some(case.code), "{seen}");
    assert!(stdout.contains(case.stdout), "{seen}");
    assert!(stderr.trim_end().ends_with(&expected_end), "{seen}");
}

fn folder_with_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tunnel = crate::harness::TUNNEL;
    let files = [
        ("good.yml", json!({"ingress": [{"hostname": "a.example", "service": "http://a:1"}, {"service": "http_status:404"}]})),
        ("no-catch-all.yml", json!({"ingress": [{"hostname": "a.example", "service": "http://a:1"}]})),
        (
            "no-credentials.yml",
            json!({"tunnel": tunnel, "credentials-file": "/nonexistent", "ingress": [{"service": "http://a:1"}]}),
        ),
    ];
    for (name, document) in files {
        fs::write(folder.path().join(name), document.to_string()).unwrap();
    }
    folder
}

#[test]
fn every_short_run_ends_as_cloudflared_ends_it() {
    let folder = folder_with_files();
    let program = stand_in(folder.path());
    for case in CASES.iter().chain(WITHOUT_A_NETWORK) {
        check(&program, folder.path(), case);
    }
}

#[test]
fn the_original_ends_every_short_run_as_the_table_says() {
    let Some(program) =
        std::env::vars_os().find(|(name, _)| name == "ADIT_TEST_CLOUDFLARED").map(|(_, path)| PathBuf::from(path))
    else {
        return;
    };
    let folder = folder_with_files();
    for case in CASES {
        check(&program, folder.path(), case);
    }
}
