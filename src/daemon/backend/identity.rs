//! Which installation the state directory is of.

use super::DaemonBackend;
use crate::{
    control::{
        Principal,
        api::{Error, ErrorKind, Identity, Reason},
    },
    counted::counted,
    daemon::places::machine_id,
    event::DaemonEvent,
    reconciler::IdentityError,
    record::Seal,
};

impl DaemonBackend {
    pub(super) fn identity_view(&self) -> Identity {
        let ledger = self.reconciler.ledger();
        let records = ledger.records();
        let tunnels = records.tunnels.len() + records.held.len();
        let count = counted(tunnels, "tunnel");
        let readable = !matches!(records.seal, Some(Seal::Unreadable(_)));
        let sealed = records.seal.is_some();
        Identity {
            install: readable.then(|| records.install.as_str().to_owned()),
            since: ledger.store().since(),
            seal: records.seal.as_ref().map(|seal| Reason { code: "state-sealed".to_owned(), sentence: seal.to_string() }),
            tunnels,
            take_over: (sealed && readable).then(|| {
                format!("the connectors of {count} start here, and Adit goes on as installation {}", records.install.as_str())
            }),
            new: sealed.then(|| {
                format!(
                    "the records of {count} are set aside, nothing at Cloudflare is touched, and the tunnels of the configuration \
                     are made again for this host; hostnames that the original holds are conflicts"
                )
            }),
        }
    }

    pub(super) async fn take_over(&self, by: &Principal) -> Result<Identity, Error> {
        self.reconciler.take_over(machine_id()).await.map_err(refused)?;
        Ok(self.identity_changed(by, "identity take-over"))
    }

    pub(super) async fn begin_anew(&self, by: &Principal) -> Result<Identity, Error> {
        self.reconciler.begin_anew(machine_id()).await.map_err(refused)?;
        Ok(self.identity_changed(by, "identity new"))
    }

    fn identity_changed(&self, by: &Principal, verb: &'static str) -> Identity {
        self.events.tell(DaemonEvent::OperatorActed { who: by.who(), verb, tunnel: None });
        self.identity_view()
    }
}

fn refused(error: IdentityError) -> Error {
    let kind = match error {
        IdentityError::Ours { .. } => ErrorKind::Conflict,
        IdentityError::Store(_) => ErrorKind::Hold,
    };
    Error::new(kind, error.to_string())
}
