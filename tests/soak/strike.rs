//! What each fault does, and how it is undone.

use std::{fs, io, path::Path, time::Duration};

use adit::sandbox::{
    edge::EdgeSwitches,
    faults::{Fault as Trouble, Matching, Times},
    switchboard::{Command, Crash, Dns},
    world::TokenStatus,
};
use hyper::Method;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt, seq::IndexedRandom};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{
    fault::{Class, Fault},
    network, processes,
    squall::{BOOT_TIME, Flood, PAUSE_MAX},
    watch::{ANSWER_TIME, RETRY_AFTER, Watch},
};

/// How long a daemon is away, or stands still, at most.
const AWAY_MAX: Duration = Duration::from_millis(2_500);

/// How long a hung daemon is left before it is killed.
const HANG_TIME: Duration = Duration::from_secs(5);

/// How long everything sleeps.
const SLEEP_TIME: Duration = Duration::from_secs(4);

/// How long a disk hangs at most: every command that writes waits as long.
const DISK_HANG_MAX: Duration = Duration::from_secs(6);

/// Descriptors that are left to a daemon that may not have more.
const DESCRIPTORS_LEFT: u64 = 3;

/// Lines of a flood; each is told from another by how many it has.
const FLOOD_LINES: u32 = 300;

/// How much a connector grows before it is killed.
const GROWTH_BYTES: usize = 24 << 20;

