//! What the daemon itself thinks: its state, its files, what waits, and whether it is the program on disk.

use std::{collections::BTreeMap, fs, path::Path};

use super::{Advised, check};
use crate::{
    control::api::{
        DoctorCheck,
        DoctorGroup::{Configuration, Daemon, State},
        DoctorResult::{Failure, Note, Ok as Fine, Warning},
    },
    health::{Finding, Health, Verdict},
};

/// What is known.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The verdict over everything, with its reasons.
    pub health: Health,
    /// Why nothing is written, when the state is another machine's.
    pub seal: Option<String>,
    /// What is left over at Cloudflare, by account.
    pub orphans: BTreeMap<String, usize>,
    /// How many tunnels are configured.
    pub tunnels: usize,
    /// Whether the program that runs is still the one on disk; `None` when that cannot be told.
    pub is_on_disk: Option<bool>,
}

/// Whether the program of this process is still the one on disk.
pub fn is_on_disk() -> Option<bool> {
    let own = fs::read_link("/proc/self/exe").ok()?;
    Some(!is_deleted(&own))
}

/// Linux names a program so whose file was replaced or removed.
fn is_deleted(own: &Path) -> bool {
    own.as_os_str().to_string_lossy().ends_with(" (deleted)")
}

/// What that means.
pub fn judge(facts: &Facts) -> Vec<DoctorCheck> {
    let version = env!("CARGO_PKG_VERSION");
    let mut checks = vec![match facts.is_on_disk {
        Some(false) => {
            let sentence = format!("adit {version} runs, and another program is in its place on disk");
            check(Daemon, "version", Warning, sentence).advised("systemctl restart adit: no tunnel is dropped by it")
        }
        Some(true) | None => check(Daemon, "version", Fine, format!("adit {version} runs")),
    }];
    if let Some(seal) = &facts.seal {
        checks.push(check(State, "identity", Failure, seal.clone()).advised("`adit identity` says how to go on"));
    }
    checks.extend(facts.health.reasons.iter().map(of_finding));
    if !facts.health.reasons.iter().any(|finding| finding.code == CONFIG_REFUSED) {
        let sentence = format!("the configuration's files are in force (tunnels: {})", facts.tunnels);
        checks.push(check(Configuration, "config-in-force", Fine, sentence));
    }
    if facts.health.reasons.is_empty() {
        checks.push(check(State, "health", Fine, "every tunnel serves, and nothing waits"));
    }
    let left = facts.orphans.iter().filter(|(_, count)| **count > 0);
    checks.extend(left.map(|(account, count)| {
        let sentence = format!("{count} things of this installation are left over at Cloudflare");
        check(State, "orphans", Note, sentence).about(account).advised("`adit gc` shows them, and deletes what is confirmed")
    }));
    checks
}

const CONFIG_REFUSED: &str = "config-refused";

fn of_finding(finding: &Finding) -> DoctorCheck {
    let result = match finding.verdict {
        Verdict::Healthy => Fine,
        Verdict::Attention => Warning,
        Verdict::Failing => Failure,
    };
    if finding.code == CONFIG_REFUSED {
        let found = check(Configuration, "config-in-force", result, finding.sentence.clone());
        return found.advised("`adit config check` names each mistake; `adit config reload` when they are repaired");
    }
    let action = match &finding.tunnel {
        Some(tunnel) => format!("`adit status {tunnel}` shows more; `adit diagnose HOSTNAME` walks the whole way"),
        None => "`adit status` shows more".to_owned(),
    };
    check(State, "health", result, finding.sentence.clone()).about(&finding.code).advised(action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::DoctorResult;

    fn well() -> Facts {
        let health = Health { verdict: Verdict::Healthy, reasons: Vec::new() };
        Facts { health, seal: None, orphans: BTreeMap::new(), tunnels: 3, is_on_disk: Some(true) }
    }

    fn results(facts: &Facts) -> Vec<(String, DoctorResult)> {
        judge(facts).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    fn with(verdict: Verdict, code: &str) -> Facts {
        let finding = Finding { verdict, code: code.to_owned(), sentence: "it is so".to_owned(), tunnel: None };
        Facts { health: Health { verdict, reasons: vec![finding] }, ..well() }
    }

    #[test]
    fn what_waits_is_told_by_its_id() {
        let named = |id: &str, result| [(id.to_owned(), result)];
        assert_eq!(results(&well()), []);
        assert_eq!(results(&Facts { is_on_disk: Some(false), ..well() }), named("version", Warning));
        assert_eq!(results(&Facts { seal: Some("it is another's".to_owned()), ..well() }), named("identity", Failure));
        let orphans = BTreeMap::from([("default".to_owned(), 2), ("other".to_owned(), 0)]);
        assert_eq!(results(&Facts { orphans, ..well() }), named("orphans", Note));
        assert_eq!(results(&with(Verdict::Failing, "tunnel-down")), named("health", Failure));
        assert_eq!(results(&with(Verdict::Attention, "no-zone")), named("health", Warning));
        assert_eq!(results(&with(Verdict::Attention, CONFIG_REFUSED)), named("config-in-force", Warning));
    }

    #[test]
    fn a_program_that_was_replaced_is_known_by_its_name() {
        assert!(is_deleted(Path::new("/usr/bin/adit (deleted)")) && !is_deleted(Path::new("/usr/bin/adit")));
    }
}
