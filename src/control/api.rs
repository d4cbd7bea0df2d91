//! The types that both ends of the control socket share: the server writes them, the command line reads them.
//!
//! They are a contract of their own, with stable names, and not the daemon's inner types: `view` maps one to the other. Fields
//! are added and never renamed. All times are UTC in RFC 3339, all names are the configuration's.

mod audit;
mod change;
mod definition;
mod diagnosis;
mod doctor;
mod error;
mod feed;
mod identity;
mod operation;
mod origins;
mod orphans;
mod overview;
mod ownership;
mod person;
mod plan;
mod replacement;
mod rotation;
mod route_health;
mod traffic;
mod tunnel;

pub use audit::AuditEntry;
pub use change::{Change, Changed, CreateTunnel, Reloaded};
pub(super) use definition::{IngressRule, TunnelDefinition};
pub use diagnosis::{Diagnosis, DiagnosisLink, DiagnosisVerdict, Link, LinkState};
pub use doctor::{DoctorCheck, DoctorGroup, DoctorReport, DoctorResult};
pub use error::{Error, ErrorBody, ErrorKind, Problem};
pub use feed::{Event, Followed, Level, LogLine, Missed, Subject};
pub use identity::Identity;
pub use operation::{Operation, OperationProgress, OperationState};
pub use origins::{CheckOrigins, OriginCheck};
pub use orphans::{DeleteOrphans, DeletedOrphans, Orphan, Orphans};
pub use overview::{
    Account, Check, Cloudflared, Configuration, Credential, CredentialCheck, CredentialState, Daemon, Finding, Health, Overview,
    Status, Uplink, UplinkState, Verdict, Version,
};
pub use ownership::{
    AdoptRoute, AdoptTunnel, Forgotten, FoundConnector, FoundRecord, RouteAdopted, RouteAdoption, TunnelAdopted, TunnelAdoption,
};
pub use person::{GrantInEffect, WhoAmI};
pub use plan::{Applied, Apply, Plan};
pub use replacement::{Replaced, RestartPlan, Started};
pub use rotation::{Rotate, Rotation, TunnelSecret};
pub use route_health::{CheckState, RouteCheck, RouteFinding, RouteHealth, RouteVerdict};
pub use traffic::{ConnectorTraffic, EdgeConnection, Responses, TrafficReading};
pub use tunnel::{Connector, LastExit, Reason, Route, RouteKind, RouteState, State, Stop, Tunnel, TunnelDetail, TunnelRoute};
