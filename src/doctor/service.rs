//! The service manager: whether it runs the daemon, and whether it lets connectors outlive it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    Advised, check,
    host::{own_path, own_variables},
};
use crate::{
    command::{Output, Program},
    control::api::{
        DoctorCheck,
        DoctorGroup::Daemon,
        DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
    },
    process,
};

/// The unit as it is shipped.
pub const UNIT: &str = "adit.service";

/// The number of the signal that means stop, as systemd shows it.
const SIGTERM: &str = "15";

/// How long `systemctl` may take.
const SYSTEMCTL_TIME_MAX: Duration = Duration::from_secs(3);

/// The most that it may say, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// What systemd is asked of the unit.
const PROPERTIES: [&str; 9] = [
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "KillMode",
    "RestartKillSignal",
    "RuntimeDirectoryPreserve",
    "FileDescriptorStoreMax",
];

/// What the daemon sees of its own service manager.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Whether systemd started it (`INVOCATION_ID`).
    pub under_systemd: bool,
    /// Whether it can tell systemd that it is ready (`NOTIFY_SOCKET`).
    pub notifies: bool,
    /// Whether systemd waits for signs of life (`WATCHDOG_USEC`).
    pub watched: bool,
    /// Whether the unit's cgroup was given to it; why it cannot be told.
    pub delegated: Option<bool>,
    /// Whether the daemon runs in a leaf of its own there, so that connectors get theirs.
    pub settled: bool,
}

/// Looks at this process.
pub fn look_at_own() -> Own {
    let variables = own_variables();
    let cgroup = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Own {
        under_systemd: variables.contains_key("INVOCATION_ID"),
        notifies: variables.contains_key("NOTIFY_SOCKET"),
        watched: variables.contains_key("WATCHDOG_USEC"),
        delegated: process::Subtree::delegated().ok().map(|subtree| subtree.is_some()),
        settled: cgroup.lines().any(|line| line.trim_end().ends_with("/daemon")),
    }
}

/// What the daemon's own view means.
pub fn judge_own(own: &Own) -> Vec<DoctorCheck> {
    if !own.under_systemd {
        let sentence = "the daemon was not started by systemd: nobody starts it again, and after a crash connectors are found \
                        by their records alone";
        return vec![check(Daemon, "systemd", Note, sentence).advised("run it as adit.service, if this host has systemd")];
    }
    let mut checks = vec![if own.notifies {
        check(Daemon, "systemd", Fine, "systemd runs the daemon and hears from it")
    } else {
        check(Daemon, "systemd", Warning, "systemd runs the daemon, and gave it no way to say that it is ready")
            .advised("set Type=notify in the unit")
    }];
    checks.push(if own.watched {
        check(Daemon, "watchdog", Fine, "systemd starts a daemon again that hangs")
    } else {
        check(Daemon, "watchdog", Note, "systemd does not notice when the daemon hangs")
            .advised("set WatchdogSec=20s in the unit")
    });
    checks.push(match (own.delegated, own.settled) {
        (Some(true), true) => check(Daemon, "cgroup", Fine, "each connector has a cgroup of its own"),
        (Some(true), false) => {
            check(Daemon, "cgroup", Warning, "the unit's cgroup was given to the daemon, and it cannot be used")
                .advised("look whether /sys/fs/cgroup is writable in it (ProtectControlGroups= must be off)")
        }
        (Some(false), _) => {
            check(Daemon, "cgroup", Warning, "the unit's cgroup was not given to the daemon: connectors share it")
                .advised("set Delegate= (with an empty value) in the unit")
        }
        (None, _) => check(Daemon, "cgroup", Unknown, "/proc does not tell which cgroup the daemon is in"),
    });
    checks
}

/// What systemd says of a unit.
#[derive(Debug, Clone)]
pub enum Unit {
    /// There is no systemd here.
    NoSystemd,
    /// It does not answer: why.
    Silent(String),
    /// What it says, by property.
    Known(BTreeMap<String, String>),
}

/// Asks systemd about `unit`. It takes three seconds at most.
pub async fn look_at(unit: &str) -> Unit {
    if !Path::new("/run/systemd/system").is_dir() {
        return Unit::NoSystemd;
    }
    let systemctl = Program::of_host("systemctl", own_path().as_deref(), SYSTEMCTL_TIME_MAX);
    let question = ["show", unit, "--property", &PROPERTIES.join(",")];
    match systemctl.run(&question, &[], Output::UpTo(ANSWER_MAX)).await {
        Ok(said) => Unit::Known(properties(&String::from_utf8_lossy(&said))),
        Err(failure) => Unit::Silent(failure.to_string()),
    }
}

