//! The kernel, the clock and the variables that mislead.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use super::{Advised, bytes, check, number_in};
use crate::{
    command::{Output, Program},
    control::api::{
        DoctorCheck,
        DoctorGroup::Host,
        DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
    },
    process,
};

/// What quic-go asks of the kernel for each socket, in bytes. cloudflared complains in its log when it gets less.
const UDP_BUFFER_WANTED: u64 = 7_500_000;

/// The first kernel that has everything that Adit needs: process descriptors that can be waited for and polled without blocking.
const KERNEL_MIN: (u64, u64) = (5, 10);

/// The first kernel that tells how a process ended that another daemon had started.
const KERNEL_TELLS_EXITS: (u64, u64) = (6, 15);

/// How long `timedatectl` may take: it asks a service that may have to start.
const TIMEDATECTL_TIME_MAX: Duration = Duration::from_secs(2);

/// The most that it may say, in bytes.
const ANSWER_MAX: usize = 4 * 1024;

/// Variables that lead other programs through a proxy, and neither Adit nor cloudflared's way to the edge.
const PROXIES: [&str; 4] = ["https_proxy", "http_proxy", "all_proxy", "no_proxy"];

/// What is known of the host.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The kernel's release, such as `6.1.0-13-amd64`.
    pub kernel: Option<String>,
    /// Landlock's version; `None` where the kernel has none.
    pub landlock: Option<u32>,
    /// The largest receive and send buffers that a socket may have.
    pub udp_buffers: Option<(u64, u64)>,
    /// Whether the clock follows others; `None` where nobody says so.
    pub clock_synchronised: Option<bool>,
    /// Variables of a proxy in the process's environment.
    pub proxies: BTreeSet<String>,
}

/// Looks at the host that this process runs on. It takes two seconds at most.
pub async fn look() -> Facts {
    let buffer = |name: &str| number_in(format!("/proc/sys/net/core/{name}"));
    Facts {
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        landlock: process::landlock_version(),
        udp_buffers: buffer("rmem_max").zip(buffer("wmem_max")),
        clock_synchronised: clock_synchronised().await,
        proxies: own_variables().into_keys().filter(|name| PROXIES.contains(&name.to_lowercase().as_str())).collect(),
    }
}

