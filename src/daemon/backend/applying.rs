//! What the files on disk would change, and having it changed.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    DaemonBackend, OPERATION_TIME_MAX, REQUEST_TIME_MAX,
    progress::Mine,
    refusals::{IDENTITY, endless, invalid, not_asked, slow},
    replacements,
};
use crate::{
    config::{ApplyMode, Config},
    control::{
        Principal, Progress,
        api::{Applied, Change, Error, ErrorKind, Plan, Reloaded},
        view,
    },
    daemon::audit::By,
    event::DaemonEvent,
    name::AccountName,
    plan::{PlanHash, Plans},
    reconciler::{PassReport, RequestError},
};

/// What came of the passes, by account.
type Reports = BTreeMap<AccountName, PassReport>;

impl DaemonBackend {
    pub(super) async fn show_plan(&self) -> Result<Plan, Error> {
        let (plans, config) = self.preview().await?;
        let changes = self.reconciler.connector_changes(config);
        let starts = replacements::started_by(&changes);
        Ok(view::plan(&plans, self.replaced_by(changes).await, starts))
    }

    pub(super) async fn apply_plan(&self, by: &Principal, hash: Option<&str>, progress: &Progress) -> Result<Applied, Error> {
        let preview = self.intent.preview().await;
        let preview = preview.map_err(|problems| invalid("cannot apply: the configuration is wrong", problems))?;
        if preview.config.daemon.apply == ApplyMode::Observe {
            return Err(not_asked(RequestError::ObserveOnly));
        }
        if let Some(seal) = self.reconciler.ledger().store().seal() {
            return Err(Error::new(ErrorKind::Hold, format!("cannot apply: {seal}")).with_hint(IDENTITY));
        }
        progress.say("Adit looks at Cloudflare and plans");
        let looked_at = match hash {
            Some(hash) => Some(self.looked_at(PlanHash::new(hash)).await?),
            None => None,
        };
        let steps = |plans: &Plans| plans.0.values().map(|plan| plan.steps.len() + plan.waiting.len()).sum();
        let expected = looked_at.as_ref().map_or(0, steps);
        let applying = async {
            // It may begin a part of the plan at once.
            self.reload
                .now(By::Person(by))
                .await
                .map_err(|problems| invalid("cannot apply: the configuration in force stays", problems))?;
            self.apply_what_is_left(looked_at).await
        };
        let applying = self.telling_count(progress, Mine::All, expected, applying);
        let (applied, done) = tokio::time::timeout(OPERATION_TIME_MAX, applying).await.map_err(|_| endless())?;
        let (hash, reports) = applied?;
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb: "apply", tunnel: None });
        let applied = view::applied(hash.to_string(), &reports);
        // What the reload began is no part of the reports, and was done all the same.
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        Ok(Applied { done: applied.done.max(done), ..applied })
    }

    pub(super) async fn reload_files(&self, by: &Principal) -> Result<Reloaded, Error> {
        let before = self.intended();
        let intended = self
            .reload
            .now(By::Person(by))
            .await
            .map_err(|problems| invalid("cannot reload: the configuration in force stays", problems))?;
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb: "reload", tunnel: None });
        let same = before.config == intended.config;
        let change = if same { Change::Unchanged } else { Change::Accepted };
        Ok(Reloaded { change, tunnels: intended.config.tunnels.len() })
    }

    /// What the files on disk would change, from a fresh look at Cloudflare.
    async fn preview(&self) -> Result<(Plans, Arc<Config>), Error> {
        let preview = self.intent.preview().await;
        let preview = preview.map_err(|problems| invalid("cannot plan: the configuration is wrong", problems))?;
        let planning = tokio::time::timeout(REQUEST_TIME_MAX, self.reconciler.plan(Some(preview.config.clone())));
        Ok((planning.await.map_err(|_| slow())?.map_err(not_asked)?, preview.config.clone()))
    }

    /// The plan of the files on disk, if it is the one that was looked at still.
    async fn looked_at(&self, asked: PlanHash) -> Result<Plans, Error> {
        let (plans, _) = self.preview().await?;
        let now = plans.hash();
        if now == asked { Ok(plans) } else { Err(not_asked(RequestError::Changed { asked, now })) }
    }

    /// Applies what there is to do. Of a plan that was looked at, the reload may have begun a part: what is left of it is confirmed,
    /// and a step that was not in it ends the whole.
    async fn apply_what_is_left(&self, looked_at: Option<Plans>) -> Result<(PlanHash, Reports), Error> {
        let Some(looked_at) = looked_at else {
            let reports = self.reconciler.apply(None).await.map_err(not_asked)?;
            return Ok((PlanHash::new(""), reports));
        };
        loop {
            let left = self.reconciler.plan(None).await.map_err(not_asked)?;
            if !left.is_part_of(&looked_at) {
                return Err(not_asked(RequestError::Changed { asked: looked_at.hash(), now: left.hash() }));
            }
            match self.reconciler.apply_plans(&left).await {
                // A pass was faster; what it left is looked at again.
                Err(RequestError::Changed { .. }) => {}
                outcome => return Ok((looked_at.hash(), outcome.map_err(not_asked)?)),
            }
        }
    }
}
