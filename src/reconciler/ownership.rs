//! What an operator says about what is whose: a tunnel or a record that others made becomes ours, or one of ours becomes theirs.
//!
//! Each goes through the worker of its account, between two passes, so that nothing else of ours changes the account meanwhile.
//! What was shown has a hash, and what is done is done only to exactly that.

mod forget;
mod offer;
mod route;
mod tunnel;

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::{
    Reconciler, RequestError, coordinator, trouble,
    worker::{Command, Worker},
};
use crate::{
    cloudflare::Error,
    desired::{DesiredTunnel, Intended},
    id::TunnelId,
    name::{AccountName, Hostname, TunnelName},
    plan::{PlanHash, Refusal, RefusalKind, RouteOffer, TunnelOffer},
    record::Forgotten,
    store::StoreError,
};

/// Why a wish about what is whose was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    /// It cannot be.
    #[error("{0}")]
    Refused(Refusal),
    /// The reconciler could not be asked.
    #[error(transparent)]
    NotAsked(#[from] RequestError),
}

/// Which tunnel at Cloudflare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one with this id.
    Id(TunnelId),
    /// The live one with this name at Cloudflare.
    Named(String),
    /// The one that was given up here last, or that has the name that ours would have, or just this name.
    Likeliest,
}

/// What the tunnel is to be here.
#[derive(Debug, Clone)]
pub enum Wish {
    /// What its definition says.
    Defined(Box<DesiredTunnel>),
    /// What it is at Cloudflare.
    AsItIs,
    /// What its definition says that is still to come: until then nothing of it runs or changes.
    Later,
}

/// Exactly what an operator takes over.
#[derive(Debug)]
pub struct Taking {
    /// The tunnel's id.
    pub id: TunnelId,
    /// What it is to be here.
    pub wish: Wish,
    /// What was shown.
    pub hash: PlanHash,
    /// The installation of Adit whose tunnel it may be.
    pub from_install: Option<String>,
}

/// A tunnel that became ours.
#[derive(Debug)]
pub struct TunnelAdopted {
    /// What was taken over.
    pub offer: TunnelOffer,
    /// Where what was there is kept.
    pub kept: Vec<PathBuf>,
    /// DNS records that could not be marked as ours, each with why.
    pub left: Vec<String>,
}

/// A hostname that became ours.
#[derive(Debug)]
pub struct RouteTaken {
    /// What gave way.
    pub offer: RouteOffer,
    /// Where it is kept.
    pub kept: Option<PathBuf>,
}

/// What is asked of a worker, and who gets the answer.
#[derive(Debug)]
pub(super) enum Ask {
    LookAtTunnel { tunnel: TunnelName, which: Which, wish: Wish, done: Answer<TunnelOffer> },
    AdoptTunnel { tunnel: TunnelName, taking: Box<Taking>, done: Answer<TunnelAdopted> },
    LookAtRoute { tunnel: TunnelName, hostname: Hostname, done: Answer<RouteOffer> },
    AdoptRoute { tunnel: TunnelName, hostname: Hostname, hash: PlanHash, from_install: Option<String>, done: Answer<RouteTaken> },
    Forget { tunnel: TunnelName, done: Answer<Option<Forgotten>> },
}

type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

impl Worker {
    pub(super) async fn answer_ownership(&mut self, ask: Ask) {
        // Whoever asked may have gone: what was done is done.
        match ask {
            Ask::LookAtTunnel { tunnel, which, wish, done } => drop(done.send(self.look_at_tunnel(&tunnel, &which, &wish).await)),
            Ask::AdoptTunnel { tunnel, taking, done } => drop(done.send(self.adopt_tunnel(&tunnel, *taking).await)),
            Ask::LookAtRoute { tunnel, hostname, done } => drop(done.send(self.look_at_route(&tunnel, &hostname).await)),
            Ask::AdoptRoute { tunnel, hostname, hash, from_install, done } => {
                drop(done.send(self.adopt_route(&tunnel, &hostname, &hash, from_install.as_deref()).await));
            }
            Ask::Forget { tunnel, done } => drop(done.send(self.forget_tunnel(&tunnel).await)),
        }
    }
}

impl Reconciler {
    /// What would become ours when that tunnel is adopted under this name. Changes nothing.
    ///
    /// # Errors
    ///
    /// When it cannot become ours, and when Cloudflare does not answer.
    pub async fn look_at_tunnel(
        &self,
        account: &AccountName,
        tunnel: &TunnelName,
        which: Which,
        wish: Wish,
    ) -> Result<TunnelOffer, OwnershipError> {
        let tunnel = tunnel.clone();
        self.ask_owner(account, |done| Ask::LookAtTunnel { tunnel, which, wish, done }).await
    }

    /// Makes that tunnel ours, if it is what was shown still. What was there is kept, and an adopted tunnel keeps its name at
    /// Cloudflare. The tunnel of another installation of Adit is taken only when that is named.
    ///
    /// # Errors
    ///
    /// As for [`Reconciler::look_at_tunnel`]; when something is not as it was shown; and when what was there cannot be kept.
    pub async fn adopt_tunnel(
        &self,
        account: &AccountName,
        tunnel: &TunnelName,
        taking: Taking,
    ) -> Result<TunnelAdopted, OwnershipError> {
        self.check_writes()?;
        let (tunnel, taking) = (tunnel.clone(), Box::new(taking));
        self.ask_owner(account, |done| Ask::AdoptTunnel { tunnel, taking, done }).await
    }

