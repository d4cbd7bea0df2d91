//! What goes on while the daemon ends.

use std::{collections::BTreeMap, fs, path::PathBuf};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    host::{Host, PATIENCE},
    model::{self, Model, of_tunnels},
    processes,
};

/// Two replicas with the configuration at Cloudflare, one connector that is handed its configuration.
const BASE: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
configuration = "local"
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

/// Another flag for the one tunnel, and one tunnel more.
const CHANGED: &str = r#"
[tunnels.web]
replicas = 2
protocol = "http2"
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
configuration = "local"
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]

[tunnels.more]
ingress = [{ hostname = "more.example.com", service = "ORIGIN" }]
"#;

/// A flow of events that the daemon ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// The first start on a host.
    Provision,
    /// A start that finds connectors.
    TakeOver,
    /// A start that finds a connector dead, one that is on record without its process, and a record half written.
    TakeOverDamaged,
    /// kill -9 of a connector.
    Crash,
    /// An operator's stop.
    Stop,
    /// An operator's start, after a stop.
    Start,
    /// An operator's restart: make before break.
    Restart,
    /// Another secret for a tunnel.
    Rotate,
    /// Files that change a flag and add a tunnel.
    Reload,
    /// Files that give a tunnel another name.
    Rename,
    /// A tunnel made over the socket.
    Create,
    /// A stopped tunnel deleted over the socket.
    Delete,
    /// SIGTERM: everything is drained.
    Terminate,
}

/// What the daemon answered to what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// That it is so: it must be so after the crash.
    Yes,
    /// Nothing, or nothing was asked: either is fine after the crash, and nothing in between.
    No,
}

use Scenario::*;

impl Scenario {
    /// Brings the host to where the scenario begins.
    pub(crate) async fn prepare(self, host: &Host) {
        host.configure(BASE);
        match self {
            Provision => {}
            TakeOver => {
                begin(host).await;
                host.kill();
            }
            TakeOverDamaged => {
                begin(host).await;
                host.kill();
                damage(host).await;
            }
            Crash | Stop | Restart | Rotate | Reload | Rename | Create | Terminate => begin(host).await,
            Start => {
                begin(host).await;
                host.client.stop_tunnel("api").await.unwrap();
                host.until("the tunnel is stopped", async |host| !of_tunnels(host).contains_key("api")).await;
            }
            Delete => {
                begin(host).await;
                create(host).await;
                host.until_all_serve().await;
                host.client.stop_tunnel("made").await.unwrap();
                host.until("the tunnel is stopped", async |host| !of_tunnels(host).contains_key("made")).await;
            }
        }
    }

    /// Sets off what the daemon is to end in.
    pub(crate) async fn act(self, host: &Host) -> Answered {
        let answered = |yes| if yes { Answered::Yes } else { Answered::No };
        match self {
            Provision | TakeOver | TakeOverDamaged => host.launch_with(&[("ADIT_FAILPOINTS", &host.path("failpoints"))]),
            Crash => processes::signal(connector_of(host, "web"), Signal::SIGKILL),
            Stop => return answered(host.client.stop_tunnel("api").await.is_ok()),
            Start => return answered(host.client.start_tunnel("api").await.is_ok()),
            Create => return answered(create(host).await),
            Delete => return answered(host.client.delete_tunnel("made").await.is_ok()),
            Restart => drop(host.client.restart_tunnel("web").await),
            Rotate => return answered(rotate_and_wait(host).await),
            Reload => {
                host.configure(CHANGED);
                drop(host.client.reload_configuration().await);
            }
            Rename => {
                host.configure(&BASE.replace("[tunnels.web]", "[tunnels.site]\nrenamed_from = \"web\""));
                drop(host.client.reload_configuration().await);
            }
            Terminate => processes::signal(host.daemon_pid(), Signal::SIGTERM),
        }
        Answered::No
    }

    /// Starts another daemon, sees to it that there is never one connector too many, and asks once more for what may be lost.
    pub(crate) async fn recover(self, host: &Host, answered: Answered, case: &str) {
        let (before, after) = (self.before(), self.after());
        host.start().await;
        let bound: BTreeMap<&str, usize> =
            after.running.iter().chain(&before.running).map(|(name, count)| (*name, *count)).collect();
        let overlap = if self.drains() { 2 } else { 1 };
        host.until(&format!("{case}: what was or what is to be"), async |host| {
            let there = of_tunnels(host);
            for (name, count) in &there {
                let most = bound.get(name.as_str()).copied().unwrap_or_default() * overlap;
                assert!(*count <= most, "{case}: {count} connectors of {name}: {:?}", host.connectors());
            }
            model::runs(&there, &after) || (answered == Answered::No && model::runs(&there, &before))
        })
        .await;
        // What was not answered may have been forgotten; what was may be asked for again.
        match self {
            Stop => drop(host.client.stop_tunnel("api").await),
            Start => drop(host.client.start_tunnel("api").await),
            Create => drop(create(host).await),
            Delete => drop(host.client.delete_tunnel("made").await),
            Rotate => settle_secret(host, case).await,
            Provision | TakeOver | TakeOverDamaged | Crash | Restart | Reload | Rename | Terminate => {}
        }
    }

