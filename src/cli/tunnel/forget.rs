//! `adit tunnel forget`

use clap::Args;

use crate::{
    cli::{Context, Ending, Failure, Output, arguments::Yes, completion, confirm::confirm, render::plain},
    control::api::{Change, Forgotten},
};

/// Give a tunnel up without deleting anything at Cloudflare
///
/// Its connectors finish their requests and stop, and Adit forgets it; a definition that was made over the socket goes with it.
/// The tunnel, its configuration and its DNS records stay at Cloudflare as they are. "adit tunnel adopt" takes it back.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit tunnel forget web --yes")]
pub(in crate::cli) struct Forget {
    /// The tunnel's name.
    #[arg(add = completion::tunnels())]
    name: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn forget(arguments: Forget, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let name = &arguments.name;
    if !arguments.yes.yes {
        // Asked before the person is, so that nobody consents to what is not there.
        let tunnel = context.client.tunnel(name).await?.tunnel;
        let doing = format!("Stop the connectors of tunnel {:?} here and forget it (it stays at Cloudflare)", tunnel.name);
        confirm(context.terminal, false, &doing)?;
    }
    let forgotten = context.client.forget_tunnel(name).await?;
    match context.output {
        Output::Json => context.terminal.print_json(&forgotten)?,
        Output::Table => context.terminal.show(&render(&forgotten)),
    }
    Ok(Ending::Fine)
}

fn render(forgotten: &Forgotten) -> String {
    let Forgotten { tunnel, change, id, cloudflare_name, configuration, records, rules } = forgotten;
    let mut lines = vec![match change {
        Change::Accepted => format!("{tunnel}: forgotten; nothing was deleted at Cloudflare"),
        Change::Unchanged => format!("{tunnel}: nothing to change, it was forgotten before"),
    }];
    match id {
        Some(id) => {
            lines.push(format!("  tunnel {cloudflare_name} ({id}) stays, with its {configuration} configuration"));
            lines.extend(records.iter().map(|record| format!("  DNS record {record} stays and leads to it")));
            lines.extend(rules.iter().map(|rule| format!("  our rule {rule} stays in its shared configuration")));
            lines.push(format!(
                "  `adit tunnel adopt {tunnel} --id {id}` takes it back (with --from-cloudflare, when no file defines it)"
            ));
        }
        None => lines.push(format!("  a tunnel {cloudflare_name} may be there: its creation was never confirmed")),
    }
    lines.into_iter().map(|line| format!("{}\n", plain(&line))).collect()
}
