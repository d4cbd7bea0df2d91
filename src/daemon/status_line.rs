//! What `systemctl status` shows in one line.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::systemd::ServiceManager;
use crate::{
    counted::counted,
    intent::Intent,
    recorder::Recorder,
    status::{Status, UplinkState},
};

/// How long the line may lag behind, so that a burst of events makes one line.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the line true, for ever.
pub(super) async fn keep(manager: ServiceManager, intent: Intent, recorder: Recorder) {
    let mut events = recorder.feed().follow(Some(u64::MAX)).next;
    let mut told = String::new();
    loop {
        let line = line(&recorder.status(), &intent.files().problems);
        if line != told {
            manager.status(&line);
            told = line;
        }
        match events.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => sleep(PAUSE).await,
            Err(RecvError::Closed) => return,
        }
    }
}

/// `3 tunnels: 2 ready, 1 degraded`, and what an operator has to know first.
fn line(status: &Status, problems: &[String]) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for tunnel in status.tunnels.values() {
        *states.entry(tunnel.state().map_or("pending", |state| state.as_str())).or_default() += 1;
    }
    let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut line = counted(status.tunnels.len(), "tunnel");
    if !states.is_empty() {
        line = format!("{line}: {}", states.join(", "));
    }
    if status.uplink.state == UplinkState::Lost {
        line.push_str("; Cloudflare's edge cannot be reached");
    }
    match problems.first() {
        Some(first) => format!("{line}; the configuration's files are not in force: {first}"),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::status::TunnelStatus;

    #[test]
    fn counts_states_and_says_that_the_files_are_bad() {
        let mut status = Status::new(Timestamp::UNIX_EPOCH);
        assert_eq!(line(&status, &[]), "0 tunnels");
        status.tunnels.insert("web".parse().unwrap(), TunnelStatus::default());
        status.uplink.state = UplinkState::Lost;
        assert_eq!(line(&status, &[]), "1 tunnel: 1 pending; Cloudflare's edge cannot be reached");
        status.uplink.state = UplinkState::Up;
        let problems = ["adit.toml:3: no".to_owned()];
        assert_eq!(line(&status, &problems), "1 tunnel: 1 pending; the configuration's files are not in force: adit.toml:3: no");
    }
}
