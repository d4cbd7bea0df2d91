//! What the caller can see for themselves, with their own rights.

use std::{io, path::Path};

use super::answers;
use crate::{
    cli::cloudflared,
    command,
    config::{self, Cloudflared, Config},
    config_files::{self, FilesError},
    control::api::{
        DoctorCheck,
        DoctorGroup::{Configuration, Daemon},
        DoctorResult::{Failure, Note, Ok as Fine, Unknown, Warning},
    },
    daemon::Environment,
    doctor::{Advised, check, host as host_facts, limits, network, service},
    error_text,
};

/// How many mistakes of the files are told one by one.
const MISTAKES_MAX: usize = 10;

/// The daemon answers; whether it is of the same version as this program.
pub(super) fn versions(daemon: &str) -> Vec<DoctorCheck> {
    let own = env!("CARGO_PKG_VERSION");
    if daemon == own {
        return vec![answers("the daemon answers at its socket".to_owned())];
    }
    let sentence = format!("this is adit {own}, and the daemon that answers is {daemon}");
    vec![check(Daemon, "socket", Warning, sentence).advised("systemctl restart adit: no tunnel is dropped by it")]
}

/// What systemd says of the daemon's unit.
pub(super) async fn unit(answers: bool) -> Vec<DoctorCheck> {
    service::judge(service::UNIT, &service::look_at(service::UNIT).await, answers)
}

/// The configuration's files, by the same rules as `adit config check`.
pub(super) fn files(main: &Path) -> Vec<DoctorCheck> {
    let sources = match config_files::read(main) {
        Ok(sources) => sources,
        Err(error) => {
            let text = error_text::with_causes(&error);
            let advice = match &error {
                FilesError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    "`sudo adit setup` writes the first configuration; --config names another file"
                }
                FilesError::Read { .. } | FilesError::NotText { .. } | FilesError::TooMany { .. } => {
                    "look as root, or name the file with --config"
                }
            };
            return vec![check(Configuration, "config-files", Unknown, text).advised(advice)];
        }
    };
    match config::parse(&sources) {
        Ok(config) => {
            let sentence = format!("files read: {}, tunnels: {}, no mistakes", sources.len(), config.tunnels.len());
            let mut checks = vec![check(Configuration, "config-files", Fine, sentence)];
            if config.accounts.is_empty() {
                let none =
                    check(Configuration, "accounts", Note, "no account is configured, so nothing can be made at Cloudflare");
                checks.push(none.advised("`sudo adit setup` asks for an API token and writes the first configuration"));
            }
            checks.extend(config.hooks.on_event.first().map(|program| hook(program)));
            let warning = |problem: &config::Problem| {
                check(Configuration, "config-files", Warning, problem.to_string()).advised("`adit config check` shows it in full")
            };
            checks.extend(config.warnings.iter().take(MISTAKES_MAX).map(warning));
            checks
        }
        Err(problems) => {
            let mistake = |problem: &config::Problem| {
                check(Configuration, "config-files", Failure, problem.to_string())
                    .advised("`adit config check` names each mistake")
            };
            problems.0.iter().take(MISTAKES_MAX).map(mistake).collect()
        }
    }
}

/// The program that is run for events, by the rule that it is run by. Whoever may not look at it cannot tell.
fn hook(program: &str) -> DoctorCheck {
    match command::check(Path::new(program)) {
        Ok(_) => check(Configuration, "hook", Fine, format!("{program:?} can be run for events")).about(program),
        Err(failure) => {
            let is_hidden = failure.source.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
            let why = failure.source.map(|error| format!(": {error}")).unwrap_or_default();
            let sentence = format!("{program:?} of hooks.on_event cannot be run for events: {}{why}", failure.reason);
            check(Configuration, "hook", if is_hidden { Unknown } else { Failure }, sentence).advised(
                "it must exist and be executable, and nobody but root may be able to write it or a folder above it; give its absolute path",
            )
        }
    }
}

/// The host, its network and cloudflared, for a daemon that does not look itself.
pub(super) async fn host(main: &Path, environment: &Environment, online: bool) -> Vec<DoctorCheck> {
    let config = config_files::read(main).ok().and_then(|sources| config::parse(&sources).ok());
    let defaults = || config::parse(&[]).ok();
    let config: Option<Config> = config.or_else(defaults);
    let cloudflared: Option<&Cloudflared> = config.as_ref().map(|config| &config.cloudflared);
    let program = async {
        match cloudflared {
            Some(cloudflared) => cloudflared::checks(cloudflared, environment.path.as_deref()).await,
            None => Vec::new(),
        }
    };
    let network = async {
        match cloudflared.filter(|_| online) {
            Some(cloudflared) => network::judge(&network::look(&cloudflared.edge_probe).await),
            None => Vec::new(),
        }
    };
    let (host, program, network) = tokio::join!(host_facts::look(), program, network);
    let mut checks = host_facts::judge(&host);
    let connectors = config.iter().flat_map(|config| config.tunnels.values()).map(|tunnel| u64::from(tunnel.replicas)).sum();
    // The limits of this process are its caller's; those of the host hold for both.
    let facts = limits::look(connectors, config.as_ref().map(|config| &config.metrics.listen));
    checks.extend(limits::judge(&facts).into_iter().filter(|check| !OF_PROCESS.contains(&check.id.as_str())));
    checks.extend(program);
    checks.extend(network);
    checks
}

/// What is of a process, and not of its host.
const OF_PROCESS: [&str; 3] = ["open-files", "tasks", "memory"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_judged_as_by_config_check() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("adit.toml");
        assert_eq!(files(&main)[0].result, Unknown);
        std::fs::write(&main, "[tunnels.web]\nreplicas = 99\nbad = 1\n").unwrap();
        assert!(files(&main).iter().all(|check| check.result == Failure) && files(&main).len() > 1);
        std::fs::write(&main, "").unwrap();
        assert_eq!(files(&main)[0].result, Fine);
        let advice = |main: &Path| files(main).pop().and_then(|check| check.action).unwrap_or_default();
        assert!(advice(&main).contains("adit setup"));
        std::fs::write(&main, "[accounts.default]\napi_token = { env = \"TOKEN\" }\n").unwrap();
        assert_eq!(advice(&main), "");
        for (program, result) in [("/bin/sh", Fine), ("/etc/passwd", Failure), ("/no/such/program", Failure)] {
            std::fs::write(&main, format!("[hooks]\non_event = [\"{program}\"]\n")).unwrap();
            assert!(files(&main).iter().any(|check| check.id == "hook" && check.result == result), "{program}");
        }
    }

    #[test]
    fn a_daemon_of_another_version_is_told() {
        assert_eq!(versions(env!("CARGO_PKG_VERSION"))[0].result, Fine);
        assert_eq!(versions("0.0.0")[0].result, Warning);
    }
}
