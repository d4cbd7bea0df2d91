//! The change of a tunnel's secret: given to Cloudflare once it is durable here, and others cut off when that is asked for.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Place, StepError, gone_is_done};
use crate::{
    cloudflare::EdgeConnector,
    credential::parse_connector_token,
    event::{ProvisioningEvent, RotationEvent},
    failpoint::{self, Point},
    id::{ConnectorId, TunnelId},
    name::TunnelName,
    plan::RotationStep,
    reconciler::{trouble, worker::Worker},
    record::{Rotation, RotationStage, SecretLife, TunnelRecord},
    secret::Secret,
};

impl Worker {
    /// Does one part of a rotation. One that fails rests for a while.
    pub(super) async fn go_on_with_rotation(&mut self, place: Place<'_>, step: &RotationStep) -> Result<(), StepError> {
        let result = match step {
            RotationStep::Place { tunnel, id, .. } => self.place_secret(place, tunnel, id).await,
            RotationStep::CutOff { tunnel, id } => match self.cut_off_others(place, tunnel, id).await {
                Ok(()) => self.finish_rotation(tunnel).await,
                Err(error) => Err(error),
            },
            RotationStep::Finish { tunnel } => self.finish_rotation(tunnel).await,
        };
        let tunnel = step.tunnel();
        match &result {
            Ok(()) => self.memory.rotations.went_well(tunnel),
            Err(error) => {
                let error = match error {
                    StepError::Api(error) => trouble::with_causes(error),
                    StepError::Store(error) => trouble::with_causes(error),
                    StepError::Held(_, error) | StepError::Other(error) => error.clone(),
                };
                let emergency = self.rotation_of(tunnel).is_some_and(|(_, rotation)| rotation.emergency);
                let retry = self.memory.rotations.failed(tunnel, &error, emergency);
                self.tell_rotation(tunnel, RotationEvent::Failed { error, retry });
            }
        }
        result
    }

    /// Gives Cloudflare the new secret. It is durable here before, and that Cloudflare is asked too: whatever becomes of the answer,
    /// the token that Cloudflare gives out says which secret is valid.
    async fn place_secret(&mut self, place: Place<'_>, tunnel: &TunnelName, id: &TunnelId) -> Result<(), StepError> {
        let Some((record, rotation)) = self.rotation_of(tunnel) else { return Ok(()) };
        let placed = match rotation.stage {
            RotationStage::Begun => false,
            RotationStage::Asked => self.gives_out(place, id, &rotation.other).await?,
            RotationStage::Placed => return Ok(()),
        };
        if !placed {
            let asked = Rotation { stage: RotationStage::Asked, ..rotation.clone() };
            self.shared.ledger.save(with_rotation(&record, asked)).await?;
            failpoint::hit(Point::RotationAsked);
            if let Err(error) = place.client.replace_tunnel_secret(place.account_id, id, &rotation.other).await {
                let settled = error.may_have_happened() && self.gives_out(place, id, &rotation.other).await.unwrap_or(false);
                if !settled {
                    return Err(error.into());
                }
            }
        }
        failpoint::hit(Point::RotationPlaced);
        if rotation.emergency {
            // Before our own are replaced, as far as it can be told now who is ours. What is left is cut off at the end.
            let cut = self.cut_off_others(place, tunnel, id).await;
            if let Err(StepError::Api(error)) = &cut {
                tracing::debug!(%tunnel, error = %trouble::with_causes(error), "others are not cut off yet");
            }
        }
        let former = Rotation { stage: RotationStage::Placed, other: record.secret.clone(), ..rotation.clone() };
        let secret_life = SecretLife { since: Some(Timestamp::now()), rotation: Some(former) };
        let noted = self.shared.ledger.note(TunnelRecord { secret: rotation.other, secret_life, ..record }).await;
        self.noted(noted);
        self.memory.rotations.placed(tunnel);
        self.tell_rotation(tunnel, RotationEvent::Placed);
        Ok(())
    }

    /// Cuts off every connector of the tunnel that is no process of ours. With the secret before it, none comes back.
    async fn cut_off_others(&mut self, place: Place<'_>, tunnel: &TunnelName, id: &TunnelId) -> Result<(), StepError> {
        let others = self.others(place, tunnel, id).await?;
        for other in &others {
            gone_is_done(place.client.delete_connections_of(place.account_id, id, other).await)?;
        }
        if others.is_empty() {
            return Ok(());
        }
        self.tell_rotation(tunnel, RotationEvent::CutOff { connectors: others });
        let left = self.others(place, tunnel, id).await?.len();
        match left {
            0 => Ok(()),
            left => Err(StepError::Other(format!("{left} connectors of others are still connected"))),
        }
    }

    /// The connectors of a tunnel that the edge has and that are no processes of ours.
    async fn others(&self, place: Place<'_>, tunnel: &TunnelName, id: &TunnelId) -> Result<BTreeSet<ConnectorId>, StepError> {
        let listed = place.client.connectors(place.account_id, id).await?;
        // Read afterwards: whoever of ours is in the list was started before.
        let Some(own) = self.own_connectors(tunnel) else {
            return Err(StepError::Other("one of its own connectors has not said its id yet".to_owned()));
        };
        Ok(listed.into_iter().map(|EdgeConnector { id, .. }| id).filter(|id| !own.contains(id)).collect())
    }

    /// Nothing here holds the secret before any more.
    pub(super) async fn finish_rotation(&mut self, tunnel: &TunnelName) -> Result<(), StepError> {
        let Some((record, rotation)) = self.rotation_of(tunnel) else { return Ok(()) };
        let secret_life = SecretLife { rotation: None, ..record.secret_life.clone() };
        self.shared.ledger.save(TunnelRecord { secret_life, ..record }).await?;
        failpoint::hit(Point::RotationFinished);
        let took = Timestamp::now().duration_since(rotation.began_at);
        self.tell_rotation(tunnel, RotationEvent::Finished { took: took.try_into().unwrap_or_default() });
        Ok(())
    }

    /// Whether the tunnel's token at Cloudflare has this secret.
    async fn gives_out(&self, place: Place<'_>, id: &TunnelId, secret: &Secret) -> Result<bool, StepError> {
        let token = place.client.tunnel_token(place.account_id, id).await?;
        let token = parse_connector_token(&token).map_err(|error| StepError::Other(error.to_string()))?;
        Ok(token.tunnel == *id && token.secret == *secret)
    }

    pub(in crate::reconciler) fn rotation_of(&self, tunnel: &TunnelName) -> Option<(TunnelRecord, Rotation)> {
        let record = self.shared.ledger.record(tunnel)?;
        let rotation = record.secret_life.rotation.clone()?;
        Some((record, rotation))
    }

    pub(in crate::reconciler) fn tell_rotation(&self, tunnel: &TunnelName, event: RotationEvent) {
        let (account, tunnel) = (self.account.clone(), tunnel.clone());
        self.shared.events.tell(ProvisioningEvent::Rotation { account, tunnel, event });
    }
}

fn with_rotation(record: &TunnelRecord, rotation: Rotation) -> TunnelRecord {
    let secret_life = SecretLife { rotation: Some(rotation), ..record.secret_life.clone() };
    TunnelRecord { secret_life, ..record.clone() }
}
