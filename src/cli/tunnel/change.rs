//! `adit tunnel update`

use std::path::PathBuf;

use clap::Args;

use super::tell;
use crate::cli::{
    Context, Ending, Failure,
    arguments::Wait,
    completion, definition,
    wait::{Goal, wait},
};

/// Change a tunnel that was made over the socket
///
/// Tunnels of the configuration's files are changed there. A change that needs other connectors starts them before the former
/// ones are drained.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit tunnel update web --replicas 3 --wait
  adit tunnel update web --set health.origin=off --unset load_balancer
  adit tunnel update web --file web.toml")]
pub(in crate::cli) struct Update {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    /// How many connectors run on this host.
    #[arg(long, value_name = "NUMBER")]
    replicas: Option<u8>,
    /// Set a part of the definition. The value is TOML, or a text as it stands.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Remove a part of the definition, so that its default holds.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Replace the whole definition by a file's, or by stdin's with -: TOML or JSON, as in the configuration.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["replicas", "set", "unset"])]
    file: Option<PathBuf>,
    /// Only when the definition has this version still, as "adit tunnel show -o json" has it: else nothing is changed (5).
    #[arg(long, value_name = "VERSION")]
    if_version: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn update(mut arguments: Update, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let name = &arguments.name;
    let client = match &arguments.if_version {
        Some(version) => context.client.expecting(version),
        None => context.client.clone(),
    };
    let changed = match &arguments.file {
        Some(file) => {
            let definition = definition::read(file, name, context.terminal)?;
            client.replace_tunnel(name, &definition).await?
        }
        None => {
            arguments.set.extend(arguments.replicas.map(|replicas| format!("replicas={replicas}")));
            if arguments.set.is_empty() && arguments.unset.is_empty() {
                let failure = Failure::new(Ending::Usage, format!("cannot update tunnel {name:?}: nothing to change was given"));
                return Err(failure.with_hint("--set KEY=VALUE, --unset KEY, --replicas NUMBER or --file FILE say what"));
            }
            let patch = definition::patch(&arguments.set, &arguments.unset)?;
            client.patch_tunnel(name, &patch).await?
        }
    };
    tell(context, &changed, "accepted; the change is under way")?;
    wait(&arguments.wait, context, name, &Goal::Serving).await
}
