//! Some faults at once, beside the everyday kills and changes.

use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, timeout};

use crate::{
    fault::{Class, Fault},
    watch::{ANSWER_TIME, Watch},
};

/// The longest pause between two everyday troubles.
pub(crate) const PAUSE_MAX: Duration = Duration::from_millis(1_500);

/// Until every connector is back after a restart of everything without the API.
pub(crate) const BOOT_TIME: Duration = Duration::from_secs(90);

/// Lines of a connector that are to be in Adit's own store.
pub(crate) struct Flood {
    pub(crate) tunnel: String,
    pub(crate) pid: u32,
    pub(crate) lines: u32,
}

impl Watch<'_> {
    /// All of these strike within this time, and are lifted at its end.
    pub(crate) async fn rage(&mut self, faults: &[Fault], length: Duration) -> Vec<Flood> {
        self.book.squalls += 1;
        let begun = Instant::now();
        let mut floods = Vec::new();
        // A disk that is full is full before it hangs, and a daemon that ends does so among everything else.
        let mut order = faults.to_vec();
        order.sort_by_key(|fault| fault.class() == Class::Daemon);
        let apart = length / (order.len() as u32 + 1);
        for fault in order {
            self.book.strikes(fault);
            self.held.push(fault);
            self.strike(fault, &mut floods).await;
            let pause = self.up_to(apart);
            self.go_about(pause).await;
        }
        self.go_about(length.saturating_sub(begun.elapsed())).await;
        for fault in self.held.clone().into_iter().rev() {
            self.lift(fault);
        }
        self.configure();
        if !self.host.has_daemon() {
            self.launch();
        }
        self.reload_when_up().await;
        floods
    }

    /// What happens on every day: a connector dies, a tunnel is changed or restarted, somebody looks.
    pub(crate) async fn go_about(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            match self.rng.random_range(0..10) {
                0..4 => {
                    self.book.kills += usize::from(self.kill_connector(None, None).is_some());
                }
                4..6 => {
                    self.book.changes += 1;
                    self.fleet.change(&mut self.rng);
                    self.configure();
                    let _ = timeout(ANSWER_TIME, self.host.client.reload_configuration()).await;
                }
                6 => {
                    self.book.restarts += 1;
                    let tunnel = self.fleet.any_tunnel(&mut self.rng);
                    let _ = timeout(ANSWER_TIME, self.host.client.begin_restart_tunnel(&tunnel)).await;
                }
                _ => {
                    let _ = timeout(ANSWER_TIME, self.host.client.status()).await;
                    let _ = timeout(ANSWER_TIME, self.host.client.events(&[])).await;
                }
            }
            let pause = self.up_to(PAUSE_MAX).min(end.saturating_duration_since(Instant::now()));
            self.pass(pause).await;
        }
    }

    /// The files are in force.
    async fn reload_when_up(&mut self) {
        let end = Instant::now() + BOOT_TIME;
        let mut last = String::new();
        while Instant::now() < end {
            match timeout(ANSWER_TIME * 3, self.host.client.reload_configuration()).await {
                Ok(Ok(_)) => return,
                other => last = format!("{other:?}"),
            }
            self.pass(PAUSE_MAX / 4).await;
        }
        self.book.violated(format!("good files are not taken: {last}"));
    }

    /// Whether the lines of floods are in Adit's own store, each once and in order, where the connector lives.
    pub(crate) async fn check_floods(&mut self, floods: Vec<Flood>) {
        for Flood { tunnel, pid, lines } in floods {
            let lives = self.host.connector_pids().contains(&pid);
            let asked = timeout(ANSWER_TIME * 3, self.host.client.logs(&tunnel, &[("lines", "10000".to_owned())])).await;
            let Ok(Ok(log)) = asked else {
                self.book.violated(format!("no lines of {tunnel}: {asked:?}"));
                continue;
            };
            let end = format!(" of {lines}: ");
            let numbers = log.iter().filter_map(|line| {
                let (number, _) = line.text.strip_prefix("flood line ")?.split_once(&end)?;
                number.parse::<u32>().ok()
            });
            let numbers: Vec<u32> = numbers.collect();
            let all: Vec<u32> = (1..=lines).collect();
            if lives && !numbers.windows(lines as usize).any(|some| some == all) {
                let count = numbers.len();
                self.book
                    .violated(format!("of {lines} lines of {tunnel} (process {pid}) {count} are in the store, or out of order"));
            }
        }
    }
}
