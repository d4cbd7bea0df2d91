//! The whole sandbox at once, in one directory: what the demo, the tests and `adit sandbox` start.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Api,
    edge::Edge,
    front::{Front, FrontStats, Loss},
    resolver::Resolver,
    start_api,
    switchboard::{ENVIRONMENT_VARIABLE, Switchboard},
    world::World,
};

/// A running sandbox. Dropping it ends all of it.
pub struct Stage {
    /// The account's state, and the switches of its API.
    pub world: World,
    /// Where the connectors register.
    pub edge: Arc<Edge>,
    /// What each connector can be told to do.
    pub switchboard: Switchboard,
    front: Front,
    resolver: Resolver,
    api: Api,
    directory: PathBuf,
}

impl Stage {
    /// Starts everything. `directory` gets a `cloudflared` that leads to `program` (the `adit` binary, which behaves as cloudflared
    /// when it is called so), the API token in a 0600 file and the switchboard's socket.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written or no port can be had.
    pub async fn start(directory: &Path, program: &Path, world: World) -> io::Result<Self> {
        let api = start_api(world.clone()).await?;
        let edge = Arc::new(Edge::start(Arc::new(world.clone()))?);
        let front = Front::start(edge.clone(), Arc::new(world.clone()))?;
        let resolver = Resolver::start(Arc::new(world.clone())).await?;
        let switchboard = Switchboard::start(&directory.join("switchboard.sock"))?;
        symlink(program, directory.join("cloudflared"))?;
        let mut token = OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.join("token"))?;
        token.write_all(world.api_token().expose().as_bytes())?;
        Ok(Self { world, edge, switchboard, front, resolver, api, directory: directory.to_owned() })
    }

    /// Where visitors ask: plain HTTP, the tunnel is found by the `Host` header.
    pub fn front(&self) -> SocketAddr {
        self.front.addr()
    }

    /// What became of the visitors' requests so far.
    pub fn front_stats(&self) -> FrontStats {
        self.front.stats()
    }

    /// The visitors' requests that failed since this was asked last, one by one, the first thousand of them.
    pub fn take_losses(&self) -> Vec<Loss> {
        self.front.take_losses()
    }

    /// The visitors' requests that failed and were not taken, one by one, the first thousand of them.
    pub fn losses(&self) -> Vec<Loss> {
        self.front.losses()
    }

    /// The tables of a configuration that lead a daemon to this sandbox: `[cloudflared]`, `[health]` and `[accounts.sandbox]`.
    pub fn configuration(&self) -> String {
        let path = |name: &str| toml::Value::String(self.directory.join(name).to_string_lossy().into_owned());
        let edge = self.edge.tunnel_edge();
        format!(
            "[cloudflared]\n\
             binary = {}\n\
             grace_period = \"5s\"\n\
             edge_probe = [\"{}\"]\n\
             env = {{ TUNNEL_EDGE = \"{edge}\", {ENVIRONMENT_VARIABLE} = {} }}\n\n\
             [health]\n\
             resolver = \"{}\"\n\
             front = \"http://{}\"\n\n\
             [accounts.sandbox]\n\
             api_token = {{ file = {} }}\n\
             api_base = \"{}\"\n",
            path("cloudflared"),
            self.edge.addr(),
            path("switchboard.sock"),
            self.resolver.addr(),
            self.front.addr(),
            path("token"),
            self.api.base,
        )
    }
}
