//! cloudflared's command line and environment, as `facts/cloudflared.md` 1.1 has tried them.

use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, path::Path, time::Duration};

use crate::connector::{Launch, LaunchConfiguration, LaunchFacts, Protocol, Transport};

/// The token's place among the child's descriptors, as a path that cloudflared can open.
pub(super) const TOKEN_PATH: &str = "/dev/fd/4";

/// Where a child looks for programs. cloudflared runs none but `ping`-like diagnostics; an operator's `env` may widen it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variable that tells our processes from others: the instance id of one generation.
pub(super) const INSTANCE: &str = "ADIT_INSTANCE";

/// The variable with the facts of the launch, for a daemon that finds the process without its record. They hold no secret: of the
/// token no more than a digest.
pub(super) const FACTS: &str = "ADIT_FACTS";

/// What the places and names of one generation are.
pub(super) struct Places<'a> {
    pub(super) metrics: SocketAddr,
    pub(super) logfile: &'a Path,
    /// The configuration that Adit wrote for it, when it is local.
    pub(super) config: Option<&'a Path>,
    pub(super) home: &'a Path,
    pub(super) notify: Option<&'a Path>,
    pub(super) instance: &'a str,
    /// What the next daemon is to know of the launch, should the record be lost.
    pub(super) facts: &'a LaunchFacts,
}

/// The arguments behind the program's name.
pub(super) fn arguments(launch: &Launch, places: &Places<'_>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["tunnel".into(), "--config".into()];
    // An empty name keeps cloudflared from searching the host for a configuration, which it would obey even with a token.
    arguments.push(places.config.map(OsString::from).unwrap_or_default());
    arguments.extend(["--no-autoupdate", "--metrics"].map(OsString::from));
    arguments.push(places.metrics.to_string().into());
    arguments.extend(["--logfile".into(), places.logfile.into(), "--grace-period".into()]);
    arguments.push(go_duration(launch.grace_period).into());
    if let Some(protocol) = protocol(launch) {
        arguments.extend(["--protocol".into(), OsString::from(protocol)]);
    }
    arguments.extend(launch.extra_args.iter().map(OsString::from));
    arguments.push("run".into());
    match launch.configuration {
        // The empty token restores QUIC first with a fallback, which a token file alone takes away.
        LaunchConfiguration::Remote => arguments.extend(["--token-file", TOKEN_PATH, "--token", ""].map(OsString::from)),
        LaunchConfiguration::Local(_) => {} // the configuration names tunnel and credentials
    }
    arguments
}

/// The whole environment, as `NAME=value`.
pub(super) fn environment(launch: &Launch, places: &Places<'_>) -> Vec<OsString> {
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    variables.insert("PATH".into(), PATH.into());
    variables.extend(launch.env.iter().map(|(name, value)| (name.into(), value.into())));
    // Ours come last: nothing that an operator sets may take them away.
    variables.insert("HOME".into(), places.home.into());
    variables.insert("LISTEN_FDS".into(), "1".into());
    variables.insert(INSTANCE.into(), places.instance.into());
    let facts = serde_json::to_string(places.facts).expect("numbers and digits have a JSON form");
    variables.insert(FACTS.into(), facts.into());
    match places.notify {
        Some(path) => variables.insert("NOTIFY_SOCKET".into(), path.into()),
        None => variables.remove::<OsString>(&"NOTIFY_SOCKET".into()),
    };
    variables
        .into_iter()
        .map(|(mut variable, value)| {
            variable.push("=");
            variable.push(value);
            variable
        })
        .collect()
}

/// What `--protocol` is set to, if it is. An operator's choice always wins.
fn protocol(launch: &Launch) -> Option<&str> {
    match launch.transport {
        Transport::Http2 if launch.leaves_transport_open() => Some(Protocol::Http2.as_str()),
        Transport::Quic if launch.leaves_transport_open() => Some(Protocol::Quic.as_str()),
        Transport::AsConfigured | Transport::Http2 | Transport::Quic => {
            Some(launch.protocol.as_str()).filter(|protocol| *protocol != "auto")
        }
    }
}

