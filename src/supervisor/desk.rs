//! A queue whose threads can be called before there is anything in it.
//!
//! A thread that sleeps takes as long to get up as everything takes that is decided when a process has died. So it is called at the
//! first sign of a death, and the order finds it awake. A call that nothing follows costs the thread a moment.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How often somebody looks out, giving way to others in between: for a fraction of a millisecond where nobody else wants the
/// processor.
const LOOKS_MAX: usize = 500;

/// Where orders wait.
pub(super) struct Desk<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// As many as there are orders, for those who look without the lock.
    waiting: AtomicUsize,
}

struct State<T> {
    orders: VecDeque<T>,
    /// Somebody was called and has not got up yet.
    is_called: bool,
    /// How many were called and look out for work.
    looking: usize,
    is_closed: bool,
}

impl<T> Desk<T> {
    pub(super) fn new() -> Self {
        let state = State { orders: VecDeque::new(), is_called: false, looking: 0, is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    /// There may be an order in a moment.
    pub(super) fn call(&self) {
        let mut state = self.lock();
        if state.awake() == 0 && state.orders.is_empty() {
            state.is_called = true;
            self.changed.notify_one();
        }
    }

    /// Leaves an order.
    pub(super) fn send(&self, order: T) {
        let mut state = self.lock();
        state.orders.push_back(order);
        self.waiting.store(state.orders.len(), Ordering::Relaxed);
        // Whoever is awake looks here before sleeping.
        if state.awake() < state.orders.len() {
            self.changed.notify_one();
        }
    }

    /// Sends everybody home who waits, when the orders that are there are done.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next order; `None` when no more come.
    pub(super) fn next(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(order) = state.orders.pop_front() {
                self.waiting.store(state.orders.len(), Ordering::Relaxed);
                // This is what the call was for, whoever was meant.
                state.is_called = false;
                return Some(order);
            }
            if state.is_closed {
                return None;
            }
            if std::mem::take(&mut state.is_called) {
                state.looking += 1;
                drop(state);
                look_out(|| (self.waiting.load(Ordering::Relaxed) > 0).then_some(()));
                state = self.lock();
                state.looking -= 1;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for what is about to come, and stays awake meanwhile; `None` when it does not come at once.
pub(super) fn look_out<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    (0..LOOKS_MAX).find_map(|_| {
        let found = look();
        if found.is_none() {
            thread::yield_now();
        }
        found
    })
}

impl<T> State<T> {
    fn awake(&self) -> usize {
        self.looking + usize::from(self.is_called)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const WORKERS: usize = 3;

    fn work(desk: &Arc<Desk<usize>>) -> Vec<thread::JoinHandle<Vec<usize>>> {
        let work = |desk: Arc<Desk<usize>>| move || std::iter::from_fn(|| desk.next()).collect();
        (0..WORKERS).map(|_| thread::spawn(work(Arc::clone(desk)))).collect()
    }

    #[test]
    fn every_order_is_taken_once_whoever_calls_meanwhile() {
        const ORDERS: usize = 2000;
        let desk = Arc::new(Desk::new());
        let workers = work(&desk);
        thread::scope(|scope| {
            for part in 0..2 {
                let desk = &desk;
                scope.spawn(move || {
                    for order in (part..ORDERS).step_by(2) {
                        if order % 3 != 0 {
                            desk.call();
                        }
                        if order % 5 == 0 {
                            thread::yield_now();
                        }
                        desk.send(order);
                    }
                });
            }
        });
        desk.close();
        let mut taken: Vec<usize> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..ORDERS).collect::<Vec<_>>());
    }

    #[test]
    fn an_order_is_taken_long_after_a_call_that_nothing_followed() {
        let desk = Arc::new(Desk::new());
        let workers = work(&desk);
        let (taken, answer) = std::sync::mpsc::channel();
        let last = {
            let desk = Arc::clone(&desk);
            thread::spawn(move || taken.send(desk.next()))
        };
        for round in 0..100 {
            desk.call();
            while desk.lock().awake() > 0 {
                thread::yield_now();
            }
            desk.send(round);
            while !desk.lock().orders.is_empty() {
                thread::yield_now();
            }
        }
        desk.close();
        last.join().unwrap().unwrap();
        let taken = workers.into_iter().map(|worker| worker.join().unwrap().len()).sum::<usize>();
        assert_eq!(taken + usize::from(answer.recv().unwrap().is_some()), 100);
    }
}
