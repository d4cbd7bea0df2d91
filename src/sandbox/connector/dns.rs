//! Looking up the edge, which the sandbox has no DNS for: the addresses are given, or the look-up fails as cloudflared's does.
//!
//! A start asks four times, each for up to 10 s: for features, for the protocol and for the edge before the metrics server opens,
//! and for the edge once more behind it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::lookup_host, time::sleep};

use super::{Connector, log::Level};
use crate::sandbox::switchboard::Dns;

/// How long a question without an answer takes.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(10);

/// How many questions are asked before the metrics server opens.
const QUESTIONS_BEFORE: u32 = 3;

/// The metrics server does not stop before this age, so that a failed start takes at least as long.
const START_TIME_MIN: Duration = Duration::from_millis(500);

/// What is looked up.
const RECORD: &str = "_v2-origintunneld._tcp.argotunnel.com";

/// What cloudflared advises, once for each failure.
const ADVICE: [&str; 7] = [
    "Please try the following things to diagnose this issue:",
    "  1. ensure that argotunnel.com is returning \"origintunneld\" service records.",
    "     Run your system's equivalent of: dig srv _origintunneld._tcp.argotunnel.com",
    "  2. ensure that your DNS resolver is not returning compressed SRV records.",
    "     See GitHub issue https://github.com/golang/go/issues/27546",
    "     For example, you could use Cloudflare's 1.1.1.1 as your resolver:",
    "     https://developers.cloudflare.com/1.1.1.1/setting-up-1.1.1.1/",
];

/// A look-up whose first half is over.
pub(super) struct Lookup {
    /// Why it fails, if it does.
    failure: Option<&'static str>,
    /// How long the second half takes.
    rest: Duration,
}

impl Lookup {
    /// Asks what is asked before the metrics server opens.
    pub(super) async fn begin(connector: &Connector) -> Self {
        let dns = connector.switches.borrow().dns;
        let (failure, rest) = match dns {
            Dns::Answers if !connector.settings.edge.is_empty() => return Self { failure: None, rest: Duration::ZERO },
            Dns::Answers | Dns::Fails => ("no such host", START_TIME_MIN),
            Dns::Hangs => {
                sleep(connector.scaled(QUESTION_TIME_MAX * QUESTIONS_BEFORE)).await;
                ("i/o timeout", QUESTION_TIME_MAX)
            }
        };
        log_failure(connector, failure);
        Self { failure: Some(failure), rest }
    }

    /// The edge's addresses. A stop does not interrupt it.
    ///
    /// # Errors
    ///
    /// The reason that ends on standard error.
    pub(super) async fn edge_addresses(self, connector: &Connector) -> Result<Arc<[SocketAddr]>, String> {
        if let Some(failure) = self.failure {
            sleep(connector.scaled(self.rest)).await;
            log_failure(connector, failure);
            return Err(format!("Could not lookup srv records on {RECORD}: lookup {RECORD}: {failure}"));
        }
        let mut addresses = Vec::new();
        for address in &connector.settings.edge {
            let found = lookup_host(address).await.map_err(|error| format!("lookup {address}: {error}"))?.next();
            addresses.extend(found);
        }
        Ok(addresses.into())
    }
}

fn log_failure(connector: &Connector, failure: &str) {
    let event = connector.log.event(Level::Error).with("event", 0).with("error", format!("lookup {RECORD}: {failure}"));
    event.write("edge discovery: error looking up Cloudflare edge IPs: the DNS query failed");
    for line in ADVICE {
        connector.log.event(Level::Error).with("event", 0).write(line);
    }
}
