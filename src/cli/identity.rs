//! `adit identity`

use clap::{Args, Subcommand};

use super::{Context, Ending, Failure, Output, arguments::Yes, confirm::confirm, render::plain};
use crate::control::api::Identity;

/// Show which installation this is, or decide it after a restored backup or a cloned machine
///
/// The state is bound to /etc/machine-id. On another machine no connector starts and nothing is written until an administrator says
/// what happened. Ends with 5 while that is open.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  adit identity\n  adit identity take-over   the other host is gone\n  adit identity new         this is a clone"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Go on with this state here: the machine that it came from is gone
    ///
    /// Its tunnels start on this host at once. While the other host runs as well, both would serve and change the same tunnels.
    #[command(after_help = "Example:\n  adit identity take-over --yes")]
    TakeOver(Consent),
    /// Become an installation of its own: this machine is a clone, and the original runs on
    ///
    /// The records are set aside in the state directory (set-aside/) and nothing at Cloudflare is touched. This host makes its own
    /// tunnels; a hostname that the original holds is a conflict and stays with it.
    #[command(after_help = "Example:\n  adit identity new --yes")]
    New(Consent),
}

#[derive(Debug, Args)]
struct Consent {
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let identity = match arguments.change {
        None => context.client.identity().await?,
        Some(Change::TakeOver(consent)) => {
            confirm(context.terminal, consent.yes.yes, "Take this state over (the other host must be gone)")?;
            context.client.take_over_identity().await?
        }
        Some(Change::New(consent)) => {
            confirm(context.terminal, consent.yes.yes, "Set the records aside and begin as a new installation")?;
            context.client.new_identity().await?
        }
    };
    match context.output {
        Output::Json => context.terminal.print_json(&identity)?,
        Output::Table => context.terminal.print(&render(&identity))?,
    }
    Ok(if identity.seal.is_some() { Ending::Conflict } else { Ending::Fine })
}

fn render(identity: &Identity) -> String {
    let since = identity.since.map_or_else(|| "unknown".to_owned(), |since| since.to_string());
    let install = identity.install.as_deref().unwrap_or("cannot be read");
    let state = identity.seal.as_ref().map_or("this machine's own", |seal| seal.sentence.as_str());
    let tunnels = identity.tunnels;
    let mut text =
        format!("install    {}\nsince      {since}\ntunnels    {tunnels}\nstate      {}\n", plain(install), plain(state));
    for (verb, would) in [("take-over", &identity.take_over), ("new", &identity.new)] {
        if let Some(would) = would {
            text.push_str(&format!("{verb:<10} {}\n", plain(would)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::Reason;

    #[test]
    fn what_is_open_and_what_each_way_out_would_do_is_shown() {
        let ours =
            Identity { install: Some("a1b2c3d4".to_owned()), since: None, seal: None, tunnels: 2, take_over: None, new: None };
        assert_eq!(render(&ours), "install    a1b2c3d4\nsince      unknown\ntunnels    2\nstate      this machine's own\n");
        let seal = Some(Reason { code: "state-sealed".to_owned(), sentence: "made on another machine".to_owned() });
        let clone = Identity { seal, new: Some("begins anew".to_owned()), ..ours };
        assert!(render(&clone).ends_with("state      made on another machine\nnew        begins anew\n"));
    }
}
