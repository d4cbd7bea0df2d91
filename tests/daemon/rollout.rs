//! Another cloudflared takes the place of the one that connectors are.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use adit::control::api::State;
use nix::sys::signal::Signal;

use crate::{
    host::{Host, serves},
    processes::{self, PROGRAM, Process},
};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

#[tokio::test]
async fn a_new_cloudflared_is_tried_by_one_connector_and_then_taken_by_all_without_a_lost_request() {
    let host = upgradable(TWO_TUNNELS).await;
    let loads = [host.load("app.example.com"), host.load("api.example.com")];

    host.install("2026.9.0", "");

    host.until_event("upgrade-confirmed").await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
    for load in loads {
        load.end().await.assert_nothing_lost();
    }
    // Between the start of the first and its passing nothing else was begun, and never two at once.
    let kinds = host.event_kinds().await;
    let position = |wanted: &str| kinds.iter().position(|kind| kind == wanted).unwrap();
    let (started, passed) = (position("upgrade-canary-started"), position("upgrade-canary-passed"));
    let begun = |range: &[String]| range.iter().filter(|kind| *kind == "connector-replacing").count();
    assert_eq!((begun(&kinds[..started]), begun(&kinds[started..passed]), begun(&kinds[passed..])), (0, 1, 2), "{kinds:?}");
    let turns: Vec<&str> = kinds.iter().map(String::as_str).filter(|kind| TURNS.contains(kind)).collect();
    assert_eq!(turns, TURNS.repeat(3), "{kinds:?}");

    let status = host.status().await;
    let cloudflared = status.overview.cloudflared.unwrap();
    assert_eq!((cloudflared.version.as_deref(), cloudflared.rollout.as_str()), (Some("2026.9.0"), "settled"));
    let web = &host.tunnel("web").await.connectors;
    assert!(web.iter().all(|connector| connector.restarts_total == 1), "{web:?}");
}

/// What is told of each replacement, in that order.
const TURNS: [&str; 2] = ["connector-replacing", "connector-replaced"];

#[tokio::test]
async fn a_cloudflared_that_crashes_is_rolled_back_and_the_former_one_runs_without_its_name() {
    let host = upgradable(TWO_TUNNELS).await;
    let (pids, load) = (host.connector_pids(), host.load("app.example.com"));

    host.install("2026.9.0", "echo 'it hurts here' >&2; exit 3");

    host.until_event("upgrade-rolled-back").await;
    load.end().await.assert_nothing_lost();
    assert_eq!(host.connector_pids(), pids, "those that serve go on");
    let shown = host.adit(&["status"]).await;
    for words in ["upgrade-rolled-back", "2026.9.0", "it hurts here", "adit tunnel restart"] {
        assert!(shown.code == Some(1) && shown.stdout.contains(words), "{words}: {shown:?}");
    }
    assert!(host.metrics().await.contains("adit_cloudflared_rollout{state=\"rolled_back\"} 1"));

    // The path holds the bad one: what is started is the former one all the same.
    host.dies_and_comes_back("api").await;
    assert!(host.former().len() == 3, "{:?}", host.connectors());

    // So it is for the next daemon, which tries nothing by itself.
    host.kill();
    host.start().await;
    host.until("it is known again", async |host| host.rollout().await == "rolled_back").await;
    host.dies_and_comes_back("web").await;
    assert!(host.former().len() == 3, "{:?}", host.connectors());
    assert_eq!(host.count_of("upgrade-canary-started").await, 1);

    // Yet another file is tried.
    host.install("2026.9.1", "");
    host.until_event("upgrade-confirmed").await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
}

#[tokio::test]
async fn a_cloudflared_that_fails_in_a_later_connector_is_taken_back_everywhere() {
    let host = upgradable(TWO_TUNNELS).await;
    let loads = [host.load("app.example.com"), host.load("api.example.com")];
    let starts = host.other("starts").display().to_string();

    host.install("2026.9.0", &format!("echo x >> {starts}; [ $(wc -l < {starts}) -ge 2 ] && exit 3"));

    host.until_event("upgrade-rolled-back").await;
    host.until("all are the former one", async |host| host.former().len() == 3 && host.connectors().len() == 3).await;
    for load in loads {
        load.end().await.assert_nothing_lost();
    }
    assert_eq!(host.count_of("upgrade-canary-passed").await, 1);
}

