//! What each endpoint does, takes and answers: one arm for each, in the order of the table.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::{
    operation::{Operation, Tag},
    types::Types,
};
use crate::control::{
    api::{self, ErrorKind as Kind},
    edit,
    server::queries,
    table::Action,
};

/// Why a change of a definition may be refused.
const REFUSED: &[Kind] = &[Kind::Invalid, Kind::Conflict, Kind::ReadOnly, Kind::Hold];

/// Why what needs a look at Cloudflare may be refused.
const LOOKED: &[Kind] = &[Kind::Invalid, Kind::NotFound, Kind::Conflict, Kind::Hold, Kind::Unavailable];

const OK: StatusCode = StatusCode::OK;

/// The description of `action`.
pub(super) fn describe(action: Action, types: &mut Types) -> Operation<'_> {
    match action {
        Action::WhoAmI => types
            .operation("whoAmI", Tag::Daemon, "Who the caller is, and what they may")
            .answer::<api::WhoAmI>(OK, "As the daemon sees them."),
        Action::Version => {
            types.operation("getVersion", Tag::Daemon, "The daemon's version").answer::<api::Version>(OK, "The version.")
        }
        Action::Health => types
            .operation("getHealth", Tag::Daemon, "The verdict over everything, with its reasons")
            .answer::<api::Health>(OK, "The verdict, over what the caller may see."),
        Action::Status => types
            .operation("getStatus", Tag::Daemon, "Everything at one look")
            .answer::<api::Status>(OK, "The daemon, its accounts, and the tunnels that the caller may see.")
            .cached(),
        Action::Tunnels => types
            .operation("listTunnels", Tag::Tunnels, "Every tunnel")
            .answer::<Vec<api::Tunnel>>(OK, "The tunnels that the caller may see, by name.")
            .cached(),
        Action::CreateTunnel => types
            .operation("createTunnel", Tag::Tunnels, "Make a tunnel")
            .details("It is stored at once; making it at Cloudflare and starting its connectors follows.")
            .body::<api::CreateTunnel>()
            .answer::<api::Changed>(StatusCode::CREATED, "It was stored.")
            .answer::<api::Changed>(OK, "The same tunnel with the same definition is there already.")
            .errors(REFUSED)
            .errors(&[Kind::Unavailable]),
        Action::Tunnel => types
            .operation("getTunnel", Tag::Tunnels, "One tunnel with its definition")
            .answer::<api::TunnelDetail>(OK, "The tunnel.")
            .tagged("The version of its definition, for `If-Match`."),
        Action::ReplaceTunnel => types
            .operation("replaceTunnel", Tag::Tunnels, "Give a tunnel another definition")
            .if_match()
            .body_as::<api::TunnelDefinition>(true, &["application/json"])
            .answer::<api::Changed>(StatusCode::CREATED, "With `If-None-Match: *`: it was made.")
            .answer::<api::Changed>(OK, CHANGED)
            .errors(REFUSED),
        Action::PatchTunnel => types
            .operation("patchTunnel", Tag::Tunnels, "Change a part of a tunnel's definition")
            .details("A JSON merge patch (RFC 7396): null removes a key, a list is replaced as a whole.")
            .if_match()
            .body_as::<Map<String, Value>>(false, &["application/merge-patch+json", "application/json"])
            .answer::<api::Changed>(OK, CHANGED)
            .errors(REFUSED),
        Action::DeleteTunnel => types
            .operation("deleteTunnel", Tag::Tunnels, "Delete a tunnel, here and at Cloudflare")
            .details("Its connectors finish their requests first. What takes longer than the answer goes on by itself.")
            .if_match()
            .answer::<api::Changed>(OK, CHANGED)
            .errors(REFUSED),
        Action::StartTunnel => types
            .operation("startTunnel", Tag::Tunnels, "End an operator's stop")
            .if_match()
            .answer::<api::Changed>(OK, CHANGED)
            .errors(&[Kind::Hold, Kind::Conflict]),
        Action::StopTunnel => types
            .operation("stopTunnel", Tag::Tunnels, "Stop a tunnel's connectors until somebody starts them")
            .if_match()
            .answer::<api::Changed>(OK, CHANGED)
            .errors(&[Kind::Hold, Kind::Conflict]),
        Action::RestartTunnel => types
            .operation("restartTunnel", Tag::Tunnels, "Replace a tunnel's connectors by fresh ones")
            .details("One after another, each when its successor has been ready for a while: no request is dropped.")
            .if_match()
            .answer::<api::Changed>(OK, CHANGED)
            .errors(&[Kind::Conflict]),
        Action::PlanRestart => types
            .operation("planRestart", Tag::Tunnels, "What a restart of a tunnel would do")
            .answer::<api::RestartPlan>(OK, "The connectors that would be replaced, with what would be cut."),
        Action::RotateTunnel => types
            .operation("rotateTunnel", Tag::Tunnels, "Give a tunnel another secret")
            .if_match()
            .body::<api::Rotate>()
            .answer::<api::Changed>(OK, CHANGED)
            .errors(LOOKED),
        Action::Logs => types
            .operation("readLogs", Tag::History, "What a tunnel's connectors wrote")
            .details("The text is foreign: strip it of control characters before a terminal shows it.")
            .query::<queries::Logs>()
            .answer::<Vec<api::LogLine>>(OK, "The lines, oldest first.")
            .or_stream::<api::LogLine>(),
        Action::Routes => types
            .operation("listRoutes", Tag::Routes, "Every route of every tunnel")
            .answer::<Vec<api::TunnelRoute>>(OK, "The routes of the tunnels that the caller may see.")
            .cached(),
        Action::AddRoute => types
            .operation("addRoute", Tag::Routes, "Add a route to a tunnel")
            .details("A rule goes before the first one that would hide it. The same route again changes nothing.")
            .if_match()
            .body_as::<AnyRoute>(true, &["application/json"])
            .answer::<api::Changed>(OK, CHANGED)
            .errors(REFUSED),
        Action::RemoveRoute => types
            .operation("removeRoute", Tag::Routes, "Remove a route from a tunnel")
            .details("Exactly one of `hostname`, `network` and `private_hostname` names it.")
            .if_match()
            .query::<queries::RemoveRoute>()
            .answer::<api::Changed>(OK, CHANGED)
            .errors(REFUSED),
        Action::Events => types
            .operation("readEvents", Tag::History, "What happened, and why")
            .query::<queries::Events>()
            .answer::<Vec<api::Event>>(OK, "The events that the caller may see, oldest first.")
            .or_stream::<api::Event>()
            .errors(&[Kind::NotFound]),
        Action::Plan => types
            .operation("getPlan", Tag::Changes, "What would change, from the files on disk and a fresh look at Cloudflare")
            .answer::<api::Plan>(OK, "The plan. Its hash confirms exactly it.")
            .errors(LOOKED),
        Action::Apply => types
            .operation("applyPlan", Tag::Changes, "Make everything as wanted")
            .details("With a hash only if the plan is that one still; else nothing is done and the answer is a `conflict`.")
            .body::<api::Apply>()
            .answer::<api::Applied>(OK, "What was done, and what was not.")
            .errors(LOOKED),
        Action::Configuration => types
            .operation("getConfiguration", Tag::Configuration, "The configuration in force")
            .answer::<api::Configuration>(OK, "The configuration with every default filled in.")
            .cached(),
        Action::ReloadConfiguration => types
            .operation("reloadConfiguration", Tag::Configuration, "Read the configuration's files again")
            .details("When they are bad, the configuration in force stays, and `details` names every problem.")
            .answer::<api::Reloaded>(OK, "The files are in force.")
            .errors(&[Kind::Invalid]),
        Action::Credentials => types
            .operation("listCredentials", Tag::Configuration, "The accounts' API tokens, without the tokens")
            .answer::<Vec<api::Credential>>(OK, "One for each account."),
        Action::CheckCredentials => types
            .operation("checkCredentials", Tag::Configuration, "Try what the API tokens are able to do")
            .details("It changes nothing and spends calls of the account's rate limit.")
            .query::<queries::CheckCredentials>()
            .answer::<Vec<api::CredentialCheck>>(OK, "One for each account.")
            .errors(LOOKED),
        Action::CheckOrigins => types
            .operation("checkOrigins", Tag::Configuration, "Try whether origins answer, as the daemon's user")
            .body::<api::CheckOrigins>()
            .answer::<Vec<api::OriginCheck>>(OK, "One for each service, in the order of the request.")
            .errors(&[Kind::Invalid]),
        Action::LookAtTunnel => types
            .operation("lookAtTunnel", Tag::Ownership, "What would become ours if a tunnel at Cloudflare is adopted")
            .name_to_be()
            .query::<api::AdoptTunnel>()
            .answer::<api::TunnelAdoption>(OK, "What there is. Its hash confirms exactly it. Nothing was changed.")
            .errors(LOOKED),
        Action::AdoptTunnel => types
            .operation("adoptTunnel", Tag::Ownership, "Adopt a tunnel at Cloudflare, as it was shown")
            .name_to_be()
            .body::<api::AdoptTunnel>()
            .answer::<api::TunnelAdopted>(OK, "What became ours.")
            .errors(LOOKED),
        Action::ForgetTunnel => types
            .operation("forgetTunnel", Tag::Ownership, "Give a tunnel up; nothing of it is deleted at Cloudflare")
            .answer::<api::Forgotten>(OK, "What stays there.")
            .errors(LOOKED),
        Action::LookAtRoute => types
            .operation("lookAtRoute", Tag::Ownership, "What stands at a hostname that a route of ours is for")
            .query::<api::AdoptRoute>()
            .answer::<api::RouteAdoption>(OK, "What stands there. Its hash confirms exactly it. Nothing was changed.")
            .errors(LOOKED),
        Action::AdoptRoute => types
            .operation("adoptRoute", Tag::Ownership, "Put our record in the place of what was shown")
            .body::<api::AdoptRoute>()
            .answer::<api::RouteAdopted>(OK, "What gave way.")
            .errors(LOOKED),
        Action::Identity => types
            .operation("getIdentity", Tag::Ownership, "Which installation the state directory is of")
            .answer::<api::Identity>(OK, "The installation, and why nothing is written, if nothing is."),
        Action::TakeOverIdentity => types
            .operation("takeOverIdentity", Tag::Ownership, "Go on with the state of another machine that is gone")
            .answer::<api::Identity>(OK, "The installation from now on.")
            .errors(&[Kind::Conflict, Kind::Hold]),
        Action::NewIdentity => types
            .operation("newIdentity", Tag::Ownership, "Become an installation that has made nothing, on a clone")
            .answer::<api::Identity>(OK, "The installation from now on.")
            .errors(&[Kind::Conflict, Kind::Hold]),
        Action::Orphans => types
            .operation("listOrphans", Tag::Ownership, "What is left over at Cloudflare of this installation")
            .details("It spends calls of the account's rate limit.")
            .answer::<api::Orphans>(OK, "The list. Its hash confirms exactly it. Nothing was changed.")
            .errors(LOOKED),
        Action::DeleteOrphans => types
            .operation("deleteOrphans", Tag::Ownership, "Delete what is left over, as it was shown")
            .body::<api::DeleteOrphans>()
            .answer::<api::DeletedOrphans>(OK, "What is gone, and what stays.")
            .errors(LOOKED),
        Action::OpenApi => types
            .operation("getOpenApi", Tag::Daemon, "This document")
            .answer::<Map<String, Value>>(OK, "The document. It is the same on every host with this version.")
            .cached(),
        Action::Operations => types
            .operation("listOperations", Tag::Changes, "What goes on, and what came of it")
            .query::<queries::ListedOperations>()
            .answer::<Vec<api::Operation>>(OK, "The operations that the caller may see."),
        Action::Operation => types
            .operation("getOperation", Tag::Changes, "One operation, perhaps when it has ended")
            .in_path("id", "The operation's id.", "^[A-Za-z0-9-]{1,64}$")
            .query::<queries::OneOperation>()
            .answer::<api::Operation>(OK, "The operation.")
            .or_stream::<api::Operation>(),
        Action::Doctor => types
            .operation("runDoctor", Tag::Daemon, "What the daemon finds out about its host, itself and its tokens")
            .query::<queries::Doctor>()
            .answer::<api::DoctorReport>(OK, "Every check, with what it found and what would help.")
            .errors(&[Kind::Unavailable]),
        Action::Diagnose => types
            .operation("diagnoseHostname", Tag::Routes, "The way from a hostname to its origin, and its first broken link")
            .details("A hostname that is not configured and one of a tunnel that the caller may not see are answered alike.")
            .query::<queries::Diagnose>()
            .answer::<api::Diagnosis>(OK, "Every link of the way, and the verdict.")
            .errors(&[Kind::Invalid, Kind::NotFound, Kind::Unavailable]),
        Action::Audit => types
            .operation("readAudit", Tag::History, "Who changed what, and who was refused")
            .query::<queries::Entries>()
            .answer::<Vec<api::AuditEntry>>(OK, "The entries, oldest first.")
            .or_stream::<api::AuditEntry>()
            .errors(&[Kind::Unavailable]),
        Action::Traffic => types
            .operation("getTraffic", Tag::Tunnels, "What each connector carries, by its own metrics")
            .details("Figures are counters of the connector's generation; a rate takes two readings. One reading serves everybody for a second.")
            .answer::<Vec<api::ConnectorTraffic>>(OK, "One for each connector that the caller may see."),
    }
}

const CHANGED: &str = "It was accepted and stored, or is as asked for already.";

/// The route of a request: a rule of the ingress, a network or a private hostname.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it says what may be sent; the server tries one after another")]
enum AnyRoute {
    /// A public hostname, or every one.
    Rule(api::IngressRule),
    /// A private network or a private hostname.
    Private(edit::PrivateRoute),
}
