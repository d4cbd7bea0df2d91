//! The decision over each request: who asks, what they may, and what is kept of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, RawPathParams, Request, State},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{Shared, auditing::Audited};
use crate::{
    config::{Access, Role},
    control::{
        access::{Object, Policy, Standing, waived_access},
        api::{Error, ErrorKind, Tunnel},
        backend::{Backend, Reach},
        peer::{Names, Principal},
        table::{Endpoint, Need},
    },
    name::TunnelName,
};

/// How long the ids of the users and groups in the access rules are taken as known: a group made later counts after this time.
const NAMES_AGE_MAX: Duration = Duration::from_secs(30);

/// How long the name service may take. What root may needs no names.
const NAMES_TIME_MAX: Duration = Duration::from_secs(5);

/// The most names of users that are remembered.
const USERS_MAX: usize = 256;

/// Whoever asks, and what they may.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Who.
    pub(super) principal: Arc<Principal>,
    /// What they may.
    pub(super) standing: Arc<Standing>,
}

/// What is known of the users and groups of this host.
#[derive(Default)]
pub(super) struct Gate {
    policy: tokio::sync::Mutex<Option<(Instant, Arc<Policy>)>>,
    users: Mutex<Users>,
}

/// The names of users, and when each was looked up.
type Users = BTreeMap<u32, (Instant, Option<String>)>;

/// The state of the gate before one endpoint.
pub(super) struct Guarded<B> {
    /// What the endpoint needs.
    pub(super) endpoint: Endpoint,
    /// What every request's handling needs.
    pub(super) shared: Arc<Shared<B>>,
}

/// Lets a request pass to its handler, or not; and keeps what came of a change.
pub(super) async fn guard<B: Backend>(State(guarded): State<Guarded<B>>, request: Request, next: Next) -> Response {
    let Guarded { endpoint, shared } = guarded;
    let (mut parts, body) = request.into_parts();
    let principal =
        Arc::clone(parts.extensions.get::<Arc<Principal>>().expect("a connection adds its principal to each request"));
    let tunnel = match tunnel_in_path(&mut parts).await {
        Ok(tunnel) => tunnel,
        Err(error) => return error.into_response(),
    };
    let Decision { role, allowed } = shared.decide(&endpoint, &principal, tunnel.as_deref()).await;
    let caller = allowed.map(|standing| Caller { principal: Arc::clone(&principal), standing: Arc::new(standing) });
    let audited = endpoint.audit.map(|verb| Audited { shared, endpoint, verb, principal, role, tunnel });
    match (caller, audited) {
        (Ok(caller), Some(audited)) => audited.carry_out(caller, Request::from_parts(parts, body), next).await,
        (Ok(caller), None) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        (Err(error), Some(audited)) => audited.refused(error),
        (Err(error), None) => error.into_response(),
    }
}

/// Whether a request may pass.
struct Decision {
    /// The highest role that the caller has for what the request is about.
    role: Option<Role>,
    /// What they may, or why they may not.
    allowed: Result<Standing, Error>,
}

impl<B: Backend> Shared<B> {
    async fn decide(&self, endpoint: &Endpoint, principal: &Principal, tunnel: Option<&str>) -> Decision {
        if principal.is_connector {
            return Decision { role: None, allowed: Err(came_through_a_tunnel(endpoint)) };
        }
        let standing = match self.gate.standing(principal, self.backend.access()).await {
            Ok(standing) => standing,
            Err(error) => return Decision { role: None, allowed: Err(error) },
        };
        let role = match endpoint.need {
            Need::Nothing | Need::Everywhere(_) => standing.role,
            Need::Anywhere(_) => standing.role_anywhere(),
            // A grant says nothing about a tunnel that is not there, nor does the answer.
            Need::ForTunnel(_) => match self.object(tunnel) {
                Some(object) => standing.role_for(&object),
                None => standing.role,
            },
        };
        let is_allowed = endpoint.need.role().is_none_or(|need| role.is_some_and(|role| role >= need));
        let allowed = if is_allowed { Ok(standing) } else { Err(not_permitted(endpoint, principal, role)) };
        Decision { role, allowed }
    }

