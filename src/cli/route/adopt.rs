//! `adit route adopt`

use clap::Args;

use super::with_suggestion;
use crate::{
    cli::{
        Context, Ending, Failure, Output,
        arguments::{Wait, Yes},
        completion,
        confirm::confirm,
        render::plain,
        wait::{Goal, wait},
    },
    control::api::{self, Change, FoundRecord, RouteAdoption},
};

/// Put our DNS record in the place of what stands at a hostname
///
/// It shows what is there and what becomes of it, asks, and acts only if that is still so (else 5). What was there is kept in the
/// state directory. Records of other types, such as TXT and MX, stay.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  adit route adopt app.example.com --yes --wait")]
pub(in crate::cli) struct Adopt {
    /// The hostname, as the tunnel's route has it.
    #[arg(add = completion::hostnames())]
    hostname: String,
    /// The tunnel that it leads to; when left out, the one that has a route for it.
    #[arg(long, add = completion::tunnels())]
    tunnel: Option<String>,
    /// Take it also from this other installation of Adit, which must be gone for good: it would take it back.
    #[arg(long, value_name = "ID")]
    from_install: Option<String>,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    wait: Wait,
}

pub(in crate::cli) async fn adopt(arguments: Adopt, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let Adopt { hostname, tunnel, from_install, yes, wait: waiting } = arguments;
    let asked = api::AdoptRoute { hostname, tunnel, from_install, hash: None };
    let shown = match context.client.look_at_route(&asked).await {
        Ok(shown) => shown,
        Err(trouble) => return Err(with_suggestion(trouble, &asked.hostname, asked.tunnel.as_deref(), context).await),
    };
    context.terminal.show(&render(&shown));
    if !shown.is_ours {
        let doing = format!("Lead {} to tunnel {:?} instead", shown.hostname, shown.tunnel);
        confirm(context.terminal, yes.yes, &doing)?;
    }
    let asked = api::AdoptRoute { tunnel: Some(shown.tunnel.clone()), hash: Some(shown.hash), ..asked };
    let adopted = context.client.adopt_route(&asked).await?;
    match (context.output, adopted.change) {
        (Output::Json, Change::Accepted | Change::Unchanged) => context.terminal.print_json(&adopted)?,
        (Output::Table, Change::Unchanged) => {
            context.terminal.tell(&format!("{}: nothing to change, it is ours already", adopted.hostname));
        }
        (Output::Table, Change::Accepted) => {
            context.terminal.tell(&format!("{}: leads to tunnel {}", adopted.hostname, adopted.tunnel));
            if let Some(kept) = &adopted.kept {
                context.terminal.tell(&format!("what was there is kept in {kept}"));
            }
        }
    }
    wait(&waiting, context, &adopted.tunnel, &Goal::Serving).await
}

fn render(shown: &RouteAdoption) -> String {
    let RouteAdoption { hostname, tunnel, zone, target, .. } = shown;
    let mut lines = vec![format!("{hostname} in zone {zone}, for tunnel {tunnel}")];
    lines.extend(shown.records.iter().map(record));
    if !shown.is_ours {
        lines.push(format!("  + CNAME {target:?} (proxied)"));
        if !shown.serves {
            lines.push(format!("  # no connector of tunnel {tunnel} is ready: visitors get an error until one is"));
        }
    }
    lines.extend(shown.installs.iter().map(|install| {
        format!("  ! another installation of Adit ({install}) made it and would take it back, unless it is gone for good")
    }));
    lines.into_iter().map(|line| format!("{}\n", plain(&line))).collect()
}

fn record(record: &FoundRecord) -> String {
    let sign = match record.fate.as_str() {
        "replaced" => '-',
        _ => '=',
    };
    let comment = match &record.comment {
        Some(comment) => format!("comment {comment:?}"),
        None => "no comment".to_owned(),
    };
    let proxied = if record.proxied { "proxied" } else { "not proxied" };
    format!("  {sign} {} {:?} ({proxied}, {comment})", record.kind, record.content)
}
