//! What the kernel lets the process and the host have: descriptors, processes, memory, ports.

use std::{fs, path::Path};

use super::{Advised, bytes, check, number_in};
use crate::{
    config::MetricsListen,
    control::api::{
        DoctorCheck,
        DoctorGroup::Host,
        DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
    },
    process,
};

/// Descriptors that the daemon needs whatever it runs: clients of its socket with two each, log files, the API.
const DESCRIPTORS_BASE: u64 = 640;

/// Descriptors for each connector: its process, metrics socket, notify socket, log, and a second one of each while it is replaced.
const DESCRIPTORS_EACH: u64 = 12;

/// Tasks of a connector: cloudflared has 9 or 10 threads when it is connected, more under load.
const TASKS_EACH: u64 = 24;

/// What is left of something scarce when it is told, in percent of all of it.
const SCARCE_PERCENT: u64 = 10;

/// inotify instances that the daemon takes: the configuration, tokens, the binary, logs.
const INOTIFY_WANTED: u64 = 16;

/// The fewest ports for outgoing connections that are no trouble: each request to an origin may take one for a minute.
const PORTS_MIN: u64 = 10_000;

/// What there is, and how much of it is used. What cannot be read is `None`.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Descriptors that this process may have.
    pub descriptors: Option<u64>,
    /// Tasks in the unit's cgroup, and how many it may have.
    pub tasks: Option<(u64, u64)>,
    /// Memory in the unit's cgroup, and how much it may have, in bytes.
    pub memory: Option<(u64, u64)>,
    /// inotify instances that a user may have.
    pub inotify: Option<u64>,
    /// First and last port for outgoing connections.
    pub ports: Option<(u64, u64)>,
    /// Connections that the firewall keeps track of, and how many it can.
    pub tracked: Option<(u64, u64)>,
    /// Connectors that are wanted on this host.
    pub connectors: u64,
    /// The port that metrics are served on.
    pub metrics_port: Option<u16>,
}

/// Looks at what this process and its host have.
pub fn look(connectors: u64, metrics: Option<&MetricsListen>) -> Facts {
    let cgroup = process::own_cgroup();
    let pair = |used: &str, limit: &str| {
        let directory = cgroup.as_deref()?;
        number_in(directory.join(used)).zip(number_in(directory.join(limit)))
    };
    let netfilter = Path::new("/proc/sys/net/netfilter");
    Facts {
        descriptors: descriptors(&fs::read_to_string("/proc/self/limits").unwrap_or_default()),
        tasks: pair("pids.current", "pids.max"),
        memory: pair("memory.current", "memory.max"),
        inotify: number_in("/proc/sys/fs/inotify/max_user_instances"),
        ports: fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok().and_then(|text| ports(&text)),
        tracked: number_in(netfilter.join("nf_conntrack_count")).zip(number_in(netfilter.join("nf_conntrack_max"))),
        connectors,
        metrics_port: metrics.and_then(|listen| match listen {
            MetricsListen::Tcp(address) => Some(address.port()),
            MetricsListen::Unix(_) | MetricsListen::Off => None,
        }),
    }
}

