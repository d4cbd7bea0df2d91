//! Runs that go on: one table of what they answer, log and do when they get a signal, for the stand-in and the original alike.
//!
//! No edge can be reached: its addresses lead to closed ports. What a connector does with an edge is told elsewhere, of the stand-in.

use std::{
    fs::OpenOptions,
    io::{PipeReader, PipeWriter, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

use nix::sys::signal::Signal::{self, SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::{
    harness::{Connector, wait_until},
    subject::Subject,
};

/// What is done or must be true, one after another.
enum Step {
    /// This path answers with this status, and this stands in the body.
    Page(&'static str, u16, &'static str),
    /// The body has this nowhere.
    PageLacks(&'static str, &'static str),
    /// An event with this message comes.
    Logged(&'static str),
    /// What was logged has this nowhere.
    LogLacks(&'static str),
    /// What was logged has this.
    LogHas(&'static str),
    /// Standard error has this, some time.
    Error(&'static str),
    /// Each line of the log file is a JSON object, with level, time and whole seconds.
    LogIsWhole,
    /// It gets a signal.
    Gets(Signal),
    /// It still answers.
    LivesOn,
    /// It ends with this code.
    Ends(i32),
    /// It ends by this signal.
    DiesOf(Signal),
    /// This file does not exist.
    NoFile(&'static str),
}

use Step::{DiesOf, Ends, Error, Gets, LivesOn, LogHas, LogIsWhole, LogLacks, Logged, NoFile, Page, PageLacks};

struct Life {
    what: &'static str,
    before: &'static [&'static str],
    after: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    /// It finds SIGHUP ignored.
    ignores_hang_up: bool,
    steps: &'static [Step],
}

const fn life(what: &'static str, before: &'static [&'static str], steps: &'static [Step]) -> Life {
    Life { what, before, after: &[], variables: TOKEN, ignores_hang_up: false, steps }
}

/// Two addresses: with one that refuses, HTTP/2 tries again without any pause.
const EDGE: &[&str] = &["--protocol", "http2", "--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2"];
const TOKEN: &[(&str, &str)] = &[("TUNNEL_TOKEN", "TOKEN")];
const NO_EDGE: &str = "Unable to establish connection with Cloudflare edge";

#[rustfmt::skip]
const LIVES: &[Life] = &[
    life("the metrics address answers before there is any edge", EDGE, &[
        Page("/ready", 503, r#"{"status":503,"readyConnections":0,"connectorId":""#),
        Page("/healthcheck", 200, "OK\n"),
        Page("/config", 200, r#"{"version":-1,"config":{"ingress":[{""#),
        Page("/quicktunnel", 200, r#"{"hostname":""}"#),
        Page("/diag/tunnel", 200, r#""tunnelID":"11111111-2222-3333-4444-555555555555""#),
        Page("/diag/tunnel", 200, r#""connectorID":""#),
        Page("/diag/configuration", 200, r#""no-autoupdate""#),
        Page("/metrics", 200, "build_info{goversion="),
        Page("/metrics", 200, "\ncloudflared_orchestration_config_version 0\n"),
        Page("/metrics", 200, "\ncloudflared_tunnel_total_requests 0\n"),
        Page("/metrics", 200, "\ncloudflared_tunnel_ha_connections 1\n"),
        PageLacks("/metrics", "cloudflared_tunnel_server_locations{"),
        PageLacks("/metrics", "cloudflared_tunnel_tunnel_register_success"),
        PageLacks("/metrics", "cloudflared_tunnel_tunnel_register_fail"),
        PageLacks("/metrics", "11111111-2222-3333-4444-555555555555"),
        Page("/debug/pprof/cmdline", 403, ""),
        Page("/debug/vars", 200, "--no-autoupdate"),
        Page("/", 404, "404 page not found\n"),
        Page("/ready/", 404, ""),
    ]),
    life("an edge that refuses is tried again and again", EDGE, &[
        Logged(NO_EDGE),
        LogHas("Initial protocol http2"),
        LogHas("Retrying connection in up to 2s"),
        LogHas(r#""error":"DialContext error: dial tcp 127.0.0.1:"#),
        LogHas("connect: connection refused"),
        LogHas(r#""ip":"127.0.0.1""#),
        LogHas(r#""connIndex":0"#),
        Page("/ready", 503, ""),
        Gets(SIGTERM),
        Ends(0),
        LogHas("Initiating graceful shutdown due to signal terminated ..."),
        LogHas("Tunnel server stopped"),
        LogHas("Metrics server stopped"),
        LogIsWhole,
    ]),
    life("an interrupt stops it as well", EDGE, &[
        Logged(NO_EDGE),
        Gets(SIGINT),
        Ends(0),
        LogHas("Initiating graceful shutdown due to signal interrupt ..."),
    ]),
    life("SIGHUP kills it", EDGE, &[Logged(NO_EDGE), Gets(SIGHUP), DiesOf(SIGHUP), LogLacks("Initiating graceful shutdown")]),
    Life {
        ignores_hang_up: true,
        ..life("unless it was ignored when it was executed", EDGE, &[
            Logged(NO_EDGE), Gets(SIGHUP), LivesOn, Gets(SIGTERM), Ends(0),
        ])
    },
    life("other signals mean nothing to it", EDGE, &[
        Logged(NO_EDGE), Gets(SIGUSR1), Gets(SIGUSR2), Gets(SIGALRM), Gets(Signal::SIGCHLD), Gets(Signal::SIGPIPE), LivesOn,
        Gets(SIGTERM), Ends(0),
    ]),
    life("SIGQUIT dumps where it stands", EDGE, &[Logged(NO_EDGE), Gets(SIGQUIT), Ends(2), Error("SIGQUIT: quit\n"), Error("goroutine ")]),
    life("quic knows no refusal", &["--protocol", "quic", "--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2"], &[
        LogHas("Initial protocol quic"),
        Logged("Failed to dial a quic connection"),
        LogHas("failed to dial to edge with quic: timeout: no recent network activity"),
        Gets(SIGTERM),
        Ends(0),
    ]),
    Life {
        variables: &[("TUNNEL_TOKEN", "TOKEN"), ("ADIT_TUNNEL_SECRET", "hunter2"), ("SOMETHING", "of TUNNEL_ too"), ("TUNNEL_CRED_CONTENTS", "hidden-one"), ("TUNNEL_ODD", "a=b")],
        ..life("variables are logged in clear but for those that are known to be secret", EDGE, &[
            Logged(NO_EDGE),
            LogHas("Environmental variables map["),
            LogHas("ADIT_TUNNEL_SECRET:hunter2"),
            LogHas("SOMETHING:of TUNNEL_ too"),
            LogHas("TUNNEL_CRED_CONTENTS:*****"),
            LogLacks("hidden-one"),
            LogLacks("TUNNEL_ODD"),
            LogLacks("TOKEN"),
            PageLacks("/debug/vars", "TOKEN"),
        ])
    },
    Life {
        variables: &[],
        after: &["--token", "TOKEN"],
        ..life("a token on the command line is shown to whoever asks", EDGE, &[
            Logged(NO_EDGE), LogHas("token:*****"), LogLacks("TOKEN"), Page("/debug/vars", 200, "TOKEN"),
        ])
    },
    Life {
        variables: &[],
        after: &["--token-file", "@/token", "--token", ""],
        ..life("a token in a file is not", &["--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2"], &[
            LogHas("Initial protocol quic"), LogLacks("TOKEN"), PageLacks("/debug/vars", "TOKEN"),
        ])
    },
    Life {
        variables: &[],
        after: &["--token-file", "@/token"],
        ..life("a token file alone begins with HTTP/2 where DNS does not answer", &["--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2"], &[
            Logged(NO_EDGE), LogHas("Initial protocol http2"),
        ])
    },
    Life {
        variables: &[],
        after: &["--token-file", "@/token-of-nobody", "--token", ""],
        ..life("a token without a tunnel runs as the tunnel of nobody", EDGE, &[
            Logged(NO_EDGE), LogHas(r#""tunnelID":"00000000-0000-0000-0000-000000000000""#),
        ])
    },
    life("a process id is written by the first connection only", &["--protocol", "http2", "--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2", "--pidfile", "@/pid"], &[
        Logged(NO_EDGE), NoFile("pid"), Gets(SIGTERM), Ends(0), NoFile("pid"),
    ]),
    life("a level that is none is said, and info is meant", &["--protocol", "http2", "--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2", "--loglevel", "chatty"], &[
        Logged(NO_EDGE), LogHas("Starting tunnel"),
    ]),
    life("the settings are logged", &["--protocol", "http2", "--edge", "127.0.0.1:1", "--edge", "127.0.0.1:2", "--label", "here"], &[
        LogHas("Settings: map["), LogHas("label:here"), LogHas("no-autoupdate:true"), LogHas("protocol:http2"),
    ]),
];

async fn take(connector: &mut Connector, subject: &Subject, step: &Step) -> Result<(), String> {
    let is = |holds: bool, seen: String| if holds { Ok(()) } else { Err(seen) };
    match step {
        Page(path, status, part) => {
            let (seen, body) = connector.get(path).await.unwrap_or_default();
            is(seen == *status && body.contains(&subject.fill(part)), format!("{path} has no {part:?}: {seen} {body}"))
        }
        PageLacks(path, part) => {
            let (_, body) = connector.get(path).await.unwrap_or_default();
            is(!body.is_empty() && !body.contains(&subject.fill(part)), format!("{path} has {part:?}: {body}"))
        }
        Logged(message) => {
            connector.logged(message).await;
            Ok(())
        }
        LogHas(part) => {
            wait_until(&format!("the {} logs {part}", subject.name()), async || connector.log().contains(part)).await;
            Ok(())
        }
        LogLacks(part) => is(!connector.log().contains(&subject.fill(part)), format!("{part} is logged: {}", connector.log())),
        Error(part) => is(connector.stderr().contains(part), format!("no {part:?}: {}", connector.stderr())),
        LogIsWhole => {
            let is_event = |line: &str| {
                let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                event["level"].is_string() && event["time"].as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z'))
            };
            is(connector.log().lines().all(is_event), connector.log())
        }
        Gets(signal) => {
            connector.signal(*signal);
            Ok(())
        }
        LivesOn => is(connector.get("/healthcheck").await.is_some() && connector.is_running(), "it has ended".to_owned()),
        Ends(code) => {
            let ended = connector.ended().await;
            is(ended.code() == Some(*code), format!("{ended}: {}", connector.stderr()))
        }
        DiesOf(signal) => {
            let ended = connector.ended().await;
            is(std::os::unix::process::ExitStatusExt::signal(&ended) == Some(*signal as i32), ended.to_string())
        }
        NoFile(name) => is(!subject.path(name).exists(), format!("{name} exists")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_life_goes_as_the_table_says() {
    let mut mistakes = Vec::new();
    for subject in Subject::all() {
        for life in LIVES {
            let fill = |arguments: &[&str]| arguments.iter().map(|argument| subject.fill(argument)).collect::<Vec<_>>();
            let mut launch = subject.launch();
            launch.before.extend(fill(life.before));
            launch.after.extend(fill(life.after));
            launch.ignores_hang_up = life.ignores_hang_up;
            for (name, value) in life.variables {
                launch = launch.variable(name, &subject.fill(value));
            }
            let mut connector = launch.start().await;
            for step in life.steps {
                if let Err(seen) = take(&mut connector, &subject, step).await {
                    mistakes.push(format!("{}, {}: {seen}", subject.name(), life.what));
                }
            }
        }
    }
    assert!(mistakes.is_empty(), "{} differ:\n\n{}", mistakes.len(), mistakes.join("\n\n"));
}

/// A run without an edge whose standard error is this pipe.
async fn with_error_pipe(subject: &Subject) -> (Connector, PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut launch = subject.launch().variable("TUNNEL_TOKEN", &subject.fill("TOKEN"));
    launch.before.extend(EDGE.iter().map(|argument| (*argument).to_owned()));
    launch.error = Some(OwnedFd::from(writer.try_clone().unwrap()));
    let connector = launch.start().await;
    connector.logged(NO_EDGE).await;
    (connector, reader, writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_dies_of_a_broken_pipe_when_nobody_reads_its_errors() {
    for subject in Subject::all() {
        let (mut connector, reader, writer) = with_error_pipe(&subject).await;
        drop((reader, writer));
        // A child that another test is just starting may hold the reader for a moment, so one line is not always enough.
        wait_until("a line has killed it", async || {
            connector.get("/diag/tunnel").await;
            !connector.is_running()
        })
        .await;
        assert_eq!(connector.ending_signal().await, Some(Signal::SIGPIPE as i32), "{}", subject.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_its_errors_who_does_not_read_holds_up_its_end() {
    for subject in Subject::all() {
        let (mut connector, mut reader, writer) = with_error_pipe(&subject).await;
        // Opened anew, so that only this end of it does not block.
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let mut filler =
            OpenOptions::new().write(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path).unwrap();
        for size in [4096, 1] {
            while filler.write(&vec![b'\n'; size]).is_ok() {}
        }
        drop((filler, writer));

        connector.signal(SIGTERM);
        for _ in 0..50 {
            assert_eq!(connector.get("/healthcheck").await.unwrap().0, 200, "{}", subject.name());
        }
        assert!(connector.is_running(), "{}", subject.name());
        let drained = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        assert_eq!(connector.exit_code().await, Some(0), "{}", subject.name());
        drained.join().unwrap().unwrap();
    }
}
