//! Taking over what an earlier daemon left running.

use std::{io, path::PathBuf, sync::Arc};

use super::task::{Task, now};
use crate::{
    connector::{SlotId, Survivor},
    process::{Process, Survivors, survivors},
};

impl Task {
    /// Finds what runs and puts it into its slots. `private` is the private folder of the runtime directory.
    pub(super) async fn adopt(&mut self, private: PathBuf) -> io::Result<()> {
        let (spawner, output) = (Arc::clone(&self.parts.spawner), self.parts.output.clone());
        let search = move || Ok::<_, io::Error>((survivors(&spawner, &private)?, output.generations()));
        let (found, generations) = tokio::task::spawn_blocking(search).await.map_err(io::Error::other)??;
        self.generations = generations;
        let Survivors { found, unreadable } = found;
        for (path, error) in unreadable {
            tracing::warn!(path = %path.display(), %error, "Cannot read a generation record; the process that it names is left alone");
        }
        for (slot, processes) in found {
            self.adopt_slot(slot, processes);
        }
        Ok(())
    }

    fn adopt_slot(&mut self, slot: SlotId, processes: Vec<(Survivor, Option<Process>)>) {
        let id = Arc::new(slot);
        self.ensure_slot(&id);
        let mut survivors = Vec::new();
        for (survivor, process) in processes {
            if let Some(process) = process {
                self.parts.output.follow(&id, survivor.generation);
                self.watch(&id, survivor.generation, process);
            }
            survivors.push(survivor);
        }
        self.with_slot(&id, |slot| slot.handle_survivors(survivors, now()));
    }
}
