//! The client against a server on loopback: real sockets, real HTTP, answers as good or as bad as the test wants them.

#[path = "../../tests/support/contract.rs"]
mod contract;
#[path = "../../tests/support/openapi.rs"]
mod openapi;
mod calls;
mod failures;
mod lists;
mod rate_limits;
mod retries;
mod secrets;
mod server;

use std::{sync::Mutex, time::Duration};

use super::*;
use crate::id::{AccountId, TunnelId, ZoneId};

use server::Server;

/// A token that must never be seen outside of the authorization header.
const CANARY: &str = "cfut_canary0123456789canary0123456789canary01";

/// A client of `server`, with the exchanges that it reported.
struct Bench {
    client: Client,
    server: Server,
    token: watch::Sender<Option<Secret>>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Bench {
    fn new(server: Server) -> Self {
        Self::with_limits(server, Limits { pause_first: Duration::from_millis(1), ..Limits::default() })
    }

    fn with_limits(server: Server, limits: Limits) -> Self {
        let (token, receiver) = watch::channel(Some(Secret::new(CANARY)));
        let exchanges = Arc::<Mutex<Vec<Exchange>>>::default();
        let seen = exchanges.clone();
        let settings = Settings {
            api_base: server.base(),
            budget_per_second: 3.0,
            user_agent: "adit/test".to_owned(),
            token: receiver,
            observer: Arc::new(move |exchange| seen.lock().unwrap().push(*exchange)),
            book: None,
        };
        Self { client: Client::with_limits(settings, &limits).unwrap(), server, token, exchanges }
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }
}

fn account() -> AccountId {
    "0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b".parse().unwrap()
}

fn zone() -> ZoneId {
    "20fe20fe20fe20fe20fe20fe20fe20fe".parse().unwrap()
}

fn tunnel() -> TunnelId {
    "11111111-2222-3333-4444-555555555555".parse().unwrap()
}

fn record(name: &str) -> NewRecord {
    NewRecord {
        kind: "CNAME".to_owned(),
        name: name.to_owned(),
        content: tunnel().dns_target(),
        proxied: true,
        ttl: 1,
        comment: Some("adit:install:web".to_owned()),
    }
}
