//! Probes whose answers are waited for: of connectors that start, stop or have missed one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::task::{Report, Reported, Task, now};
use crate::{
    connector::{Ask, Generation, Probe, SlotId},
    probe::probe,
};

/// How many are under way at once.
pub(super) const PROBES_MAX: usize = 64;

impl Task {
    /// Asks a connector by itself; its answer is reported.
    pub(super) fn ask_apart(&self, id: &Arc<SlotId>, generation: Generation, metrics: SocketAddr, ask: Ask) {
        let (slot, reports, probes) = (Arc::clone(id), self.report_sender.clone(), Arc::clone(&self.probes));
        let restless = self.slots.get(id).is_some_and(|entry| entry.slot.watches_processor(generation));
        let process = self.process(id, generation).filter(|_| restless);
        tokio::spawn(async move {
            let _permit = probes.acquire().await.expect("the semaphore is never closed");
            let probe = probe(metrics, ask).await;
            let processor_time = process.and_then(|process| process.processor_time().ok());
            let what = Reported::Probed { probe, processor_time };
            // Fails when the task is over.
            let _ = reports.send(Report { slot, generation, what }).await;
        });
    }

    /// What came of asking a connector, by itself or in a round.
    pub(super) fn take_probe(
        &mut self,
        id: &Arc<SlotId>,
        generation: Generation,
        probe: Probe,
        processor_time: Option<Duration>,
    ) {
        self.learn(id, generation, &probe);
        self.with_slot(id, |slot| {
            slot.handle_probe(generation, probe, now());
            if let Some(used) = processor_time {
                slot.handle_processor_time(generation, used, now());
            }
        });
    }
}
