//! The supervisor over real processes: this test binary is cloudflared.
#![expect(clippy::unwrap_used, reason = "a test that cannot get what it needs fails")]

#[path = "supervisor/transport.rs"]
mod transport;
#[path = "support/visitor.rs"]
mod visitor;

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use adit::{
    connector::{Happening, Launch, LaunchConfiguration, State, Stop, Transport, Wanted, WantedTunnel},
    event::{ConnectorEvent, Event, Sink},
    output::Stream,
    secret::Secret,
    supervisor::{RequestError, Restart, Settings, Supervisor},
};
use tokio::{
    runtime::Runtime,
    sync::{Notify, watch},
};

#[test]
fn a_connector_is_started_and_told_to_be_ready() {
    let host = Host::new();
    let daemon = host.daemon(&wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    let process = Process(daemon.pid("web"));
    assert!(!process.environment().contains("hunter2") && !process.arguments().contains("hunter2"));
    assert!(process.environment().contains("NOTIFY_SOCKET=") && !process.environment().contains("CARGO"));
    assert_eq!(process.descriptors(), ["0", "1", "2", "3", "4"]);
    assert_eq!(process.status("NoNewPrivs"), "1");
    assert_eq!(process.status("SigBlk"), "0000000000000000");
    let ignored = u64::from_str_radix(&process.status("SigIgn"), 16).unwrap();
    assert_eq!(ignored & 0xfff, 1, "of the first twelve signals only SIGHUP is ignored");
    assert_eq!(process.status("Umask"), "0077");
    assert_eq!(process.session(), process.0, "it leads a session of its own");
    assert!(process.file("limits").lines().any(|line| line.starts_with("Max core file size        0 ")));
    daemon.stop();
    assert!(!process.is_alive());
    assert_eq!(host.records(), 0);
}

#[test]
fn a_killed_connector_is_started_again() {
    let host = Host::new();
    let daemon = host.daemon(&wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    let first = daemon.pid("web");
    Process(first).signal("KILL");
    daemon.wait_until("it is ready again", |events| count(events, is_ready) == 2);
    assert_ne!(daemon.pid("web"), first);
    assert!(daemon.sentences().iter().any(|sentence| sentence.contains("signal 9 (SIGKILL)")), "{:?}", daemon.sentences());
    daemon.stop();
}

#[test]
fn a_daemon_that_dies_leaves_its_connector_to_the_next_one() {
    let host = Host::new();
    let tunnels = wanted(&[("web", host.launch("ready"))]);
    let daemon = host.daemon(&tunnels);
    daemon.wait_for_ready("web");
    let pid = daemon.pid("web");
    daemon.die();

    let daemon = host.daemon(&Wanted::default());
    daemon.wait_for_ready("web");
    daemon.want(tunnels);
    assert_eq!(daemon.count(|happening| matches!(happening, Happening::Adopted { pid: adopted, .. } if *adopted == pid)), 1);
    Process(pid).signal("KILL");
    daemon.wait_until("another one is ready", |events| count(events, is_ready) == 2);
    assert_eq!(daemon.count(|happening| matches!(happening, Happening::Started { .. })), 1, "no second copy before the kill");
    daemon.stop();
}

#[test]
fn a_daemon_that_died_before_it_knew_the_process_finds_it_all_the_same() {
    let host = Host::new();
    let tunnels = wanted(&[("web", host.launch("ready"))]);
    let daemon = host.daemon(&tunnels);
    daemon.wait_for_ready("web");
    let pid = daemon.pid("web");
    daemon.die();
    host.edit_record(|record| record["process"] = serde_json::Value::Null);

    let daemon = host.daemon(&tunnels);
    daemon.wait_for_ready("web");
    assert_eq!(daemon.count(|happening| matches!(happening, Happening::Adopted { pid: adopted, .. } if *adopted == pid)), 1);
    assert_eq!(daemon.count(|happening| matches!(happening, Happening::Started { .. })), 0);
    daemon.stop();
}

#[test]
fn a_process_that_cannot_be_proved_ours_is_left_alone() {
    let host = Host::new();
    let tunnels = wanted(&[("web", host.launch("ready"))]);
    let daemon = host.daemon(&tunnels);
    daemon.wait_for_ready("web");
    let stranger = Process(daemon.pid("web"));
    daemon.wait_until_true("the record names the connector", || host.read_record()["connector_id"].is_string());
    daemon.die();
    host.edit_record(|record| record["instance"] = "another".into());

    let daemon = host.daemon(&tunnels);
    daemon.wait_until("it is quarantined", |events| state(events) == Some(State::Quarantined));
    assert!(matches!(daemon.restart("web", Restart::MakeBeforeBreak), Err(RequestError::Refused { .. })));
    daemon.restart("web", Restart::Abandon).unwrap();
    daemon.wait_until("another one is ready", |events| count(events, is_ready) == 1);
    daemon.stop();
    assert!(stranger.is_alive());
    stranger.signal("KILL");
}

#[test]
fn below_a_named_cgroup_each_connector_has_one_of_its_own() {
    let host = Host::new();
    let cgroup = Cgroup::make();
    let directory = cgroup.as_ref().map_or_else(|| host.path("no-cgroup"), |cgroup| cgroup.0.clone());
    let daemon = host.daemon_with(&wanted(&[("web", host.launch("ready"))]), |settings| settings.cgroup = Some(directory));
    daemon.wait_for_ready("web");
    let process = Process(daemon.pid("web"));
    match &cgroup {
        Some(Cgroup(directory)) => {
            assert_eq!(fs::read_to_string(directory.join("c-web.0.1/cgroup.procs")).unwrap(), format!("{}\n", process.0));
            assert!(host.read_record()["leaf"].as_str().unwrap().ends_with("/c-web.0.1"));
        }
        // A cgroup that cannot be used stops no connector.
        None => assert!(host.read_record()["leaf"].is_null()),
    }
    daemon.stop();
    assert!(cgroup.is_none_or(|cgroup| !cgroup.0.join("c-web.0.1").exists()));
}

#[test]
fn a_changed_launch_replaces_the_connector_without_a_gap() {
    let host = Host::new();
    let daemon = host.daemon(&wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    let first = Process(daemon.pid("web"));
    let mut changed = host.launch("ready");
    changed.protocol = "http2".into();
    daemon.want(wanted(&[("web", changed)]));
    daemon.wait_until("the old one leaves", |events| {
        count(events, |happening| matches!(happening, Happening::Draining { .. })) == 1
    });
    let of_replacing = ["connector-replacing", "connector-replaced", "connector-draining"];
    let order: Vec<&str> = daemon.kinds().into_iter().filter(|kind| of_replacing.contains(kind)).collect();
    assert_eq!(order, of_replacing);
    daemon.wait_until_true("the first is gone", || !first.is_alive());
    daemon.stop();
}

#[test]
fn a_successor_that_fails_leaves_the_old_connector_in_place() {
    let host = Host::new();
    let daemon = host.daemon(&wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    let first = Process(daemon.pid("web"));
    daemon.want(wanted(&[("web", host.launch("refused"))]));
    daemon.wait_until("the successor has failed", |events| {
        count(events, |happening| matches!(happening, Happening::ReplacementFailed { .. })) == 1
    });
    assert!(first.is_alive());
    assert_eq!(daemon.state(), Some(State::Ready));
    daemon.stop();
}

#[test]
fn an_operator_can_restart_and_stop_and_start() {
    let host = Host::new();
    let daemon = host.daemon(&wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    assert!(matches!(daemon.restart("nothing", Restart::MakeBeforeBreak), Err(RequestError::UnknownTunnel { .. })));
    daemon.restart("web", Restart::MakeBeforeBreak).unwrap();
    daemon.wait_until("it is replaced", |events| count(events, |happening| matches!(happening, Happening::Replaced { .. })) == 1);

    let mut stopped = wanted(&[("web", host.launch("ready"))]);
    let by = Stop { by: "ada".into(), at: "2026-08-20T10:00:00Z".parse().unwrap() };
    stopped.tunnels.values_mut().next().unwrap().stop = Some(by);
    daemon.want(stopped);
    daemon.wait_until("it is stopped", |events| state(events) == Some(State::Stopped));
    daemon.want(wanted(&[("web", host.launch("ready"))]));
    daemon.wait_until("it is ready again", |events| state(events) == Some(State::Ready));
    daemon.want(Wanted::default());
    daemon.wait_until("it is forgotten", |events| count(events, |happening| matches!(happening, Happening::Forgotten)) == 1);
    daemon.stop();
}

#[test]
fn a_refused_token_blocks_and_says_what_cloudflared_said() {
    let host = Host::new();
    let daemon = host.daemon(&wanted(&[("web", host.launch("refused"))]));
    daemon.wait_until("it is blocked", |events| state(events) == Some(State::Blocked));
    assert!(daemon.sentences().iter().any(|sentence| sentence.contains("Provided Tunnel token is not valid.")));
    daemon.stop();
}

#[test]
fn a_missing_binary_is_told_and_tried_again() {
    let host = Host::new();
    let mut launch = host.launch("ready");
    launch.binary = host.path("no-such-cloudflared").into();
    let daemon = host.daemon(&wanted(&[("web", launch)]));
    daemon.wait_until("it is blocked", |events| state(events) == Some(State::Blocked));
    assert!(daemon.sentences().iter().any(|sentence| sentence.contains("cannot find the cloudflared binary")));
    daemon.stop();
}

#[test]
fn a_connector_that_ignores_the_stop_is_killed() {
    let host = Host::new();
    let mut launch = host.launch("stubborn");
    launch.grace_period = Duration::ZERO;
    let daemon = host.daemon(&wanted(&[("web", launch)]));
    daemon.wait_for_ready("web");
    let process = Process(daemon.pid("web"));
    daemon.supervisor.shutdown();
    daemon.wait_until("it drains", |events| state(events) == Some(State::Draining));
    daemon.supervisor.abort();
    daemon.stop();
    assert!(!process.is_alive());
}

#[test]
fn what_is_wanted_while_the_connectors_end_is_not_started() {
    let host = Host::new();
    let mut launch = host.launch("stubborn");
    launch.grace_period = Duration::ZERO;
    let daemon = host.daemon(&wanted(&[("web", launch.clone())]));
    daemon.wait_for_ready("web");
    daemon.supervisor.shutdown();
    daemon.wait_until("it drains", |events| state(events) == Some(State::Draining));
    daemon.want(wanted(&[("late", host.launch("ready")), ("web", launch)]));
    daemon.supervisor.abort();
    daemon.stop();
    assert!(!host.path("state/logs/late").exists());
}

#[test]
fn what_a_connector_writes_can_be_read_and_followed() {
    let host = Host::new();
    let daemon = host.daemon(&Wanted::default());
    let mut changes = daemon.supervisor.watch_logs(&"web".parse().unwrap());
    daemon.want(wanted(&[("web", host.launch("ready"))]));
    daemon.runtime.block_on(async { tokio::time::timeout(PATIENCE, changes.changed()).await }).unwrap().unwrap();
    let log_lines = async || {
        let recent = daemon.supervisor.recent_logs(&"web".parse().unwrap(), 10).await;
        recent.lines.into_iter().filter(|line| line.line.stream == Stream::Log).collect::<Vec<_>>()
    };
    let first = daemon.runtime.block_on(async {
        loop {
            if let Some(line) = log_lines().await.into_iter().next() {
                return line;
            }
            changes.changed().await.unwrap();
        }
    });
    assert_eq!(first.line.message, "Starting tunnel");
    let behind = daemon.runtime.block_on(daemon.supervisor.logs_behind(&"web".parse().unwrap(), first.id - 1));
    assert!(behind.lines.iter().any(|line| line.id == first.id && line.line == first.line));
    daemon.stop();
}

#[test]
fn a_store_that_takes_no_files_stops_no_connector() {
    let host = Host::new();
    fs::create_dir_all(host.path("state")).unwrap();
    fs::write(host.path("state/logs"), "no folder").unwrap();
    let daemon = host.daemon(&wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    assert_eq!(daemon.count(|happening| matches!(happening, Happening::LogUnavailable { .. })), 1);
    daemon.stop();
}

#[test]
fn a_disk_that_hangs_stops_no_connector() {
    let host = Host::new();
    let daemon = host.daemon(&Wanted::default());
    let logs = host.path("state/logs/web");
    fs::create_dir_all(&logs).unwrap();
    // Whoever opens a pipe to write waits for somebody who reads.
    nix::unistd::mkfifo(&logs.join("0-1.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    daemon.want(wanted(&[("web", host.launch("ready"))]));
    daemon.wait_for_ready("web");
    assert_eq!(daemon.count(|happening| matches!(happening, Happening::LogUnavailable { .. })), 1);
    daemon.stop();
}

// ---- the host ----

/// Longer than any of these tests takes; only a broken one waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host with its directories and a `cloudflared`.
struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap() };
        let this = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = version ] && echo 2026.8.0 && exit\n[ \"$STAND_IN\" = stubborn ] && trap '' TERM\n\
             STAND_IN_ARGS=\"$*\" exec {} --exact stand_in --ignored --nocapture\n",
            this.display()
        );
        // Written by another process: one of this one's threads may fork while the file is open, and nobody could execute it then.
        let path = host.path("cloudflared");
        let write = ["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"];
        assert!(Command::new("/bin/sh").args(write).arg(&path).arg(script).status().unwrap().success());
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A launch of the stand-in, which behaves as `behaviour` says.
    fn launch(&self, behaviour: &str) -> Launch {
        Launch {
            account_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            tunnel_id: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
            token: Secret::new("hunter2"),
            binary: self.path("cloudflared").into(),
            extra_args: Arc::default(),
            env: Arc::new([("STAND_IN".to_owned(), behaviour.to_owned())].into()),
            protocol: "auto".to_owned(),
            grace_period: Duration::from_secs(30),
            configuration: LaunchConfiguration::Remote,
            transport: Transport::AsConfigured,
        }
    }

    fn daemon(&self, wanted: &Wanted) -> Daemon {
        self.daemon_with(wanted, |_| {})
    }

    /// The same, by other settings.
    fn daemon_with(&self, wanted: &Wanted, change: impl FnOnce(&mut Settings)) -> Daemon {
        let runtime = Runtime::new().unwrap();
        let mut settings = Settings::new(self.path("run"), self.path("state"));
        settings.connector.healthy_min = Duration::from_millis(50);
        change(&mut settings);
        let (sender, receiver) = watch::channel(Arc::new(wanted.clone()));
        let (events, told) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let sink = {
            let (events, told) = (Arc::clone(&events), Arc::clone(&told));
            Sink::new(move |event| {
                if let Event::Connector(event) = event {
                    events.lock().unwrap().push(event);
                    told.notify_one();
                }
            })
        };
        let (supervisor, task) = runtime.block_on(Supervisor::start(settings, receiver, sink)).unwrap();
        Daemon { runtime, supervisor, task, wanted: sender, events, told }
    }

    fn records(&self) -> usize {
        self.record_paths().len()
    }

    fn record_paths(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.path("run/private/generations")).unwrap();
        folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().unwrap() == "json").collect()
    }

    fn read_record(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(&self.record_paths()[0]).unwrap()).unwrap()
    }

    fn edit_record(&self, edit: impl Fn(&mut serde_json::Value)) {
        let mut record = self.read_record();
        edit(&mut record);
        fs::write(&self.record_paths()[0], record.to_string()).unwrap();
    }
}

impl Drop for Host {
    /// A test that failed must not leave its connectors behind.
    fn drop(&mut self) {
        for path in self.record_paths() {
            let record: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap_or_default()).unwrap_or_default();
            if let Some(pid) = record["process"]["pid"].as_u64() {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(std::process::Stdio::null()).status();
            }
        }
    }
}

fn wanted(tunnels: &[(&str, Launch)]) -> Wanted {
    let tunnels = tunnels.iter().map(|(name, launch)| {
        let tunnel = WantedTunnel { replicas: 1, launch: Arc::new(launch.clone()), stop: None, slots: name.parse().unwrap() };
        (name.parse().unwrap(), tunnel)
    });
    Wanted { tunnels: tunnels.collect(), held: BTreeSet::new() }
}

/// A daemon: its supervisor, on a runtime of its own that can die.
struct Daemon {
    runtime: Runtime,
    supervisor: Supervisor,
    task: tokio::task::JoinHandle<()>,
    wanted: watch::Sender<Arc<Wanted>>,
    events: Arc<Mutex<Vec<ConnectorEvent>>>,
    told: Arc<Notify>,
}

impl Daemon {
    fn want(&self, wanted: Wanted) {
        self.wanted.send_replace(Arc::new(wanted));
    }

    fn restart(&self, tunnel: &str, how: Restart) -> Result<(), RequestError> {
        self.runtime.block_on(self.supervisor.restart(&tunnel.parse().unwrap(), how))
    }

    fn wait_for_ready(&self, tunnel: &str) {
        let is_its_own = |event: &ConnectorEvent| event.slot.tunnel.as_str() == tunnel && is_ready(&event.notice.happening);
        self.wait_until(&format!("{tunnel} is ready"), |events| events.iter().any(is_its_own));
    }

    fn wait_until(&self, what: &str, condition: impl Fn(&[ConnectorEvent]) -> bool) {
        let waiting = async {
            while !condition(&self.events.lock().unwrap()) {
                self.told.notified().await;
            }
        };
        let waited = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, waiting).await });
        assert!(waited.is_ok(), "it does not come to pass that {what}: {:#?}", self.sentences());
    }

    /// Like `wait_until`, for what no event tells.
    fn wait_until_true(&self, what: &str, condition: impl Fn() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, waiting).await });
        assert!(waited.is_ok(), "it does not come to pass that {what}: {:#?}", self.sentences());
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.events.lock().unwrap().iter().map(|event| Event::Connector(event.clone()).kind().as_str()).collect()
    }

    fn sentences(&self) -> Vec<String> {
        self.events.lock().unwrap().iter().map(|event| Event::Connector(event.clone()).sentence()).collect()
    }

    fn count(&self, which: impl Fn(&Happening) -> bool) -> usize {
        count(&self.events.lock().unwrap(), which)
    }

    fn state(&self) -> Option<State> {
        state(&self.events.lock().unwrap())
    }

    /// The process that was started or adopted last.
    fn pid(&self, tunnel: &str) -> u32 {
        let events = self.events.lock().unwrap();
        let mut of_tunnel = events.iter().rev().filter(|event| event.slot.tunnel.as_str() == tunnel);
        let pid = of_tunnel.find_map(|event| {
            let (Happening::Started { pid, .. } | Happening::Adopted { pid, .. }) = event.notice.happening else { return None };
            Some(pid)
        });
        pid.expect("a process")
    }

    fn stop(self) {
        self.supervisor.shutdown();
        let ended = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.task).await });
        ended.expect("the task ends").expect("and does not panic");
    }

    /// As by kill -9: nothing is told to anyone.
    fn die(self) {
        self.task.abort();
        self.runtime.shutdown_timeout(PATIENCE);
    }
}