    /// What stands in the way of a hostname that a tunnel wants. Changes nothing.
    ///
    /// # Errors
    ///
    /// When nothing does, when it is not to be replaced, and when Cloudflare does not answer.
    pub async fn look_at_route(
        &self,
        account: &AccountName,
        tunnel: &TunnelName,
        hostname: &Hostname,
    ) -> Result<RouteOffer, OwnershipError> {
        let (tunnel, hostname) = (tunnel.clone(), hostname.clone());
        self.ask_owner(account, |done| Ask::LookAtRoute { tunnel, hostname, done }).await
    }

    /// Puts our record in the place of what stands at a hostname, if that is what was shown still. What was there is kept. The
    /// record of another installation of Adit gives way only when `from_install` names that.
    ///
    /// # Errors
    ///
    /// As for [`Reconciler::look_at_route`]; when something is not as it was shown; and when what was there cannot be kept.
    pub async fn adopt_route(
        &self,
        account: &AccountName,
        (tunnel, hostname): (&TunnelName, &Hostname),
        hash: PlanHash,
        from_install: Option<String>,
    ) -> Result<RouteTaken, OwnershipError> {
        self.check_writes()?;
        let (tunnel, hostname) = (tunnel.clone(), hostname.clone());
        self.ask_owner(account, |done| Ask::AdoptRoute { tunnel, hostname, hash, from_install, done }).await
    }

    /// Gives up a tunnel that the configuration has no longer: nothing of it is deleted at Cloudflare, and nothing of it is ours
    /// from then on. `None`: there was nothing to give up.
    ///
    /// # Errors
    ///
    /// When the configuration still has it, and when what is on record cannot be read or changed.
    pub async fn forget_tunnel(&self, tunnel: &TunnelName) -> Result<Option<Forgotten>, OwnershipError> {
        // What people wanted a moment ago counts; what is in force and still wants the tunnel would make it again.
        self.ask_coordinator(coordinator::Request::CatchUp).await?;
        let wants = |intended: &Intended| intended.config.tunnels.contains_key(tunnel);
        if wants(&self.intended.borrow()) || wants(&self.in_force.borrow()) {
            let message = format!("cannot forget tunnel {tunnel}: the configuration in force still has it");
            let hint = "remove it from the configuration, and confirm that with `adit apply` where it waits for that";
            return Err(OwnershipError::Refused(Refusal::new(RefusalKind::Hold, message).with_hint(hint)));
        }
        let forgotten = self.ask_all(|_, done| Command::Ownership(Ask::Forget { tunnel: tunnel.clone(), done })).await?;
        let forgotten: Vec<_> = forgotten.into_values().collect::<Result<Vec<_>, _>>().map_err(OwnershipError::Refused)?;
        if let Some(forgotten) = forgotten.into_iter().flatten().next() {
            return Ok(Some(forgotten));
        }
        // Its account has left the configuration, so that nobody else writes the record.
        forget::forget(&self.ledger, tunnel).await.map_err(OwnershipError::Refused)
    }

    /// What is known of a tunnel that was given up and is not ours again.
    pub async fn forgotten(&self, tunnel: &TunnelName) -> Option<Forgotten> {
        if self.ledger.records().tunnels.contains_key(tunnel) {
            return None;
        }
        let (store, tunnel) = (self.ledger.store().clone(), tunnel.clone());
        tokio::task::spawn_blocking(move || store.forgotten(&tunnel)).await.expect("reading does not panic")
    }

    async fn ask_owner<T>(&self, account: &AccountName, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, OwnershipError> {
        let worker = self.workers.borrow().get(account).cloned();
        let Some(worker) = worker else {
            let refusal = Refusal::new(RefusalKind::Hold, format!("cannot ask for account {account}: it is not in force yet"));
            return Err(OwnershipError::Refused(refusal.with_hint("`adit apply` puts the configuration in force")));
        };
        let (done, answer) = oneshot::channel();
        worker.try_send(Command::Ownership(ask(done))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RequestError::Busy,
            mpsc::error::TrySendError::Closed(_) => RequestError::Stopping,
        })?;
        answer.await.map_err(|_| RequestError::Stopping)?.map_err(OwnershipError::Refused)
    }
}

/// A read or a change that Cloudflare did not answer as it should.
fn unanswered(doing: &str, error: &Error) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, format!("cannot {doing}: {}", trouble::with_causes(error)))
}

/// What has to be on disk first is not.
fn unkept(doing: &str, error: &StoreError) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, format!("cannot {doing}: {}", trouble::with_causes(error)))
}

/// What was shown is not what is there.
fn changed(doing: &str, asked: &PlanHash, now: &PlanHash) -> Refusal {
    let message = format!("cannot {doing}: it is not what was shown any more ({asked} was, {now} is)");
    Refusal::new(RefusalKind::Conflict, message).with_hint("look at it again")
}
