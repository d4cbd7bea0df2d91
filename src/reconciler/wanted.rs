//! Which connectors are wanted, from what is on record. Pure, and without Cloudflare.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde_json::Value;

use crate::{
    config::{Cloudflared, Config, ConfigurationMode, Tunnel},
    connector::{Launch, LaunchConfiguration, Transport, Wanted, WantedTunnel},
    credential::connector_token,
    desired::Intended,
    name::{Hostname, TunnelName},
    plan::with_parting_rules,
    record::{ConfigurationSource, Fate, KeptDocument, Records, Seal, TunnelRecord},
};

/// The connectors that are wanted: those of every tunnel in the configuration that exists as far as is on record. Those of a tunnel
/// whose definition or record cannot be read are neither started nor stopped, and no more are those of one that is wanted and has
/// no record: what an earlier daemon left running of it was made by somebody. Operators' stops are shown. State of another machine
/// starts none.
///
/// A tunnel that another took the place of goes on beside it, and one that left the configuration while another takes over its
/// hostnames keeps what runs, until nobody comes by them any more.
pub(super) fn wanted(intended: &Intended, records: &Records, binary: &Arc<Path>) -> Wanted {
    if records.seal == Some(Seal::OtherMachine) {
        return Wanted::default();
    }
    let (mut tunnels, mut unknown) = (BTreeMap::new(), BTreeSet::new());
    let heirs = heirs(&intended.config);
    for (name, tunnel) in &intended.config.tunnels {
        // A renamed tunnel runs on before its record has the other name.
        let earlier = tunnel.renamed_from.as_ref().filter(|from| !intended.config.tunnels.contains_key(*from));
        let record = records.tunnels.get(name).or_else(|| records.tunnels.get(earlier?));
        let Some(record) = record else {
            unknown.insert(name.clone());
            continue;
        };
        if record.fate == Fate::Delete {
            continue;
        }
        let local = || local_document(tunnel, record, |hostname| leaves(record, hostname, &heirs, records));
        if let Some(launch) = launch(intended, tunnel, record, local, binary) {
            tunnels.insert(name.clone(), wanted_tunnel(intended, tunnel, launch, record));
        }
    }
    let mut slots: BTreeSet<TunnelName> = tunnels.values().map(|tunnel: &WantedTunnel| tunnel.slots.clone()).collect();
    for record in records.tunnels.values().filter(|record| !intended.config.tunnels.contains_key(&record.name)) {
        let successor = intended.config.tunnels.get(&record.name.given()).filter(|_| record.fate == Fate::Retiring);
        match successor {
            // After a crash in the middle of its renaming it is on record twice, and is one tunnel.
            Some(_) if record.draining_since.is_some() || slots.contains(record.slots()) => {}
            Some(tunnel) => {
                let local = || Some(record.document.as_ref()?.value());
                match launch(intended, tunnel, record, local, binary) {
                    Some(launch) => {
                        slots.insert(record.slots().clone());
                        tunnels.insert(record.name.clone(), wanted_tunnel(intended, tunnel, launch, record));
                    }
                    None => drop(unknown.insert(record.name.clone())),
                }
            }
            // Nobody says any more how they are started: those that run go on.
            None if hands_over(record, &heirs, records) => drop(unknown.insert(record.name.clone())),
            None => {}
        }
    }
    let held = intended.held.keys().chain(records.held.keys()).filter(|name| !tunnels.contains_key(*name));
    unknown.extend(held.cloned());
    Wanted { tunnels, held: unknown }
}

/// Which tunnel of the configuration wants which hostname.
type Heirs<'a> = BTreeMap<&'a Hostname, &'a TunnelName>;

fn heirs(config: &Config) -> Heirs<'_> {
    let tunnels = config.tunnels.values();
    tunnels.flat_map(|tunnel| tunnel.public_hostnames().into_iter().map(|hostname| (hostname, &tunnel.name))).collect()
}