fn count(events: &[ConnectorEvent], which: impl Fn(&Happening) -> bool) -> usize {
    events.iter().filter(|event| which(&event.notice.happening)).count()
}

fn is_ready(happening: &Happening) -> bool {
    matches!(happening, Happening::Ready { .. })
}

fn state(events: &[ConnectorEvent]) -> Option<State> {
    events.last().map(|event| event.notice.state)
}

/// A cgroup in the test's own.
struct Cgroup(PathBuf);

impl Cgroup {
    /// `None` where the host does not let the test make one.
    fn make() -> Option<Self> {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let mount = mounts.into_iter().find(|mount| mount.join("cgroup.procs").exists())?;
        let directory = mount.join(own).join(format!("adit-test-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&directory).ok().map(|()| Self(directory))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Of a test that failed, a connector may be left in it, and the host ends that.
        let _ = fs::remove_dir(&self.0);
    }
}

/// A process, as the kernel shows it.
struct Process(u32);

impl Process {
    fn file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0)).unwrap_or_default().replace('\0', " ")
    }

    fn environment(&self) -> String {
        self.file("environ")
    }

    fn arguments(&self) -> String {
        self.file("cmdline")
    }

    fn status(&self, name: &str) -> String {
        let status = self.file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap_or_default();
        line.trim().to_owned()
    }

    fn session(&self) -> u32 {
        self.file("stat").rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(3).unwrap().parse().unwrap()
    }

    fn descriptors(&self) -> Vec<String> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap();
        let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn is_alive(&self) -> bool {
        Path::new(&format!("/proc/{}/exe", self.0)).exists() && !self.status("State").starts_with('Z')
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").arg(format!("-{name}")).arg(self.0.to_string()).status().unwrap().success());
    }
}

