//! Secrets appear nowhere but where they are used.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use adit::{
    control::{Action, ENDPOINTS, Method},
    credential::connector_token,
    sandbox::{
        faults::{Fault, Matching, Times},
        switchboard::{Command, Crash},
        world::TokenStatus,
    },
    secret::Secret,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::{hook_receiver::HookReceiver, host::Host, processes::Process};

const TWO_TUNNELS: &str = r#"
[tunnels.web]
replicas = 2
ingress = [{ hostname = "app.example.com", service = "ORIGIN" }]

[tunnels.api]
ingress = [{ hostname = "api.example.com", service = "ORIGIN" }]
"#;

const HOOK_SECRET: &str = "canary-0123456789abcdef";

/// The commands that tell something.
const COMMANDS: [&[&str]; 10] = [
    &["status", "-o", "json"],
    &["tunnel", "show", "web", "-o", "json"],
    &["route", "list", "-o", "json"],
    &["plan", "-o", "json"],
    &["events", "-n", "1000", "-o", "json"],
    &["logs", "web", "-n", "1000", "-o", "json"],
    &["config", "show", "-o", "json"],
    &["credential", "list", "-o", "json"],
    &["credential", "check", "-o", "json"],
    &["whoami", "-o", "json"],
];

#[tokio::test]
async fn tokens_and_tunnel_secrets_appear_in_nothing_that_is_told_kept_or_shown() {
    let (host, receiver) = (Host::prepare().await, HookReceiver::start().await);
    let configuration = loud_with_hooks(&host, &receiver);
    host.write_configuration(&configuration);
    // The loudest that there is, of the daemon and of every library in it.
    host.start_with(&[("ADIT_LOG", Path::new("trace"))]).await;
    host.until_all_serve().await;
    let mut secrets = secrets_of(&host);
    assert_eq!(secrets.len(), 5, "the API token, two tunnel secrets, two connector tokens");
    secrets.insert("the webhook's secret".to_owned(), Secret::new(HOOK_SECRET));
    make_trouble(&host, &configuration).await;
    for level in ["TRACE", "DEBUG", "INFO", "WARN"] {
        assert!(host.log().contains(level), "it logs {level}");
    }
    host.until("the hooks are told of it", async |host| {
        let command = fs::read_to_string(host.path("told")).unwrap_or_default();
        let webhook = receiver.received().iter().any(|received| received.kinds().contains(&"config-refused".to_owned()));
        webhook && command.contains("config-refused")
    })
    .await;

    let mut told = BTreeMap::new();
    told.insert("the webhook's deliveries".to_owned(), format!("{:?}", receiver.received()));
    for arguments in COMMANDS {
        let shown = host.adit(arguments).await;
        told.insert(format!("adit {arguments:?}"), shown.stdout + &shown.stderr);
    }
    for endpoint in ENDPOINTS {
        for (tunnel, body) in
            [("web", "no JSON"), ("no-such-tunnel", "{}"), ("web", "{\"name\":\"web\",\"definition\":{\"a\":1}}")]
        {
            let is_read = endpoint.method == Method::Get;
            // What would be done is not asked for of a tunnel that is there.
            let tunnel = if is_read { tunnel } else { "no-such-tunnel" };
            let is_harmless = !matches!(endpoint.action, Action::NewIdentity | Action::TakeOverIdentity);
            if is_harmless {
                let path = endpoint.path.replace("{name}", tunnel);
                let answer = ask(&host, &endpoint.method.to_string(), &path, if is_read { "" } else { body }).await;
                assert!(answer.starts_with("HTTP/1.1 "), "{} {path}: {answer:?}", endpoint.method);
                told.insert(format!("{} {path} {body}", endpoint.method), answer);
            }
        }
    }
    told.insert("the log".to_owned(), host.log());
    told.insert("the status lines".to_owned(), host.manager.lines().join("\n"));
    told.insert("the metrics".to_owned(), host.metrics().await);
    let daemon = Process::find(host.daemon_pid()).unwrap();
    for Process { pid, arguments, environment } in host.connectors().into_iter().chain([daemon]) {
        told.insert(format!("process {pid}"), format!("{arguments:?} {environment:?}"));
    }
    for (path, text) in files(&host.path("")).into_iter().filter(|(path, _)| !keeps_secrets(&host, path)) {
        told.insert(path.display().to_string(), text);
    }

    assert!(told.len() > 20 + ENDPOINTS.len(), "{:?}", told.keys());
    for (what, text) in &told {
        for (name, secret) in &secrets {
            assert!(!text.contains(secret.expose()), "{name} is in {what}");
        }
    }
}