/// The soft limit of open files in `/proc/self/limits`.
fn descriptors(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn ports(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What that means.
pub fn judge(facts: &Facts) -> Vec<DoctorCheck> {
    let mut checks = vec![open_files(facts), inotify(facts), outgoing(facts)];
    checks.extend(facts.tasks.map(|tasks| of_tasks(facts, tasks)));
    checks.extend(facts.memory.map(of_memory));
    checks.extend(facts.tracked.map(of_tracked));
    checks.extend(metrics(facts));
    checks
}

fn open_files(facts: &Facts) -> DoctorCheck {
    let needed = DESCRIPTORS_BASE + DESCRIPTORS_EACH * facts.connectors;
    match facts.descriptors {
        Some(limit) if limit < needed => {
            let sentence =
                format!("the process may open {limit} files, and {needed} may be needed for {} connectors", facts.connectors);
            check(Host, "open-files", Warning, sentence).advised("raise LimitNOFILE= of the unit (it comes with 65536)")
        }
        Some(limit) => check(Host, "open-files", Fine, format!("the process may open {limit} files, {needed} are enough")),
        None => check(Host, "open-files", Unknown, "/proc/self/limits cannot be read"),
    }
}

fn inotify(facts: &Facts) -> DoctorCheck {
    match facts.inotify {
        Some(limit) if limit < INOTIFY_WANTED => {
            let sentence = format!("a user may have {limit} inotify instances: changes of files may go unnoticed");
            check(Host, "inotify", Warning, sentence).advised("sysctl -w fs.inotify.max_user_instances=128")
        }
        Some(limit) => check(Host, "inotify", Fine, format!("a user may have {limit} inotify instances")),
        None => check(Host, "inotify", Unknown, "fs.inotify.max_user_instances cannot be read"),
    }
}

fn outgoing(facts: &Facts) -> DoctorCheck {
    match facts.ports {
        Some((first, last)) if (last + 1).saturating_sub(first) < PORTS_MIN => {
            let sentence = format!("only ports {first} to {last} are for outgoing connections, few for busy origins");
            check(Host, "local-ports", Note, sentence).advised("sysctl -w net.ipv4.ip_local_port_range='32768 60999'")
        }
        Some((first, last)) => check(Host, "local-ports", Fine, format!("ports {first} to {last} are for outgoing connections")),
        None => check(Host, "local-ports", Unknown, "net.ipv4.ip_local_port_range cannot be read"),
    }
}

fn of_tasks(facts: &Facts, (used, limit): (u64, u64)) -> DoctorCheck {
    let needed = TASKS_EACH * facts.connectors;
    let sentence = format!("{used} of {limit} tasks are used by the unit");
    if is_scarce(used, limit) || limit < needed {
        let sentence = format!("{sentence}, and {} connectors may need {needed}", facts.connectors);
        return check(Host, "tasks", Warning, sentence).advised("raise TasksMax= of the unit");
    }
    check(Host, "tasks", Fine, sentence)
}

fn of_memory((used, limit): (u64, u64)) -> DoctorCheck {
    let sentence = format!("{} of {} that the unit may have are used", bytes(used), bytes(limit));
    if is_scarce(used, limit) {
        let sentence = format!("{sentence}: the kernel ends a connector when it is all");
        return check(Host, "memory", Warning, sentence)
            .advised("raise MemoryMax= of the unit, or set memory_limit of the tunnels");
    }
    check(Host, "memory", Fine, sentence)
}

fn of_tracked((used, limit): (u64, u64)) -> DoctorCheck {
    let sentence = format!("the firewall tracks {used} of {limit} connections");
    if used >= limit {
        return check(Host, "conntrack", Failure, format!("{sentence}: no new one gets through")).advised(MORE_TRACKED);
    }
    if is_scarce(used, limit) {
        return check(Host, "conntrack", Warning, format!("{sentence}: when it is full, no new one gets through"))
            .advised(MORE_TRACKED);
    }
    check(Host, "conntrack", Fine, sentence)
}

const MORE_TRACKED: &str = "raise net.netfilter.nf_conntrack_max";

fn metrics(facts: &Facts) -> Option<DoctorCheck> {
    let (port, (first, last)) = (u64::from(facts.metrics_port?), facts.ports?);
    if !(first..=last).contains(&port) {
        return None;
    }
    let sentence = format!(
        "the metrics port {port} lies among those for outgoing connections ({first} to {last}), one of which may take it"
    );
    Some(
        check(Host, "metrics-port", Note, sentence)
            .advised("choose a port below, or reserve it in net.ipv4.ip_local_reserved_ports"),
    )
}

fn is_scarce(used: u64, limit: u64) -> bool {
    u128::from(limit.saturating_sub(used)) * 100 < u128::from(limit) * u128::from(SCARCE_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::DoctorResult;

    fn well() -> Facts {
        Facts {
            descriptors: Some(65_536),
            tasks: Some((40, 4_915)),
            memory: Some((100 << 20, 1 << 30)),
            inotify: Some(128),
            ports: Some((32_768, 60_999)),
            tracked: Some((100, 65_536)),
            connectors: 10,
            metrics_port: Some(9_738),
        }
    }

    fn results(facts: &Facts) -> Vec<(String, DoctorResult)> {
        judge(facts).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    #[test]
    fn limits_that_are_wide_enough_are_ok_and_those_that_do_not_exist_are_not_told() {
        assert_eq!(results(&well()), []);
        let bare = Facts { tasks: None, memory: None, tracked: None, metrics_port: None, ..well() };
        assert_eq!(judge(&bare).len(), 3);
    }

    #[test]
    fn each_limit_that_is_near_is_told_by_its_id() {
        type Fault = fn(&mut Facts);
        let cases: [(&str, DoctorResult, Fault); 11] = [
            ("open-files", Warning, |facts| facts.connectors = 150_000 / 24),
            ("open-files", Unknown, |facts| facts.descriptors = None),
            ("tasks", Warning, |facts| facts.tasks = Some((4_500, 4_915))),
            ("tasks", Warning, |facts| facts.tasks = Some((10, 100))),
            ("memory", Warning, |facts| facts.memory = Some((1 << 30, 1 << 30))),
            ("inotify", Warning, |facts| facts.inotify = Some(2)),
            ("inotify", Unknown, |facts| facts.inotify = None),
            ("local-ports", Note, |facts| facts.ports = Some((60_000, 60_999))),
            ("conntrack", Warning, |facts| facts.tracked = Some((60_000, 65_536))),
            ("conntrack", Failure, |facts| facts.tracked = Some((65_536, 65_536))),
            ("metrics-port", Note, |facts| facts.metrics_port = Some(40_000)),
        ];
        for (id, result, fault) in cases {
            let mut facts = well();
            fault(&mut facts);
            let found = results(&facts);
            assert!(found.contains(&(id.to_owned(), result)), "{id}: {found:?}");
        }
    }

    #[test]
    fn the_kernels_files_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!((descriptors(limits), descriptors("")), (Some(1_024), None));
        assert_eq!((ports("32768\t60999\n"), ports("many")), (Some((32_768, 60_999)), None));
    }
}
