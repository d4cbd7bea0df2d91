//! The end of a tunnel: connections cut, the tunnel deleted, and the deletion believed only when it shows.

use super::{Place, StepError, gone_is_done};
use crate::{
    cloudflare::{Conflict, EdgeConnector, Kind},
    event::ProvisioningEvent,
    id::TunnelId,
    name::TunnelName,
    observed::{Observed, Part},
    plan::HoldCode,
    reconciler::worker::Worker,
};

/// How often a pass asks for the deletion of one tunnel. Between two tries its connections are cut; connectors that are back by
/// then come back every time, and the next pass tries again.
const DELETIONS_MAX: usize = 2;

impl Worker {
    /// Cuts what connections a tunnel has, and tells whose they were: those of this host are gone by now.
    pub(super) async fn cut_connections(
        &mut self,
        place: Place<'_>,
        tunnel: &TunnelName,
        id: &TunnelId,
    ) -> Result<(), StepError> {
        let connectors = match place.client.connectors(place.account_id, id).await {
            Ok(connectors) => connectors,
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if connectors.is_empty() {
            return Ok(());
        }
        gone_is_done(place.client.delete_connections(place.account_id, id).await)?;
        let (account, tunnel) = (self.account.clone(), tunnel.clone());
        let (connectors, from) = (connectors.len(), addresses(&connectors));
        self.shared.events.tell(ProvisioningEvent::ConnectionsCut { account, tunnel, connectors, from });
        Ok(())
    }

    /// Deletes a tunnel. Cloudflare refuses while something leads to it; and an answer that says "done" is no proof, because
    /// the name of a tunnel has been found taken after it: only its `deleted_at` is.
    pub(super) async fn delete_tunnel(
        &mut self,
        place: Place<'_>,
        tunnel: &TunnelName,
        id: &TunnelId,
        observed: &mut Observed,
    ) -> Result<(), StepError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let Err(error) = gone_is_done(place.client.delete_tunnel(place.account_id, id).await) else { break };
            if error.kind() == Kind::Conflict(Conflict::PrivateRoutes) {
                // The next pass reads which, and names them.
                self.memory.routed.insert(tunnel.clone());
                let why = "private routes that Adit did not make lead to it (Cloudflare error 1023); delete or move them first";
                return Err(StepError::Held(HoldCode::RoutesLeft, why.to_owned()));
            }
            if error.kind() != Kind::Conflict(Conflict::Connections) {
                return Err(error.into());
            }
            if tries == DELETIONS_MAX {
                let why = "connectors elsewhere connect again as often as they are cut off; stop cloudflared there";
                return Err(StepError::Held(HoldCode::StillConnected, why.to_owned()));
            }
            self.cut_connections(place, tunnel, id).await?;
        }
        self.prove_deleted(place, id, observed).await?;
        if let Part::Complete(tunnels) = &mut observed.tunnels {
            tunnels.remove(id);
        }
        Ok(())
    }

    async fn prove_deleted(&self, place: Place<'_>, id: &TunnelId, observed: &Observed) -> Result<(), StepError> {
        match place.client.tunnel(place.account_id, id).await {
            Ok(found) if found.deleted_at.is_some() => Ok(()),
            Ok(_) => {
                let why = "Cloudflare took its deletion and shows it as live all the same; the deletion is asked for again";
                Err(StepError::Held(HoldCode::NotDeleted, why.to_owned()))
            }
            Err(error) if error.is_gone() && shows_anything(observed) => Ok(()),
            Err(error) if error.is_gone() => {
                let why = "Cloudflare knows no such id, but shows nothing else of the account either, so nothing is proven";
                Err(StepError::Held(HoldCode::Unproven, why.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the credential sees any object of the account, so that "there is no such thing" means what it says.
fn shows_anything(observed: &Observed) -> bool {
    let tunnels = observed.tunnels.complete().is_some_and(|tunnels| !tunnels.is_empty());
    tunnels || observed.zones.complete().is_some_and(|zones| !zones.is_empty())
}

/// Where connectors come from, each address once.
fn addresses(connectors: &[EdgeConnector]) -> Vec<String> {
    let all = connectors.iter().flat_map(|connector| &connector.connections).map(|connection| connection.origin_ip.clone());
    let mut addresses: Vec<String> = all.filter(|address| !address.is_empty()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}
