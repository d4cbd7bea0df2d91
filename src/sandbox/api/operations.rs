//! The table of operations: method, path, the permissions of which a token needs any one, the function that does the work.

use hyper::{Method, StatusCode};

use super::{
    access::{App, Policy},
    accounts, batch,
    call::{Handler, Params},
    configurations, connections,
    failure::Failure,
    hostname_routes::HostnameRoute,
    load_balancers::LoadBalancer,
    monitors::Monitor,
    pools::Pool,
    records, resource,
    routes::{self, Route},
    tokens, tunnels,
    virtual_networks::VirtualNetwork,
    zones,
};
use crate::{
    name::is_uuid_shaped,
    sandbox::world::Permission::{
        self, AccessRead, AccessWrite, CloudflaredRead, CloudflaredWrite, ConnectorsRead, ConnectorsWrite, DnsRead, DnsWrite,
        LoadBalancersRead, LoadBalancersWrite, NetworksRead, NetworksWrite, PoolsRead, PoolsWrite, TunnelRead, TunnelWrite,
        ZoneRead, ZoneWrite,
    },
};

/// One row of the table.
pub(super) struct Operation {
    method: Method,
    path: &'static str,
    pub(super) needs: &'static [Permission],
    pub(super) handler: Handler,
}

type Needs = &'static [Permission];

/// Published for nobody in particular; every token may.
const ANYONE: Needs = &[];
const READ_ZONES: Needs = &[ZoneRead];
const READ_ZONE: Needs = &[ZoneRead, ZoneWrite, DnsRead, DnsWrite, LoadBalancersRead, LoadBalancersWrite];
const WRITE_TUNNELS: Needs = &[ConnectorsWrite, CloudflaredWrite, TunnelWrite];
const READ_TUNNELS: Needs = &[ConnectorsWrite, ConnectorsRead, CloudflaredWrite, CloudflaredRead, TunnelWrite, TunnelRead];
const READ_NETWORKS: Needs = &[NetworksWrite, NetworksRead, TunnelWrite, TunnelRead];
const WRITE_NETWORKS: Needs = &[NetworksWrite, TunnelWrite];
const READ_DNS: Needs = &[DnsRead, DnsWrite];
const WRITE_DNS: Needs = &[DnsWrite];
const READ_POOLS: Needs = &[PoolsRead, PoolsWrite];
const WRITE_POOLS: Needs = &[PoolsWrite];
const READ_BALANCERS: Needs = &[LoadBalancersRead, LoadBalancersWrite];
const WRITE_BALANCERS: Needs = &[LoadBalancersWrite];
const READ_ACCESS: Needs = &[AccessRead, AccessWrite];
const WRITE_ACCESS: Needs = &[AccessWrite];

const fn get(path: &'static str, needs: Needs, handler: Handler) -> Operation {
    Operation { method: Method::GET, path, needs, handler }
}

const fn post(path: &'static str, needs: Needs, handler: Handler) -> Operation {
    Operation { method: Method::POST, path, needs, handler }
}

const fn put(path: &'static str, needs: Needs, handler: Handler) -> Operation {
    Operation { method: Method::PUT, path, needs, handler }
}

const fn patch(path: &'static str, needs: Needs, handler: Handler) -> Operation {
    Operation { method: Method::PATCH, path, needs, handler }
}

const fn delete(path: &'static str, needs: Needs, handler: Handler) -> Operation {
    Operation { method: Method::DELETE, path, needs, handler }
}