#[tokio::test]
async fn a_cloudflared_that_dies_while_it_is_watched_is_rolled_back() {
    let host = upgradable_with("2s", TWO_TUNNELS).await;
    let pids = host.connector_pids();

    // It gets ready, and is gone before the others may follow.
    host.write_program("2026.9.0", &format!("{} \"$@\" & sleep 1; exit 3", host.other("cloudflared").display()));

    host.until_event("upgrade-rolled-back").await;
    host.until("all are the former one", async |host| host.former().len() == 3 && host.connectors().len() == 3).await;
    // The edge gives a connector that is ready its share, and what one carries goes with it when it crashes; no more than that.
    assert_eq!(host.connector_pids(), pids, "those that served before serve on");
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.count_of("upgrade-canary-passed").await, 0);
}

#[tokio::test]
async fn an_operators_restart_tries_what_was_rolled_back_once_more() {
    let host = upgradable(TWO_TUNNELS).await;
    let mended = host.path("mended");
    host.install("2026.9.0", &format!("[ -e {} ] || exit 3", mended.display()));
    host.until_event("upgrade-rolled-back").await;

    fs::write(mended, "").unwrap();
    let restarted = host.adit(&["tunnel", "restart", "api"]).await;
    assert_eq!(restarted.code, Some(0), "{restarted:?}");

    host.until_event("upgrade-confirmed").await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
    let events = host.client.events(&[("limit", "500".to_owned())]).await.unwrap();
    let canaries: Vec<_> = events.iter().filter(|event| event.kind == "upgrade-canary-started").collect();
    assert_eq!(canaries.last().unwrap().subject.tunnel.as_deref(), Some("api"), "{canaries:?}");
}

#[tokio::test]
async fn a_file_that_is_no_usable_cloudflared_starts_nothing_and_is_named() {
    let host = upgradable(TWO_TUNNELS).await;
    let path = host.path("cloudflared");
    let too_old = || host.install("2020.5.1", "");
    let unknown = || host.install("hello", "");
    let not_executable = || {
        host.install("2026.9.0", "");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    };
    let missing = || fs::remove_file(&path).unwrap();
    let installs: [(&dyn Fn(), &str); 4] = [
        (&too_old, "binary-too-old"),
        (&unknown, "binary-unknown"),
        (&not_executable, "binary-not-executable"),
        (&missing, "binary-missing"),
    ];
    for (install, code) in installs {
        let pids = host.connector_pids();
        install();
        host.until(code, async |host| {
            let reasons = host.status().await.overview.health.reasons;
            reasons.iter().any(|reason| reason.code == code && reason.sentence.contains("stay with cloudflared"))
        })
        .await;
        assert_eq!(host.connector_pids(), pids);
        host.dies_and_comes_back("api").await;
        assert_eq!(host.former().len(), 3);
    }
    symlink(PROGRAM, &path).unwrap();
    host.until("all is well again", async |host| host.status().await.overview.health.reasons.is_empty()).await;
    assert_eq!(host.count_of("upgrade-canary-started").await, 0);
}

#[tokio::test]
async fn a_cloudflared_that_came_while_no_daemon_ran_is_rolled_out_by_the_next() {
    let host = upgradable(TWO_TUNNELS).await;
    let load = host.load("app.example.com");
    host.kill();
    host.install("2026.9.0", "");
    host.start().await;

    host.until_event("upgrade-confirmed").await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
    load.end().await.assert_nothing_lost();
    assert_eq!(host.count_of("upgrade-canary-started").await, 1);
}

#[tokio::test]
async fn a_daemon_that_is_killed_in_the_middle_of_a_trial_leaves_it_to_the_next() {
    let host = upgradable_with("2s", TWO_TUNNELS).await;
    let loads = [host.load("app.example.com"), host.load("api.example.com")];
    host.install("2026.9.0", "");
    host.until("one tries it", async |host| host.connectors().len() == 4).await;
    host.kill();
    host.start().await;

    host.until_event("upgrade-confirmed").await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
    for load in loads {
        load.end().await.assert_nothing_lost();
    }
}

#[tokio::test]
async fn what_was_installed_while_everything_was_stopped_is_simply_used() {
    let host = upgradable(TWO_TUNNELS).await;
    assert_eq!(host.terminate().await, Some(0));
    host.install("2026.9.0", "");
    host.start().await;
    host.until_all_serve().await;
    host.until("it is told", async |host| {
        let cloudflared = host.status().await.overview.cloudflared;
        cloudflared.is_some_and(|known| known.rollout == "settled" && known.version.as_deref() == Some("2026.9.0"))
    })
    .await;
    assert!(host.connectors().len() == 3 && host.former().is_empty());
    assert!(host.tunnel("web").await.connectors.iter().all(|connector| connector.restarts_total == 0));
}

