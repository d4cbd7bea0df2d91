//! Going and looking: at the origin as a connector would, and at the public hostname as a visitor would.
//!
//! It is modest: one request, no redirect followed, of a body no more read than Cloudflare's error page begins with. What an origin's
//! name leads to is held against what nobody may publish. [`Prober::answer`] says what came of a question of the regular checks;
//! what it means for a diagnosis is decided elsewhere.

mod clients;
mod finding;
mod judge;
mod origin;
mod visitor;

use std::sync::Arc;

use self::clients::Clients;
use crate::{
    config::Service,
    host_names::HostNames,
    name::Hostname,
    route_check::{Asking, Outcome, Question},
};

pub use finding::{OriginFinding, PublicFinding, meaning};
pub use visitor::Vantage;

/// Who goes and looks; cheap to clone.
#[derive(Clone)]
pub struct Prober {
    names: HostNames,
    clients: Arc<Clients>,
}

impl Default for Prober {
    fn default() -> Self {
        Self::new()
    }
}

impl Prober {
    /// One that has not looked at anything yet.
    pub fn new() -> Self {
        let names = HostNames::new();
        Self { clients: Arc::new(Clients::new(names.clone())), names }
    }

    /// Tries the origin that takes requests for `hostname`, with `HEAD` where it speaks HTTP. It takes five seconds at most.
    pub async fn origin(&self, service: &Service, asking: &Asking, hostname: &Hostname, path: &str) -> OriginFinding {
        origin::look(self, service, asking, hostname, path).await
    }

    /// Asks for the public hostname, as a visitor. It takes ten seconds at most.
    pub async fn public(&self, from: Vantage, hostname: &Hostname, path: &str) -> PublicFinding {
        visitor::look(self, from, hostname, path, reqwest::Method::HEAD).await
    }

    /// Asks a question of the regular checks, and judges the answer. Those for an origin take five seconds at most, those for a public
    /// hostname ten.
    pub async fn answer(&self, question: &Question, from: Vantage) -> Outcome {
        let started = tokio::time::Instant::now();
        let (answer, reason) = match question {
            Question::Connect(place) => judge::connected(origin::connect(self, place).await),
            Question::Ask { service, asking, host, path, expect } => {
                judge::asked(origin::ask(self, service, asking, host.as_deref(), path).await, path, *expect)
            }
            Question::Visit { hostname, path, expect } => {
                judge::visited(&visitor::look(self, from, hostname, path, reqwest::Method::GET).await, *expect)
            }
        };
        Outcome { answer, reason, took: started.elapsed() }
    }
}
