//! The network: this program has a network namespace of its own, with a loopback interface and nothing else.

use std::{io, net::SocketAddr};

use crate::disk::run;

/// How many packets of a hundred are lost.
const LOSS: &str = "0.03";

/// Loses every packet to and from this TCP address.
pub(crate) fn silence(address: SocketAddr, silent: bool) -> io::Result<()> {
    let port = address.port().to_string();
    for side in ["--dport", "--sport"] {
        rule(silent, &["-p", "tcp", side, &port])?;
    }
    Ok(())
}

/// Loses every question to this resolver.
pub(crate) fn deafen(resolver: SocketAddr, deaf: bool) -> io::Result<()> {
    rule(deaf, &["-p", "udp", "--dport", &resolver.port().to_string()])
}

/// Loses some packets of all.
pub(crate) fn lose(loses: bool) -> io::Result<()> {
    rule(loses, &["-m", "statistic", "--mode", "random", "--probability", LOSS])
}

/// Takes the interface down or up.
pub(crate) fn link(up: bool) -> io::Result<()> {
    run("ip", &["link", "set", "lo", if up { "up" } else { "down" }])
}

fn rule(add: bool, matching: &[&str]) -> io::Result<()> {
    let act = if add { "-A" } else { "-D" };
    run("iptables", &[&["-w", act, "INPUT", "-i", "lo"], matching, &["-j", "DROP"]].concat())
}
