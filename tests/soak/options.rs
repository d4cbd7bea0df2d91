//! What the soak is told, and what this host can do of it.

use std::{path::Path, time::Duration};

use clap::Parser;

use crate::{clock::WallClock, disk::Disk, fault::Fault, network};

/// Connectors under faults of every class, at random. `tests/soak.sh` prepares what it needs and starts it.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How long, in seconds. It takes longer where a fault would not have had its turn.
    #[arg(long, default_value_t = 3_600)]
    seconds: u64,
    /// How many connectors.
    #[arg(long, default_value_t = 200)]
    pub(crate) connectors: usize,
    /// Which storm it is; any when it is not said.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The only faults that strike, to look for one thing.
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    only: Vec<String>,
    /// Faults that are left out.
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    without: Vec<String>,
    /// Leave out the faults that this host cannot do, in place of failing for them. They are named.
    #[arg(long)]
    where_possible: bool,
}

impl Options {
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The faults that are to strike, and what is to be said of the others. An error is what the host lacks.
    pub(crate) fn faults(&self, missing: &[(Fault, String)]) -> Result<(Vec<Fault>, Vec<String>), String> {
        let only = named(&self.only)?;
        let mut without = named(&self.without)?;
        without.extend(Fault::ALL.iter().filter(|fault| !only.is_empty() && !only.contains(fault)));
        let lacking: Vec<&(Fault, String)> = missing.iter().filter(|(fault, _)| !without.contains(fault)).collect();
        let words = |(fault, why): &&(Fault, String)| format!("{}: this host cannot do it: {why}", fault.name());
        if !lacking.is_empty() && !self.where_possible {
            let words: Vec<String> = lacking.iter().map(words).collect();
            return Err(format!(
                "{}\n(--without {} leaves them out)",
                words.join("\n"),
                names(lacking.iter().map(|(fault, _)| *fault))
            ));
        }
        let said = without.iter().map(|fault| format!("{}: left out by an option", fault.name()));
        let said = said.chain(lacking.iter().map(words)).collect();
        let strikes = |fault: &Fault| !without.contains(fault) && !missing.iter().any(|(missing, _)| missing == fault);
        Ok((Fault::ALL.iter().copied().filter(strikes).collect(), said))
    }
}

fn named(names: &[String]) -> Result<Vec<Fault>, String> {
    names.iter().map(|name| Fault::named(name).ok_or_else(|| format!("there is no fault \"{name}\""))).collect()
}

fn names(faults: impl Iterator<Item = Fault>) -> String {
    faults.map(Fault::name).collect::<Vec<_>>().join(",")
}

/// The state's disk as good as the host can make it, and the faults that it cannot do at all.
pub(crate) fn ability(state: &Path, image: &Path) -> (Disk, Vec<(Fault, String)>) {
    let mut missing = Vec::new();
    let disk = match Disk::on_loop_device(state, image) {
        Ok(mut disk) => {
            if let Err(error) = disk.freeze().and_then(|()| disk.thaw()) {
                missing.push((Fault::StateHangs, error.to_string()));
            }
            disk
        }
        Err(error) => {
            missing.push((Fault::StateHangs, error.to_string()));
            Disk::in_memory(state).unwrap()
        }
    };
    if let Err(error) = disk.make_read_only().and_then(|()| disk.make_writable()) {
        missing.push((Fault::StateReadOnly, error.to_string()));
    }
    if WallClock::library().is_none() {
        let why = "no libfaketime (Debian: faketime)";
        missing.extend([Fault::ClockForward, Fault::ClockBack].map(|fault| (fault, why.to_owned())));
    }
    if let Err(error) = network::lose(true).and_then(|()| network::lose(false)) {
        let with_rules = [Fault::PacketLoss, Fault::EdgeSilent, Fault::DnsDead];
        missing.extend(with_rules.map(|fault| (fault, error.to_string())));
    }
    if let Err(error) = network::link(true) {
        missing.push((Fault::UplinkAway, error.to_string()));
    }
    (disk, missing)
}
