//! Looking at the host and at the daemon itself.

use std::{path::Path, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{DaemonBackend, credentials};
use crate::{
    connector::State,
    control::{
        Backend, Progress,
        api::{Check, DoctorCheck, DoctorGroup, DoctorReport, DoctorResult, Error, ErrorKind},
    },
    desired::Intended,
    doctor::{Advised, account, check, host, limits, network, places, program, report, service, standing},
    health::health,
    name::AccountName,
};

/// How long trying a token may take, waiting for turns included: ten quick calls, more for an account with many zones.
const CREDENTIAL_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a disk or a program on it may take.
const DISK_TIME_MAX: Duration = Duration::from_secs(4);

/// One look at a time: two would spend twice as much.
static LOOK: Semaphore = Semaphore::const_new(1);

impl DaemonBackend {
    pub(super) async fn examine(&self, online: bool) -> Result<DoctorReport, Error> {
        let _look = LOOK.try_acquire().map_err(|_| {
            Error::new(ErrorKind::Busy, "cannot look at the host: somebody else does just now").with_hint("ask again in a moment")
        })?;
        let intended = self.intended();
        let before = self.calls(&intended);
        // Different things of one host: each has its own limit of time.
        let (host, network, binary, accounts, of_process, folders) = tokio::join!(
            host::look(),
            self.network(&intended, online),
            self.binary(),
            self.accounts(&intended, online),
            of_process(&intended),
            folders(&intended),
        );
        let mut checks = standing::judge(&self.standing(&intended));
        checks.extend(folders);
        checks.extend(of_process);
        checks.extend(binary);
        checks.extend(host::judge(&host));
        checks.extend(network);
        checks.extend(accounts);
        Ok(report(Timestamp::now(), self.calls(&intended).saturating_sub(before), checks))
    }

    async fn network(&self, intended: &Intended, online: bool) -> Vec<DoctorCheck> {
        if !online {
            return Vec::new();
        }
        let mut facts = network::look(&intended.config.cloudflared.edge_probe).await;
        let status = self.recorder.status();
        let connected = || {
            let connectors = status.tunnels.values().flat_map(|tunnel| tunnel.connectors.values());
            connectors.filter(|connector| connector.state == State::Ready)
        };
        let fallen_back = connected().filter(|connector| connector.reason.code == "transport-fallback").count();
        facts.fallen_back = Some((fallen_back, connected().count()));
        network::judge(&facts)
    }

    async fn binary(&self) -> Vec<DoctorCheck> {
        let path = self.recorder.status().program.as_ref().map(|program| program.path.clone());
        let path = path.unwrap_or_else(|| self.intended().config.cloudflared.binary.clone());
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let silent = check(
            DoctorGroup::Cloudflared,
            "binary",
            DoctorResult::Failure,
            format!("{} does not say its version within {} s", path.display(), DISK_TIME_MAX.as_secs()),
        );
        aside(move || program::judge(&program::look(&path, today)))
            .await
            .unwrap_or_else(|| vec![silent.advised("run it by hand with `version --short`; its disk may hang")])
    }

    async fn accounts(&self, intended: &Intended, online: bool) -> Vec<DoctorCheck> {
        let looks = intended.config.accounts.iter().map(|(name, settings)| async move {
            let tried = if online { Some(self.tried(name).await) } else { None };
            let spent = self.tokens.spent(name);
            let budget = self.tokens.client(name).and_then(Result::ok).map(|client| client.budget());
            // What trying it has taught is in it.
            let credential = credentials::shown(name, settings, self.tokens.known().get(name), Timestamp::now());
            account::judge(&account::Facts {
                name: name.to_string(),
                credential,
                tried,
                latency: spent.latency,
                offset: spent.clock_ahead,
                remaining: budget.and_then(|budget| budget.remaining),
                blocked: budget
                    .and_then(|budget| budget.blocked_until)
                    .map(|until| until.saturating_duration_since(Instant::now())),
                at: Timestamp::now(),
            })
        });
        futures_util::future::join_all(looks).await.concat()
    }

    /// What came of trying the account's token; why not, when nobody answered.
    async fn tried(&self, account: &AccountName) -> Result<Vec<Check>, String> {
        // A report is told as a whole.
        let untold = Progress::new(|_| {});
        let before = self.tokens.spent(account).answered;
        let checks: Vec<Check> = match timeout(CREDENTIAL_TIME_MAX, self.check_credentials(Some(account), &untold)).await {
            Ok(Ok(answers)) => answers.into_iter().flat_map(|answer| answer.checks).collect(),
            Ok(Err(error)) => return Err(error.message),
            Err(_) => return Err(format!("the API does not answer within {} s", CREDENTIAL_TIME_MAX.as_secs())),
        };
        let failed = checks.iter().find(|check| !check.passed);
        match failed {
            Some(failed) if self.tokens.spent(account).answered == before => Err(failed.sentence.clone()),
            Some(_) | None => Ok(checks),
        }
    }

    fn standing(&self, intended: &Intended) -> standing::Facts {
        let status = self.recorder.status();
        let problems = self.intent.files().problems.clone();
        let accounts = status.accounts.iter();
        standing::Facts {
            health: health(intended, &status, &problems, &self.intent.unreadable()),
            seal: self.reconciler.ledger().store().seal().map(|seal| seal.to_string()),
            orphans: accounts.map(|(name, account)| (name.to_string(), account.view.orphans)).collect(),
            tunnels: intended.config.tunnels.len(),
            is_on_disk: standing::is_on_disk(),
        }
    }

    /// How many calls were sent so far.
    fn calls(&self, intended: &Intended) -> u64 {
        intended.config.accounts.keys().map(|account| self.tokens.spent(account).calls).sum()
    }
}

/// What the kernel and systemd give this process.
async fn of_process(intended: &Intended) -> Vec<DoctorCheck> {
    let connectors = intended.config.tunnels.values().map(|tunnel| u64::from(tunnel.replicas)).sum();
    let metrics = intended.config.metrics.listen.clone();
    let looking = aside(move || {
        let mut checks = service::judge_own(&service::look_at_own());
        checks.extend(limits::judge(&limits::look(connectors, Some(&metrics))));
        checks
    });
    looking.await.unwrap_or_default()
}

/// The folders that the daemon keeps things in. A disk that hangs is told, and not waited for.
async fn folders(intended: &Intended) -> Vec<DoctorCheck> {
    let daemon = &intended.config.daemon;
    let look = async |name: &'static str, path: &Path, private: bool| {
        let place = path.to_owned();
        let looking = aside(move || places::judge(&places::look(name, &place, private)));
        looking.await.unwrap_or_else(|| {
            let sentence = format!("{} does not answer within {} s", path.display(), DISK_TIME_MAX.as_secs());
            let silent = check(DoctorGroup::State, "room", DoctorResult::Failure, sentence);
            vec![silent.about(name).advised("look at the disk: dmesg may tell why it hangs")]
        })
    };
    let (state, runtime) =
        tokio::join!(look("state_dir", &daemon.state_dir, true), look("runtime_dir", &daemon.runtime_dir, false));
    [state, runtime].concat()
}

/// What `looking` finds, on a thread that may wait for a disk; `None` when that takes too long.
async fn aside<T: Send + 'static>(looking: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let outcome = timeout(DISK_TIME_MAX, spawn_blocking(looking)).await.ok()?;
    Some(outcome.expect("looking does not panic"))
}
