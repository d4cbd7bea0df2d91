//! What each tool takes. The schemas that clients see are made from these, and are checked before these are read.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::control::api::{Error, ErrorKind};

/// A name that a tunnel may have, that of one which another takes the place of included.
const TUNNEL: &str = "^[a-z0-9][a-z0-9-]{0,39}(~[0-9]{1,19})?$";

/// A name that people may give.
const NAME: &str = "^[a-z0-9][a-z0-9-]{0,39}$";

/// How many tunnels or routes are listed when nobody says how many.
const LISTED: u16 = 50;

/// How many lines or events are told when nobody says how many.
const TOLD: u16 = 50;

/// What takes no arguments.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListTunnels {
    /// Only tunnels whose name is like this; `*` stands for any text, `?` for one character.
    #[schemars(length(min = 1, max = 100))]
    pub(super) pattern: Option<String>,
    /// Only those that are not ready, or whose definition is not in force yet.
    pub(super) only_troubled: Option<bool>,
    /// How many, at most: 50 when left out.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
    /// Only those behind this name: the last one of the answer before.
    #[schemars(length(min = 1, max = 64))]
    pub(super) after: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListRoutes {
    /// Only those of this tunnel.
    #[schemars(regex(pattern = TUNNEL))]
    pub(super) tunnel: Option<String>,
    /// How many, at most: 50 when left out.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
    /// How many to pass over.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(super) skip: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowTunnel {
    /// The tunnel's name.
    #[schemars(regex(pattern = TUNNEL))]
    pub(super) tunnel: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Diagnose {
    /// The public hostname, such as app.example.com.
    #[schemars(length(min = 1, max = 255))]
    pub(super) hostname: String,
    /// The path of the request; `/` when left out.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^/"))]
    pub(super) path: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    /// The tunnel whose connectors wrote the lines.
    #[schemars(regex(pattern = TUNNEL))]
    pub(super) tunnel: String,
    /// How many of the last lines, at most: 50 when left out.
    #[schemars(range(min = 1, max = 500))]
    lines: Option<u16>,
    /// Only those behind the line with this id.
    pub(super) since: Option<u64>,
    /// Only those of this replica, counted from 0.
    #[schemars(range(min = 0, max = 255))]
    pub(super) replica: Option<u8>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    /// Only those of this tunnel.
    #[schemars(regex(pattern = TUNNEL))]
    pub(super) tunnel: Option<String>,
    /// How many of the newest, at most: 50 when left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
    /// Only those behind the event with this id.
    pub(super) since: Option<u64>,
    /// Only those from this time on, such as 2026-01-02T03:04:05Z.
    #[schemars(
        with = "Option<String>",
        length(max = 40),
        regex(pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$")
    )]
    pub(super) from: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Apply {
    /// The `plan_hash` that `plan` answered: exactly that plan is carried out, or none.
    #[schemars(regex(pattern = "^[A-Za-z0-9:_-]{1,128}$"))]
    pub(super) plan_hash: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct CreateTunnel {
    /// The name that it gets: 1 to 40 of a-z, 0-9 and -.
    #[schemars(regex(pattern = NAME))]
    pub(super) tunnel: String,
    /// Its definition, as `[tunnels.NAME]` in the configuration: such as `{"replicas": 2, "ingress": [{"hostname":
    /// "app.example.com", "service": "http://localhost:8080"}]}`.
    pub(super) definition: Map<String, Value>,
    #[serde(flatten)]
    pub(super) step: Step,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct UpdateTunnel {
    /// The tunnel's name.
    #[schemars(regex(pattern = NAME))]
    pub(super) tunnel: String,
    /// What changes in its definition, as a JSON merge patch: `null` removes a key, a list is replaced as a whole. `show_tunnel`
    /// shows the definition.
    pub(super) patch: Map<String, Value>,
    #[serde(flatten)]
    pub(super) step: Step,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct OneTunnel {
    /// The tunnel's name.
    #[schemars(regex(pattern = TUNNEL))]
    pub(super) tunnel: String,
    #[serde(flatten)]
    pub(super) step: Step,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct AddRoute {
    /// The tunnel's name.
    #[schemars(regex(pattern = NAME))]
    pub(super) tunnel: String,
    #[serde(flatten)]
    pub(super) place: Place,
    /// With a hostname: where requests go, such as http://localhost:8080 or unix:/run/app.sock.
    #[schemars(length(min = 1, max = 2048))]
    pub(super) service: Option<String>,
    /// With a hostname: whether Adit keeps a DNS record for it; true when left out.
    pub(super) dns: Option<bool>,
    #[serde(flatten)]
    pub(super) step: Step,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct RemoveRoute {
    /// The tunnel's name.
    #[schemars(regex(pattern = NAME))]
    pub(super) tunnel: String,
    #[serde(flatten)]
    pub(super) place: Place,
    #[serde(flatten)]
    pub(super) step: Step,
}

/// What a route is for: exactly one of hostname, network and private_hostname.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Place {
    /// A public hostname, such as app.example.com or *.dev.example.com.
    #[schemars(length(min = 1, max = 255))]
    pub(super) hostname: Option<String>,
    /// With a hostname: only requests whose path matches this regular expression.
    #[schemars(length(min = 1, max = 1024))]
    pub(super) path: Option<String>,
    /// A private network, such as 10.20.0.0/16.
    #[schemars(length(min = 1, max = 64))]
    pub(super) network: Option<String>,
    /// With a network: the virtual network that it is in.
    #[schemars(length(min = 1, max = 255))]
    pub(super) virtual_network: Option<String>,
    /// A private hostname, for devices of the organisation.
    #[schemars(length(min = 1, max = 255))]
    pub(super) private_hostname: Option<String>,
}

/// Which of the two steps a change is in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Step {
    /// Leave it out to be shown what would change, without anything being changed. Then call again with the same arguments and the
    /// `plan_hash` of that answer: exactly what was shown is done, or nothing.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub(super) plan_hash: Option<String>,
}

impl ListTunnels {
    pub(super) fn limit(&self) -> usize {
        usize::from(self.limit.unwrap_or(LISTED))
    }
}

impl ListRoutes {
    pub(super) fn limit(&self) -> usize {
        usize::from(self.limit.unwrap_or(LISTED))
    }
}

impl Logs {
    pub(super) fn lines(&self) -> u16 {
        self.lines.unwrap_or(TOLD)
    }
}

impl Events {
    pub(super) fn limit(&self) -> u16 {
        self.limit.unwrap_or(TOLD)
    }
}

/// Reads arguments that are as their schema says.
///
/// # Errors
///
/// When a value is of the right form and still none, such as a day that no month has.
pub(super) fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, Error> {
    serde_json::from_value(arguments)
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("cannot read the arguments: {error}")))
}