/// The variables that this process was started with.
pub(super) fn own_variables() -> BTreeMap<String, String> {
    let environment = fs::read("/proc/self/environ").unwrap_or_default();
    let variable = |variable: &[u8]| {
        let variable = String::from_utf8_lossy(variable);
        variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    environment.split(|byte| *byte == 0).filter_map(variable).collect()
}

/// The `PATH` that this process was started with.
pub(super) fn own_path() -> Option<String> {
    own_variables().remove("PATH")
}

async fn clock_synchronised() -> Option<bool> {
    let timedatectl = Program::of_host("timedatectl", own_path().as_deref(), TIMEDATECTL_TIME_MAX);
    let question = ["show", "--property=NTPSynchronized", "--value"];
    match timedatectl.run(&question, &[], Output::UpTo(ANSWER_MAX)).await.ok()?.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// What that means.
pub fn judge(facts: &Facts) -> Vec<DoctorCheck> {
    let mut checks = vec![kernel(facts), landlock(facts), udp_buffers(facts), clock(facts)];
    checks.extend(proxies(facts));
    checks
}

fn kernel(facts: &Facts) -> DoctorCheck {
    let version = facts.kernel.as_deref().and_then(version_of);
    match (&facts.kernel, version) {
        (Some(kernel), Some(version)) if version < KERNEL_MIN => {
            let sentence = format!("Linux {kernel} is too old: processes cannot be watched without mistaking one for another");
            check(Host, "kernel", Failure, sentence).advised("run Linux 5.10 or newer")
        }
        (Some(kernel), Some(version)) if version < KERNEL_TELLS_EXITS => {
            let sentence =
                format!("Linux {kernel} has what Adit needs; from 6.15 on it also tells how an adopted connector ended");
            check(Host, "kernel", Fine, sentence)
        }
        (Some(kernel), Some(_)) => check(Host, "kernel", Fine, format!("Linux {kernel} has all that Adit uses")),
        (Some(kernel), None) => {
            check(Host, "kernel", Unknown, format!("the kernel calls itself {kernel:?}, which is no version"))
        }
        (None, _) => check(Host, "kernel", Unknown, "/proc/sys/kernel/osrelease cannot be read"),
    }
}

fn version_of(release: &str) -> Option<(u64, u64)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn landlock(facts: &Facts) -> DoctorCheck {
    match facts.landlock {
        Some(version) => {
            check(Host, "landlock", Fine, format!("Landlock (version {version}) keeps connectors from Adit's files"))
        }
        None => check(Host, "landlock", Note, "the kernel has no Landlock, so a connector could read the files of Adit's user")
            .advised("boot with lsm=landlock,… on a kernel from 5.13 on, if that matters here"),
    }
}

fn udp_buffers(facts: &Facts) -> DoctorCheck {
    let Some((receive, send)) = facts.udp_buffers else {
        return check(Host, "udp-buffers", Unknown, "net.core.rmem_max and wmem_max cannot be read");
    };
    let sentence = format!("a socket may buffer {} in and {} out", bytes(receive), bytes(send));
    if receive.min(send) >= UDP_BUFFER_WANTED {
        return check(Host, "udp-buffers", Fine, format!("{sentence}, as much as QUIC asks for"));
    }
    let sentence = format!("{sentence}, and QUIC asks for {}: bursts may be lost under load", bytes(UDP_BUFFER_WANTED));
    check(Host, "udp-buffers", Note, sentence).advised(
        "for busy tunnels: printf 'net.core.rmem_max = 7500000\\nnet.core.wmem_max = 7500000\\n' \
         > /etc/sysctl.d/60-quic.conf && sysctl --system",
    )
}

fn clock(facts: &Facts) -> DoctorCheck {
    match facts.clock_synchronised {
        Some(true) => check(Host, "clock", Fine, "the clock is synchronised"),
        Some(false) => check(Host, "clock", Warning, "the clock is not synchronised: certificates and tokens go by it")
            .advised("timedatectl set-ntp true, or run chrony"),
        None => check(Host, "clock", Unknown, "nobody tells whether the clock is synchronised (timedatectl does not answer)"),
    }
}

fn proxies(facts: &Facts) -> Option<DoctorCheck> {
    if facts.proxies.is_empty() {
        return None;
    }
    let names: Vec<&str> = facts.proxies.iter().map(String::as_str).collect();
    let sentence = format!("the environment sets {}, which neither Adit nor its connectors go by", names.join(", "));
    Some(check(Host, "proxies", Note, sentence).advised("the host needs a direct way to api.cloudflare.com:443 and to port 7844"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::DoctorResult;

    fn well() -> Facts {
        Facts {
            kernel: Some("6.18.1-amd64".to_owned()),
            landlock: Some(6),
            udp_buffers: Some((7_500_000, 7_500_000)),
            clock_synchronised: Some(true),
            proxies: BTreeSet::new(),
        }
    }

    fn results(facts: &Facts) -> Vec<(String, DoctorResult)> {
        judge(facts).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    #[test]
    fn a_host_that_is_well_has_nothing_but_ok() {
        assert_eq!(results(&well()), []);
    }

    #[test]
    fn each_fault_is_told_by_its_id() {
        type Fault = fn(&mut Facts);
        let cases: [(&str, DoctorResult, Fault); 9] = [
            ("kernel", Failure, |facts| facts.kernel = Some("5.4.0-1-amd64".to_owned())),
            ("kernel", Unknown, |facts| facts.kernel = Some("strange".to_owned())),
            ("kernel", Unknown, |facts| facts.kernel = None),
            ("landlock", Note, |facts| facts.landlock = None),
            ("udp-buffers", Note, |facts| facts.udp_buffers = Some((212_992, 7_500_000))),
            ("udp-buffers", Unknown, |facts| facts.udp_buffers = None),
            ("clock", Warning, |facts| facts.clock_synchronised = Some(false)),
            ("clock", Unknown, |facts| facts.clock_synchronised = None),
            ("proxies", Note, |facts| {
                facts.proxies.insert("HTTPS_PROXY".to_owned());
            }),
        ];
        for (id, result, fault) in cases {
            let mut facts = well();
            fault(&mut facts);
            assert_eq!(results(&facts), [(id.to_owned(), result)]);
        }
    }

    #[test]
    fn what_should_be_changed_says_how() {
        let checks = judge(&Facts::default());
        let silent = checks.iter().filter(|check| check.result.badness() > Unknown.badness() && check.action.is_none());
        assert_eq!(silent.count(), 0, "{checks:?}");
    }

    #[tokio::test]
    async fn this_host_can_be_looked_at() {
        let facts = look().await;
        assert!(facts.kernel.as_deref().and_then(version_of).is_some(), "{facts:?}");
    }
}