#[tokio::test]
async fn another_path_in_the_configuration_is_rolled_out_like_another_file() {
    let host = upgradable(TWO_TUNNELS).await;
    let load = host.load("app.example.com");
    fs::create_dir(host.path("elsewhere")).unwrap();
    host.write_program_to(&host.path("elsewhere/cloudflared"), "2026.9.0", &host.run_other());

    let text = fs::read_to_string(host.path("adit.toml")).unwrap();
    let (from, to) = (host.path("cloudflared"), host.path("elsewhere/cloudflared"));
    host.write_configuration(
        &text.replace(&format!("{:?}", from.display().to_string()), &format!("{:?}", to.display().to_string())),
    );
    host.client.reload_configuration().await.unwrap();

    host.until_event("upgrade-confirmed").await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
    load.end().await.assert_nothing_lost();
    assert_eq!(host.count_of("upgrade-canary-started").await, 1);
}

#[tokio::test]
async fn a_stop_and_a_start_in_the_middle_of_a_roll_out_leave_it_to_the_others() {
    let host = upgradable_with("2s", TWO_TUNNELS).await;
    host.install("2026.9.0", "");
    host.until_event("upgrade-canary-started").await;

    host.client.stop_tunnel("web").await.unwrap();
    host.until("it is stopped", async |host| host.tunnel("web").await.state == State::Stopped && host.connectors().len() == 1)
        .await;
    host.until_event("upgrade-confirmed").await;
    host.client.start_tunnel("web").await.unwrap();

    host.until_all_serve().await;
    host.until("only the new ones are left", async |host| host.connectors().len() == 3 && host.former().is_empty()).await;
}

/// A host whose tunnels serve, and whose canaries are watched for as short as it gets.
async fn upgradable(tunnels: &str) -> Host {
    upgradable_with("300ms", tunnels).await
}

async fn upgradable_with(period: &str, tunnels: &str) -> Host {
    let host = Host::prepare().await;
    let text = host.configuration(tunnels).replace("[cloudflared]\n", &format!("[cloudflared]\ncanary_period = \"{period}\"\n"));
    host.write_configuration(&text);
    fs::create_dir(host.path("other")).unwrap();
    symlink(PROGRAM, host.other("cloudflared")).unwrap();
    host.start().await;
    host.until_all_serve().await;
    host
}

impl Host {
    /// What the programs that are installed here become.
    fn other(&self, name: &str) -> PathBuf {
        self.path("other").join(name)
    }

    fn run_other(&self) -> String {
        format!("exec {} \"$@\"", self.other("cloudflared").display())
    }

    /// Renames a program of that version over the present one, as a package manager does. It runs `before` and then is a good one.
    fn install(&self, version: &str, before: &str) {
        self.write_program(version, &format!("{before}\n{}", self.run_other()));
    }

    fn write_program(&self, version: &str, run: &str) {
        let fresh = self.path("cloudflared.dpkg-new");
        self.write_program_to(&fresh, version, run);
        fs::rename(fresh, self.path("cloudflared")).unwrap();
    }

    fn write_program_to(&self, path: &Path, version: &str, run: &str) {
        let script = format!("#!/bin/sh\n[ \"$1\" = version ] && echo {version} && exit\n{run}\n");
        // Written by another process: one of this one's threads may fork while the file is open, and nobody could execute it then.
        let write = ["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"];
        assert!(Command::new("/bin/sh").args(write).arg(path).arg(script).status().unwrap().success());
    }

    /// The connectors that are the program of the beginning.
    fn former(&self) -> Vec<Process> {
        let name = self.path("cloudflared").display().to_string();
        self.connectors().into_iter().filter(|process| process.arguments[0] == name).collect()
    }

    /// Kills the first connector of a tunnel and waits until another serves in its place.
    async fn dies_and_comes_back(&self, tunnel: &str) {
        let before = self.connector(tunnel).await;
        processes::signal(before.pid.unwrap(), Signal::SIGKILL);
        self.until("another is in its place", async |host| {
            let tunnel = host.tunnel(tunnel).await;
            serves(&tunnel) && tunnel.connectors[0].generation > before.generation
        })
        .await;
    }

    async fn event_kinds(&self) -> Vec<String> {
        let events = self.client.events(&[("limit", "1000".to_owned())]).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    async fn count_of(&self, kind: &str) -> usize {
        self.event_kinds().await.iter().filter(|other| *other == kind).count()
    }

    async fn until_event(&self, kind: &str) {
        self.until(kind, async |host| host.count_of(kind).await > 0).await;
    }

    async fn rollout(&self) -> String {
        self.status().await.overview.cloudflared.map(|cloudflared| cloudflared.rollout).unwrap_or_default()
    }
}