fn properties(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What systemd's view means. `answers` is whether a daemon answers at the socket.
pub fn judge(name: &str, unit: &Unit, answers: bool) -> Vec<DoctorCheck> {
    let known = match unit {
        Unit::NoSystemd => {
            return vec![check(Daemon, "unit", Note, "systemd does not run this host: something else starts the daemon")];
        }
        Unit::Silent(why) => return vec![check(Daemon, "unit", Unknown, format!("systemd does not tell about {name}: {why}"))],
        Unit::Known(known) => known,
    };
    let property = |name: &str| known.get(name).map(String::as_str).unwrap_or_default();
    if property("LoadState") == "not-found" {
        return vec![
            check(Daemon, "unit", Note, format!("there is no {name}: nothing starts the daemon with the host"))
                .advised("install the package, or copy systemd/adit.service to /etc/systemd/system"),
        ];
    }
    let mut checks = vec![active(name, property("ActiveState"), property("SubState"), answers)];
    let mut wrong =
        |id: &str, result, sentence: String, action: &str| checks.push(check(Daemon, id, result, sentence).advised(action));
    match property("UnitFileState") {
        "" | "enabled" | "enabled-runtime" | "static" | "indirect" | "alias" | "linked" => {}
        state => {
            wrong("unit-enabled", Warning, format!("{name} is {state}: it does not start with the host"), "systemctl enable adit")
        }
    }
    if property("NeedDaemonReload") == "yes" {
        wrong("unit-reload", Warning, format!("{name} on disk is newer than what systemd knows"), "systemctl daemon-reload");
    }
    if property("KillMode") != "process" {
        let sentence = format!("KillMode={}: a crash of the daemon takes every connector with it", property("KillMode"));
        wrong("unit-kill-mode", Failure, sentence, "set KillMode=process in the unit");
    }
    if property("RestartKillSignal") == SIGTERM {
        let sentence = "RestartKillSignal=SIGTERM: a restart of the daemon drains every connector".to_owned();
        wrong("unit-restart", Warning, sentence, "set RestartKillSignal=SIGUSR1 in the unit");
    }
    if matches!(property("RuntimeDirectoryPreserve"), "no" | "restart") {
        let sentence = format!(
            "RuntimeDirectoryPreserve={}: what connectors are found again by goes with a daemon that fails",
            property("RuntimeDirectoryPreserve")
        );
        wrong("unit-runtime-directory", Warning, sentence, "set RuntimeDirectoryPreserve=yes in the unit");
    }
    if property("FileDescriptorStoreMax").parse().unwrap_or(0_u32) < 2 {
        let sentence = "the unit's descriptor store has no room: clients are refused while the daemon restarts".to_owned();
        wrong("unit-descriptors", Note, sentence, "set FileDescriptorStoreMax=8 in the unit");
    }
    checks
}

fn active(name: &str, state: &str, sub_state: &str, answers: bool) -> DoctorCheck {
    match (state, answers) {
        ("active" | "reloading", _) => check(Daemon, "unit", Fine, format!("{name} is {state}")),
        ("activating" | "deactivating", _) => check(Daemon, "unit", Warning, format!("{name} is {state} ({sub_state})"))
            .advised("journalctl -u adit -n 50 says why"),
        (_, true) => check(Daemon, "unit", Note, format!("{name} is {state}, and a daemon answers that it did not start")),
        (_, false) => check(Daemon, "unit", Failure, format!("{name} is {state}")).advised(
            "`journalctl -u adit -n 50` says why, `adit daemon --check` what is in the way; then `systemctl start adit`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::DoctorResult;

    const WELL: &str = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nNeedDaemonReload=no\n\
                        KillMode=process\nRestartKillSignal=10\nRuntimeDirectoryPreserve=yes\nFileDescriptorStoreMax=8\n";

    fn results(from: &str, to: &str, answers: bool) -> Vec<(String, DoctorResult)> {
        assert!(WELL.contains(from));
        let unit = Unit::Known(properties(&WELL.replace(from, to)));
        let checks = judge(UNIT, &unit, answers);
        checks.into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
    }

    #[test]
    fn each_line_of_the_unit_that_matters_is_looked_at() {
        assert_eq!(results("", "", true), []);
        for (from, to, id, result) in [
            ("ActiveState=active", "ActiveState=failed", "unit", Failure),
            ("ActiveState=active", "ActiveState=activating", "unit", Warning),
            ("LoadState=loaded", "LoadState=not-found", "unit", Note),
            ("UnitFileState=enabled", "UnitFileState=disabled", "unit-enabled", Warning),
            ("NeedDaemonReload=no", "NeedDaemonReload=yes", "unit-reload", Warning),
            ("KillMode=process", "KillMode=control-group", "unit-kill-mode", Failure),
            ("RestartKillSignal=10", "RestartKillSignal=15", "unit-restart", Warning),
            ("RuntimeDirectoryPreserve=yes", "RuntimeDirectoryPreserve=no", "unit-runtime-directory", Warning),
            ("FileDescriptorStoreMax=8", "FileDescriptorStoreMax=0", "unit-descriptors", Note),
        ] {
            assert_eq!(results(from, to, false), [(id.to_owned(), result)], "{to}");
        }
        assert_eq!(results("ActiveState=active", "ActiveState=inactive", true), [("unit".to_owned(), Note)]);
    }

    #[test]
    fn a_host_without_systemd_is_a_note() {
        let result = |unit| judge(UNIT, &unit, true)[0].result;
        assert_eq!((result(Unit::NoSystemd), result(Unit::Silent("no".to_owned()))), (Note, Unknown));
        assert_eq!(judge_own(&Own::default())[0].result, Note);
    }

    #[test]
    fn the_daemon_knows_what_its_unit_gives_it() {
        let well = Own { under_systemd: true, notifies: true, watched: true, delegated: Some(true), settled: true };
        let results = |own: &Own| -> Vec<(String, DoctorResult)> {
            judge_own(own).into_iter().filter(|check| check.result != Fine).map(|check| (check.id, check.result)).collect()
        };
        assert_eq!(results(&well), []);
        for (own, id, result) in [
            (Own { notifies: false, ..well.clone() }, "systemd", Warning),
            (Own { watched: false, ..well.clone() }, "watchdog", Note),
            (Own { delegated: Some(false), ..well.clone() }, "cgroup", Warning),
            (Own { settled: false, ..well.clone() }, "cgroup", Warning),
            (Own { delegated: None, ..well.clone() }, "cgroup", Unknown),
        ] {
            assert_eq!(results(&own), [(id.to_owned(), result)]);
        }
    }
}
