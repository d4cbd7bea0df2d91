//! Whether origins answer, tried as the user that connectors run as.

use std::{io, time::Duration};

use futures_util::future::join_all;
use tokio::{
    net::{TcpStream, UnixStream},
    time::{error::Elapsed, timeout},
};

use super::DaemonBackend;
use crate::{
    config::Service,
    control::api::{CheckOrigins, Error, ErrorKind, OriginCheck},
};

/// How long an origin may take to accept a connection: it is on this host or near it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// How many origins are tried at once: enough for nearly every file, and as many descriptors.
const ORIGINS_MAX: usize = 50;

impl DaemonBackend {
    pub(super) async fn try_origins(&self, request: &CheckOrigins) -> Result<Vec<OriginCheck>, Error> {
        if request.services.len() > ORIGINS_MAX {
            let message = format!("cannot try {} origins: at most {ORIGINS_MAX} at once", request.services.len());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let services = request.services.iter().map(|text| match text.parse::<Service>() {
            Ok(service) => Ok((text, service)),
            Err(error) => Err(Error::new(ErrorKind::Invalid, format!("cannot try the origin {text:?}: {error}"))),
        });
        let services = services.collect::<Result<Vec<_>, Error>>()?;
        Ok(join_all(services.into_iter().map(|(text, service)| check(text, service))).await)
    }
}

async fn check(text: &str, service: Service) -> OriginCheck {
    let connected = match service {
        Service::Url(url) => {
            let address = (url.host().to_string().trim_matches(['[', ']']).to_owned(), url.port());
            timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await.map(|result| result.map(drop))
        }
        Service::Unix(path) | Service::UnixTls(path) => {
            timeout(CONNECT_TIME_MAX, UnixStream::connect(path)).await.map(|result| result.map(drop))
        }
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => {
            return OriginCheck { service: text.to_owned(), reachable: None, answer: "no server behind it".to_owned() };
        }
    };
    let (reachable, answer) = outcome(connected);
    OriginCheck { service: text.to_owned(), reachable: Some(reachable), answer }
}

fn outcome(connected: Result<io::Result<()>, Elapsed>) -> (bool, String) {
    match connected {
        Ok(Ok(())) => (true, "reachable".to_owned()),
        Ok(Err(error)) => (false, format!("not reachable for the daemon's user ({error})")),
        Err(_) => (false, format!("not reachable (no answer within {} s)", CONNECT_TIME_MAX.as_secs())),
    }
}
