//! The machines of connectors, fed with what a supervisor would report.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use adit::{
    connector::{
        Answer, Command, Fleet, Generation, Launch, LaunchConfiguration, Probe, Settings, Slot, SlotId, Standing, Transport,
        VersionReading,
    },
    secret::Secret,
};
use rand::{SeedableRng, rngs::SmallRng};

/// A slot whose connector is ready.
pub(crate) struct Machine {
    slot: Slot,
    fleet: Fleet,
    id: SlotId,
    now: Instant,
}

impl Machine {
    pub(crate) fn ready() -> Self {
        let (id, now) = (SlotId::new("web".parse().unwrap(), 0), tokio::time::Instant::now().into_std());
        let slot = Slot::new(id.clone(), Settings::default(), Generation(0), SmallRng::seed_from_u64(1));
        let mut machine = Self { slot, fleet: Fleet::new(now, SmallRng::seed_from_u64(2)), id, now };
        machine.slot.handle_wanted(&launch(), None, now);
        while let Some(command) = machine.slot.next_command() {
            assert!(matches!(command, Command::Spawn { .. }));
        }
        machine.slot.handle_spawned(Generation(1), 4_711, "127.0.0.1:20241".parse().unwrap(), now);
        machine.answer_a_probe();
        machine
    }

    /// Time passes until the next probe, which is answered as ever.
    pub(crate) fn answer_a_probe(&mut self) {
        loop {
            self.now = self.slot.poll_timeout().expect("probes are endless").max(self.now);
            self.slot.handle_timeout(self.now, &mut self.fleet.gate(&self.id));
            while self.slot.next_notice().is_some() {}
            while let Some(command) = self.slot.next_command() {
                if let Command::Probe { generation, .. } = command {
                    let connector_id = "8c1d-4f0a".parse().unwrap();
                    let answer = Answer { connections: 4, connector_id, version: VersionReading::Version(1) };
                    return self.slot.handle_probe(generation, Probe::Answered(answer), self.now);
                }
            }
        }
    }
}

fn launch() -> Arc<Launch> {
    Arc::new(Launch {
        account_id: "0a1b2c3d4e5f60718293a4b5c6d7e8f9".parse().unwrap(),
        tunnel_id: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        token: Secret::new("secret"),
        binary: Path::new("/usr/bin/cloudflared").into(),
        extra_args: Arc::default(),
        env: Arc::default(),
        protocol: "auto".to_owned(),
        grace_period: Duration::from_secs(30),
        configuration: LaunchConfiguration::Remote,
        transport: Transport::AsConfigured,
    })
}

/// A fleet of so many connectors from nothing to all of them connected.
pub(crate) fn come_up(connectors: usize) -> Fleet {
    let now = tokio::time::Instant::now().into_std();
    let mut fleet = Fleet::new(now, SmallRng::seed_from_u64(2));
    fleet.resize(connectors, now);
    let slots: Vec<SlotId> = (0..connectors).map(|number| SlotId::new(format!("t{number}").parse().unwrap(), 0)).collect();
    for slot in &slots {
        for standing in [Standing::Starting, Standing::Unconnected { since: now }, Standing::Connected] {
            fleet.see(slot, Some(standing), now);
        }
    }
    fleet
}