    fn object(&self, tunnel: Option<&str>) -> Option<Object> {
        let name = TunnelName::try_from(tunnel?.to_owned()).ok()?;
        self.backend.tunnel(&name).map(|tunnel| Object::of_tunnel(&tunnel))
    }

    /// Whether `principal` may anything at all, for answers about paths that the table does not have.
    pub(super) async fn may_anything(&self, principal: &Principal) -> bool {
        if principal.is_connector {
            return false;
        }
        let standing = self.gate.standing(principal, self.backend.access()).await;
        standing.is_ok_and(|standing| standing.anywhere(Role::Viewer))
    }
}

impl Gate {
    /// What `principal` may by the rules of `access`.
    async fn standing(&self, principal: &Principal, access: Arc<Access>) -> Result<Standing, Error> {
        if principal.uid == 0 {
            return Ok(Standing::root());
        }
        Ok(self.policy(access).await?.standing(principal))
    }

    async fn policy(&self, access: Arc<Access>) -> Result<Arc<Policy>, Error> {
        // Whoever comes while names are looked up waits for that one look-up.
        let mut known = self.policy.lock().await;
        if let Some((at, policy)) = known.as_ref()
            && at.elapsed() < NAMES_AGE_MAX
            && policy.is_of(&access)
        {
            return Ok(Arc::clone(policy));
        }
        let former = known.take().map(|(_, policy)| policy).filter(|policy| policy.is_of(&access));
        let resolved = timeout(NAMES_TIME_MAX, spawn_blocking(move || Policy::resolve(access))).await;
        let policy = match (resolved, former) {
            (Ok(Ok(policy)), _) if policy.is_complete() => Arc::new(policy),
            // While the name service is out of order, what it said last holds.
            (_, Some(former)) => former,
            (Ok(Ok(policy)), None) => Arc::new(policy),
            (Ok(Err(_)) | Err(_), None) => return Err(no_names()),
        };
        *known = Some((Instant::now(), Arc::clone(&policy)));
        Ok(policy)
    }

    /// `principal` with the name of its user, if that can be had in time.
    pub(super) async fn with_user_name(&self, principal: Principal) -> Principal {
        let user = match principal.user {
            Some(user) => Some(user),
            None => self.user_name(principal.uid, Names::of_user).await,
        };
        Principal { user, ..principal }
    }

    async fn user_name(&self, uid: u32, look_up: impl FnOnce(u32) -> Option<String> + Send + 'static) -> Option<String> {
        if let Some((at, user)) = self.users().get(&uid)
            && at.elapsed() < NAMES_AGE_MAX
        {
            return user.clone();
        }
        let looked_up = timeout(NAMES_TIME_MAX, spawn_blocking(move || look_up(uid))).await;
        // Whom the name service does not name in time has no name for a while: each question that it lets hang holds a thread.
        let user = looked_up.ok().and_then(Result::ok).flatten();
        let mut users = self.users();
        if users.len() >= USERS_MAX {
            users.clear();
        }
        users.insert(uid, (Instant::now(), user.clone()));
        user
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// Whether they may see `tunnel`.
    pub(super) fn sees(&self, tunnel: &Tunnel) -> bool {
        self.sees_all() || self.standing.covers(Role::Viewer, &Object::of_tunnel(tunnel))
    }

    /// Whether they may see everything.
    pub(super) fn sees_all(&self) -> bool {
        self.standing.everywhere(Role::Viewer)
    }

    /// Hands each tunnel that they may see to `show`, by name.
    pub(super) fn each_seen(&self, backend: &impl Backend, show: &mut dyn FnMut(&Tunnel)) {
        backend.tunnels(&mut |tunnel| {
            if self.sees(tunnel) {
                show(tunnel);
            }
        });
    }

    /// The names of the tunnels that they may see.
    pub(super) fn seen_names(&self, backend: &impl Backend) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.each_seen(backend, &mut |tunnel| {
            names.insert(tunnel.name.clone());
        });
        names
    }

    /// The tunnels for which they may what `role` may.
    pub(super) fn reach<B: Backend>(&self, role: Role, backend: &B) -> Reach {
        if self.standing.everywhere(role) {
            return Reach::All;
        }
        let mut names = BTreeSet::new();
        backend.tunnels(&mut |tunnel| {
            if self.standing.covers(role, &Object::of_tunnel(tunnel)) {
                names.extend(TunnelName::try_from(tunnel.name.clone()));
            }
        });
        Reach::Only(names)
    }