impl Watch<'_> {
    /// Does what this fault is.
    pub(crate) async fn strike(&mut self, fault: Fault, floods: &mut Vec<Flood>) {
        match fault.class() {
            Class::Process => self.strike_processes(fault, floods).await,
            Class::Daemon => self.strike_daemon(fault).await,
            Class::Api => self.strike_api(fault),
            Class::Disk | Class::Clock | Class::Network | Class::Descriptors => self.strike_host(fault).await,
        }
    }

    async fn strike_processes(&mut self, fault: Fault, floods: &mut Vec<Flood>) {
        let tunnels: Vec<_> = self.names().into_keys().collect();
        match fault {
            Fault::ConnectorsKilled => {
                for tunnel in tunnels.iter().step_by(2) {
                    self.kill_connector(Some(tunnel), Some(fault));
                }
            }
            Fault::ConnectorsStopped => {
                for _ in 0..2 {
                    let Some(victim) = self.victim(None) else { return };
                    self.book.reaches(fault, &victim.tunnel);
                    self.book.fells(victim.connector, victim.pid, Some(fault));
                    let _ = kill(Pid::from_raw(victim.pid.cast_signed()), Signal::SIGSTOP);
                }
            }
            Fault::ConnectorsHung => {
                for _ in 0..3 {
                    let Some(victim) = self.victim(None) else { return };
                    self.book.felled_pids.insert(victim.pid);
                    self.host.stage.switchboard.command(victim.pid, Command::Hang);
                }
            }
            Fault::ExitStorm => {
                if let Some(tunnel) = self.any_tunnel() {
                    let mut switches = self.switches.clone();
                    switches.crash_at_start = Some(Crash::Exit(1));
                    self.host.stage.switchboard.set(Some(&tunnel), switches);
                    self.crash(&tunnel, fault, Crash::Exit(1));
                }
                for tunnel in tunnels.iter().step_by(4) {
                    let code = *[0, 1, 2, 255].choose(&mut self.rng).expect("there are some");
                    let crash = if code == 2 { Crash::Panic("a storm".to_owned()) } else { Crash::Exit(code) };
                    self.crash(tunnel, fault, crash);
                }
            }
            Fault::OutOfMemory => {
                let Some(tunnel) = self.any_tunnel() else { return };
                let mut switches = self.switches.clone();
                switches.eat_memory_bytes = GROWTH_BYTES;
                self.host.stage.switchboard.set(Some(&tunnel), switches);
                self.pass(PAUSE_MAX).await;
                for _ in 0..2 {
                    self.crash(&tunnel, fault, Crash::Kill);
                    self.pass(PAUSE_MAX).await;
                }
            }
            Fault::LogFlood => {
                let lines = FLOOD_LINES + self.book.squalls as u32;
                let names = self.names();
                for _ in 0..4 {
                    let Some(victim) = self.victim(None) else { return };
                    let Some(tunnel) = names.get(&victim.tunnel).cloned() else { return };
                    // One that was started when no disk took files has no log.
                    let log = fs::read_link(format!("/proc/{}/fd/2", victim.pid));
                    if log.is_ok_and(|log| log == Path::new("/dev/null")) {
                        continue;
                    }
                    if self.host.stage.switchboard.command(victim.pid, Command::FloodStderr(lines)) {
                        floods.push(Flood { tunnel, pid: victim.pid, lines });
                    }
                }
            }
            Fault::TermIgnored => {
                let name = self.fleet.any_tunnel(&mut self.rng);
                let Some((tunnel, _)) = self.names().into_iter().find(|(_, known)| *known == name) else { return };
                self.book.reaches(fault, &tunnel);
                let mut switches = self.switches.clone();
                switches.ignore_sigterm = true;
                self.host.stage.switchboard.set(Some(&tunnel), switches);
                let _ = timeout(ANSWER_TIME, self.host.client.begin_restart_tunnel(&name)).await;
            }
            _ => unreachable!("{fault:?} strikes elsewhere"),
        }
    }

    fn crash(&mut self, tunnel: &adit::id::TunnelId, fault: Fault, crash: Crash) {
        let Some(victim) = self.victim(Some(tunnel)) else { return };
        if self.host.stage.switchboard.command(victim.pid, Command::Crash(crash)) {
            self.book.fells(victim.connector, victim.pid, Some(fault));
        }
    }

    async fn strike_daemon(&mut self, fault: Fault) {
        let away = self.up_to(AWAY_MAX);
        if !self.host.has_daemon() {
            self.launch();
        }
        let pid = self.host.daemon_pid();
        match fault {
            Fault::DaemonKilled => {
                processes::signal(pid, Signal::SIGKILL);
                self.daemon_ends().await;
                // Whoever dies while nobody looks leaves its number to somebody else.
                let dead = self.kill_connector(None, Some(fault));
                self.pass(away).await;
                let placed = dead.map(|process| self.decoys.in_place_of(&process));
                if let Some(Err(error)) = placed {
                    self.book.say(&format!("no decoy in the place of a connector: {error}"));
                }
                self.launch();
            }
            Fault::DaemonHung => {
                self.paused = true;
                processes::signal(pid, Signal::SIGSTOP);
                self.go_about_without_daemon(HANG_TIME).await;
                processes::signal(pid, Signal::SIGKILL);
                self.daemon_ends().await;
                self.launch();
            }
            Fault::DaemonPaused => {
                let stopped_at = Instant::now();
                self.paused = true;
                processes::signal(pid, Signal::SIGSTOP);
                self.go_about_without_daemon(away).await;
                processes::signal(pid, Signal::SIGCONT);
                self.paused = false;
                self.calls.goes_on(stopped_at);
            }
            Fault::DaemonStopped => {
                processes::signal(pid, Signal::SIGTERM);
                self.daemon_ends().await;
                if !self.host.connectors().is_empty() {
                    self.book.say("connectors are left behind a daemon that was stopped");
                }
                // As by a boot while Cloudflare's API is away: every tunnel starts all the same.
                let lone = self.held == [fault];
                if lone {
                    self.host.stage.world.faults().add(Trouble::ServerError(503), Matching::everything(), Times::UntilCleared);
                }
                self.launch();
                if lone {
                    self.boots_without_api().await;
                    self.host.stage.world.faults().clear();
                }
            }
            Fault::DaemonReplaced => {
                processes::signal(pid, Signal::SIGUSR1);
                let status = self.daemon_ends().await;
                if status.is_some_and(|status| !status.success()) {
                    self.book.violated(format!("the daemon did not detach: {status:?}"));
                }
                self.launch();
            }
            Fault::Reloads => {
                for _ in 0..3 {
                    self.fleet.change(&mut self.rng);
                    self.book.changes += 1;
                    self.configure();
                    if self.host.has_daemon() {
                        processes::signal(self.host.daemon_pid(), Signal::SIGHUP);
                    }
                    let pause = self.up_to(PAUSE_MAX);
                    self.pass(pause).await;
                }
            }
            Fault::BadFiles => {
                let tunnels = self.fleet.configuration() + "[tunnels.wrong]\nmistake = true\n";
                self.host.configure(&tunnels);
                processes::signal(pid, Signal::SIGHUP);
                self.pass(away).await;
                if self.host.has_daemon() {
                    processes::signal(self.host.daemon_pid(), Signal::SIGUSR1);
                    self.daemon_ends().await;
                }
                self.launch();
                self.pass(PAUSE_MAX).await;
            }
            Fault::Suspended => {
                let mut all: Vec<u32> = self.host.connector_pids();
                all.retain(|pid| !self.book.felled_pids.contains(pid));
                let stopped_at = Instant::now();
                self.paused = true;
                let send = |signal| {
                    for pid in [&[pid][..], &all].concat() {
                        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
                    }
                };
                send(Signal::SIGSTOP);
                tokio::time::sleep(SLEEP_TIME).await;
                send(Signal::SIGCONT);
                self.paused = false;
                self.calls.goes_on(stopped_at);
            }
            _ => unreachable!("{fault:?} strikes elsewhere"),
        }
    }

    /// What happens while the daemon stands still: time passes, and a connector dies.
    async fn go_about_without_daemon(&mut self, length: Duration) {
        self.book.kills += usize::from(self.kill_connector(None, None).is_some());
        self.pass(length).await;
    }

    async fn boots_without_api(&mut self) {
        let begun = Instant::now();
        while !self.missing().is_empty() {
            if begun.elapsed() > BOOT_TIME {
                let missing = self.missing();
                self.book.violated(format!("without the API not everything starts within {BOOT_TIME:?}: {missing:#?}"));
                return;
            }
            self.pass(PAUSE_MAX / 4).await;
        }
        self.book.say(&format!("everything started without the API within {:.1?}", begun.elapsed()));
    }

    fn strike_api(&mut self, fault: Fault) {
        let world = &self.host.stage.world;
        let on = |trouble, matching| world.faults().add(trouble, matching, Times::UntilCleared);
        // Something that needs calls: a tunnel is to be made in the place of another one.
        self.extra += 1;
        match fault {
            Fault::ApiDown => {
                let status = *[500, 502, 503, 520].choose(&mut self.rng).expect("there are some");
                if self.rng.random() {
                    on(Trouble::ServerError(status), Matching::everything())
                } else {
                    on(Trouble::Html(status), Matching::everything())
                }
            }
            Fault::ApiThrottles => on(Trouble::TooManyRequests(Some(RETRY_AFTER)), Matching::everything()),
            Fault::ApiHangs => {
                world.faults().add(Trouble::Hang, Matching::everything(), Times::Times(2));
                on(Trouble::Slow(Duration::from_secs(2)), Matching::everything());
            }
            Fault::ApiDrops => {
                for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                    world.faults().add(Trouble::AnswerLost, Matching::everything().method(method), Times::Times(3));
                }
                world.faults().add(Trouble::DropBefore, Matching::everything(), Times::Times(10));
            }
            Fault::ApiLies => {
                let tunnels = if self.rng.random() { Trouble::EmptyPage } else { Trouble::TruncatedPage(3) };
                on(tunnels, Matching::resource("cfd_tunnel").method(Method::GET));
                let records = if self.rng.random() { Trouble::EmptyPage } else { Trouble::TruncatedPage(5) };
                on(records, Matching::resource("dns_records").method(Method::GET));
                on(Trouble::Unheeded, Matching::resource("configurations").method(Method::PUT));
            }
            Fault::ApiGarbage => {
                let kinds = [Trouble::MalformedJson, Trouble::TruncatedBody, Trouble::WrongShape, Trouble::EndlessBody];
                on(kinds.choose(&mut self.rng).expect("there are some").clone(), Matching::everything());
            }
            Fault::TokenRefused => world.dashboard().set_token_status(&world.api_token(), TokenStatus::Disabled).unwrap(),
            Fault::Edits => self.edit(),
            _ => unreachable!("{fault:?} strikes elsewhere"),
        }
        self.configure();
        if self.host.has_daemon() && !self.paused {
            processes::signal(self.host.daemon_pid(), Signal::SIGHUP);
        }
    }

    /// Somebody deletes a record and replaces a configuration. What visitors of the two lose is theirs.
    fn edit(&mut self) {
        let hand = self.host.stage.world.dashboard();
        if let Some(tunnel) = self.any_tunnel() {
            self.book.reaches(Fault::Edits, &tunnel);
            let name = self.names().remove(&tunnel).unwrap_or_default();
            let _ = hand.delete_record(&format!("{name}.example.com"));
        }
        if let Some(tunnel) = self.any_tunnel() {
            self.book.reaches(Fault::Edits, &tunnel);
            let _ = hand.put_configuration(&tunnel, json!({ "ingress": [{ "service": "http_status:418" }] }));
        }
    }

    async fn strike_host(&mut self, fault: Fault) {
        let edge = self.host.stage.edge.addr();
        let done = match fault {
            Fault::StateFull => self.state.fill(),
            Fault::RuntimeFull => self.runtime.fill(),
            Fault::BothFull => self.state.fill().and_then(|()| self.runtime.fill()),
            Fault::StateReadOnly => self.state.make_read_only(),
            Fault::StateHangs => self.state.freeze(),
            Fault::ClockForward | Fault::ClockBack => {
                let clock = self.clock.as_mut().expect("the host can do it");
                clock.jump(fault == Fault::ClockForward, &mut self.rng)
            }
            Fault::EdgeDown => self.switch_edge(|switches| switches.down = true),
            Fault::EdgeSilent => network::silence(edge, true),
            Fault::EdgeRefuses => self
                .switch_edge(|switches| switches.refuse_registrations = Some("Unauthorized: Invalid tunnel secret".to_owned())),
            Fault::UdpBlocked => self.switch_edge(|switches| switches.udp_blocked = true),
            Fault::DnsDead => {
                self.switches.dns = Dns::Fails;
                self.host.stage.switchboard.set(None, self.switches.clone());
                network::deafen(self.grounds.resolver, true)
            }
            Fault::UplinkAway => network::link(false),
            Fault::PacketLoss => network::lose(true),
            Fault::OriginDown => self.origins(false),
            Fault::DescriptorsOut => self.limit_descriptors(true),
            _ => unreachable!("{fault:?} strikes elsewhere"),
        };
        if let Err(error) = done {
            self.book.violated(format!("{} cannot be done: {error}", fault.name()));
        }
        if fault == Fault::StateHangs {
            let hang = self.up_to(DISK_HANG_MAX);
            self.go_about(hang).await;
            self.lift(fault);
        }
    }

    fn switch_edge(&self, change: fn(&mut EdgeSwitches)) -> io::Result<()> {
        self.host.stage.edge.switch(change);
        Ok(())
    }

    fn origins(&self, up: bool) -> io::Result<()> {
        self.host.origin.set_up(up);
        self.grounds.other_origin.set_up(up);
        Ok(())
    }

    fn limit_descriptors(&self, scarce: bool) -> io::Result<()> {
        if !self.host.has_daemon() {
            return Ok(());
        }
        let pid = self.host.daemon_pid();
        let process = rustix::process::Pid::from_raw(pid.cast_signed());
        let mut limits = rustix::process::getrlimit(Resource::Nofile);
        if scarce {
            limits =
                Rlimit { current: Some(fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64 + DESCRIPTORS_LEFT), ..limits };
        } else {
            limits.current = limits.maximum;
        }
        prlimit(process, Resource::Nofile, limits)?;
        Ok(())
    }

    /// Whatever this fault changed is as before, as far as it does not heal by itself.
    pub(crate) fn lift(&mut self, fault: Fault) {
        if !self.held.contains(&fault) {
            return;
        }
        self.held.retain(|held| *held != fault);
        let edge = self.host.stage.edge.addr();
        let done = match fault {
            Fault::ExitStorm | Fault::OutOfMemory | Fault::TermIgnored => {
                for tunnel in self.names().into_keys() {
                    self.host.stage.switchboard.clear(&tunnel);
                }
                Ok(())
            }
            Fault::ApiDown | Fault::ApiThrottles | Fault::ApiHangs | Fault::ApiDrops | Fault::ApiLies | Fault::ApiGarbage => {
                self.host.stage.world.faults().clear();
                Ok(())
            }
            Fault::TokenRefused => {
                let world = &self.host.stage.world;
                world.dashboard().set_token_status(&world.api_token(), TokenStatus::Active).map_err(io::Error::other)
            }
            Fault::StateFull => self.state.empty(),
            Fault::RuntimeFull => self.runtime.empty(),
            Fault::BothFull => self.state.empty().and_then(|()| self.runtime.empty()),
            Fault::StateReadOnly => self.state.make_writable(),
            Fault::StateHangs => self.state.thaw(),
            Fault::ClockForward | Fault::ClockBack => {
                // It stays wrong half of the times: what is past is right then.
                let stays = self.rng.random();
                let clock = self.clock.as_mut().expect("the host can do it");
                if stays { Ok(()) } else { clock.set_right() }
            }
            Fault::EdgeDown => self.switch_edge(|switches| switches.down = false),
            Fault::EdgeSilent => network::silence(edge, false),
            Fault::EdgeRefuses => self.switch_edge(|switches| switches.refuse_registrations = None),
            Fault::UdpBlocked => self.switch_edge(|switches| switches.udp_blocked = false),
            Fault::DnsDead => {
                self.switches.dns = Dns::Answers;
                self.host.stage.switchboard.set(None, self.switches.clone());
                network::deafen(self.grounds.resolver, false)
            }
            Fault::UplinkAway => network::link(true),
            Fault::PacketLoss => network::lose(false),
            Fault::OriginDown => self.origins(true),
            Fault::DescriptorsOut => self.limit_descriptors(false),
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.book.violated(format!("{} cannot be undone: {error}", fault.name()));
        }
    }
}
