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

use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    arguments::{AddRoute, Apply, CreateTunnel, OneTunnel, Place, RemoveRoute, UpdateTunnel},
    failure::Failure,
    hash::plan_hash,
    read::Reader,
    tool::Tool,
    view::{Change, ChangeStep, counted},
};
use crate::control::{
    Client, PrivateRoute, Version, add_route,
    api::{self, Changed, Error, ErrorKind, Problem, Replaced, TunnelDetail},
    merge, remove_route,
};

/// What a change would do to what there is.
struct Intended {
    tunnel: String,
    summary: String,
    before: Option<Value>,
    after: Option<Value>,
    connectors: Vec<Replaced>,
    version: Option<Version>,
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
    pub(super) async fn create_tunnel(&self, asked: &CreateTunnel) -> Result<Answer, Failure> {
        let CreateTunnel { tunnel, definition, step } = asked;
        self.limits.check_tunnel(tunnel)?;
        let definition = Value::Object(definition.clone());
        let before = self.definition_of(tunnel).await?;
        let summary = match &before {
            None => format!("tunnel {tunnel:?} is made, at Cloudflare and on this host"),
            Some(_) => format!("nothing, if tunnel {tunnel:?} has this definition already; else it is refused: it exists"),
        };
        let intended = Intended {
            tunnel: tunnel.clone(),
            summary,
            before,
            after: Some(definition.clone()),
            connectors: Vec::new(),
            version: None,
            act: Act::Create(definition.clone()),
        };
        self.step(Tool::CreateTunnel, json!({ "tunnel": tunnel, "definition": definition }), step.plan_hash.as_deref(), intended)
            .await
    }

