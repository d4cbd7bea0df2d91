//! Every tool, and what it needs.

use std::sync::Arc;

use rmcp::model::{Tool as Described, ToolAnnotations};
use serde_json::{Map, Value};

use super::{answer::Marked, arguments, offer::Needs, schema, view};
use crate::control::{Action, ENDPOINTS, api};

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// Everything at one look.
    Status,
    /// Tunnels, in short.
    ListTunnels,
    /// One tunnel.
    ShowTunnel,
    /// Routes.
    ListRoutes,
    /// Why a hostname does not answer.
    Diagnose,
    /// What happened.
    Events,
    /// What connectors wrote.
    Logs,
    /// What would change at Cloudflare.
    Plan,
    /// Does what a plan says.
    Apply,
    /// Ends an operator's stop.
    StartTunnel,
    /// Stops a tunnel's connectors.
    StopTunnel,
    /// Replaces a tunnel's connectors.
    RestartTunnel,
    /// Makes a tunnel.
    CreateTunnel,
    /// Changes a tunnel's definition.
    UpdateTunnel,
    /// Deletes a tunnel.
    DeleteTunnel,
    /// Leads a hostname or network to a tunnel.
    AddRoute,
    /// Takes that back.
    RemoveRoute,
}

/// What a tool does to what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Reads,
    /// It adds to what there is.
    Adds,
    /// It takes something away, or may cut requests.
    Destroys,
}

use Effect::{Adds, Destroys, Reads};

impl Tool {
    /// All of them: those that read first.
    pub(super) const ALL: [Self; 17] = [
        Self::Status,
        Self::ListTunnels,
        Self::ShowTunnel,
        Self::ListRoutes,
        Self::Diagnose,
        Self::Events,
        Self::Logs,
        Self::Plan,
        Self::Apply,
        Self::StartTunnel,
        Self::StopTunnel,
        Self::RestartTunnel,
        Self::CreateTunnel,
        Self::UpdateTunnel,
        Self::DeleteTunnel,
        Self::AddRoute,
        Self::RemoveRoute,
    ];

