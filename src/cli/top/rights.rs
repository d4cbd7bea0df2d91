//! What the caller may, as far as the daemon told: so that a key that would be refused says so before it is pressed.

use super::model::Verb;
use crate::{
    config::{Pattern, Role},
    control::api::WhoAmI,
    mcp::role_of_word,
};

/// The role that every verb here needs.
const NEEDED: Role = Role::Operator;

/// Whether the caller may do `verb` to `tunnel`, or why not. A grant may have more patterns than those that are told: the daemon has
/// the last word.
pub(super) fn may(who: Option<&WhoAmI>, verb: Verb, tunnel: &str) -> Result<(), String> {
    // As long as nothing is known, the daemon's answer tells.
    let Some(who) = who else { return Ok(()) };
    let everywhere = who.role.as_deref().is_some_and(is_enough);
    let granted = who.grants.iter().any(|grant| {
        let named = |pattern: &String| pattern.parse::<Pattern>().is_ok_and(|pattern| pattern.matches(tunnel));
        is_enough(&grant.role) && (grant.tunnels.is_empty() || grant.tunnels.iter().any(named))
    });
    if everywhere || granted {
        return Ok(());
    }
    let role = who.role.as_deref().map_or_else(|| "none".to_owned(), |role| format!("{role:?}"));
    let verb = verb.word();
    Err(format!("cannot {verb} tunnel {tunnel:?}: that needs role \"{NEEDED}\", and yours is {role} (\"adit whoami\" tells)"))
}

fn is_enough(role: &str) -> bool {
    role_of_word(role).is_some_and(|role| role >= NEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::GrantInEffect;

    #[test]
    fn a_key_is_offered_to_those_who_may() {
        let who = |role: Option<&str>, grants: &[(&str, &[&str])]| WhoAmI {
            uid: 1,
            user: None,
            groups: Vec::new(),
            role: role.map(str::to_owned),
            grants: grants
                .iter()
                .map(|(role, tunnels)| GrantInEffect {
                    role: (*role).to_owned(),
                    tunnels: tunnels.iter().map(|tunnel| (*tunnel).to_owned()).collect(),
                })
                .collect(),
        };
        for (who, may_it) in [
            (None, true),
            (Some(who(Some("admin"), &[])), true),
            (Some(who(Some("operator"), &[])), true),
            (Some(who(Some("viewer"), &[])), false),
            (Some(who(None, &[])), false),
            (Some(who(Some("viewer"), &[("editor", &["web-*"])])), true),
            (Some(who(None, &[("operator", &[])])), true),
            (Some(who(None, &[("operator", &["api", "db"])])), false),
            (Some(who(None, &[("viewer", &["web-*"])])), false),
        ] {
            assert_eq!(may(who.as_ref(), Verb::Restart, "web-shop").is_ok(), may_it, "{who:?}");
        }
        let refused = may(Some(&who(Some("viewer"), &[])), Verb::Stop, "web");
        assert_eq!(
            refused.unwrap_err(),
            "cannot stop tunnel \"web\": that needs role \"operator\", and yours is \"viewer\" (\"adit whoami\" tells)"
        );
    }
}