/// Whether a hostname is on its way from this tunnel to another of its account, or went a moment ago.
fn leaves(record: &TunnelRecord, hostname: &Hostname, heirs: &Heirs<'_>, records: &Records) -> bool {
    let is_heir = |heir: &TunnelName| {
        let account = records.tunnels.get(heir).map(|heir| &heir.account_id);
        *heir != record.name && account.is_none_or(|account| *account == record.account_id)
    };
    let has_heir = || heirs.get(hostname).is_some_and(|heir| is_heir(heir));
    record.parting.contains_key(hostname) || (record.dns.contains_key(hostname) && has_heir())
}

/// Whether any hostname is.
fn hands_over(record: &TunnelRecord, heirs: &Heirs<'_>, records: &Records) -> bool {
    !record.parting.is_empty() || record.dns.keys().any(|hostname| leaves(record, hostname, heirs, records))
}

/// What the connectors of a tunnel whose configuration is local are started with.
fn local_document(tunnel: &Tunnel, record: &TunnelRecord, leaves: impl Fn(&Hostname) -> bool) -> Option<Value> {
    let before = record.document.as_ref().map(KeptDocument::value);
    // It is about to be replaced, and goes on as it is until then.
    if tunnel.configuration == ConfigurationMode::Remote && before.is_some() {
        return before;
    }
    Some(with_parting_rules(&tunnel.local_document(), before.as_ref(), leaves).into_owned())
}

fn wanted_tunnel(intended: &Intended, tunnel: &Tunnel, launch: Launch, record: &TunnelRecord) -> WantedTunnel {
    let stop = intended.stops.get(&tunnel.name).cloned();
    WantedTunnel { replicas: tunnel.replicas, launch: Arc::new(launch), stop, slots: record.slots().clone() }
}