    /// The tool of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ListTunnels => "list_tunnels",
            Self::ShowTunnel => "show_tunnel",
            Self::ListRoutes => "list_routes",
            Self::Diagnose => "diagnose",
            Self::Events => "events",
            Self::Logs => "logs",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::StartTunnel => "start_tunnel",
            Self::StopTunnel => "stop_tunnel",
            Self::RestartTunnel => "restart_tunnel",
            Self::CreateTunnel => "create_tunnel",
            Self::UpdateTunnel => "update_tunnel",
            Self::DeleteTunnel => "delete_tunnel",
            Self::AddRoute => "add_route",
            Self::RemoveRoute => "remove_route",
        }
    }

    fn title_and_description(self) -> (&'static str, &'static str) {
        match self {
            Self::Status => (
                "Status",
                "Everything at one look: the daemon's health with its reasons, accounts, and every tunnel that is not ready. Start here.",
            ),
            Self::ListTunnels => ("List tunnels", "Tunnels by name, in short: state, connectors, routes."),
            Self::ShowTunnel => {
                ("Show a tunnel", "One tunnel: its connectors and routes with their states and reasons, and its definition.")
            }
            Self::ListRoutes => (
                "List routes",
                "What leads to tunnels: public hostnames, private networks and hostnames, load balancers, with how far each is.",
            ),
            Self::Diagnose => (
                "Diagnose a hostname",
                "Why a hostname does not answer: follows a request from the tunnel's rule over DNS, the tunnel and its connectors to \
                 the origin, and names the first broken link with what to do.",
            ),
            Self::Events => (
                "Events",
                "What happened on this host and why, newest last: restarts with their reasons, changes at Cloudflare, operators' actions.",
            ),
            Self::Logs => ("Connector logs", "The last lines that a tunnel's connectors wrote. The text is foreign."),
            Self::Plan => (
                "Plan",
                "What would change at Cloudflare and on this host to make everything as configured, from a fresh look. Changes nothing; may take a while. Its plan_hash is what apply wants.",
            ),
            Self::Apply => (
                "Apply a plan",
                "Carries out exactly the plan that plan_hash names, as plan answered it; when anything changed since, nothing is done.",
            ),
            Self::StartTunnel => {
                ("Start a tunnel", "Ends an operator's stop. Two steps: without plan_hash it only shows what it would do.")
            }
            Self::StopTunnel => (
                "Stop a tunnel",
                "Stops a tunnel's connectors until somebody starts it, over reboots too: its hostnames stop answering. Two steps: without plan_hash it only shows what it would do.",
            ),
            Self::RestartTunnel => (
                "Restart a tunnel",
                "Replaces a tunnel's connectors one after another, each when its successor is ready. Two steps: without plan_hash it only shows what it would do.",
            ),
            Self::CreateTunnel => (
                "Create a tunnel",
                "Makes a tunnel at Cloudflare and here, with its routes. Two steps: without plan_hash it only shows what it would do.",
            ),
            Self::UpdateTunnel => (
                "Update a tunnel",
                "Changes the definition of a tunnel whose origin is \"api\", by a JSON merge patch. Two steps: without plan_hash it only shows the definition before and after.",
            ),
            Self::DeleteTunnel => (
                "Delete a tunnel",
                "Deletes a tunnel whose origin is \"api\", with its DNS records and routes, at Cloudflare and here. It cannot be taken back. Two steps: without plan_hash it only shows what it would do.",
            ),
            Self::AddRoute => (
                "Add a route",
                "Leads a public hostname (with a service), a private network or a private hostname to a tunnel whose origin is \"api\". Two steps: without plan_hash it only shows the definition before and after.",
            ),
            Self::RemoveRoute => (
                "Remove a route",
                "Takes a hostname, private network or private hostname from a tunnel whose origin is \"api\". Two steps: without plan_hash it only shows the definition before and after.",
            ),
        }
    }

    /// The endpoint that it is for: what that needs, it needs.
    fn action(self) -> Action {
        match self {
            Self::Status => Action::Status,
            Self::ListTunnels => Action::Tunnels,
            Self::ShowTunnel => Action::Tunnel,
            Self::ListRoutes => Action::Routes,
            Self::Diagnose => Action::Diagnose,
            Self::Events => Action::Events,
            Self::Logs => Action::Logs,
            Self::Plan => Action::Plan,
            Self::Apply => Action::Apply,
            Self::StartTunnel => Action::StartTunnel,
            Self::StopTunnel => Action::StopTunnel,
            Self::RestartTunnel => Action::RestartTunnel,
            Self::CreateTunnel => Action::CreateTunnel,
            Self::UpdateTunnel => Action::PatchTunnel,
            Self::DeleteTunnel => Action::DeleteTunnel,
            Self::AddRoute => Action::AddRoute,
            Self::RemoveRoute => Action::RemoveRoute,
        }
    }

    /// What it needs.
    pub(super) fn needs(self) -> Needs {
        let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.action == self.action());
        let role =
            endpoint.and_then(|endpoint| endpoint.need.role()).expect("the table has every action, each of these with a role");
        Needs { role, whole_host: matches!(self, Self::Plan | Self::Apply) }
    }

    /// Whether calling it can change something.
    pub(super) fn changes(self) -> bool {
        self.effect() != Reads
    }

    fn effect(self) -> Effect {
        match self {
            Self::Status
            | Self::ListTunnels
            | Self::ShowTunnel
            | Self::ListRoutes
            | Self::Diagnose
            | Self::Events
            | Self::Logs
            | Self::Plan => Reads,
            Self::StartTunnel | Self::CreateTunnel | Self::AddRoute => Adds,
            Self::Apply
            | Self::StopTunnel
            | Self::RestartTunnel
            | Self::UpdateTunnel
            | Self::DeleteTunnel
            | Self::RemoveRoute => Destroys,
        }
    }

    /// What it takes.
    pub(super) fn input(self) -> Map<String, Value> {
        match self {
            Self::Status | Self::Plan => schema::input::<arguments::Nothing>(),
            Self::ListTunnels => schema::input::<arguments::ListTunnels>(),
            Self::ShowTunnel => schema::input::<arguments::ShowTunnel>(),
            Self::ListRoutes => schema::input::<arguments::ListRoutes>(),
            Self::Diagnose => schema::input::<arguments::Diagnose>(),
            Self::Events => schema::input::<arguments::Events>(),
            Self::Logs => schema::input::<arguments::Logs>(),
            Self::Apply => schema::input::<arguments::Apply>(),
            Self::StartTunnel | Self::StopTunnel | Self::RestartTunnel | Self::DeleteTunnel => {
                schema::input::<arguments::OneTunnel>()
            }
            Self::CreateTunnel => schema::input::<arguments::CreateTunnel>(),
            Self::UpdateTunnel => schema::input::<arguments::UpdateTunnel>(),
            Self::AddRoute => schema::input::<arguments::AddRoute>(),
            Self::RemoveRoute => schema::input::<arguments::RemoveRoute>(),
        }
    }

    fn output(self) -> Map<String, Value> {
        match self {
            Self::Status => schema::output::<Marked<view::HostStatus>>(),
            Self::ListTunnels => schema::output::<Marked<view::Tunnels>>(),
            Self::ShowTunnel => schema::output::<Marked<view::ShownTunnel>>(),
            Self::ListRoutes => schema::output::<Marked<view::Routes>>(),
            Self::Diagnose => schema::output::<Marked<api::Diagnosis>>(),
            Self::Events => schema::output::<Marked<view::Happened>>(),
            Self::Logs => schema::output::<Marked<view::Lines>>(),
            Self::Plan => schema::output::<Marked<view::Planned>>(),
            Self::Apply => schema::output::<Marked<api::Applied>>(),
            Self::StartTunnel
            | Self::StopTunnel
            | Self::RestartTunnel
            | Self::CreateTunnel
            | Self::UpdateTunnel
            | Self::DeleteTunnel
            | Self::AddRoute
            | Self::RemoveRoute => schema::output::<Marked<view::Change>>(),
        }
    }

    /// The tool as clients are shown it.
    pub(super) fn described(self) -> Described {
        let (title, description) = self.title_and_description();
        let annotations = ToolAnnotations::with_title(title)
            .read_only(self.effect() == Reads)
            .destructive(self.effect() == Destroys)
            // With the hash of a step that was done, nothing is done again: the state that it was made from is gone.
            .idempotent(true)
            // All but what the daemon tells of itself goes out to Cloudflare or to an origin.
            .open_world(self.changes() || matches!(self, Self::Plan | Self::Diagnose));
        Described::new(self.name(), description, Arc::new(self.input()))
            .with_title(title)
            .with_raw_output_schema(Arc::new(self.output()))
            .with_annotations(annotations)
    }
}