const TUNNELS: &str = "/accounts/{account_id}/cfd_tunnel";
const TUNNEL: &str = "/accounts/{account_id}/cfd_tunnel/{tunnel_id}";
const TUNNEL_TOKEN: &str = "/accounts/{account_id}/cfd_tunnel/{tunnel_id}/token";
const TUNNEL_MANAGEMENT: &str = "/accounts/{account_id}/cfd_tunnel/{tunnel_id}/management";
const CONFIGURATION: &str = "/accounts/{account_id}/cfd_tunnel/{tunnel_id}/configurations";
const CONNECTIONS: &str = "/accounts/{account_id}/cfd_tunnel/{tunnel_id}/connections";
const CONNECTOR: &str = "/accounts/{account_id}/cfd_tunnel/{tunnel_id}/connectors/{connector_id}";
const RECORDS: &str = "/zones/{zone_id}/dns_records";
const RECORD: &str = "/zones/{zone_id}/dns_records/{dns_record_id}";
const POOLS: &str = "/accounts/{account_id}/load_balancers/pools";
const POOL: &str = "/accounts/{account_id}/load_balancers/pools/{pool_id}";
const MONITORS: &str = "/accounts/{account_id}/load_balancers/monitors";
const MONITOR: &str = "/accounts/{account_id}/load_balancers/monitors/{monitor_id}";
const BALANCERS: &str = "/zones/{zone_id}/load_balancers";
const BALANCER: &str = "/zones/{zone_id}/load_balancers/{load_balancer_id}";
const ROUTES: &str = "/accounts/{account_id}/teamnet/routes";
const ROUTE: &str = "/accounts/{account_id}/teamnet/routes/{route_id}";
const NETWORKS: &str = "/accounts/{account_id}/teamnet/virtual_networks";
const NETWORK: &str = "/accounts/{account_id}/teamnet/virtual_networks/{virtual_network_id}";
const HOSTNAMES: &str = "/accounts/{account_id}/zerotrust/routes/hostname";
const HOSTNAME: &str = "/accounts/{account_id}/zerotrust/routes/hostname/{hostname_route_id}";
const APPS: &str = "/accounts/{account_id}/access/apps";
const APP: &str = "/accounts/{account_id}/access/apps/{app_id}";
const POLICIES: &str = "/accounts/{account_id}/access/policies";
const POLICY: &str = "/accounts/{account_id}/access/policies/{policy_id}";

/// Every operation. The first row whose path fits counts, so fixed words stand before parameters.
#[rustfmt::skip]
static OPERATIONS: [Operation; 70] = [
    get("/user/tokens/verify", ANYONE, tokens::verify_user),
    get("/accounts/{account_id}/tokens/verify", ANYONE, tokens::verify_account),
    get("/accounts", ANYONE, accounts::list),
    get("/accounts/{account_id}", ANYONE, accounts::get),
    get("/zones", READ_ZONES, zones::list),
    get("/zones/{zone_id}", READ_ZONE, zones::get),
    get(TUNNELS, READ_TUNNELS, tunnels::list),
    post(TUNNELS, WRITE_TUNNELS, tunnels::create),
    get(TUNNEL, READ_TUNNELS, tunnels::get),
    patch(TUNNEL, WRITE_TUNNELS, tunnels::patch),
    delete(TUNNEL, WRITE_TUNNELS, tunnels::delete),
    get(TUNNEL_TOKEN, WRITE_TUNNELS, tunnels::token),
    post(TUNNEL_MANAGEMENT, WRITE_TUNNELS, tunnels::management),
    get(CONFIGURATION, READ_TUNNELS, configurations::get),
    put(CONFIGURATION, WRITE_TUNNELS, configurations::put),
    get(CONNECTIONS, READ_TUNNELS, connections::list),
    delete(CONNECTIONS, WRITE_TUNNELS, connections::delete),
    get(CONNECTOR, READ_TUNNELS, connections::get_connector),
    post("/zones/{zone_id}/dns_records/batch", WRITE_DNS, batch::run),
    get("/zones/{zone_id}/dns_records/usage", ANYONE, records::usage),
    get(RECORDS, READ_DNS, records::list),
    post(RECORDS, WRITE_DNS, records::create),
    get(RECORD, READ_DNS, records::get),
    put(RECORD, WRITE_DNS, records::put),
    patch(RECORD, WRITE_DNS, records::patch),
    delete(RECORD, WRITE_DNS, records::delete),
    get(POOLS, READ_POOLS, resource::list::<Pool>),
    post(POOLS, WRITE_POOLS, resource::create::<Pool>),
    get(POOL, READ_POOLS, resource::get::<Pool>),
    put(POOL, WRITE_POOLS, resource::put::<Pool>),
    patch(POOL, WRITE_POOLS, resource::patch::<Pool>),
    delete(POOL, WRITE_POOLS, resource::delete::<Pool>),
    get(MONITORS, READ_POOLS, resource::list::<Monitor>),
    post(MONITORS, WRITE_POOLS, resource::create::<Monitor>),
    get(MONITOR, READ_POOLS, resource::get::<Monitor>),
    put(MONITOR, WRITE_POOLS, resource::put::<Monitor>),
    patch(MONITOR, WRITE_POOLS, resource::patch::<Monitor>),
    delete(MONITOR, WRITE_POOLS, resource::delete::<Monitor>),
    get(BALANCERS, READ_BALANCERS, resource::list::<LoadBalancer>),
    post(BALANCERS, WRITE_BALANCERS, resource::create::<LoadBalancer>),
    get(BALANCER, READ_BALANCERS, resource::get::<LoadBalancer>),
    put(BALANCER, WRITE_BALANCERS, resource::put::<LoadBalancer>),
    patch(BALANCER, WRITE_BALANCERS, resource::patch::<LoadBalancer>),
    delete(BALANCER, WRITE_BALANCERS, resource::delete::<LoadBalancer>),
    get(ROUTES, READ_NETWORKS, resource::list::<Route>),
    post(ROUTES, WRITE_NETWORKS, resource::create::<Route>),
    get("/accounts/{account_id}/teamnet/routes/ip/{ip}", READ_NETWORKS, routes::resolve),
    get(ROUTE, READ_NETWORKS, resource::get::<Route>),
    patch(ROUTE, WRITE_NETWORKS, resource::patch::<Route>),
    delete(ROUTE, WRITE_NETWORKS, resource::delete::<Route>),
    get(NETWORKS, READ_NETWORKS, resource::list::<VirtualNetwork>),
    post(NETWORKS, WRITE_NETWORKS, resource::create::<VirtualNetwork>),
    get(NETWORK, READ_NETWORKS, resource::get::<VirtualNetwork>),
    patch(NETWORK, WRITE_NETWORKS, resource::patch::<VirtualNetwork>),
    delete(NETWORK, WRITE_NETWORKS, resource::delete::<VirtualNetwork>),
    get(HOSTNAMES, READ_NETWORKS, resource::list::<HostnameRoute>),
    post(HOSTNAMES, WRITE_NETWORKS, resource::create::<HostnameRoute>),
    get(HOSTNAME, READ_NETWORKS, resource::get::<HostnameRoute>),
    patch(HOSTNAME, WRITE_NETWORKS, resource::patch::<HostnameRoute>),
    delete(HOSTNAME, WRITE_NETWORKS, resource::delete::<HostnameRoute>),
    get(APPS, READ_ACCESS, resource::list::<App>),
    post(APPS, WRITE_ACCESS, resource::create::<App>),
    get(APP, READ_ACCESS, resource::get::<App>),
    put(APP, WRITE_ACCESS, resource::put::<App>),
    delete(APP, WRITE_ACCESS, resource::delete::<App>),
    get(POLICIES, READ_ACCESS, resource::list::<Policy>),
    post(POLICIES, WRITE_ACCESS, resource::create::<Policy>),
    get(POLICY, READ_ACCESS, resource::get::<Policy>),
    put(POLICY, WRITE_ACCESS, resource::put::<Policy>),
    delete(POLICY, WRITE_ACCESS, resource::delete::<Policy>),
];

