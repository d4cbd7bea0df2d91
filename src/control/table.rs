//! Every endpoint of the control socket, and what it needs.
//!
//! The server is built from this table, so that there is no path without a line here and no request without a decision.

use std::fmt;

use crate::config::Role;

/// One method of one path.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// What it does.
    pub action: Action,
    /// Its method.
    pub method: Method,
    /// Its path, with `{name}` for a tunnel's name.
    pub path: &'static str,
    /// What its caller has to be allowed.
    pub need: Need,
    /// The word for it in the audit log, when it changes something.
    pub audit: Option<&'static str>,
}

/// What the caller of an endpoint has to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it tells the caller only about the caller, or nothing about this host.
    Nothing,
    /// A role everywhere.
    Everywhere(Role),
    /// A role for the tunnel in the path, everywhere or by a grant.
    ForTunnel(Role),
    /// A role for anything; the answer then holds only what the caller may see, or the request's body decides.
    Anywhere(Role),
}

/// The HTTP methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET reads.
    Get,
    /// POST makes or does.
    Post,
    /// PUT replaces.
    Put,
    /// PATCH changes a part.
    Patch,
    /// DELETE removes.
    Delete,
}

/// What an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says what each is")]
pub enum Action {
    WhoAmI,
    Version,
    Health,
    Status,
    Tunnels,
    CreateTunnel,
    Tunnel,
    ReplaceTunnel,
    PatchTunnel,
    DeleteTunnel,
    StartTunnel,
    StopTunnel,
    RestartTunnel,
    PlanRestart,
    RotateTunnel,
    Logs,
    Routes,
    AddRoute,
    RemoveRoute,
    Events,
    Plan,
    Apply,
    Configuration,
    ReloadConfiguration,
    Credentials,
    CheckCredentials,
    CheckOrigins,
    LookAtTunnel,
    AdoptTunnel,
    ForgetTunnel,
    LookAtRoute,
    AdoptRoute,
    Identity,
    TakeOverIdentity,
    NewIdentity,
    Orphans,
    DeleteOrphans,
    OpenApi,
    Operations,
    Operation,
    Doctor,
    Diagnose,
    Audit,
    Traffic,
}

use Action as Does;
use Method::{Delete, Get, Patch, Post, Put};
use Need::{Anywhere, Everywhere, ForTunnel, Nothing};
use Role::{Admin, Editor, Operator, Viewer};

