//! Looking at the host and at the daemon itself.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::DaemonBackend;
use crate::{
    connector::State,
    control::{
        Backend,
        api::{DoctorCheck, DoctorReport, Error, ErrorKind},
    },
    desired::Intended,
    doctor::{account, host, limits, network, places, program, report, service, standing},
    health::health,
    name::AccountName,
};

/// How long trying a token may take, waiting for turns included: ten quick calls, more for an account with many zones.
const CREDENTIAL_TIME_MAX: Duration = Duration::from_secs(5);

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
        let (host, network, binary, accounts) =
            tokio::join!(host::look(), self.network(&intended, online), self.binary(), self.accounts(&intended, online));
        let config = &intended.config;
        let mut checks = service::judge_own(&service::look_at_own());
        checks.extend(standing::judge(&self.standing(&intended)));
        let folders = [("state_dir", &config.daemon.state_dir, true), ("runtime_dir", &config.daemon.runtime_dir, false)];
        checks.extend(folders.into_iter().flat_map(|(name, path, private)| places::judge(&places::look(name, path, private))));
        checks.extend(binary);
        checks.extend(host::judge(&host));
        let connectors = config.tunnels.values().map(|tunnel| u64::from(tunnel.replicas)).sum();
        checks.extend(limits::judge(&limits::look(connectors, Some(&config.metrics.listen))));
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
        let looking = spawn_blocking(move || program::judge(&program::look(&path, today)));
        looking.await.expect("looking at a binary does not panic")
    }

    async fn accounts(&self, intended: &Intended, online: bool) -> Vec<DoctorCheck> {
        let credentials = self.credentials();
        let looks = intended.config.accounts.keys().zip(credentials).map(|(name, credential)| async move {
            let tried = if online { Some(self.tried(name).await) } else { None };
            let spent = self.tokens.spent(name);
            let budget = self.tokens.client(name).and_then(Result::ok).map(|client| client.budget());
            // What trying it has taught is in it.
            let credential =
                self.credentials().into_iter().find(|known| known.account == credential.account).unwrap_or(credential);
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

    async fn tried(&self, account: &AccountName) -> Result<Vec<crate::control::api::Check>, String> {
        match timeout(CREDENTIAL_TIME_MAX, self.check_credentials(Some(account))).await {
            Ok(Ok(answers)) => Ok(answers.into_iter().flat_map(|answer| answer.checks).collect()),
            Ok(Err(error)) => Err(error.message),
            Err(_) => Err(format!("the API does not answer within {} s", CREDENTIAL_TIME_MAX.as_secs())),
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