    /// What there is before the act.
    fn before(self) -> Model {
        match self {
            Provision | TakeOver | TakeOverDamaged | Crash | Stop | Restart | Rotate | Reload | Rename | Create | Terminate => {
                base()
            }
            Start => Stop.after(),
            Delete => Model { tunnels: 3, stopped: vec!["made"], ..base() },
        }
    }

    /// What there is when all of it has come true.
    pub(crate) fn after(self) -> Model {
        let more = |name, hostname| {
            let mut model = base();
            model.running.insert(name, 1);
            model.hostnames.push(hostname);
            Model { tunnels: 3, ..model }
        };
        match self {
            Provision | TakeOver | TakeOverDamaged | Crash | Start | Restart | Rotate | Rename | Delete | Terminate => base(),
            Stop => Model { running: [("web", 2)].into(), stopped: vec!["api"], hostnames: vec!["app.example.com"], ..base() },
            Reload => more("more", "more.example.com"),
            Create => more("made", "made.example.com"),
        }
    }

    /// Whether connectors are drained, so that there may be a successor beside each.
    fn drains(self) -> bool {
        match self {
            Restart | Rotate | Reload | Rename | Terminate => true,
            Provision | TakeOver | TakeOverDamaged | Crash | Stop | Start | Create | Delete => false,
        }
    }
}

fn base() -> Model {
    Model {
        running: [("web", 2), ("api", 1)].into(),
        stopped: Vec::new(),
        hostnames: vec!["app.example.com", "api.example.com"],
        tunnels: 2,
    }
}

/// A daemon that listens and is not armed, with everything serving.
async fn begin(host: &Host) {
    host.start_with(&[("ADIT_FAILPOINTS", &host.path("failpoints"))]).await;
    host.until_all_serve().await;
    // Whoever has answered is on record: that is the last thing that is written for a start.
    host.until("every record is complete", async |host| {
        records(host).iter().all(|(_, record)| !record["process"].is_null() && !record["connector_id"].is_null())
    })
    .await;
}

/// Asks for another secret and waits for its end, or for the daemon's.
async fn rotate_and_wait(host: &Host) -> bool {
    if host.client.rotate_tunnel("web", false).await.is_err() {
        return false;
    }
    let ended = async {
        while let Ok(detail) = host.client.tunnel("web").await {
            if detail.tunnel.secret.is_some_and(|secret| secret.rotation.is_none()) {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        false
    };
    tokio::time::timeout(PATIENCE * 3, ended).await.expect("a rotation ends, or the daemon")
}

/// Waits until no rotation goes on: the secret on record is then the one that is valid at Cloudflare.
async fn settle_secret(host: &Host, case: &str) {
    host.until(&format!("{case}: no rotation goes on"), async |host| {
        let detail = host.client.tunnel("web").await;
        detail.is_ok_and(|detail| detail.tunnel.secret.is_some_and(|secret| secret.rotation.is_none()))
    })
    .await;
    let record = fs::read_to_string(host.path("state/records/web.toml")).unwrap();
    let record: toml::Table = record.parse().unwrap();
    let (world, id) = (&host.stage.world, record["id"].as_str().unwrap().parse().unwrap());
    let valid = world.tunnel_for_registration(&world.account_id(), &id, record["secret"].as_str().unwrap());
    assert_eq!(valid, Ok(()), "{case}: the secret on record is the valid one");
}

async fn create(host: &Host) -> bool {
    let definition = json!({ "ingress": [{ "hostname": "made.example.com", "service": host.origin.url() }] });
    host.client.create_tunnel("made", definition).await.is_ok()
}

fn connector_of(host: &Host, tunnel: &str) -> u32 {
    let found = host.connectors().into_iter().find(|process| model::tunnel_of(process).as_deref() == Some(tunnel));
    found.expect("the tunnel has a connector").pid
}

/// A connector dies with its record left, a record loses its process, and a record is half written.
async fn damage(host: &Host) {
    let dead = connector_of(host, "api");
    processes::signal(dead, Signal::SIGKILL);
    host.until_gone(dead).await;
    let (path, mut record) = records(host).into_iter().find(|(_, record)| record["tunnel"] == "web").unwrap();
    record["process"] = Value::Null;
    fs::write(&path, record.to_string()).unwrap();
    fs::write(path.with_extension("new"), "{\"vers").unwrap();
}

/// The generation records that can be read.
pub(crate) fn records(host: &Host) -> Vec<(PathBuf, Value)> {
    let entries = fs::read_dir(host.path("run/private/generations")).into_iter().flatten().flatten();
    let read = |path: PathBuf| Some((path.clone(), serde_json::from_slice(&fs::read(&path).ok()?).ok()?));
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json")).filter_map(read).collect()
}
