//! Watching an operation until its end.

use std::{future::Future, time::Duration};

use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::how_far;
use crate::{
    cli::{
        Context, Ending, Failure,
        follow::{RETRY_AFTER, may_pass},
        render::{cut, plain},
    },
    control::{
        Begun, Follow, Trouble,
        api::{Followed, Operation},
    },
};

/// How long the daemon may be out of reach meanwhile: behind a restart it does not know the operation any more, and says so.
const OUT_OF_REACH_MAX: Duration = Duration::from_secs(30);

/// The longest line that is drawn over and over, in columns, also where the terminal is wider or does not say its width.
const LINE_MAX: usize = 78;

/// Where nobody sees a line that is drawn over: which lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Lines {
    /// One for each thing that is told.
    All,
    /// None.
    None,
}

/// What came of an operation.
#[derive(Debug)]
pub(in crate::cli) struct Outcome<T> {
    /// What the request answers, if it was accepted.
    pub(in crate::cli) result: Option<T>,
    /// Why it failed, if it did; also when it was accepted and what follows from it did not come true.
    pub(in crate::cli) failure: Option<Failure>,
}

/// Watches what was begun until its end, at most for `time_max`.
///
/// # Errors
///
/// When that takes longer, when somebody interrupts it (the operation goes on then), and when the daemon cannot tell any more.
pub(in crate::cli) async fn carry_out<T: DeserializeOwned>(
    begun: Begun<T>,
    lines: Lines,
    time_max: Option<Duration>,
    context: &mut Context<'_>,
) -> Result<Outcome<T>, Failure> {
    let operation = match begun {
        Begun::Answered(result) => return Ok(Outcome { result: Some(result), failure: None }),
        Begun::Operation(operation) => until_ended(*operation, lines, time_max, context).await?,
    };
    let result = operation.result.map(serde_json::from_value).transpose();
    let result = result.map_err(|error| Failure::of(error).with_hint("is the daemon of another version?"))?;
    let failure = operation.error.map(|error| Failure::from(Trouble::Refused(Box::new(error))));
    Ok(Outcome { result, failure })
}

impl<T> Outcome<T> {
    /// What the request answers.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub(in crate::cli) fn result(self) -> Result<T, Failure> {
        match (self.failure, self.result) {
            (Some(failure), _) => Err(failure),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(Failure::new(Ending::Failed, "cannot tell what came of it: the daemon does not say")),
        }
    }
}

/// Watches `operation` until its end, at most for `time_max`.
pub(super) async fn until_ended(
    operation: Operation,
    lines: Lines,
    time_max: Option<Duration>,
    context: &mut Context<'_>,
) -> Result<Operation, Failure> {
    let id = operation.id.clone();
    let mut line = Line { draws: context.terminal.can_redraw_words(), lines, told: String::new() };
    let watching = watch(operation, &mut line, context);
    let watched = interruptible(&id, async {
        match time_max {
            None => watching.await,
            Some(time_max) => tokio::time::timeout(time_max, watching).await.unwrap_or_else(|_| {
                let message = format!("operation {id} has not ended after {} s", time_max.as_secs());
                Err(Failure::new(Ending::Failed, message).with_hint(goes_on(&id)))
            }),
        }
    });
    let watched = watched.await;
    line.end(context);
    watched
}

/// Waits for `waiting`, unless somebody presses Ctrl-C: the operation of that id goes on then.
async fn interruptible<T>(id: &str, waiting: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        // In this order, so that it can be interrupted from the first word on that is told.
        biased;
        _ = tokio::signal::ctrl_c() => {
            let message = format!("stopped waiting for operation {id}, which goes on");
            Err(Failure::new(Ending::Failed, message).with_hint(goes_on(id)))
        }
        result = waiting => result,
    }
}

fn goes_on(id: &str) -> String {
    format!("it goes on: \"adit operation wait {id}\" waits for its end")
}

async fn watch(mut operation: Operation, line: &mut Line, context: &mut Context<'_>) -> Result<Operation, Failure> {
    let mut stream: Option<Follow<Operation>> = None;
    let mut give_up_at = Instant::now() + OUT_OF_REACH_MAX;
    while operation.is_running() {
        line.tell(&operation, context);
        let next = match &mut stream {
            Some(stream) => stream.next().await,
            None => match timeout_at(give_up_at, context.client.follow_operation(&operation.id)).await {
                Ok(Ok(opened)) => {
                    stream = Some(opened);
                    continue;
                }
                Ok(Err(trouble)) => Err(trouble),
                Err(_) => return Err(lost(&operation.id)),
            },
        };
        match next {
            Ok(Some(Followed::Item(newer))) => {
                operation = newer;
                give_up_at = Instant::now() + OUT_OF_REACH_MAX;
            }
            Ok(Some(Followed::Missed(_))) => {}
            Err(trouble) if !may_pass(&trouble) => return Err(trouble.into()),
            // The daemon is busy, stops, or was killed: the next one knows whether there is something to wait for.
            Ok(None) | Err(_) => {
                stream = None;
                if Instant::now() >= give_up_at {
                    return Err(lost(&operation.id));
                }
                sleep(RETRY_AFTER).await;
            }
        }
    }
    Ok(operation)
}

fn lost(id: &str) -> Failure {
    let message = format!("cannot tell what came of operation {id}: the daemon is not reachable any more");
    Failure::new(Ending::NotReachable, message).with_hint("\"systemctl status adit\" tells whether it runs")
}

/// The line that shows how far it is.
struct Line {
    /// Whether it is drawn over and over.
    draws: bool,
    lines: Lines,
    told: String,
}

impl Line {
    fn tell(&mut self, operation: &Operation, context: &mut Context<'_>) {
        let far = how_far(operation);
        if far.is_empty() || far == self.told {
            return;
        }
        if self.draws {
            let width = context.terminal.words_look.width.map_or(LINE_MAX, |width| width.saturating_sub(1).min(LINE_MAX));
            let line = plain(&format!("{}: {far}", operation.kind)).into_owned();
            context.terminal.show(&format!("\r\x1b[K{}", cut(&line, width)));
        } else if self.lines == Lines::All {
            context.terminal.tell(&format!("{}: {far}", operation.tunnel.as_ref().unwrap_or(&operation.kind)));
        }
        self.told = far;
    }

    /// What comes next begins on a line of its own.
    fn end(&self, context: &mut Context<'_>) {
        if self.draws && !self.told.is_empty() {
            context.terminal.show("\r\x1b[K");
        }
    }
}
