//! Origins that nobody may publish: what belongs to Adit itself, and what would hand the machine's identity to the internet.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use url::Host;

use super::{
    Control, Daemon, Metrics, MetricsListen, paths,
    service::{Service, ServiceUrl},
};

/// What Adit itself has, as far as it could be read.
#[derive(Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) daemon: Option<&'a Daemon>,
    pub(super) control: Option<&'a Control>,
    pub(super) metrics: Option<&'a Metrics>,
}

/// Addresses at which clouds tell a machine its credentials. The link-local ones are refused as such.
const METADATA_ADDRESSES: &[(IpAddr, &str)] = &[
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), "AWS"),
    (IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), "Google Cloud"),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), "Alibaba Cloud"),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), "Azure"),
];

/// Names of the same.
const METADATA_NAMES: &[&str] =
    &["metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal"];

/// Where connectors' metrics servers listen. They tell what a tunnel is and does to whoever asks, so they have a loopback address of
/// their own: no port of it may be published, and `localhost` does not lead there.
pub const CONNECTOR_METRICS: Ipv4Addr = Ipv4Addr::new(127, 65, 68, 73);

/// Why `service` must not be published; `None` if it may.
pub(super) fn reason(service: &Service, own: Own<'_>) -> Option<String> {
    match service {
        Service::Url(url) => url_reason(url, own),
        Service::Unix(path) | Service::UnixTls(path) => path_reason(path, own),
        Service::HttpStatus(_) | Service::HelloWorld | Service::Bastion | Service::SocksProxy => None,
    }
}

fn url_reason(url: &ServiceUrl, own: Own<'_>) -> Option<String> {
    let address = match url.host() {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            if METADATA_NAMES.contains(&name) {
                return Some(format!(
                    "{name} is a cloud's metadata service, which gives this machine's credentials to whoever asks"
                ));
            }
            None
        }
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(seen_through(IpAddr::V6(*address))),
    };
    if let Some(reason) = address.and_then(forbidden_address) {
        return Some(reason);
    }
    let MetricsListen::Tcp(listen) = own.metrics?.listen else { return None };
    let is_own = listen.port() == url.port() && reaches(url.host(), address, listen);
    is_own.then(|| format!("{listen} is Adit's own metrics listener"))
}

/// Why nothing at `address` must be published or asked for, whatever name leads there; `None` if it may.
pub fn forbidden_address(address: IpAddr) -> Option<String> {
    let address = seen_through(address);
    if address == IpAddr::V4(CONNECTOR_METRICS) {
        return Some(format!("{address} is where connectors' metrics servers listen"));
    }
    if let Some((_, cloud)) = METADATA_ADDRESSES.iter().find(|(metadata, _)| *metadata == address) {
        return Some(format!("{address} is {cloud}'s metadata service, which gives this machine's credentials to whoever asks"));
    }
    is_link_local(address)
        .then(|| format!("{address} is link-local, where clouds serve this machine's credentials to whoever asks"))
}

/// The ranges of addresses that lead nowhere on the internet, or elsewhere than to one server there (the special-purpose registries of
/// IANA). IPv6 beyond `2000::/3` is not given out at all.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "168.63.129.16/32",
    "::/3",
    "4000::/2",
    "8000::/1",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
];

/// Whether a server on the internet can have `address`. Whoever visits a public hostname goes nowhere else, whatever its name leads to:
/// neither to this host nor to its neighbours.
pub fn is_public_address(address: IpAddr) -> bool {
    let address = seen_through(address);
    !NOT_PUBLIC.iter().any(|range| range.parse::<ipnet::IpNet>().expect("each is a range").contains(&address))
}

/// `address`, or the IPv4 address that it stands for.
fn seen_through(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => embedded(six).map_or(address, IpAddr::V4),
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4, or by the well-known prefix of NAT64.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // :: and ::1 are addresses of IPv6 itself.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(of(high, low))
        }
        _ => None,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether a connection to `host` arrives at something that listens on `listen`, as far as the text tells: another name of this
/// machine is not known to be one.
fn reaches(host: &Host, address: Option<IpAddr>, listen: SocketAddr) -> bool {
    let listen = listen.ip().to_canonical();
    match address {
        // Connecting to 0.0.0.0 or :: connects to this machine.
        Some(address) if address.is_loopback() || address.is_unspecified() => listen.is_loopback() || listen.is_unspecified(),
        Some(address) => address == listen,
        None => {
            let name = host.to_string();
            let name = name.trim_end_matches('.');
            let is_local = name == "localhost" || name.ends_with(".localhost") || name == "ip6-localhost";
            is_local && (listen.is_loopback() || listen.is_unspecified())
        }
    }
}

fn path_reason(path: &Path, own: Own<'_>) -> Option<String> {
    let is = |other: &Path| paths::is_inside(path, other);
    if is(Path::new("/proc")) {
        return Some("below /proc every file of this machine has another name".to_owned());
    }
    if own.control.is_some_and(|control| is(&control.socket)) {
        return Some("it is Adit's own control socket".to_owned());
    }
    if let Some(Metrics { listen: MetricsListen::Unix(listen), .. }) = own.metrics
        && is(listen)
    {
        return Some("it is Adit's own metrics listener".to_owned());
    }
    let daemon = own.daemon?;
    if is(&daemon.state_dir) {
        return Some(format!("it is inside Adit's state_dir ({}), which holds secrets", daemon.state_dir.display()));
    }
    if is(&daemon.runtime_dir) {
        return Some(format!(
            "it is inside Adit's runtime_dir ({}), which holds tokens and sockets",
            daemon.runtime_dir.display()
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_on_the_internet_have_public_addresses() {
        let is_public = |address: &str| is_public_address(address.parse().unwrap());
        for address in ["104.16.1.1", "188.114.97.3", "2606:4700::6810:101", "2a06:98c1:3120::3", "64:ff9b::6810:101", "1.1.1.1"]
        {
            assert!(is_public(address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.65.68.73",
            "0.0.0.0",
            "10.0.0.5",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(address), "{address}");
        }
    }
}
