//! Which request was lost to what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use adit::{id::TunnelId, sandbox::front::Loss};

use crate::{
    crowd::Visits,
    host::Host,
    storm::{Blow, Storm},
};

/// What happened how often, and what it cost.
pub(crate) struct Tally {
    rows: BTreeMap<Option<Blow>, Row>,
    sent: u64,
    failed: Vec<String>,
    /// Losses that only a killed connector excuses.
    unexcused: Vec<String>,
    /// The tunnels that had them.
    tunnels: BTreeSet<TunnelId>,
}

#[derive(Default)]
struct Row {
    count: usize,
    lost: usize,
}

impl Tally {
    pub(crate) fn new(storm: &Storm<'_>, losses: &[Loss], visits: &Visits) -> Self {
        let mut rows: BTreeMap<Option<Blow>, Row> = BTreeMap::new();
        for (blow, count) in &storm.counts {
            rows.entry(Some(*blow)).or_default().count = *count;
        }
        let (mut unexcused, mut tunnels) = (Vec::new(), BTreeSet::new());
        for loss in losses {
            let blow = blame(storm, loss);
            rows.entry(blow).or_default().lost += 1;
            if blow != Some(Blow::ConnectorKilled) {
                unexcused.push(format!("{blow:?}: {loss:?}"));
                tunnels.extend(loss.tunnel.clone());
            }
        }
        let failed = visits.failed.iter().map(|failed| format!("{}: {}", failed.hostname, failed.saw)).collect();
        Self { rows, sent: visits.sent, failed, unexcused, tunnels }
    }

    /// Fails the test when a request was lost for another reason than the death of the connector that had it, or when the front and
    /// the visitors disagree on how many were lost.
    pub(crate) fn assert_lawful(&self, host: &Host) {
        let stats = host.stage.front_stats();
        let names =
            self.tunnels.iter().filter_map(|id| host.snapshot().tunnels.get(id)?.name.split('.').next().map(str::to_owned));
        let words: Vec<String> = names.map(|name| format!("tunnel=\"{name}\"")).collect();
        let log = host.log();
        let story: Vec<&str> = log.lines().filter(|line| words.iter().any(|word| line.contains(word))).collect();
        assert!(self.unexcused.is_empty(), "{} lost: {:#?}\n{}", self.unexcused.len(), self.unexcused, story.join("\n"));
        let failed: u64 = stats.failed.values().sum();
        assert_eq!((stats.sent, failed), (self.sent, self.failed.len() as u64), "{stats:?}\n{:#?}", self.failed);
        assert!(self.sent > 500, "only {} requests", self.sent);
    }
}

/// What a loss is put down to: first what happened to the connector that had it, then what was going on.
fn blame(storm: &Storm<'_>, loss: &Loss) -> Option<Blow> {
    match &loss.connector {
        Some(connector) if storm.killed.contains(connector) => return Some(Blow::ConnectorKilled),
        Some(connector) if storm.hung.contains(connector) => return Some(Blow::ConnectorHung),
        Some(_) | None => {}
    }
    let under_way = storm.windows.iter().filter(|(_, begun, end)| *begun <= loss.ended && loss.began <= *end);
    under_way.map(|(blow, _, _)| *blow).filter(|blow| *blow != Blow::ConnectorKilled).max()
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:<28}{:>8}{:>8}", "", "times", "lost")?;
        for (blow, Row { count, lost }) in &self.rows {
            let label = match blow {
                Some(Blow::ConnectorKilled) => "kill -9 of a connector",
                Some(Blow::ConnectorHung) => "hang of a connector",
                Some(Blow::DaemonKilled) => "kill -9 of the daemon",
                Some(Blow::DaemonRestarted) => "restart of the daemon",
                Some(Blow::DaemonStopped) => "SIGSTOP of the daemon",
                Some(Blow::PlannedChange) => "planned change",
                None => "none of these",
            };
            writeln!(formatter, "{label:<28}{count:>8}{lost:>8}")?;
        }
        write!(formatter, "{:<28}{:>8}{:>8}", "requests", self.sent, self.failed.len())
    }
}