/// The table.
#[rustfmt::skip]
pub const ENDPOINTS: [Endpoint; 44] = [
    read(Does::WhoAmI,                Get,    "/v1/whoami",                   Nothing),
    read(Does::Version,               Get,    "/v1/version",                  Anywhere(Viewer)),
    read(Does::Health,                Get,    "/v1/health",                   Anywhere(Viewer)),
    read(Does::Status,                Get,    "/v1/status",                   Anywhere(Viewer)),
    read(Does::Tunnels,               Get,    "/v1/tunnels",                  Anywhere(Viewer)),
    change(Does::CreateTunnel,        Post,   "/v1/tunnels",                  Anywhere(Editor),   "create"),
    read(Does::Tunnel,                Get,    "/v1/tunnels/{name}",           ForTunnel(Viewer)),
    change(Does::ReplaceTunnel,       Put,    "/v1/tunnels/{name}",           ForTunnel(Editor),  "replace"),
    change(Does::PatchTunnel,         Patch,  "/v1/tunnels/{name}",           ForTunnel(Editor),  "update"),
    change(Does::DeleteTunnel,        Delete, "/v1/tunnels/{name}",           ForTunnel(Editor),  "delete"),
    change(Does::StartTunnel,         Post,   "/v1/tunnels/{name}/start",     ForTunnel(Operator), "start"),
    change(Does::StopTunnel,          Post,   "/v1/tunnels/{name}/stop",      ForTunnel(Operator), "stop"),
    change(Does::RestartTunnel,       Post,   "/v1/tunnels/{name}/restart",   ForTunnel(Operator), "restart"),
    read(Does::PlanRestart,           Get,    "/v1/tunnels/{name}/restart",   ForTunnel(Viewer)),
    // Whoever else holds the tunnel's secret is locked out by it.
    change(Does::RotateTunnel,        Post,   "/v1/tunnels/{name}/rotate",    ForTunnel(Admin),   "rotate"),
    read(Does::Logs,                  Get,    "/v1/tunnels/{name}/logs",      ForTunnel(Operator)),
    read(Does::Routes,                Get,    "/v1/routes",                   Anywhere(Viewer)),
    change(Does::AddRoute,            Post,   "/v1/tunnels/{name}/routes",    ForTunnel(Editor),  "add route"),
    change(Does::RemoveRoute,         Delete, "/v1/tunnels/{name}/routes",    ForTunnel(Editor),  "remove route"),
    read(Does::Events,                Get,    "/v1/events",                   Anywhere(Viewer)),
    read(Does::Plan,                  Get,    "/v1/plan",                     Everywhere(Viewer)),
    change(Does::Apply,               Post,   "/v1/apply",                    Everywhere(Admin),  "apply"),
    read(Does::Configuration,         Get,    "/v1/config",                   Everywhere(Viewer)),
    change(Does::ReloadConfiguration, Post,   "/v1/config/reload",            Everywhere(Admin),  "reload"),
    read(Does::Credentials,           Get,    "/v1/credentials",              Everywhere(Viewer)),
    // It changes nothing, but spends calls of the account's rate limit.
    read(Does::CheckCredentials,      Post,   "/v1/credentials/check",        Everywhere(Operator)),
    // It changes nothing, but the daemon knocks at whatever is named.
    read(Does::CheckOrigins,          Post,   "/v1/origins/check",            Everywhere(Admin)),
    read(Does::LookAtTunnel,          Get,    "/v1/tunnels/{name}/adoption",  Everywhere(Admin)),
    change(Does::AdoptTunnel,         Post,   "/v1/tunnels/{name}/adoption",  Everywhere(Admin),  "adopt"),
    change(Does::ForgetTunnel,        Post,   "/v1/tunnels/{name}/forget",    Everywhere(Admin),  "forget"),
    read(Does::LookAtRoute,           Get,    "/v1/routes/adoption",          Everywhere(Admin)),
    change(Does::AdoptRoute,          Post,   "/v1/routes/adoption",          Everywhere(Admin),  "adopt route"),
    read(Does::Identity,              Get,    "/v1/identity",                 Everywhere(Viewer)),
    change(Does::TakeOverIdentity,    Post,   "/v1/identity/take-over",       Everywhere(Admin),  "identity take-over"),
    change(Does::NewIdentity,         Post,   "/v1/identity/new",             Everywhere(Admin),  "identity new"),
    // It spends calls, too.
    read(Does::Orphans,               Get,    "/v1/orphans",                  Everywhere(Operator)),
    change(Does::DeleteOrphans,       Post,   "/v1/orphans",                  Everywhere(Admin),  "gc"),
    // It describes this table, the same on every host.
    read(Does::OpenApi,               Get,    "/v1/openapi.json",             Nothing),
    // The answer holds what the caller may see of it.
    read(Does::Operations,            Get,    "/v1/operations",               Anywhere(Viewer)),
    read(Does::Operation,             Get,    "/v1/operations/{id}",          Anywhere(Viewer)),
    // It changes nothing, but knocks at Cloudflare and spends calls.
    read(Does::Doctor,                Get,    "/v1/doctor",                   Everywhere(Operator)),
    // Only the origins of tunnels that the caller may see are knocked at.
    read(Does::Diagnose,              Get,    "/v1/diagnose",                 Anywhere(Viewer)),
    read(Does::Audit,                 Get,    "/v1/audit",                    Everywhere(Admin)),
    read(Does::Traffic,               Get,    "/v1/traffic",                  Anywhere(Viewer)),
];

const fn read(action: Action, method: Method, path: &'static str, need: Need) -> Endpoint {
    Endpoint { action, method, path, need, audit: None }
}

const fn change(action: Action, method: Method, path: &'static str, need: Need, audit: &'static str) -> Endpoint {
    Endpoint { action, method, path, need, audit: Some(audit) }
}

impl Endpoint {
    /// Whether a request's path is one of this endpoint's.
    pub(super) fn is_of(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.path.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(pattern), Some(part)) if pattern == part || (pattern.starts_with('{') && !part.is_empty()) => {}
                (Some(_) | None, _) => return false,
            }
        }
    }
}

impl Need {
    /// The role that is needed somewhere, if any.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Nothing => None,
            Self::Everywhere(role) | Self::ForTunnel(role) | Self::Anywhere(role) => Some(role),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}
