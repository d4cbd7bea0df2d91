//! The uplink that all connectors share: asks the edge, watches the clock, and carries out what the fleet decides.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use rand::{SeedableRng, rngs::SmallRng};
use tokio::sync::{mpsc, watch};

use super::{
    clock::Clock,
    task::{Task, now},
};
use crate::{
    connector::{EdgeAnswer, Fleet, FleetCommand, FleetNotice, Slot, SlotId, UplinkEnd, Wanted},
    edge_probe::EdgeProbe,
    event::UplinkEvent,
};

/// Everything about the uplink that a task has.
pub(super) struct Uplink {
    pub(super) fleet: Fleet,
    edge: EdgeProbe,
    addresses: watch::Receiver<Vec<String>>,
    /// The regions of the tunnels that are wanted; `None` for the whole edge.
    regions: BTreeSet<Option<String>>,
    answer_sender: mpsc::Sender<EdgeAnswer>,
    answers: mpsc::Receiver<EdgeAnswer>,
    clock: Option<Clock>,
}

/// What comes from outside.
pub(super) enum Happened {
    EdgeAsked(EdgeAnswer),
    ClockStepped,
}

impl Uplink {
    /// It must be called within a Tokio runtime.
    pub(super) fn new(addresses: watch::Receiver<Vec<String>>) -> Self {
        let clock = Clock::watch();
        if let Err(error) = &clock {
            tracing::warn!(%error, "Cannot watch the clock; connectors without a connection wait out their own time after a step");
        }
        // The fleet has one question out at a time.
        let (answer_sender, answers) = mpsc::channel(1);
        Self {
            fleet: Fleet::new(now(), SmallRng::from_rng(&mut rand::rng())),
            edge: EdgeProbe::new(),
            addresses,
            regions: BTreeSet::new(),
            answer_sender,
            answers,
            clock: clock.ok(),
        }
    }

    /// Takes in which connectors are wanted.
    pub(super) fn take_wanted(&mut self, wanted: &Wanted, connectors: usize) {
        self.fleet.resize(connectors, now());
        self.regions = wanted.tunnels.values().map(|tunnel| tunnel.launch.edge_region()).collect();
    }

    /// When [`Task::heed_fleet`] is to be called, also when nothing happens; earlier while starts wait for room.
    pub(super) fn due(&self, starts_wait: bool) -> Option<Instant> {
        let room = self.fleet.room_to_start_at().filter(|_| starts_wait);
        [self.fleet.poll_timeout(), room].into_iter().flatten().min()
    }

    /// Waits for something from outside. Cancel-safe: a channel's receiver, and a timer that keeps what it has to tell.
    pub(super) async fn happened(&mut self) -> Happened {
        tokio::select! {
            Some(answer) = self.answers.recv() => Happened::EdgeAsked(answer),
            () = stepped(self.clock.as_ref()) => Happened::ClockStepped,
        }
    }

    fn ask_edge(&self) {
        let (edge, answers) = (self.edge.clone(), self.answer_sender.clone());
        let addresses = in_regions(&self.addresses.borrow(), &self.regions);
        tokio::spawn(async move {
            let answer = edge.ask(&addresses).await;
            // Fails when the task is over.
            let _ = answers.send(answer).await;
        });
    }
}

impl Task {
    pub(super) fn take_uplink(&mut self, happened: Happened) {
        match happened {
            Happened::EdgeAsked(answer) => self.uplink.fleet.handle_edge(answer, now()),
            Happened::ClockStepped => self.uplink.fleet.handle_clock_step(now()),
        }
    }

    /// Lets the fleet decide what is due, and does what it decides.
    pub(super) fn heed_fleet(&mut self) {
        if self.uplink.fleet.poll_timeout().is_some_and(|at| at <= now()) {
            self.uplink.fleet.handle_timeout(now());
        }
        loop {
            // Told first: whoever reads on sees why connectors start anew.
            while let Some(notice) = self.uplink.fleet.next_notice() {
                if matches!(notice, FleetNotice::UplinkBack { .. }) {
                    self.for_all(Slot::handle_edge_back);
                }
                self.parts.events.tell(UplinkEvent(self.shown(notice)));
            }
            let Some(command) = self.uplink.fleet.next_command() else { return };
            match command {
                FleetCommand::ProbeEdge => self.uplink.ask_edge(),
                FleetCommand::LookAround => self.for_all(|slot| slot.handle_doubt(now())),
                FleetCommand::Revive(slot) => self.order(slot, |slot| slot.handle_revive(now())),
                FleetCommand::Release(slot) => self.order(slot, |slot| slot.handle_release(now())),
                FleetCommand::Restrain { slot, restrained } => {
                    self.order(slot, |slot| slot.handle_restraint(restrained, now()));
                }
            }
        }
    }

    /// The notice as others are told of it.
    fn shown(&self, notice: FleetNotice) -> FleetNotice {
        match notice {
            FleetNotice::UplinkBack { how: UplinkEnd::Connected(slot), lasted, restarting } => {
                FleetNotice::UplinkBack { how: UplinkEnd::Connected(self.names.shown_slot(&slot)), lasted, restarting }
            }
            other @ (FleetNotice::UplinkLost { .. }
            | FleetNotice::UplinkBack { .. }
            | FleetNotice::ClockStepped { .. }
            | FleetNotice::BrakeOn { .. }
            | FleetNotice::BrakeOff(_)) => other,
        }
    }

    fn order(&mut self, slot: SlotId, order: impl FnOnce(&mut Slot)) {
        // There is none when the slot went while the fleet decided.
        let _ = self.with_slot(&Arc::new(slot), order);
    }
}

async fn stepped(clock: Option<&Clock>) {
    if let Some(clock) = clock {
        match clock.stepped().await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "Cannot watch the clock any more"),
        }
    }
    std::future::pending().await
}

/// The addresses to ask. Of a tunnel that is served from a region alone, Cloudflare's addresses are those of the region:
/// `us-region1.…` instead of `region1.…`. An address that is not Cloudflare's is asked as it is.
fn in_regions(addresses: &[String], regions: &BTreeSet<Option<String>>) -> Vec<String> {
    let is_whole = |address: &String| address.starts_with("region") && address.contains(".v2.argotunnel.com:");
    let mut asked = BTreeSet::new();
    for address in addresses {
        if !is_whole(address) || regions.is_empty() {
            asked.insert(address.clone());
            continue;
        }
        asked.extend(regions.iter().map(|region| match region {
            Some(region) => format!("{region}-{address}"),
            None => address.clone(),
        }));
    }
    asked.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_of_a_region_have_addresses_of_their_own() {
        let list = |addresses: &[&str]| addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>();
        let addresses = list(&["region1.v2.argotunnel.com:7844", "edge.example:7844"]);
        let us = Some("us".to_owned());
        for (regions, asked) in [
            (BTreeSet::new(), list(&["edge.example:7844", "region1.v2.argotunnel.com:7844"])),
            (BTreeSet::from([us.clone()]), list(&["edge.example:7844", "us-region1.v2.argotunnel.com:7844"])),
            (
                BTreeSet::from([us, None]),
                list(&["edge.example:7844", "region1.v2.argotunnel.com:7844", "us-region1.v2.argotunnel.com:7844"]),
            ),
        ] {
            assert_eq!(in_regions(&addresses, &regions), asked);
        }
    }
}
