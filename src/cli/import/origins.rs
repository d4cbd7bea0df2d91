//! Whether the origins of a definition answer, from here.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use serde_json::{Map, Value};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::config::Service;

/// How long an origin may take to accept a connection: it is on this host or near it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// How many origins are tried: enough for nearly every file, and bounded in time.
const ORIGINS_MAX: usize = 50;

/// One line for each origin, in the order of the rules.
pub(super) async fn check(definition: &Map<String, Value>) -> Vec<String> {
    let rules = definition.get("ingress").and_then(Value::as_array).into_iter().flatten();
    let mut services: Vec<&str> = rules.filter_map(|rule| rule.get("service")?.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let left = services.len().saturating_sub(ORIGINS_MAX);
    let mut lines = Vec::new();
    for text in services.into_iter().take(ORIGINS_MAX) {
        let Ok(service) = text.parse::<Service>() else { continue };
        if let Some(answer) = try_out(&service).await {
            lines.push(format!("{text}: {answer}"));
        }
    }
    if left > 0 {
        lines.push(format!("of {left} more rules: not tried"));
    }
    lines
}

/// What came of a connection; `None` for what is no server.
async fn try_out(service: &Service) -> Option<String> {
    Some(match service {
        Service::Url(url) => {
            let address = (url.host().to_string().trim_matches(['[', ']']).to_owned(), url.port());
            outcome(timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await.map(|result| result.map(drop)))
        }
        Service::Unix(path) | Service::UnixTls(path) => {
            let answer = outcome(timeout(CONNECT_TIME_MAX, UnixStream::connect(path)).await.map(|result| result.map(drop)));
            if answer == REACHABLE && !may_everyone_connect(path) {
                return Some(format!("{answer} for you, but not for every user: see that the daemon's user may connect"));
            }
            answer
        }
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => return None,
    })
}

const REACHABLE: &str = "reachable";

fn outcome(result: Result<std::io::Result<()>, tokio::time::error::Elapsed>) -> String {
    match result {
        Ok(Ok(())) => REACHABLE.to_owned(),
        Ok(Err(error)) => format!("not reachable ({error})"),
        Err(_) => format!("not reachable (no answer within {} s)", CONNECT_TIME_MAX.as_secs()),
    }
}

fn may_everyone_connect(path: &Path) -> bool {
    /// Whoever may write to a socket may connect to it.
    const OTHERS_WRITE: u32 = 0o002;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_WRITE != 0)
}
