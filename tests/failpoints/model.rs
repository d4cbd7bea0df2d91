//! What must be there, and nothing else.

use std::{collections::BTreeMap, fs, path::Path};

use adit::control::api::State;

use crate::{
    host::{Host, serves},
    processes::Process,
    scenario::records,
};

/// What must be there.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// How many connectors each tunnel has; none of a tunnel that is not named.
    pub(crate) running: BTreeMap<&'static str, usize>,
    /// The tunnels that an operator stopped.
    pub(crate) stopped: Vec<&'static str>,
    /// The hostnames that serve.
    pub(crate) hostnames: Vec<&'static str>,
    /// How many tunnels, each with one record, are at Cloudflare.
    pub(crate) tunnels: usize,
}

/// The tunnel of a connector, by the file that it was told to write its log to. A renamed tunnel has the same connectors.
pub(crate) fn tunnel_of(process: &Process) -> Option<String> {
    let place = process.arguments.iter().position(|argument| argument == "--logfile")?;
    let logfile = Path::new(process.arguments.get(place + 1)?);
    let name = logfile.parent()?.file_name()?.to_str()?;
    Some(if name == "site" { "web".to_owned() } else { name.to_owned() })
}

/// How many connectors of each tunnel run, by the kernel's account.
pub(crate) fn of_tunnels(host: &Host) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for process in host.connectors() {
        let tunnel = tunnel_of(&process).unwrap_or_else(|| panic!("a connector without a log: {process:?}"));
        *counts.entry(tunnel).or_default() += 1;
    }
    counts
}

/// Whether exactly the model's connectors are there.
pub(crate) fn runs(there: &BTreeMap<String, usize>, model: &Model) -> bool {
    there.len() == model.running.len() && there.iter().all(|(name, count)| model.running.get(name.as_str()) == Some(count))
}

/// Waits until everything is as the model has it, and looks into every corner for what should not be there.
pub(crate) async fn assert_whole(host: &Host, model: &Model, case: &str) {
    host.until(&format!("{case}: what is wanted serves, what is stopped is stopped"), async |host| {
        let Ok(status) = host.client.status().await else { return false };
        let stopped = |name: &str| model.stopped.contains(&name);
        let fine = status.tunnels.iter().all(|tunnel| match stopped(&tunnel.name) {
            true => tunnel.state == State::Stopped,
            false => serves(tunnel),
        });
        fine && status.tunnels.len() == model.running.len() + model.stopped.len()
    })
    .await;
    host.until(&format!("{case}: exactly {:?} run", model.running), async |host| runs(&of_tunnels(host), model)).await;
    host.until(&format!("{case}: every process is on record and every record has its process"), async |host| {
        let mut recorded: Vec<u64> = records(host).iter().filter_map(|(_, record)| record["process"]["pid"].as_u64()).collect();
        recorded.sort_unstable();
        recorded == host.connector_pids().into_iter().map(u64::from).collect::<Vec<_>>()
    })
    .await;
    let orphans: Vec<_> =
        host.processes().into_iter().filter(|one| !one.is_connector() && one.pid != host.daemon_pid()).collect();
    assert!(orphans.is_empty(), "{case}: {orphans:?}");
    for hostname in &model.hostnames {
        assert!(host.visit(hostname).await.reached("here"), "{case}: {hostname}");
    }
    host.until(&format!("{case}: {} tunnels and as many records are at Cloudflare", model.tunnels), async |host| {
        let there = host.snapshot();
        let tunnels = there.tunnels.values().filter(|tunnel| !tunnel.deleted).count();
        (tunnels, there.records.len()) == (model.tunnels, model.tunnels)
    })
    .await;
    assert_eq!(unfinished(&host.path("state")), Vec::<String>::new(), "{case}");
    assert_eq!(host.log().lines().find(|line| line.contains("Cannot read")), None, "{case}: what was written can be read");

    assert_eq!(host.terminate().await, Some(0), "{case}");
    assert!(host.processes().is_empty(), "{case}: {:?}", host.processes());
    let left: Vec<_> = fs::read_dir(host.path("run/private/generations")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{case}: {left:?}");
}

/// Files that were never finished, below a directory.
fn unfinished(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| if path.is_dir() { unfinished(&path) } else { vec![path.display().to_string()] });
    below.filter(|path| path.contains(".unfinished-")).collect()
}