/// The operation behind a method and a path, with the path's parameters.
pub(super) fn find(method: &Method, path: &str) -> Result<(&'static Operation, Params), Failure> {
    let mut known_path = false;
    for operation in &OPERATIONS {
        let Some(params) = fit(operation.path, path) else { continue };
        known_path = true;
        if operation.method == method {
            let well_formed = params.0.iter().all(|(name, value)| is_well_formed(name, value));
            let malformed = || Failure::no_route(StatusCode::BAD_REQUEST, path);
            return if well_formed { Ok((operation, params)) } else { Err(malformed()) };
        }
    }
    if known_path {
        let message = format!("Method {method} not available for that URI.");
        return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, 7001, message));
    }
    Err(Failure::no_route(StatusCode::NOT_FOUND, path))
}

/// The parameters of `path` when it has the form of `pattern`.
fn fit(pattern: &'static str, path: &str) -> Option<Params> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = Params::default();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !given.is_empty() => params.0.push((name, given.to_owned())),
                Some(_) => return None,
                None if wanted == given => {}
                None => return None,
            },
            (None, Some(_)) | (Some(_), None) => return None,
        }
    }
}

/// Whether an id has the form of its kind. Pools, monitors, balancers and Access objects take anything without a slash.
fn is_well_formed(name: &str, value: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match name {
        "account_id" | "zone_id" | "dns_record_id" => value.len() == 32 && value.bytes().all(is_hex),
        "tunnel_id" | "connector_id" | "route_id" | "virtual_network_id" | "hostname_route_id" => is_uuid_shaped(value),
        _ => true,
    }
}
