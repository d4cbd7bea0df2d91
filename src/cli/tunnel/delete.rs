//! `adit tunnel delete`

use clap::Args;

use super::{carried_out, tell};
use crate::cli::{
    Context, Ending, Failure,
    arguments::{Wait, Yes},
    completion,
    confirm::confirm,
};

use crate::counted::counted;

/// Delete a tunnel that was made over the socket, here and at Cloudflare
///
/// Its connectors finish their requests first, then its DNS records go, then the tunnel. What Adit did not make stays. Tunnels
/// of the configuration's files are removed there.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit tunnel delete web --yes --wait")]
pub(in crate::cli) struct Delete {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn delete(arguments: Delete, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let name = &arguments.name;
    if !arguments.yes.yes {
        // Asked before the person is, so that nobody consents to what is not there.
        let tunnel = context.client.tunnel(name).await?.tunnel;
        let doing = format!("Delete tunnel {:?} with {}", tunnel.name, counted(tunnel.routes.len(), "route"));
        confirm(context.terminal, false, &doing)?;
    }
    if arguments.wait.wait {
        let begun = context.client.begin_delete_tunnel(name).await?;
        carried_out(begun, &arguments.wait, "deleted", context).await?;
        return Ok(Ending::Fine);
    }
    let changed = context.client.delete_tunnel(name).await?;
    tell(context, &changed, "accepted; the tunnel is being deleted")?;
    Ok(Ending::Fine)
}