/// The variables for every connector, and those of the tunnel, which are nearer.
fn environment(cloudflared: &Cloudflared, tunnel: &Tunnel) -> Arc<BTreeMap<String, String>> {
    let mut environment = Arc::clone(&cloudflared.env);
    let own = tunnel.runtime_variables();
    if !own.is_empty() {
        Arc::make_mut(&mut environment).extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    environment
}

fn launch(
    intended: &Intended,
    tunnel: &Tunnel,
    record: &TunnelRecord,
    local: impl FnOnce() -> Option<Value>,
    binary: &Arc<Path>,
) -> Option<Launch> {
    let id = record.id.clone()?;
    let cloudflared = &intended.config.cloudflared;
    Some(Launch {
        account_id: record.account_id.clone(),
        token: connector_token(&record.account_id, &id, &record.secret),
        tunnel_id: id,
        binary: Arc::clone(binary),
        extra_args: Arc::clone(&cloudflared.extra_args),
        env: environment(cloudflared, tunnel),
        protocol: tunnel.protocol.to_string(),
        grace_period: cloudflared.grace_period,
        // As the tunnel was made: Cloudflare cannot change it in place.
        configuration: match record.source {
            ConfigurationSource::Remote => LaunchConfiguration::Remote,
            ConfigurationSource::Local => LaunchConfiguration::Local(local()?),
        },
        transport: Transport::AsConfigured,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        config::{Source, parse},
        connector::Stop,
        record::InstallId,
        secret::Secret,
    };

    fn intended() -> Intended {
        let text = "[accounts.default]\napi_token = { file = \"/etc/token\" }\n\
                    [tunnels.web]\naccount = \"default\"\nreplicas = 2\n\
                    ingress = [{ hostname = \"a.example.com\", service = \"http://localhost:8080\" }]\n";
        let config = parse(&[Source { path: "adit.toml".into(), text: text.to_owned() }]).unwrap();
        Intended { config: Arc::new(config), stops: BTreeMap::new(), held: BTreeMap::new() }
    }

    fn records() -> Records {
        let install = InstallId::new("a1b2c3d4").unwrap();
        let mut records = Records::new(install.clone());
        for name in ["web", "other"] {
            let (name, account) = (name.parse().unwrap(), "account".parse().unwrap());
            let mut record = TunnelRecord::intent(&install, name, account, ConfigurationSource::Remote, Secret::new("c2VjcmV0"));
            record.id = Some("11111111-2222-3333-4444-555555555555".parse().unwrap());
            records.tunnels.insert(record.name.clone(), record);
        }
        records
    }

    fn program() -> Arc<Path> {
        Path::new("/usr/bin/cloudflared").into()
    }

    #[test]
    fn a_tunnel_in_the_configuration_and_on_record_is_wanted() {
        let wanted = wanted(&intended(), &records(), &program());
        assert_eq!(wanted.tunnels.len(), 1);
        let tunnel = wanted.tunnels.values().next().unwrap();
        assert_eq!(tunnel.replicas, 2);
        assert_eq!(tunnel.launch.configuration, LaunchConfiguration::Remote);
        assert_eq!(tunnel.launch.binary, program());
    }

    #[test]
    fn the_limits_of_a_tunnel_are_told_to_its_connectors_and_need_new_ones() {
        let limited = |keys: &str| {
            let text = format!(
                "[accounts.default]\napi_token = {{ file = \"/etc/token\" }}\n\
                 [cloudflared]\nenv = {{ GOMEMLIMIT = \"1GiB\", GODEBUG = \"x=1\" }}\n[tunnels.web]\n{keys}\n"
            );
            let config = parse(&[Source { path: "adit.toml".into(), text }]).unwrap();
            let intended = Intended { config: Arc::new(config), ..intended() };
            let mut wanted = wanted(&intended, &records(), &program());
            wanted.tunnels.pop_first().unwrap().1.launch
        };
        let launch = limited("memory_limit = \"256MiB\"\nmax_procs = 2");
        let env: Vec<_> = launch.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["GODEBUG=x=1", "GOMAXPROCS=2", "GOMEMLIMIT=256MiB"]);
        assert_ne!(launch.facts().fingerprint, limited("memory_limit = \"512MiB\"\nmax_procs = 2").facts().fingerprint);
        assert_ne!(launch.facts().fingerprint, limited("memory_limit = \"256MiB\"").facts().fingerprint);
    }

    #[test]
    fn what_cannot_be_read_is_held_and_not_unwanted() {
        let (mut intended, mut records) = (intended(), records());
        records.tunnels.clear();
        records.held.insert("web".parse().unwrap(), "torn".to_owned());
        intended.held.insert("shop".parse().unwrap(), "torn".to_owned());
        let wanted = wanted(&intended, &records, &program());
        assert!(wanted.tunnels.is_empty());
        assert_eq!(wanted.held.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["shop", "web"]);
    }

    #[test]
    fn a_wanted_tunnel_without_a_record_keeps_what_runs() {
        let mut records = records();
        records.tunnels.clear();
        let wanted = wanted(&intended(), &records, &program());
        assert_eq!(wanted.held.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["web"]);
    }

    #[test]
    fn what_is_not_made_yet_or_being_deleted_is_not_wanted() {
        for change in [|record: &mut TunnelRecord| record.id = None, |record: &mut TunnelRecord| record.fate = Fate::Delete] {
            let mut records = records();
            records.tunnels.values_mut().for_each(change);
            assert!(wanted(&intended(), &records, &program()).tunnels.is_empty());
        }
    }

    #[test]
    fn state_of_another_machine_starts_nothing_and_unreadable_identity_stops_nothing() {
        let mut records = records();
        records.seal = Some(Seal::OtherMachine);
        assert!(wanted(&intended(), &records, &program()).tunnels.is_empty());
        records.seal = Some(Seal::Unreadable("torn".to_owned()));
        assert_eq!(wanted(&intended(), &records, &program()).tunnels.len(), 1);
    }

    #[test]
    fn an_operators_stop_is_shown() {
        let mut intended = intended();
        let stop = Stop { by: "jane".to_owned(), at: Timestamp::UNIX_EPOCH };
        intended.stops.insert("web".parse().unwrap(), stop.clone());
        let wanted = wanted(&intended, &records(), &program());
        assert_eq!(wanted.tunnels.values().next().unwrap().stop, Some(stop));
    }
}
