//! Waiting until a tunnel is as asked for.

mod words;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use self::words::{is_gone, last_word, outset, too_late};
use super::{Context, Ending, Failure, arguments, ending::ending, follow::may_pass};
pub(super) use crate::control::Goal;
use crate::control::{Outlook, outlook};

/// How often the daemon is asked: often enough for a person, and cheap, as it asks nobody further.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until `tunnel` has reached `goal`, if the arguments say so.
///
/// # Errors
///
/// When that takes too long, or cannot come true by waiting.
pub(super) async fn wait(
    arguments: &arguments::Wait,
    context: &mut Context<'_>,
    tunnel: &str,
    goal: &Goal,
) -> Result<Ending, Failure> {
    if !arguments.wait {
        return Ok(Ending::Fine);
    }
    let began = Instant::now();
    let deadline = began + arguments.timeout;
    let mut told = String::new();
    loop {
        let seen = timeout_at(deadline, context.client.tunnel(tunnel)).await;
        let seen = match seen {
            Err(_) => return Err(too_late(tunnel, goal, &told, arguments.timeout)),
            Ok(Ok(detail)) => Some(detail.tunnel),
            Ok(Err(trouble)) if is_gone(goal, &trouble) => None,
            // The daemon is being restarted: the next one knows how far it is.
            Ok(Err(trouble)) if may_pass(&trouble) && Instant::now() < deadline => {
                sleep(PAUSE).await;
                continue;
            }
            Ok(Err(trouble)) => return Err(trouble.into()),
        };
        match outlook(goal, seen.as_ref()) {
            Outlook::Reached => {
                context.terminal.tell(&last_word(tunnel, goal, seen.as_ref(), began.elapsed()));
                return Ok(Ending::Fine);
            }
            Outlook::Stuck(kind, why) => return Err(Failure::new(ending(kind), format!("tunnel {tunnel:?} {why}"))),
            Outlook::Under { what, .. } => {
                if told.is_empty() {
                    context.terminal.tell(&outset(tunnel, goal, arguments.timeout));
                }
                if what != told {
                    context.terminal.tell(&format!("{tunnel}: {what}"));
                    told = what;
                }
            }
        }
        if Instant::now() >= deadline {
            return Err(too_late(tunnel, goal, &told, arguments.timeout));
        }
        sleep(PAUSE).await;
    }
}
