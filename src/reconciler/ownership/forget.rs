//! A tunnel of ours becomes nobody's concern: nothing of it is deleted at Cloudflare.

use tokio::task::spawn_blocking;

use super::unkept;
use crate::{
    name::TunnelName,
    plan::{Refusal, RefusalKind},
    reconciler::worker::Worker,
    record::Forgotten,
    store::Ledger,
};

impl Worker {
    /// Takes a tunnel of this account off record. Between two passes: one that is under way would write the record again.
    pub(super) async fn forget_tunnel(&mut self, tunnel: &TunnelName) -> Result<Option<Forgotten>, Refusal> {
        let own = self.known_account_id().await.ok().flatten();
        let records = self.shared.ledger.records();
        let elsewhere = records.tunnels.get(tunnel).is_some_and(|record| own.as_ref() != Some(&record.account_id));
        if elsewhere { Ok(None) } else { forget(&self.shared.ledger, tunnel).await }
    }
}

/// Takes a tunnel off record. What stays of it at Cloudflare is noted first, so that it can be found again.
pub(super) async fn forget(ledger: &Ledger, tunnel: &TunnelName) -> Result<Option<Forgotten>, Refusal> {
    let doing = format!("forget tunnel {tunnel}");
    let records = ledger.records();
    if let Some(seal) = &records.seal {
        return Err(Refusal::new(RefusalKind::Hold, format!("cannot {doing}: {seal}")));
    }
    if let Some(why) = records.held.get(tunnel) {
        return Err(Refusal::new(RefusalKind::Hold, format!("cannot {doing}: {why}")));
    }
    let Some(record) = records.tunnels.get(tunnel) else { return Ok(None) };
    let forgotten = Forgotten::from(record);
    let (store, name, note) = (ledger.store().clone(), tunnel.clone(), forgotten.clone());
    let noted = spawn_blocking(move || store.note_forgotten(&name, &note)).await.expect("writing does not panic");
    noted.map_err(|error| unkept(&doing, &error))?;
    ledger.remove(tunnel).await.map_err(|error| unkept(&doing, &error))?;
    Ok(Some(forgotten))
}
