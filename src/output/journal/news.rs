//! What the journal's thread is told, and what it tells of how far it is.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::name::TunnelName;

/// Between the follower, which finds lines, the journal's thread, which passes them on, and whoever waits for that.
#[derive(Clone, Default)]
pub(in crate::output) struct News(Arc<Shared>);

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    told: Condvar,
    passed_on: Condvar,
}

#[derive(Default)]
struct Board {
    /// The first line of each tunnel that was not read yet.
    unread: BTreeMap<TunnelName, u64>,
    /// How far each tunnel is.
    progress: BTreeMap<TunnelName, Progress>,
    is_over: bool,
}

/// Numbers of lines to go on with: of the next one that will be told of, and of the next one to pass on.
#[derive(Default)]
struct Progress {
    told: u64,
    passed_on: u64,
}

impl News {
    /// There are lines with the numbers from `first` up to before `next`.
    pub(in crate::output) fn tell(&self, tunnel: &TunnelName, first: u64, next: u64) {
        let mut board = self.lock();
        if let Some(progress) = board.progress.get_mut(tunnel) {
            progress.told = next;
        } else {
            board.progress.insert(tunnel.clone(), Progress { told: next, passed_on: first });
        }
        if !board.unread.contains_key(tunnel) {
            board.unread.insert(tunnel.clone(), first);
            self.0.told.notify_one();
        }
    }

    /// There will be nothing new any more.
    pub(in crate::output) fn end(&self) {
        self.lock().is_over = true;
        self.0.told.notify_one();
    }

    /// Waits until everything that was told of a tunnel so far is passed on, and no longer than `time_max`.
    pub(in crate::output) fn wait_until_passed_on(&self, tunnel: &TunnelName, time_max: Duration) {
        let board = self.lock();
        let Some(goal) = board.progress.get(tunnel).map(|progress| progress.told) else { return };
        let is_behind = |board: &mut Board| board.progress.get(tunnel).is_some_and(|progress| progress.passed_on < goal);
        drop(self.0.passed_on.wait_timeout_while(board, time_max, is_behind));
    }

    /// Waits for news; `None` at the end.
    pub(super) fn next(&self) -> Option<BTreeMap<TunnelName, u64>> {
        let wait = |board: &mut Board| board.unread.is_empty() && !board.is_over;
        let mut board = self.0.told.wait_while(self.lock(), wait).unwrap_or_else(PoisonError::into_inner);
        (!board.unread.is_empty()).then(|| std::mem::take(&mut board.unread))
    }

    /// The lines of a tunnel before the one with the number `next` are passed on, or given up.
    pub(super) fn passed_on(&self, tunnel: &TunnelName, next: u64) {
        if let Some(progress) = self.lock().progress.get_mut(tunnel) {
            progress.passed_on = next;
            self.0.passed_on.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
