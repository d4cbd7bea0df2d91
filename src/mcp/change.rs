//! The tools that change something, in two steps: the first shows what would be done and names it, the second does exactly that.
//!
//! ```text
//!  arguments ─▶ look ─▶ Intended ─▶ hash ─┬─ no hash given ─────────▶ shown, nothing changed
//!                                         ├─ another hash given ────▶ conflict, nothing changed
//!                                         └─ this hash given ───────▶ done, if the definition has its version still
//! ```
//!
//! Nothing is remembered between the steps: the hash is made from the tool, its arguments and what there is. Between looking and
//! doing in the second step, the daemon itself holds a definition to the version that was looked at.

mod effect;
mod tools;

use serde_json::{Value, json};

use super::{
    answer::Answer,
    failure::Failure,
    hash::plan_hash,
    read::Reader,
    tool::Tool,
    view::{Change, ChangeStep, LIST_BYTES_MAX},
};
use crate::control::{
    Client, Trouble,
    api::{self, Changed, Error, ErrorKind, Replaced},
};

/// What a change would do to what there is.
struct Intended {
    tunnel: String,
    summary: String,
    before: Option<Value>,
    after: Option<Value>,
    connectors: Vec<Replaced>,
    version: Option<String>,
    act: Act,
}

/// What is asked of the daemon for it.
enum Act {
    Create(Value),
    Patch(Value),
    Delete,
    Start,
    Stop,
    Restart,
    AddRoute(Value),
    RemoveRoute(Vec<(&'static str, String)>),
}

impl Reader {
    /// Shows what is intended, or does it when that is what `given` names.
    async fn step(&self, tool: Tool, arguments: Value, given: Option<&str>, intended: Intended) -> Result<Answer, Failure> {
        // Which requests are open changes all the time, which connectors carry them does not.
        let processes: Vec<_> = intended.connectors.iter().map(|Replaced { replica, pid, .. }| (replica, pid)).collect();
        let state = json!({ "before": intended.before, "version": intended.version, "connectors": processes });
        let hash = plan_hash(tool.name(), &arguments, &state);
        let Some(given) = given else {
            let next = match intended.changes() {
                true => format!("call {} again with the same arguments and plan_hash {hash} to do exactly this", tool.name()),
                false => "there is nothing to do".to_owned(),
            };
            return Ok(told(intended, ChangeStep::Planned, hash, next));
        };
        if given != hash {
            let message = format!("cannot carry out {} of tunnel {:?}: it is not what was planned", tool.name(), intended.tunnel);
            let hint = "the arguments differ, or something changed since: call it without plan_hash to see what it would do";
            return Err(Error::new(ErrorKind::Conflict, message).with_hint(hint).into());
        }
        let client = match &intended.version {
            Some(version) => self.client.expecting(version),
            None => self.client.clone(),
        };
        let changed = intended.act.carry_out(&client, &intended.tunnel).await?;
        let step = match changed.change {
            api::Change::Accepted => ChangeStep::Accepted,
            api::Change::Unchanged => ChangeStep::Unchanged,
        };
        let next = match intended.after {
            None => "list_tunnels shows when it is gone; events tells how it goes".to_owned(),
            Some(_) => format!("show_tunnel with {:?} shows when it is settled; events tells how it goes", intended.tunnel),
        };
        Ok(told(intended, step, hash, next))
    }
}

impl Intended {
    /// What an operator asks of a tunnel as it is, whether it is stopped before and after.
    fn of_run(
        tunnel: &str,
        summary: String,
        (before, after): (bool, bool),
        connectors: Vec<Replaced>,
        version: String,
        act: Act,
    ) -> Self {
        Self {
            tunnel: tunnel.to_owned(),
            summary,
            before: Some(json!({ "stopped": before })),
            after: Some(json!({ "stopped": after })),
            connectors,
            version: Some(version),
            act,
        }
    }

    /// Whether anything would be different afterwards.
    fn changes(&self) -> bool {
        self.before != self.after || !self.connectors.is_empty()
    }
}

impl Act {
    async fn carry_out(&self, client: &Client, tunnel: &str) -> Result<Changed, Trouble> {
        match self {
            Self::Create(definition) => client.create_tunnel(tunnel, definition.clone()).await,
            Self::Patch(patch) => client.patch_tunnel(tunnel, patch).await,
            Self::Delete => client.delete_tunnel(tunnel).await,
            Self::Start => client.start_tunnel(tunnel).await,
            Self::Stop => client.stop_tunnel(tunnel).await,
            Self::Restart => client.restart_tunnel(tunnel).await,
            Self::AddRoute(route) => client.add_route(tunnel, route).await,
            Self::RemoveRoute(place) => client.remove_named_route(tunnel, place).await,
        }
    }
}

fn told(intended: Intended, step: ChangeStep, plan_hash: String, next: String) -> Answer {
    let changes = intended.changes();
    let Intended { tunnel, summary, before, after, connectors, .. } = intended;
    let open_requests = connectors.iter().map(|connector| connector.open_requests).sum();
    let heading = match (step, changes) {
        (ChangeStep::Planned, true) => format!("Nothing was changed yet. What it would do: {summary}.\nNext: {next}."),
        (ChangeStep::Planned, false) => format!("Nothing would change: it is so already.\nNext: {next}."),
        (ChangeStep::Accepted, _) => format!("Accepted: {summary}.\nNext: {next}."),
        (ChangeStep::Unchanged, _) => format!("Nothing changed: it was so already.\nNext: {next}."),
    };
    let shown = |word, value: &Option<Value>| value.as_ref().map(|value| format!("{word}: {value}"));
    let lines = shown("before", &before).into_iter().chain(shown("after", &after));
    let lines = lines.chain(connectors.iter().map(Replaced::sentence)).collect();
    let fits = |value: &Value| value.to_string().len() <= LIST_BYTES_MAX;
    let is_short = before.iter().chain(&after).any(|value| !fits(value));
    let left_out = is_short.then(|| "definitions that are too long for an answer".to_owned());
    let table = |value: Option<Value>| value.filter(fits).and_then(|value| value.as_object().cloned());
    let (before, after) = (table(before), table(after));
    let data = Change { step, tunnel, summary, changes, plan_hash, before, after, connectors, open_requests, next };
    Answer::with_left_out(heading, data, left_out).with_lines(lines)
}
