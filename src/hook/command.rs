//! The command: run for each event, one at a time.

use std::{collections::VecDeque, future::pending, sync::Arc};

use tokio_util::task::AbortOnDropHandle;

use super::{
    intake::{Intake, Taken},
    message,
    telling::Telling,
};
use crate::{
    command::{self, Failure, Output, Printed},
    error_text::with_causes,
    event::Entry,
    metrics::HookResult,
};

/// How many events may wait: at 10 s each, the last of them is told a quarter of an hour late.
const WAITING_MAX: usize = 100;

/// The command's task.
pub(super) struct CommandTask {
    argv: Vec<String>,
    telling: Telling,
    intake: Intake,
    waiting: VecDeque<Arc<Entry>>,
    running: Option<Running>,
}

struct Running {
    id: u64,
    run: AbortOnDropHandle<Result<Printed, Failure>>,
}

impl CommandTask {
    /// A task that runs `argv`.
    pub(super) fn new(argv: Vec<String>, telling: Telling, intake: Intake) -> Self {
        Self { argv, telling, intake, waiting: VecDeque::new(), running: None }
    }

    /// Tells of what has happened, and goes on until the feed ends.
    pub(super) async fn run(mut self, past: Vec<Arc<Entry>>) {
        for entry in past {
            self.queue(entry);
        }
        loop {
            self.start_next();
            // Both arms are cancel-safe.
            tokio::select! {
                taken = self.intake.next() => match taken {
                    Some(Taken::Wanted(entry)) => self.queue(entry),
                    Some(Taken::Unseen(count)) => self.telling.dropped(count),
                    None => return,
                },
                result = ended(&mut self.running) => self.take_result(&result),
            }
        }
    }

    fn queue(&mut self, entry: Arc<Entry>) {
        // The first events say what began; the newest is left out.
        if self.waiting.len() == WAITING_MAX {
            self.telling.dropped(1);
        } else {
            self.waiting.push_back(entry);
        }
    }

    fn start_next(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(entry) = self.waiting.pop_front() else { return };
        let (argv, input) = (self.argv.clone(), message::of_one(&self.telling.place(), &entry));
        let run = tokio::spawn(async move { command::run(&argv, &input, Output::Nothing).await });
        self.running = Some(Running { id: entry.id, run: AbortOnDropHandle::new(run) });
    }

    fn take_result(&mut self, result: &Result<Printed, Failure>) {
        let Running { id, .. } = self.running.take().expect("a result comes of a run");
        match result {
            Ok(_) => {
                self.telling.count(HookResult::Delivered);
                self.telling.delivered(self.waiting.len());
            }
            Err(failure) => {
                self.telling.count(HookResult::Failed);
                self.telling.failed(&format!("{:?}: {}", self.argv[0], with_causes(failure)), 1);
            }
        }
        // Run is told: whether a program that failed would do better the next time is not known.
        self.telling.settled(id);
    }
}

/// What came of the run; for ever without one.
async fn ended(running: &mut Option<Running>) -> Result<Printed, Failure> {
    match running {
        Some(Running { run, .. }) => run.await.expect("running a program does not panic"),
        None => pending().await,
    }
}
