//! What is done to one tunnel: its definition, its connectors, its secret.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    DaemonBackend, OPERATION_TIME_MAX,
    progress::Mine,
    refusals::{endless, not_asked, not_restarted, refused},
};
use crate::{
    connector::Stop,
    control::{
        Backend, Definition, Principal, Progress,
        api::{Change, Error, ErrorKind},
    },
    intent::{ChangeError, Changed, definition_version},
    name::TunnelName,
    supervisor::Restart,
};

/// What a connector that was killed after its grace period may take besides, until it is gone.
const DRAIN_MARGIN: Duration = Duration::from_secs(10);

impl DaemonBackend {
    pub(super) fn tunnel_definition(&self, name: &TunnelName) -> Option<Definition> {
        let intended = self.intended();
        let Some(tunnel) = intended.config.tunnels.get(name) else {
            // A tunnel that is being taken down, or whose definition cannot be read, is there and has none.
            return self.tunnel(name).map(|_| Definition { value: Value::Null, version: "0".to_owned() });
        };
        Some(Definition { value: tunnel.definition(), version: definition_version(tunnel) })
    }

    pub(super) async fn create_tunnel(&self, by: &Principal, name: TunnelName, definition: Value) -> Result<Change, Error> {
        let changed = self.intent.create(name.clone(), object(definition)?).await.map_err(refused)?;
        if changed != Changed::Unchanged {
            self.acted(by, "create", &name);
        }
        Ok(change(changed))
    }

    pub(super) async fn replace_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        definition: Value,
        expected: Option<&str>,
    ) -> Result<Change, Error> {
        let expected = expected.map(str::to_owned);
        let changed = self.intent.replace(name.clone(), object(definition)?, expected).await.map_err(refused)?;
        if changed != Changed::Unchanged {
            self.acted(by, "update", name);
        }
        Ok(change(changed))
    }

    pub(super) async fn delete_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        expected: Option<&str>,
        progress: &Progress,
    ) -> Result<Change, Error> {
        self.reconciler.check_writes().map_err(not_asked)?;
        match self.intent.remove(name.clone(), expected.map(str::to_owned)).await {
            Ok(_) => self.acted(by, "delete", name),
            // Its definition is gone already and something of it is left: deleting goes on.
            Err(ChangeError::NotFound(_)) if self.tunnel(name).is_some() => {}
            Err(error) => return Err(refused(error)),
        }
        // The definition is gone for good. What is at Cloudflare goes when the connectors have finished their requests, step by step,
        // and on its own when this takes too long.
        progress.say(format!("the connectors of tunnel {name} finish their requests"));
        let deleting = async {
            self.until_drained(name).await;
            self.reconciler.delete_tunnel(name).await
        };
        let deleting = self.telling(progress, Mine::Of(name.clone()), deleting);
        tokio::time::timeout(OPERATION_TIME_MAX, deleting).await.unwrap_or(Ok(false)).map_err(not_asked)?;
        Ok(Change::Accepted)
    }

    /// Waits until no connector of a tunnel that is wanted no more is left, or until each had the time to finish its requests.
    pub(super) async fn until_drained(&self, name: &TunnelName) {
        let patience = self.intended().config.cloudflared.grace_period + DRAIN_MARGIN;
        let mut happened = self.recorder.watch();
        let drained = async {
            while self.recorder.status().tunnels.get(name).is_some_and(|tunnel| !tunnel.connectors.is_empty()) {
                if happened.changed().await.is_err() {
                    // Nothing happens any more.
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(patience, drained).await;
    }

    pub(super) async fn set_stop(&self, by: &Principal, name: &TunnelName, stop: Option<Stop>) -> Result<Change, Error> {
        let verb = if stop.is_some() { "stop" } else { "start" };
        let changed = self.intent.set_stop(name.clone(), stop).await.map_err(refused)?;
        if changed != Changed::Unchanged {
            self.acted(by, verb, name);
        }
        Ok(change(changed))
    }

    pub(super) async fn restart_tunnel(&self, by: &Principal, name: &TunnelName) -> Result<Change, Error> {
        let intended = self.intended();
        if !intended.config.tunnels.contains_key(name) {
            return Err(refused(self.intent.missing(name)));
        }
        if let Some(stop) = intended.stops.get(name) {
            let message = format!("cannot restart tunnel {name}: {} stopped it", stop.by);
            return Err(Error::new(ErrorKind::Conflict, message).with_hint(format!("start it with `adit tunnel start {name}`")));
        }
        self.supervisor.restart(name, Restart::MakeBeforeBreak).await.map_err(not_restarted)?;
        self.acted(by, "restart", name);
        Ok(Change::Accepted)
    }

    pub(super) async fn rotate_tunnel(
        &self,
        by: &Principal,
        name: &TunnelName,
        emergency: bool,
        progress: &Progress,
    ) -> Result<Change, Error> {
        if !self.intended().config.tunnels.contains_key(name) {
            return Err(refused(self.intent.missing(name)));
        }
        progress.say(format!("tunnel {name} gets another secret"));
        let rotating = self.reconciler.rotate_tunnel(name, emergency, by.who());
        let rotating = self.telling(progress, Mine::Of(name.clone()), rotating);
        let begun = tokio::time::timeout(OPERATION_TIME_MAX, rotating).await.map_err(|_| endless())?.map_err(not_asked)?;
        if begun {
            self.acted(by, "rotate", name);
        }
        Ok(if begun { Change::Accepted } else { Change::Unchanged })
    }
}

pub(super) fn object(definition: Value) -> Result<Map<String, Value>, Error> {
    match definition {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::new(ErrorKind::Invalid, "cannot use the definition: it must be an object, as in {\"ingress\": [...]}"))
        }
    }
}

pub(super) fn change(changed: Changed) -> Change {
    match changed {
        Changed::Created | Changed::Updated => Change::Accepted,
        Changed::Unchanged => Change::Unchanged,
    }
}
