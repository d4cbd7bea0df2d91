//! The records in memory, and on disk before anything relies on them.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{self, watch},
    task::spawn_blocking,
};

use super::{Store, StoreError, durable, records};
use crate::{
    failpoint::{self, Point},
    name::TunnelName,
    record::{Fate, Records, TunnelRecord},
};

/// The records of all tunnels. Cheap to clone; every change is seen by all.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Store,
    records: Arc<watch::Sender<Arc<Records>>>,
    /// Tunnels whose record on disk is behind.
    behind: Arc<Mutex<BTreeSet<TunnelName>>>,
    /// Held by whoever writes, so that no file ends up with an earlier record than memory has.
    writing: Arc<sync::Mutex<()>>,
}

impl Ledger {
    pub(super) fn new(store: Store, records: Records) -> Self {
        let records = Arc::new(watch::Sender::new(Arc::new(records)));
        Self { store, records, behind: Arc::default(), writing: Arc::default() }
    }

    /// The state directory that it is kept in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The records as they are.
    pub fn records(&self) -> Arc<Records> {
        self.records.borrow().clone()
    }

    /// The record of a tunnel as it is. Whoever looks at one for longer takes it, and not [`Ledger::records`]: while somebody holds all
    /// of them, a change copies all of them.
    pub fn record(&self, name: &TunnelName) -> Option<TunnelRecord> {
        self.records.borrow().tunnels.get(name).cloned()
    }

    /// The records as they change.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Records>> {
        self.records.subscribe()
    }

    /// Writes a record to disk, then takes it over. For what must not be asked of Cloudflare before it is durable.
    ///
    /// # Errors
    ///
    /// When it cannot be written: then nothing has changed.
    pub async fn save(&self, record: TunnelRecord) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        self.write(&record).await?;
        self.take(record);
        Ok(())
    }

    /// Takes over a record of what has happened at Cloudflare already, and writes it to disk. What cannot be written is known
    /// until the daemon ends, and written by [`Ledger::catch_up`] when that works again.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn note(&self, record: TunnelRecord) -> Result<(), StoreError> {
        // Before anything is waited for: it has happened.
        self.take(record.clone());
        let _turn = self.writing.lock().await;
        let written = self.write(&record).await;
        if written.is_err() {
            self.behind.lock().unwrap_or_else(PoisonError::into_inner).insert(record.name);
        }
        written
    }

    /// Changes the record of a tunnel by what has happened already, as [`Ledger::note`] does. Without a record nothing happens.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn amend(&self, name: &TunnelName, change: impl FnOnce(&mut TunnelRecord)) -> Result<(), StoreError> {
        let Some(mut record) = self.record(name) else { return Ok(()) };
        change(&mut record);
        self.note(record).await
    }

    /// Forgets a tunnel of which nothing is left.
    ///
    /// # Errors
    ///
    /// When its file cannot be removed: then it is still known.
    pub async fn remove(&self, name: &TunnelName) -> Result<(), StoreError> {
        self.store.check_writable()?;
        let path = self.file(name);
        let _turn = self.writing.lock().await;
        blocking(move || durable::remove(&path)).await?;
        self.change(|records| {
            records.tunnels.remove(name);
        });
        Ok(())
    }

    /// Gives a tunnel another name, and a fate with it; its connectors keep theirs. A crash in between leaves both records; doing it
    /// again removes the one of the old name.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn rename(&self, from: &TunnelName, name: &TunnelName, fate: Fate) -> Result<(), StoreError> {
        let records = self.records();
        let Some(mut record) = records.tunnels.get(from).cloned() else { return Ok(()) };
        let done = records.tunnels.get(name).is_some_and(|renamed| renamed.secret == record.secret);
        if !done {
            // Its connectors do not change: they go on under the name that they were started with.
            record.slots = Some(record.slots().clone()).filter(|slots| slots != name);
            (record.name, record.fate) = (name.clone(), fate);
            self.save(record).await?;
        }
        failpoint::hit(Point::RecordRenamed);
        self.remove(from).await
    }

    /// Goes on with state that was made on another machine, because that one is gone: its tunnels run here from now on.
    ///
    /// # Errors
    ///
    /// When it cannot be written, and when it is not known which installation this is.
    pub async fn take_over(&self, machine_id: Option<String>) -> Result<(), StoreError> {
        let store = self.store.clone();
        blocking(move || store.take_over(machine_id.as_deref())).await?;
        self.change(|records| records.seal = None);
        Ok(())
    }

    /// Becomes another installation that has made nothing; the records are set aside in the state directory.
    ///
    /// # Errors
    ///
    /// When something cannot be written or moved.
    pub async fn begin_anew(&self, machine_id: Option<String>) -> Result<(), StoreError> {
        let store = self.store.clone();
        let _turn = self.writing.lock().await;
        blocking(move || store.begin_anew(machine_id.as_deref())).await?;
        self.behind.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let records = Records::new(self.store.install());
        self.records.send_replace(Arc::new(records));
        Ok(())
    }

    /// Writes what could not be written before.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for name in behind {
            // Read and written in one turn: a worker of another account may be at this very tunnel.
            let _turn = self.writing.lock().await;
            if let Some(record) = self.record(&name) {
                self.write(&record).await?;
            }
            self.behind.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        }
        Ok(())
    }

    async fn write(&self, record: &TunnelRecord) -> Result<(), StoreError> {
        self.store.check_writable()?;
        let path = self.file(&record.name);
        if let Some(why) = self.records().held.get(&record.name) {
            return Err(StoreError::Held { path, why: why.clone() });
        }
        let text = records::render(record);
        blocking(move || durable::write(&path, text.as_bytes())).await
    }

    fn take(&self, record: TunnelRecord) {
        self.change(|records| {
            records.tunnels.insert(record.name.clone(), record);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Records)) {
        self.records.send_modify(|records| change(Arc::make_mut(records)));
    }

    fn file(&self, name: &TunnelName) -> PathBuf {
        self.store.path("records").join(format!("{name}.toml"))
    }
}

/// Runs file I/O on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.expect("file I/O does not panic and is not cancelled")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        id::AccountId,
        record::{ConfigurationSource, WrittenConfiguration},
        secret::Secret,
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_caught_up_never_takes_the_place_of_what_came_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), None).unwrap();
        let ledger = store.ledger().unwrap();
        let name: TunnelName = "web".parse().unwrap();
        let account: AccountId = "0a1b".parse().unwrap();
        let secret = Secret::new("c2VjcmV0");
        let first = TunnelRecord::intent(&store.install(), name.clone(), account, ConfigurationSource::Remote, secret);
        let version = |version| {
            let written = WrittenConfiguration { version, sha256: String::new(), stored_sha256: String::new() };
            TunnelRecord { written: Some(written), ..first.clone() }
        };
        for number in 0..200 {
            ledger.take(version(2 * number));
            ledger.behind.lock().unwrap().insert(name.clone());
            let catching_up = tokio::spawn({
                let ledger = ledger.clone();
                async move { ledger.catch_up().await }
            });
            ledger.save(version(2 * number + 1)).await.unwrap();
            catching_up.await.unwrap().unwrap();
            let text = fs::read_to_string(ledger.file(&name)).unwrap();
            assert_eq!(records::parse(&name, &text).as_ref(), Ok(&version(2 * number + 1)), "in round {number}");
        }
    }
}
