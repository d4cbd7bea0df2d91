//! What each tool that changes something intends.

use serde_json::{Map, Value, json};

use super::{Act, Intended, effect};
use crate::{
    control::{
        PrivateRoute, add_route,
        api::{Error, ErrorKind, Problem, TunnelDetail},
        merge, remove_route,
    },
    counted::counted,
    mcp::{
        answer::Answer,
        arguments::{AddRoute, Apply, CreateTunnel, OneTunnel, Place, RemoveRoute, UpdateTunnel},
        failure::Failure,
        read::Reader,
        tool::Tool,
    },
};

/// The origin of what can be changed over the socket.
const API: &str = "api";

impl Reader {
    pub(in crate::mcp) async fn create_tunnel(&self, asked: &CreateTunnel) -> Result<Answer, Failure> {
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

    pub(in crate::mcp) async fn update_tunnel(&self, asked: &UpdateTunnel) -> Result<Answer, Failure> {
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

    pub(in crate::mcp) async fn add_route(&self, asked: &AddRoute) -> Result<Answer, Failure> {
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

    pub(in crate::mcp) async fn remove_route(&self, asked: &RemoveRoute) -> Result<Answer, Failure> {
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

    pub(in crate::mcp) async fn delete_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let TunnelDetail { tunnel, definition, version } = self.look(name).await?;
        let summary = format!(
            "tunnel {name:?} is deleted with its {}, at Cloudflare and on this host; this cannot be taken back",
            counted(tunnel.routes.len(), "route")
        );
        let intended = Intended {
            tunnel: name.clone(),
            summary,
            before: Some(definition),
            after: None,
            connectors: effect::all_stopped(self.client.plan_restart(name).await?.replaces),
            version: Some(version),
            act: Act::Delete,
        };
        self.step(Tool::DeleteTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(in crate::mcp) async fn start_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let TunnelDetail { tunnel, version, .. } = self.look(name).await?;
        let summary = format!("tunnel {name:?} is no longer stopped: its connectors start");
        let stopped = (tunnel.stop.is_some(), false);
        let intended = Intended::of_run(name, summary, stopped, Vec::new(), version, Act::Start);
        self.step(Tool::StartTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(in crate::mcp) async fn stop_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let TunnelDetail { tunnel, version, .. } = self.look(name).await?;
        let connectors = effect::all_stopped(self.client.plan_restart(name).await?.replaces);
        let summary = format!("the connectors of tunnel {name:?} stop until it is started: its hostnames stop answering");
        let stopped = (tunnel.stop.is_some(), true);
        let intended = Intended::of_run(name, summary, stopped, connectors, version, Act::Stop);
        self.step(Tool::StopTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(in crate::mcp) async fn restart_tunnel(&self, asked: &OneTunnel) -> Result<Answer, Failure> {
        let name = &asked.tunnel;
        let TunnelDetail { tunnel, version, .. } = self.look(name).await?;
        let connectors = self.client.plan_restart(name).await?.replaces;
        let summary = format!("the connectors of tunnel {name:?} are replaced one after another");
        let is_stopped = tunnel.stop.is_some();
        let intended = Intended::of_run(name, summary, (is_stopped, is_stopped), connectors, version, Act::Restart);
        self.step(Tool::RestartTunnel, json!({ "tunnel": name }), asked.step.plan_hash.as_deref(), intended).await
    }

    pub(in crate::mcp) async fn apply(&self, asked: &Apply) -> Result<Answer, Failure> {
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
        let TunnelDetail { tunnel, definition, version } = self.look(name).await?;
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

    async fn look(&self, name: &str) -> Result<TunnelDetail, Failure> {
        self.limits.check_tunnel(name)?;
        Ok(self.client.tunnel(name).await?)
    }

    async fn definition_of(&self, name: &str) -> Result<Option<Value>, Failure> {
        match self.client.tunnel(name).await {
            Ok(detail) => Ok(Some(detail.definition)),
            // Who may make a tunnel by a grant may not be told whether there is one that the grant does not cover.
            Err(trouble) if matches!(trouble.kind(), Some(ErrorKind::NotFound | ErrorKind::NotPermitted)) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }
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
