//! `adit sandbox`: an embedded Cloudflare by itself, for measuring and for trying a daemon against it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Context, Ending, Failure};
use crate::sandbox::{stage::Stage, world::World};

/// Run an embedded Cloudflare on loopback, until SIGTERM or Ctrl-C
///
/// The folder gets a `cloudflared`, an API token and `sandbox.toml`, the part of a configuration that leads a daemon here. It serves
/// zones example.com and example.net, and visitors ask at the address that it prints.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder; it must exist and have none of these files.
    #[arg(long, value_name = "PATH")]
    directory: PathBuf,
    /// Do not count requests against Cloudflare's rate limit.
    #[arg(long)]
    no_rate_limit: bool,
}

/// Runs until a signal ends it.
pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stage = start(&arguments).await.map_err(Failure::of)?;
    context.terminal.print(&format!("front http://{}\n", stage.front()))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(Ending::Fine)
}

async fn start(arguments: &Arguments) -> anyhow::Result<Stage> {
    let world = World::new();
    if arguments.no_rate_limit {
        world.set_rate_limit(None);
    }
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let directory =
        arguments.directory.canonicalize().with_context(|| format!("cannot use the folder {:?}", arguments.directory))?;
    let stage = Stage::start(&directory, &program, world).await.context("cannot start the sandbox")?;
    std::fs::write(directory.join("sandbox.toml"), stage.configuration()).context("cannot write sandbox.toml")?;
    Ok(stage)
}