// ---- the stand-in ----

/// Not a test: what the `cloudflared` of these tests executes. Run by hand, it does nothing.
#[test]
#[ignore = "it is a program of its own, started by the other tests"]
#[expect(clippy::disallowed_methods, reason = "this is the main function of another program")]
fn stand_in() {
    let Ok(behaviour) = std::env::var("STAND_IN") else { return };
    let arguments = std::env::var("STAND_IN_ARGS").unwrap();
    if behaviour == "refused" {
        let _ = writeln!(std::io::stderr(), "Provided Tunnel token is not valid.\nSee 'cloudflared tunnel run --help'.");
        std::process::exit(255);
    }
    assert_eq!(fs::read_to_string("/dev/fd/4").unwrap(), "hunter2");
    let mut words = arguments.split(' ').skip_while(|word| *word != "--logfile");
    if let Some(path) = words.nth(1) {
        let mut log = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        log.write_all(b"{\"level\":\"info\",\"message\":\"Starting tunnel\",\"time\":\"2026-08-20T10:00:00Z\"}\n").unwrap();
    }
    let notify = std::env::var("NOTIFY_SOCKET").unwrap();
    UnixDatagram::unbound().unwrap().send_to(b"READY=1", notify).unwrap();
    serve(&format!("connector-{}", std::process::id()));
}

/// Answers on the socket that was passed as descriptor 3.
fn serve(connector: &str) -> ! {
    use nix::sys::socket::{MsgFlags, accept, recv, send};
    loop {
        let stream = accept(3).unwrap();
        let mut request = [0; 512];
        let length = recv(stream, &mut request, MsgFlags::empty()).unwrap_or(0);
        let body = if request[..length].starts_with(b"GET /config") {
            r#"{"version":1,"config":{}}"#.to_owned()
        } else {
            format!(r#"{{"status":200,"readyConnections":4,"connectorId":"{connector}"}}"#)
        };
        let answer = format!("HTTP/1.0 200 OK\r\n\r\n{body}");
        let _ = send(stream, answer.as_bytes(), MsgFlags::MSG_NOSIGNAL);
        let _ = nix::unistd::close(stream);
    }
}
