//! The socket of the metrics server: inherited, or bound here.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
};

use crate::sandbox::connector::{go, raw};

/// The first descriptor that a parent hands over.
const FIRST_DESCRIPTOR: i32 = 3;

/// How many descriptors at most are looked at; a parent that says more is confused.
const DESCRIPTORS_MAX: i32 = 64;

/// The listening sockets that the parent handed over, or what is wrong with them.
pub(in crate::sandbox::connector) struct Inherited(Result<Vec<TcpListener>, String>);

impl Inherited {
    /// Takes over the descriptors that `LISTEN_FDS` announces. Like cloudflared it does not ask `LISTEN_PID` for whom they are. It
    /// must be called before anything opens a descriptor.
    pub(in crate::sandbox::connector) fn take(environment: &BTreeMap<String, String>) -> Self {
        let announced = environment.get("LISTEN_FDS").map(String::as_str).unwrap_or_default();
        if announced.is_empty() {
            return Self(Ok(Vec::new()));
        }
        let Ok(count) = announced.parse::<i32>() else {
            return Self(Err(format!("found invalid count value: LISTEN_FDS={announced}")));
        };
        let descriptors = FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + count.clamp(0, DESCRIPTORS_MAX);
        let adopt = |descriptor| {
            raw::adopt_listener(descriptor).map_err(|error| {
                format!("error inheriting socket fd {descriptor}: file file+net listener: {}", go::error_text(&error))
            })
        };
        Self(descriptors.map(adopt).collect())
    }
}

/// The listener at `address` (`HOST:PORT`; empty for cloudflared's own choice): an inherited one with that address, or a new one.
///
/// # Errors
///
/// The reason that follows "Error opening metrics server listener: ".
pub(in crate::sandbox::connector) fn open(inherited: Inherited, address: &str) -> Result<TcpListener, String> {
    const DEFAULT_PORTS: std::ops::RangeInclusive<u16> = 20241..=20245;
    let inherited = inherited.0.map_err(|error| failed(address, &error))?;
    let listener = if address.is_empty() {
        let bound = DEFAULT_PORTS.chain([0]).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
        bound.ok_or_else(|| "failed to listen to default metrics address: listen tcp: address already in use".to_owned())?
    } else {
        let wanted = resolve(address).map_err(|reason| failed(address, &reason))?;
        let handed_over = inherited.into_iter().find(|listener| listener.local_addr().is_ok_and(|address| address == wanted));
        match handed_over {
            Some(listener) => listener,
            None => TcpListener::bind(wanted)
                .map_err(|error| failed(address, &format!("listen tcp {wanted}: bind: {}", go::error_text(&error))))?,
        }
    };
    listener.set_nonblocking(true).map_err(|error| failed(address, &go::error_text(&error)))?;
    Ok(listener)
}

fn failed(address: &str, reason: &str) -> String {
    format!("failed to bind to address ({address}): {reason}")
}

fn resolve(address: &str) -> Result<SocketAddr, String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(format!("address {address}: missing port in address"));
    };
    if port.parse::<u16>().is_err() {
        return Err(format!("lookup tcp/{port}: unknown port"));
    }
    // Without a host every address is meant.
    let address = if host.is_empty() { format!("0.0.0.0:{port}") } else { address.to_owned() };
    let found: io::Result<Option<SocketAddr>> = address.to_socket_addrs().map(|mut addresses| addresses.next());
    found.ok().flatten().ok_or_else(|| format!("lookup {host}: no such host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Inherited {
        Inherited::take(&BTreeMap::new())
    }

    #[test]
    fn an_inherited_socket_is_used_when_its_address_is_the_wanted_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();

        let opened = open(Inherited(Ok(vec![listener])), &address.to_string()).unwrap();

        assert_eq!(opened.local_addr().unwrap(), address);
    }

    #[test]
    fn a_taken_port_is_refused_in_gos_words() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();

        let error = open(nothing(), &address).unwrap_err();

        assert_eq!(error, format!("failed to bind to address ({address}): listen tcp {address}: bind: address already in use"));
    }

    #[test]
    fn a_unix_socket_is_no_metrics_address() {
        let error = open(nothing(), "unix:/run/metrics.sock").unwrap_err();
        assert_eq!(error, "failed to bind to address (unix:/run/metrics.sock): lookup tcp//run/metrics.sock: unknown port");
    }
}
