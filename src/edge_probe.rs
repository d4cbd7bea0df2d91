//! Asking whether Cloudflare's edge can be reached: a TCP connection to any of a few addresses, names resolved each time.
//!
//! Names are resolved anew because a connector that starts has to do the same: an edge whose name nobody knows cannot be reached.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::timeout};

use crate::{connector::EdgeAnswer, host_names::HostNames};

/// How long an address may take, its name's resolution included. A SYN that was lost is sent again after one second.
const TIME_MAX: Duration = Duration::from_secs(2);
/// Of a longer list the rest is not asked.
const ADDRESSES_MAX: usize = 8;

/// Who asks.
#[derive(Debug, Clone)]
pub struct EdgeProbe {
    names: HostNames,
}

impl Default for EdgeProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl EdgeProbe {
    /// One that has asked nothing yet.
    pub fn new() -> Self {
        Self { names: HostNames::new() }
    }

    /// Tries all `addresses` (`HOST:PORT`) at once and is content with the first that takes a connection. It takes two seconds at
    /// most.
    pub async fn ask(&self, addresses: &[String]) -> EdgeAnswer {
        let tries = addresses.iter().take(ADDRESSES_MAX).map(|address| async move {
            let outcome = timeout(TIME_MAX, self.connect(address)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(io::Error::other(format!("no answer within {} s", TIME_MAX.as_secs()))));
            outcome.map_err(|error| format!("{address}: {error}"))
        });
        let mut tries: FuturesUnordered<_> = tries.collect();
        let mut failures = Vec::new();
        while let Some(outcome) = tries.next().await {
            match outcome {
                Ok(()) => return EdgeAnswer::Answers,
                Err(why) => failures.push(why),
            }
        }
        failures.sort_unstable();
        if failures.is_empty() {
            return EdgeAnswer::Silent("it is not asked, because cloudflared.edge_probe names no address".to_owned());
        }
        EdgeAnswer::Silent(failures.join("; "))
    }

    async fn connect(&self, address: &str) -> io::Result<()> {
        let found = match address.parse::<SocketAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => self.names.resolve(address.to_owned()).await?,
        };
        // One of each family: a host may have a route for only one of them.
        let first = |is_wanted: fn(&SocketAddr) -> bool| found.iter().copied().find(is_wanted);
        let candidates = [first(SocketAddr::is_ipv4), first(SocketAddr::is_ipv6)].into_iter().flatten();
        let mut tries: FuturesUnordered<_> = candidates.map(TcpStream::connect).collect();
        let mut failure = io::Error::other("its name has no address");
        while let Some(outcome) = tries.next().await {
            match outcome {
                Ok(_) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listening() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    async fn closed() -> String {
        listening().await.1
    }

    #[tokio::test]
    async fn one_address_that_takes_a_connection_is_enough() {
        let (_listener, open) = listening().await;
        assert_eq!(EdgeProbe::new().ask(&[closed().await, open]).await, EdgeAnswer::Answers);
    }

    #[tokio::test]
    async fn a_name_is_resolved() {
        let (_listener, open) = listening().await;
        let by_name = open.replace("127.0.0.1", "localhost");
        assert_eq!(EdgeProbe::new().ask(&[by_name]).await, EdgeAnswer::Answers);
    }

    #[tokio::test]
    async fn silence_names_every_address_and_its_reason() {
        let (first, second) = (closed().await, closed().await);
        let EdgeAnswer::Silent(why) = EdgeProbe::new().ask(&[first.clone(), second.clone()]).await else { panic!("it answers") };
        assert!(why.contains(&first) && why.contains(&second) && why.contains("refused"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_answers_takes_two_seconds() {
        // A listener whose queue is full answers no further connection; the paused clock runs on while that one waits.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let _waiting = [std::net::TcpStream::connect(address).unwrap()];
        let started = tokio::time::Instant::now();
        let answer = EdgeProbe::new().ask(&[address.to_string()]).await;
        assert_eq!(answer, EdgeAnswer::Silent(format!("{address}: no answer within 2 s")));
        assert!(started.elapsed() >= TIME_MAX);
    }

    #[tokio::test]
    async fn no_address_is_no_answer() {
        assert!(matches!(EdgeProbe::new().ask(&[]).await, EdgeAnswer::Silent(_)));
    }
}
