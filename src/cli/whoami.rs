//! `adit whoami`

use clap::Args;

use super::{Context, Ending, Failure, Output, render::plain};
use crate::control::api::WhoAmI;

/// Show who the daemon takes you for, and what you may
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  adit whoami\n  adit whoami -o json | jq -r .role")]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments, context: &mut Context<'_>) -> Result<Ending, Failure> {
    let who = context.client.who_am_i().await?;
    match context.output {
        Output::Json => context.terminal.print_json(&who)?,
        Output::Table => context.terminal.print(&render(&who))?,
    }
    Ok(Ending::Fine)
}

fn render(who: &WhoAmI) -> String {
    // The primary group first; it may be among the others too.
    let mut groups: Vec<String> = Vec::new();
    for group in who.groups.iter().map(u32::to_string) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let mut text = format!(
        "user    {} (uid {})\ngroups  {}\nrole    {}\n",
        plain(who.user.as_deref().unwrap_or("without a name")),
        who.uid,
        groups.join(" "),
        who.role.as_deref().unwrap_or("none"),
    );
    for grant in &who.grants {
        let tunnels = if grant.tunnels.is_empty() { "every tunnel".to_owned() } else { grant.tunnels.join(", ") };
        text.push_str(&format!("grant   {} for {}\n", plain(&grant.role), plain(&tunnels)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::GrantInEffect;

    #[test]
    fn a_person_sees_their_role_and_their_grants() {
        let who = WhoAmI {
            uid: 1000,
            user: Some("alice".to_owned()),
            groups: vec![1000, 27, 1000],
            role: None,
            grants: vec![GrantInEffect { role: "editor".to_owned(), tunnels: vec!["web-*".to_owned()] }],
        };
        let text = "user    alice (uid 1000)\ngroups  1000 27\nrole    none\ngrant   editor for web-*\n";
        assert_eq!(render(&who), text);
    }
}
