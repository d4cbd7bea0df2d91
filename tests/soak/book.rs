//! What happened, what it cost, and whether it may have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use adit::{
    id::{ConnectorId, TunnelId},
    sandbox::front::Loss,
};
use tokio::time::Instant;

use crate::{
    census::Gone,
    crowd::{Failed, Visits},
    fault::Fault,
};

/// How far apart the front and a visitor may see the same end.
const SAME_END: Duration = Duration::from_secs(2);

/// How much later the count may see that something has gone.
const SEEN_LATE: Duration = Duration::from_secs(2);

/// How many violations are told of one by one.
const TOLD_MAX: usize = 200;

/// When a fault struck and everything was well again.
struct Window {
    fault: Fault,
    begun: Instant,
    ended: Option<Instant>,
    /// Whose visitors may lose requests meanwhile.
    reach: Reach,
}

enum Reach {
    Nobody,
    Everybody,
    Only(BTreeSet<TunnelId>),
}

/// Everything that is to be told in the end.
pub(crate) struct Book {
    begun: Instant,
    windows: Vec<Window>,
    /// What each connector that was felled fell to.
    felled: BTreeMap<ConnectorId, Option<Fault>>,
    /// The processes that may be gone.
    pub(crate) felled_pids: BTreeSet<u32>,
    pub(crate) struck: BTreeMap<Fault, usize>,
    /// Losses by the fault that excuses them; `None` is a kill without one.
    lost: BTreeMap<Option<Fault>, usize>,
    pending: Vec<Loss>,
    failed: Vec<Failed>,
    pub(crate) sent: u64,
    pub(crate) not_served: u64,
    pub(crate) kills: usize,
    pub(crate) changes: usize,
    pub(crate) restarts: usize,
    pub(crate) squalls: usize,
    pub(crate) lives: usize,
    /// Lives that ended by themselves at their start, and were begun again.
    pub(crate) failed_starts: usize,
    pub(crate) started: usize,
    calms: Vec<Duration>,
    pub(crate) violations: Vec<String>,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            windows: Vec::new(),
            felled: BTreeMap::new(),
            felled_pids: BTreeSet::new(),
            struck: BTreeMap::new(),
            lost: BTreeMap::new(),
            pending: Vec::new(),
            failed: Vec::new(),
            sent: 0,
            not_served: 0,
            kills: 0,
            changes: 0,
            restarts: 0,
            squalls: 0,
            lives: 0,
            failed_starts: 0,
            started: 0,
            calms: Vec::new(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn say(&self, words: &str) {
        println!("{:>7.1} s  {words}", self.begun.elapsed().as_secs_f64());
    }

    /// Something that must never be.
    pub(crate) fn violated(&mut self, what: String) {
        if self.violations.len() < TOLD_MAX {
            self.say(&format!("VIOLATION: {what}"));
        }
        self.violations.push(what);
    }

    pub(crate) fn strikes(&mut self, fault: Fault) {
        self.say(fault.name());
        *self.struck.entry(fault).or_default() += 1;
        let reach = if fault.cuts_off() { Reach::Everybody } else { Reach::Nobody };
        self.windows.push(Window { fault, begun: Instant::now(), ended: None, reach });
    }

    /// From here on visitors of this tunnel may lose requests to what struck last.
    pub(crate) fn reaches(&mut self, fault: Fault, tunnel: &TunnelId) {
        let window = self.windows.iter_mut().rev().find(|window| window.fault == fault).expect("it struck");
        match &mut window.reach {
            Reach::Only(tunnels) => drop(tunnels.insert(tunnel.clone())),
            Reach::Nobody => window.reach = Reach::Only(BTreeSet::from([tunnel.clone()])),
            Reach::Everybody => {}
        }
    }

    pub(crate) fn fells(&mut self, connector: ConnectorId, pid: u32, fault: Option<Fault>) {
        self.felled.insert(connector, fault);
        self.felled_pids.insert(pid);
    }

    pub(crate) fn is_felled(&self, connector: &ConnectorId) -> bool {
        self.felled.contains_key(connector)
    }

    pub(crate) fn losses(&mut self, losses: Vec<Loss>, visits: Visits) {
        self.sent += visits.sent;
        self.not_served += visits.failed.len() as u64;
        self.pending.extend(losses);
        self.failed.extend(visits.failed);
    }

    /// Everything is well, or was not in time: what was lost until now is judged.
    pub(crate) fn judge(
        &mut self,
        calm: Option<Duration>,
        gone: Vec<Gone>,
        is_quiet: impl Fn(&str) -> bool,
        names: &BTreeMap<TunnelId, String>,
    ) {
        let now = Instant::now();
        for window in self.windows.iter_mut().filter(|window| window.ended.is_none()) {
            window.ended = Some(now);
        }
        self.calms.extend(calm);
        let losses = std::mem::take(&mut self.pending);
        for loss in &losses {
            match self.excuse(loss) {
                Some(fault) => *self.lost.entry(fault).or_default() += 1,
                None => {
                    let name = loss.tunnel.as_ref().and_then(|id| names.get(id)).cloned().unwrap_or_default();
                    let (began, ended) = (loss.began - self.begun, loss.ended - self.begun);
                    let connector = loss.connector.as_ref().map(ToString::to_string).unwrap_or_default();
                    self.violated(format!(
                        "a request of {name} from {began:.1?} to {ended:.1?} was lost: {:?} {connector}",
                        loss.kind
                    ));
                }
            }
        }
        for failed in std::mem::take(&mut self.failed) {
            let is_same = |loss: &&Loss| {
                let name = loss.tunnel.as_ref().and_then(|id| names.get(id));
                name.is_none_or(|name| failed.hostname.split('.').next() == Some(name))
                    && loss.ended.max(failed.ended) - loss.ended.min(failed.ended) < SAME_END
            };
            let cut_off =
                self.windows.iter().any(|window| window.overlaps(failed.began, failed.ended) && window.fault.cuts_off());
            if !cut_off && !losses.iter().any(|loss| is_same(&loss)) {
                self.violated(format!("{} was not served, which the front does not know of: {}", failed.hostname, failed.saw));
            }
        }
        for gone in gone.iter().filter(|gone| is_quiet(&gone.berth.tunnel)) {
            let has_reason =
                |window: &Window| window.fault.may_restart_all() && window.overlaps(gone.after - SEEN_LATE, gone.before);
            if !self.felled_pids.contains(&gone.pid) && !self.windows.iter().any(has_reason) {
                self.violated(format!("a connector that nobody killed and no plan replaced is gone: {gone:?}"));
            }
        }
        // What has been judged needs no window any more, but for requests that are still under way.
        self.windows.retain(|window| window.ended.is_none_or(|ended| now - ended < Duration::from_secs(120)));
    }

    /// The fault that a loss is put down to, if one may have cost it.
    fn excuse(&self, loss: &Loss) -> Option<Option<Fault>> {
        if let Some(fault) = loss.connector.as_ref().and_then(|connector| self.felled.get(connector)) {
            return Some(*fault);
        }
        let reaches = |window: &&Window| match &window.reach {
            Reach::Nobody => false,
            Reach::Everybody => true,
            Reach::Only(tunnels) => loss.tunnel.as_ref().is_some_and(|tunnel| tunnels.contains(tunnel)),
        };
        let mut windows = self.windows.iter().filter(reaches).filter(|window| window.overlaps(loss.began, loss.ended));
        windows.next().map(|window| Some(window.fault))
    }
}

impl Window {
    fn overlaps(&self, began: Instant, ended: Instant) -> bool {
        self.begun <= ended && self.ended.is_none_or(|end| began <= end)
    }
}

impl fmt::Display for Book {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:<24}{:>8}{:>10}", "fault", "times", "lost")?;
        for fault in Fault::ALL {
            let count = |of: Option<&usize>| of.copied().unwrap_or_default();
            let (struck, lost) = (count(self.struck.get(fault)), count(self.lost.get(&Some(*fault))));
            writeln!(formatter, "{:<24}{struck:>8}{lost:>10}", fault.name())?;
        }
        let alone = self.lost.get(&None).copied().unwrap_or_default();
        writeln!(formatter, "{:<24}{:>8}{alone:>10}", "kill -9 besides", self.kills)?;
        let total: usize = self.lost.values().sum();
        writeln!(
            formatter,
            "requests {}, not served {} ({total} known to the front and excused), {:.0} s",
            self.sent,
            self.not_served,
            self.begun.elapsed().as_secs_f64()
        )?;
        writeln!(
            formatter,
            "squalls {}, planned changes {}, restarts by an operator {}, connectors felled {}, connectors started {}",
            self.squalls,
            self.changes,
            self.restarts,
            self.felled_pids.len(),
            self.started
        )?;
        writeln!(formatter, "lives of the daemon {}, of which {} gave up at their start", self.lives, self.failed_starts)?;
        let mut calms = self.calms.clone();
        calms.sort_unstable();
        if let (Some(middle), Some(longest)) = (calms.get(calms.len() / 2), calms.last()) {
            writeln!(formatter, "until all served again: median {middle:.1?}, longest {longest:.1?}")?;
        }
        Ok(())
    }
}