    pub(super) async fn update_tunnel(&self, asked: &UpdateTunnel) -> Result<Answer, Failure> {
        let UpdateTunnel { tunnel, patch, step } = asked;
        let patch = Value::Object(patch.clone());
        let change = |definition: &mut Value| {
            merge(definition, patch.clone());
            Ok(())
        };
        let summary = format!("the definition of tunnel {tunnel:?} changes");
        let intended = self.edit(tunnel, summary, change, Act::Patch(patch.clone())).await?;
        self.step(Tool::UpdateTunnel, json!({ "tunnel": tunnel, "patch": patch }), step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn add_route(&self, asked: &AddRoute) -> Result<Answer, Failure> {
        let AddRoute { tunnel, place, service, dns, step } = asked;
        let place = named(Tool::AddRoute, place)?;
        let mut route: Map<String, Value> = place.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect();
        let is_public = place.iter().any(|(key, _)| *key == "hostname");
        match (is_public, service) {
            (true, Some(service)) => {
                route.insert("service".to_owned(), json!(service));
                route.extend(dns.filter(|dns| !dns).map(|dns| ("dns".to_owned(), json!(dns))));
            }
            (true, None) => return Err(wrong(Tool::AddRoute, "service", "it is missing: a hostname needs a service to lead to")),
            (false, None) if dns.is_none() => {}
            (false, _) => {
                return Err(wrong(Tool::AddRoute, "service", "service and dns belong to a hostname, not to a private route"));
            }
        }
        let route = Value::Object(route);
        let change = |definition: &mut Value| match PrivateRoute::of_body(&route) {
            Some(private) => private.add_to(definition),
            None => add_route(definition, route.clone()),
        };
        let summary = format!("a route is added to tunnel {tunnel:?}");
        let intended = self.edit(tunnel, summary, change, Act::AddRoute(route.clone())).await?;
        self.step(Tool::AddRoute, json!({ "tunnel": tunnel, "route": route }), step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn remove_route(&self, asked: &RemoveRoute) -> Result<Answer, Failure> {
        let RemoveRoute { tunnel, place, step } = asked;
        let place = named(Tool::RemoveRoute, place)?;
        let text = |wanted| place.iter().find(|(key, _)| *key == wanted).map(|(_, text)| text.as_str());
        let route = Value::Object(place.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect());
        let change = |definition: &mut Value| match PrivateRoute::of_body(&route) {
            Some(private) => private.remove_from(definition),
            None => remove_route(definition, text("hostname").unwrap_or_default(), text("path")),
        };
        let summary = format!("a route is removed from tunnel {tunnel:?}: requests for it are no longer answered");
        let intended = self.edit(tunnel, summary, change, Act::RemoveRoute(place.clone())).await?;
        self.step(Tool::RemoveRoute, json!({ "tunnel": tunnel, "route": route }), step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn delete_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let (detail, version) = self.look(name).await?;
        let summary = format!(
            "tunnel {name:?} is deleted with its {}, at Cloudflare and on this host; this cannot be taken back",
            counted(detail.tunnel.routes.len(), "route")
        );
        let intended = Intended {
            tunnel: name.clone(),
            summary,
            before: Some(detail.definition),
            after: None,
            connectors: effect::all_stopped(self.client.plan_restart(name).await?.replaces),
            version: Some(version),
            act: Act::Delete,
        };
        self.step(Tool::DeleteTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn start_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let (detail, version) = self.look(name).await?;
        let summary = format!("tunnel {name:?} is no longer stopped: its connectors start");
        let stopped = (detail.tunnel.stop.is_some(), false);
        let intended = Intended::of_run(name, summary, stopped, Vec::new(), version, Act::Start);
        self.step(Tool::StartTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn stop_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let (detail, version) = self.look(name).await?;
        let connectors = effect::all_stopped(self.client.plan_restart(name).await?.replaces);
        let summary = format!("the connectors of tunnel {name:?} stop until it is started: its hostnames stop answering");
        let stopped = (detail.tunnel.stop.is_some(), true);
        let intended = Intended::of_run(name, summary, stopped, connectors, version, Act::Stop);
        self.step(Tool::StopTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn restart_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let (detail, version) = self.look(name).await?;
        let connectors = self.client.plan_restart(name).await?.replaces;
        let summary = format!("the connectors of tunnel {name:?} are replaced one after another");
        let is_stopped = detail.tunnel.stop.is_some();
        let intended = Intended::of_run(name, summary, (is_stopped, is_stopped), connectors, version, Act::Restart);
        self.step(Tool::RestartTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(super) async fn apply(&self, asked: &Apply) -> Result<Answer, Failure> {
        let applied = self.client.apply(Some(&asked.plan_hash)).await?;
        let heading = format!("Done: {}. Left: {}.", counted(applied.done, "step"), counted(applied.left.len(), "thing"));
        let lines = applied.left.iter().map(|reason| format!("{}: {}", reason.code, reason.sentence)).collect();
        Ok(Answer::new(heading, applied).with_lines(lines))
    }

    /// A change of a tunnel's definition.
    async fn edit(
        &self,
        name: &str,
        summary: String,
        change: impl FnOnce(&mut Value) -> Result<(), Error>,
        act: Act,
    ) -> Result<Intended, Failure> {
        let (TunnelDetail { tunnel, definition, .. }, version) = self.look(name).await?;
        if tunnel.origin != API {
            let message = format!("cannot change tunnel {name:?}: it is defined in {}", tunnel.origin);
            return Err(Error::new(ErrorKind::ReadOnly, message).with_hint("change the file and reload").into());
        }
        let mut after = definition.clone();
        change(&mut after)?;
        let replaces = if definition == after { Vec::new() } else { self.client.plan_restart(name).await?.replaces };
        let connectors = effect::of_edit(&definition, &after, replaces);
        Ok(Intended {
            tunnel: name.to_owned(),
            summary,
            before: Some(definition),
            after: Some(after),
            connectors,
            version: Some(version),
            act,
        })
    }

    async fn look(&self, name: &str) -> Result<(TunnelDetail, Version), Failure> {
        self.limits.check_tunnel(name)?;
        Ok(self.client.tunnel_with_version(name).await?)
    }

    async fn definition_of(&self, name: &str) -> Result<Option<Value>, Failure> {
        match self.client.tunnel(name).await {
            Ok(detail) => Ok(Some(detail.definition)),
            // Who may make a tunnel by a grant may not be told whether there is one that the grant does not cover.
            Err(trouble) if matches!(trouble.kind(), Some(ErrorKind::NotFound | ErrorKind::NotPermitted)) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// Shows what is intended, or does it when that is what `given` names.
    async fn step(&self, tool: Tool, arguments: Value, given: Option<&str>, intended: Intended) -> Result<Answer, Failure> {
        // Which requests are open changes all the time, which connectors carry them does not.
        let processes: Vec<_> = intended.connectors.iter().map(|Replaced { replica, pid, .. }| (replica, pid)).collect();
        let version = intended.version.as_ref().map(Version::as_str);
        let state = json!({ "before": intended.before, "version": version, "connectors": processes });
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

/// The origin of what can be changed over the socket.
const API: &str = "api";

impl Intended {
    /// What an operator asks of a tunnel as it is, whether it is stopped before and after.
    fn of_run(
        tunnel: &str,
        summary: String,
        (before, after): (bool, bool),
        connectors: Vec<Replaced>,
        version: Version,
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
    async fn carry_out(&self, client: &Client, tunnel: &str) -> Result<Changed, crate::control::Trouble> {
        match self {
            Self::Create(definition) => client.create_tunnel(tunnel, definition.clone()).await,
            Self::Patch(patch) => client.patch_tunnel(tunnel, patch).await,
            Self::Delete => client.delete_tunnel(tunnel).await,
            Self::Start => client.start_tunnel(tunnel).await,
            Self::Stop => client.stop_tunnel(tunnel).await,
            Self::Restart => client.restart_tunnel(tunnel).await,
            Self::AddRoute(route) => client.add_route(tunnel, route).await,
            Self::RemoveRoute(place) => client.remove_private_route(tunnel, place).await,
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
    let table = |value: Option<Value>| value.and_then(|value| value.as_object().cloned());
    let (before, after) = (table(before), table(after));
    let data = Change { step, tunnel, summary, changes, plan_hash, before, after, connectors, open_requests, next };
    Answer::new(heading, data).with_lines(lines)
}

/// The keys that name a route, of which exactly one kind is given.
fn named(tool: Tool, place: &Place) -> Result<Vec<(&'static str, String)>, Failure> {
    let Place { hostname, path, network, virtual_network, private_hostname } = place;
    let kinds = [hostname, network, private_hostname].into_iter().flatten().count();
    if kinds != 1 {
        return Err(wrong(tool, "hostname", "exactly one of hostname, network and private_hostname says what the route is for"));
    }
    if path.is_some() && hostname.is_none() {
        return Err(wrong(tool, "path", "a path belongs to a hostname"));
    }
    if virtual_network.is_some() && network.is_none() {
        return Err(wrong(tool, "virtual_network", "a virtual network belongs to a network"));
    }
    let pairs = [
        ("hostname", hostname),
        ("path", path),
        ("network", network),
        ("virtual_network", virtual_network),
        ("private_hostname", private_hostname),
    ];
    Ok(pairs.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect())
}

fn wrong(tool: Tool, at: &str, problem: &str) -> Failure {
    Failure::of_arguments(tool.name(), vec![Problem { at: Some(at.to_owned()), problem: problem.to_owned() }])
}