    /// Refuses to take away what only an admin may write.
    pub(super) fn check_deletion(&self, name: &TunnelName, former: &serde_json::Value) -> Result<(), Error> {
        let may = self.standing.may_delete(&Object::of_definition(name.as_str(), former));
        may.map_err(|why| refused("delete", name, &why))
    }

    /// Refuses a definition that reaches beyond what they may write where `former` stood.
    pub(super) fn check_definition(
        &self,
        name: &TunnelName,
        former: Option<&serde_json::Value>,
        definition: &serde_json::Value,
    ) -> Result<(), Error> {
        let object = |definition| Object::of_definition(name.as_str(), definition);
        let may = self.standing.may_define(former.map(object).as_ref(), &object(definition));
        may.map_err(|why| refused("write", name, &why))
    }

    /// Refuses a change by which something is public without the Access application that it demanded, but to admins.
    pub(super) fn check_access_kept(
        &self,
        name: &TunnelName,
        before: &serde_json::Value,
        after: &serde_json::Value,
    ) -> Result<(), Error> {
        match waived_access(before, after) {
            Some(what) if !self.standing.everywhere(Role::Admin) => {
                Err(refused("write", name, &format!("{what} needs role \"admin\"")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn no_names() -> Error {
    let message = "cannot decide what you may: the host's name service does not tell who is in [access]";
    Error::new(ErrorKind::Unavailable, message).with_hint("root is served without names")
}

fn refused(doing: &str, name: &TunnelName, why: &str) -> Error {
    Error::new(ErrorKind::NotPermitted, format!("cannot {doing} tunnel {:?}: {why}", name.as_str())).with_hint(HINT)
}

/// What helps whoever is refused.
pub(super) const HINT: &str =
    "\"adit whoami\" shows what you may; an administrator grants more under [access] in the configuration";

fn not_permitted(endpoint: &Endpoint, principal: &Principal, role: Option<Role>) -> Error {
    let needed = endpoint.need.role().map(|role| role.to_string()).unwrap_or_default();
    let has = match role {
        Some(role) => format!("has only role \"{role}\" there"),
        None => "has no role there".to_owned(),
    };
    let message =
        format!("cannot {} {}: user {:?} {has}, and role {needed:?} is needed", endpoint.method, endpoint.path, principal.who());
    Error::new(ErrorKind::NotPermitted, message).with_hint(HINT)
}

fn came_through_a_tunnel(endpoint: &Endpoint) -> Error {
    let message = format!("cannot {} {}: a connector asks, so this came through a tunnel", endpoint.method, endpoint.path);
    Error::new(ErrorKind::NotPermitted, message).with_hint("no tunnel may lead to Adit's own control socket")
}

/// The tunnel that a request's path names.
pub(super) async fn tunnel_in_path(parts: &mut Parts) -> Result<Option<String>, Error> {
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| {
        let message = format!("cannot read the path {:?}: what it encodes is no UTF-8", parts.uri.path());
        Error::new(ErrorKind::Malformed, message).with_hint("a name is letters, digits and -; everything else is no name of ours")
    })?;
    Ok(params.iter().find(|(key, _)| *key == "name").map(|(_, name)| name.to_owned()))
}

impl<B> Clone for Guarded<B> {
    fn clone(&self) -> Self {
        Self { endpoint: self.endpoint, shared: Arc::clone(&self.shared) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().expect("the gate adds the caller to each request that it lets pass").clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::poll;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_name_service_that_does_not_answer_is_not_asked_again_at_once() {
        let (gate, (release, held)) = (Gate::default(), mpsc::channel::<()>());
        let mut hanging = Box::pin(gate.user_name(1000, move |_| held.recv().err().map(|_| "too late".to_owned())));
        assert!(poll!(&mut hanging).is_pending());
        advance(NAMES_TIME_MAX).await;
        assert_eq!(hanging.await, None);
        assert_eq!(gate.user_name(1000, |_| Some("asked".to_owned())).await, None);
        advance(NAMES_AGE_MAX).await;
        assert_eq!(gate.user_name(1000, |_| Some("ada".to_owned())).await.as_deref(), Some("ada"));
        drop(release);
    }
}