/// A duration in Go's words; cloudflared takes a bare number for a mistake and prints its help.
fn go_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::connector::testing::launch;

    fn places<'a>(facts: &'a LaunchFacts, config: Option<&'static Path>) -> Places<'a> {
        Places {
            metrics: "127.0.0.1:4000".parse().unwrap(),
            logfile: Path::new("/var/lib/adit/logs/web/0-1.log"),
            config,
            home: Path::new("/run/adit/private"),
            notify: Some(Path::new("/run/adit/private/notify.sock")),
            instance: "an-instance",
            facts,
        }
    }

    fn shown(words: &[OsString]) -> String {
        words.iter().map(|word| if word.is_empty() { "\"\"" } else { word.to_str().unwrap() }).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_remote_tunnel_gets_its_token_by_descriptor() {
        let mut launch = launch();
        launch.extra_args = ["--region".into(), "us".into()].into();
        assert_eq!(
            shown(&arguments(&launch, &places(&launch.facts(), None))),
            "tunnel --config \"\" --no-autoupdate --metrics 127.0.0.1:4000 --logfile /var/lib/adit/logs/web/0-1.log \
             --grace-period 30s --region us run --token-file /dev/fd/4 --token \"\""
        );
    }

    #[test]
    fn a_local_tunnel_gets_its_configuration_and_no_token_arguments() {
        let mut launch = launch();
        launch.protocol = "http2".into();
        launch.configuration = LaunchConfiguration::Local(serde_json::json!({}));
        assert_eq!(
            shown(&arguments(&launch, &places(&launch.facts(), Some(Path::new("/run/adit/private/web-0-1.json"))))),
            "tunnel --config /run/adit/private/web-0-1.json --no-autoupdate --metrics 127.0.0.1:4000 \
             --logfile /var/lib/adit/logs/web/0-1.log --grace-period 30s --protocol http2 run"
        );
    }

    #[test]
    fn a_transport_that_adit_chose_is_told_unless_the_operator_fixed_one() {
        for (configured, transport, told) in [
            ("auto", Transport::AsConfigured, None),
            ("auto", Transport::Http2, Some("http2")),
            ("auto", Transport::Quic, Some("quic")),
            ("quic", Transport::Http2, Some("quic")),
        ] {
            let launch = Launch { protocol: configured.into(), transport, ..launch() };
            assert_eq!(protocol(&launch), told, "{configured} {transport:?}");
        }
    }

    #[test]
    fn the_environment_is_made_from_nothing_and_ours_wins() {
        let mut launch = launch();
        Arc::make_mut(&mut launch.env).insert("GOMEMLIMIT".into(), "100MiB".into());
        Arc::make_mut(&mut launch.env).insert("ADIT_INSTANCE".into(), "forged".into());
        Arc::make_mut(&mut launch.env).insert("LISTEN_FDS".into(), "9".into());
        let facts = format!("ADIT_FACTS={}", serde_json::to_string(&launch.facts()).unwrap());
        assert_eq!(
            shown(&environment(&launch, &places(&launch.facts(), None))).replace(&facts, "ADIT_FACTS=…"),
            "ADIT_FACTS=… ADIT_INSTANCE=an-instance GOMEMLIMIT=100MiB HOME=/run/adit/private LISTEN_FDS=1 \
             NOTIFY_SOCKET=/run/adit/private/notify.sock \
             PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        );
    }

    #[test]
    fn the_token_stands_in_neither() {
        let mut launch = launch();
        launch.token = crate::secret::Secret::new("hunter2");
        let words =
            [arguments(&launch, &places(&launch.facts(), None)), environment(&launch, &places(&launch.facts(), None))].concat();
        assert!(!shown(&words).contains("hunter2"));
    }

    #[test]
    fn durations_are_go_durations() {
        for (millis, text) in [(0, "0s"), (30_000, "30s"), (1_500, "1500ms"), (180_000, "180s"), (1_000_000, "1000s")] {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }
}
