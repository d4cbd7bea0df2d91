//! `adit tunnel rotate`

use clap::Args;

use super::{carried_out, tell};
use crate::cli::{
    Context, Ending, Failure,
    arguments::{Wait, Yes},
    completion,
    confirm::confirm,
};

/// Give a tunnel another secret, without dropping a request
///
/// Cloudflare gets the new secret, connectors with it start and serve, and then the former ones finish their requests. Whoever else holds
/// the former secret (a copied token, a replica on another host) stays connected until it loses its connection, and cannot connect
/// again; --emergency cuts it off at once. Needs the role admin.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit tunnel rotate web --yes --wait\n  adit tunnel rotate web --emergency")]
pub(in crate::cli) struct Rotate {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    /// Cut off every connector of the tunnel that does not run on this host.
    #[arg(long)]
    emergency: bool,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn rotate(arguments: Rotate, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Rotate { name, emergency, yes, wait: waiting } = arguments;
    let doing = if emergency {
        format!("Give tunnel {name:?} another secret and cut off every connector that does not run on this host")
    } else {
        format!("Give tunnel {name:?} another secret, so that whoever else holds the one it has cannot connect again")
    };
    confirm(context.terminal, yes.yes, &doing)?;
    if waiting.wait {
        let begun = context.client.begin_rotate_tunnel(&name, emergency).await?;
        carried_out(begun, &waiting, "its connectors have another secret", context).await?;
        return Ok(Ending::Fine);
    }
    let changed = context.client.rotate_tunnel(&name, emergency).await?;
    tell(context, &changed, "accepted; its connectors are replaced one after the other")?;
    Ok(Ending::Fine)
}
