//! QUIC that does not get through and comes back, with the sandbox's edge and visitors who must not notice.

use std::{path::Path, sync::Arc, time::Duration};

use adit::{
    connector::{Happening, Launch, RestartReason, State, Wanted},
    credential::connector_token,
    sandbox::{
        origin::Origin,
        stage::Stage,
        switchboard::Switches,
        world::{RecordKind, World},
    },
    secret::Secret,
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::{Daemon, Host, count, wanted};
use crate::visitor::Load;

/// What an edge that is there for both tunnels needs.
struct Sandbox {
    runtime: Runtime,
    stage: Stage,
    origin: Origin,
}

/// 32 bytes, as standard base64.
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

const TUNNELS: [(&str, &str); 2] = [("web", "app.example.com"), ("api", "api.example.com")];

impl Sandbox {
    fn new(host: &Host) -> Self {
        let runtime = Runtime::new().unwrap();
        let directory = host.path("sandbox");
        std::fs::create_dir(&directory).unwrap();
        let stage = Stage::start(&directory, Path::new(env!("CARGO_BIN_EXE_adit")), World::new());
        let stage = runtime.block_on(stage).unwrap();
        stage.switchboard.set(None, Switches { time_scale: 0.1, ..Switches::default() });
        let origin = runtime.block_on(async { Origin::start("here") }).unwrap();
        Self { runtime, stage, origin }
    }

    /// Makes a tunnel as somebody would in the dashboard, and says how its connector is started.
    fn launch(&self, host: &Host, name: &str, hostname: &str) -> Launch {
        let (account, dashboard) = (self.stage.world.account_id(), self.stage.world.dashboard());
        let (tunnel, secret) = (dashboard.create_tunnel(&account, name).unwrap(), Secret::new(SECRET));
        dashboard.rotate_secret(&tunnel, &secret).unwrap();
        let rules = json!([{ "hostname": hostname, "service": self.origin.url() }, { "service": "http_status:404" }]);
        dashboard.put_configuration(&tunnel, json!({ "ingress": rules })).unwrap();
        dashboard.create_record(hostname, RecordKind::Cname, &format!("{tunnel}.cfargotunnel.com")).unwrap();
        let mut launch = host.launch("ready");
        launch.token = connector_token(&account, &tunnel, &secret);
        (launch.account_id, launch.tunnel_id) = (account, tunnel);
        launch.binary = host.path("sandbox/cloudflared").into();
        launch.grace_period = Duration::from_secs(5);
        let switchboard = self.stage.switchboard.path().to_string_lossy().into_owned();
        let own = [("TUNNEL_EDGE", self.stage.edge.tunnel_edge()), ("ADIT_SANDBOX_SWITCHBOARD", switchboard)];
        Arc::make_mut(&mut launch.env).extend(own.map(|(name, value)| (name.to_owned(), value)));
        launch
    }

    fn block_udp(&self, blocked: bool) {
        self.stage.edge.switch(|edge| edge.udp_blocked = blocked);
    }
}

fn both(sandbox: &Sandbox, host: &Host) -> Wanted {
    let launches = TUNNELS.map(|(name, hostname)| (name, sandbox.launch(host, name, hostname)));
    wanted(&launches)
}

/// Trials that follow one another closely.
fn soon(settings: &mut adit::supervisor::Settings) {
    settings.connector.trial_wait_min = Duration::from_secs(1);
    settings.connector.trial_wait_max = Duration::from_secs(2);
    settings.connector.transport_deadline = Duration::from_secs(4);
}

fn replaced(daemon: &Daemon, restart: RestartReason) -> usize {
    daemon.count(|happening| matches!(happening, Happening::Replaced { restart: why, .. } if *why == restart))
}

#[test]
fn quic_is_tried_beside_what_serves_until_it_comes_back_and_no_request_is_lost() {
    let host = Host::new();
    let sandbox = Sandbox::new(&host);
    sandbox.block_udp(true);
    let daemon = host.daemon_with(&both(&sandbox, &host), soon);
    for (name, _) in TUNNELS {
        daemon.wait_for_ready(name);
    }
    let loads = sandbox.runtime.block_on(async { TUNNELS.map(|(_, hostname)| Load::start(sandbox.stage.front(), hostname)) });

    daemon.wait_until("a trial fails", |events| {
        count(events, |happening| matches!(happening, Happening::ReplacementFailed { .. })) >= 1
    });
    assert_eq!(replaced(&daemon, RestartReason::Transport), 0, "the ones that serve stay");

    sandbox.block_udp(false);
    daemon.wait_until("all are replaced", |events| {
        count(events, |happening| matches!(happening, Happening::Replaced { restart: RestartReason::Transport, .. })) == 2
    });
    for load in loads {
        sandbox.runtime.block_on(load.end()).assert_nothing_lost();
    }
    daemon.stop();
}

#[test]
fn quic_that_is_blocked_while_it_serves_is_given_up_for_http2() {
    let host = Host::new();
    let sandbox = Sandbox::new(&host);
    let tunnels = both(&sandbox, &host);
    let daemon = host.daemon_with(&tunnels, |_| {});
    daemon.wait_until("both have all of their connections", |events| {
        let whole =
            |name: &str| events.iter().any(|event| event.slot.tunnel.as_str() == name && event.notice.state == State::Ready);
        TUNNELS.iter().all(|(name, _)| whole(name))
    });

    sandbox.block_udp(true);
    for wanted in tunnels.tunnels.values() {
        sandbox.stage.edge.disconnect(&wanted.launch.tunnel_id);
    }

    // By itself cloudflared never goes over once QUIC has worked in a process.
    daemon.wait_until("all are replaced", |events| {
        count(events, |happening| matches!(happening, Happening::Replaced { restart: RestartReason::Transport, .. })) == 2
    });
    for (_, hostname) in TUNNELS {
        // A successor of what serves nobody takes its place before it is connected.
        sandbox.runtime.block_on(async {
            let serves = async {
                while !crate::visitor::visit(sandbox.stage.front(), hostname, "/").await.unwrap().reached("here") {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(crate::PATIENCE, serves).await.expect("the tunnel serves");
        });
    }
    daemon.stop();
}