#[tokio::test]
async fn what_keeps_secrets_is_for_nobody_else_to_read() {
    let host = Host::serving(TWO_TUNNELS).await;
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&host.path("state")), 0o700);
    assert_eq!(mode(&host.path("run/private")), 0o700);
    assert_eq!(mode(&host.path("run/adit.sock")), 0o666, "every request is decided by its peer");
    let kept: Vec<PathBuf> =
        ["state", "run/private"].iter().flat_map(|folder| files(&host.path(folder))).map(|(path, _)| path).collect();
    assert!(kept.len() >= 4, "{kept:?}");
    for path in kept {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn a_connector_gets_nothing_of_the_daemons_environment_and_descriptors() {
    let host = Host::serving(TWO_TUNNELS).await;
    for connector in host.connectors() {
        let names: Vec<&str> = connector.environment.iter().filter_map(|variable| Some(variable.split_once('=')?.0)).collect();
        assert!(!names.contains(&"TUNNEL_TOKEN"), "{names:?}");
        let notify = connector.environment.iter().find(|variable| variable.starts_with("NOTIFY_SOCKET="));
        assert!(notify.is_none_or(|notify| !notify.contains("/notify.sock") || notify.contains("/run/")), "{notify:?}");
        let open = fs::read_dir(format!("/proc/{}/fd", connector.pid)).unwrap();
        let open: Vec<PathBuf> = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
        let state = host.path("state");
        let foreign: Vec<&PathBuf> =
            open.iter().filter(|path| path.starts_with(&state) && !path.starts_with(state.join("logs"))).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
        assert!(open.iter().all(|path| !path.ends_with("adit.sock") && !path.ends_with("daemon.log")), "{open:?}");
    }
}

/// What must not be seen, by what it is.
fn secrets_of(host: &Host) -> BTreeMap<String, Secret> {
    let mut secrets = BTreeMap::from([("the API token".to_owned(), host.stage.world.api_token())]);
    for tunnel in ["web", "api"] {
        let record: toml::Table =
            fs::read_to_string(host.path(&format!("state/records/{tunnel}.toml"))).unwrap().parse().unwrap();
        let secret = Secret::new(record["secret"].as_str().unwrap());
        let id = record["id"].as_str().unwrap().parse().unwrap();
        secrets.insert(format!("the token of {tunnel}"), connector_token(&host.stage.world.account_id(), &id, &secret));
        secrets.insert(format!("the secret of {tunnel}"), secret);
    }
    secrets
}

/// Two tunnels, whose connectors say all that they can say, and hooks that are told of everything: what the command gets is in the file
/// `told`. So many calls are not waited for.
fn loud_with_hooks(host: &Host, receiver: &HookReceiver) -> String {
    let (told, secret) = (host.path("told"), host.path("hook-secret"));
    fs::write(&secret, HOOK_SECRET).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let hooks = format!(
        "[hooks]\nevents = ['*']\non_event = ['/bin/sh', '-c', '(cat; env) >> \"$0\"', '{}']\n\
         [hooks.webhook]\nurl = '{}'\nsecret = {{ file = '{}' }}\n{TWO_TUNNELS}",
        told.display(),
        receiver.url(),
        secret.display()
    );
    let mut text = host.configuration(&hooks);
    for (section, more) in
        [("[cloudflared]\n", "extra_args = [\"--loglevel\", \"debug\"]\n"), ("[accounts.sandbox]\n", "budget = \"100/s\"\n")]
    {
        assert!(text.contains(section));
        text = text.replacen(section, &format!("{section}{more}"), 1);
    }
    text
}

/// Lets everything go wrong that has something to say: calls, answers, connectors, files.
async fn make_trouble(host: &Host, configuration: &str) {
    let connector = host.connector("web").await;
    host.stage.switchboard.command(connector.pid.unwrap(), Command::Crash(Crash::Panic("trouble".to_owned())));
    let token = host.stage.world.api_token();
    host.stage.world.dashboard().set_token_status(&token, TokenStatus::Expired).unwrap();
    host.until("the refusal is told", async |host| !host.status().await.overview.accounts[0].holds.is_empty()).await;
    host.stage.world.dashboard().set_token_status(&token, TokenStatus::Active).unwrap();
    // A proxy's page that repeats the request would be no secret's excuse either.
    host.stage.world.faults().add(Fault::WrongShape, Matching::resource("cfd_tunnel"), Times::Times(2));
    host.configure("[tunnels.web]\nreplica = 1");
    assert!(host.client.reload_configuration().await.is_err());
    host.write_configuration(configuration);
    host.client.reload_configuration().await.unwrap();
    host.until_all_serve().await;
}

/// The whole answer of the control socket.
async fn ask(host: &Host, method: &str, path: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(host.path("run/adit.sock")).await.unwrap();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: adit\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Whether secrets belong in the file: the token's own, the records, and what connectors are handed.
fn keeps_secrets(host: &Host, path: &Path) -> bool {
    path == host.path("token")
        || path == host.path("hook-secret")
        || path.starts_with(host.path("state/records"))
        || path.starts_with(host.path("run/private"))
}

/// Every regular file below a folder, with its content.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            // One that has gone meanwhile had its time.
            found.extend(fs::read(entry.path()).ok().map(|bytes| (entry.path(), String::from_utf8_lossy(&bytes).into_owned())));
        }
    }
    found
}
