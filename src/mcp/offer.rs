//! What a server offers: which tools, for which tunnels. The daemon decides again about everything that is asked of it.

use crate::{
    config::{Pattern, Role},
    control::api::{Error, ErrorKind, WhoAmI},
};

/// What whoever starts a server lets it do, at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Tools that need more than this are not offered.
    pub role: Role,
    /// Only tunnels like this are shown and changed; `None`: all.
    pub tunnels: Option<Pattern>,
}

/// What a tool needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// The role.
    pub(super) role: Role,
    /// Whether it is about the host as a whole, and not about single tunnels.
    pub(super) whole_host: bool,
}

impl Limits {
    /// Whether that tunnel is within the limits.
    pub(super) fn covers(&self, tunnel: &str) -> bool {
        self.tunnels.as_ref().is_none_or(|pattern| pattern.matches(tunnel))
    }

    /// Refuses a tunnel that is beyond the limits.
    pub(super) fn check_tunnel(&self, tunnel: &str) -> Result<(), Error> {
        match &self.tunnels {
            Some(pattern) if !pattern.matches(tunnel) => {
                let message = format!("cannot look at tunnel {tunnel:?}: this server is limited to tunnels like \"{pattern}\"");
                Err(refused(message).with_hint("whoever starts the server sets the limit with --tunnels"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a hostname that belongs to no tunnel within the limits. Whether another tunnel has it is not told.
    pub(super) fn check_hostname(&self, hostname: &str, tunnel: Option<&str>) -> Result<(), Error> {
        match &self.tunnels {
            Some(pattern) if !tunnel.is_some_and(|tunnel| pattern.matches(tunnel)) => {
                let message = format!(
                    "cannot diagnose {hostname:?}: this server is limited to tunnels like \"{pattern}\", and none of them has it"
                );
                Err(refused(message).with_hint("whoever starts the server sets the limit with --tunnels"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a tool that needs more than the limits leave.
    pub(super) fn check_tool(&self, tool: &str, needs: Needs) -> Result<(), Error> {
        let Needs { role, whole_host } = needs;
        if role > self.role {
            let message =
                format!("cannot call {tool}: it needs role {role}, and this server was started with role {}", self.role);
            return Err(refused(message).with_hint(format!("\"adit mcp --role {role}\" offers it to a caller who has that role")));
        }
        if whole_host && self.tunnels.is_some() {
            let message = format!("cannot call {tool}: it is about every tunnel, and this server is limited to some");
            return Err(refused(message).with_hint("whoever starts the server sets the limit with --tunnels"));
        }
        Ok(())
    }
}

/// Refuses a tool that needs more than the daemon lets its caller do.
pub(super) fn check_caller(tool: &str, needs: Needs, who: &WhoAmI) -> Result<(), Error> {
    let own = caller_role(who);
    if own.is_some_and(|own| own >= needs.role) {
        return Ok(());
    }
    let own = own.map_or_else(|| "no role".to_owned(), |own| format!("role {own}"));
    let message = format!("cannot call {tool}: it needs role {}, and the user that this server runs as has {own}", needs.role);
    Err(refused(message).with_hint("roles are given under [access] in the daemon's configuration; \"adit whoami\" shows them"))
}

/// The highest role that the caller has anywhere: what it is good for is decided tunnel by tunnel.
fn caller_role(who: &WhoAmI) -> Option<Role> {
    let granted = who.grants.iter().map(|grant| grant.role.as_str());
    who.role.as_deref().into_iter().chain(granted).filter_map(role_of_word).max()
}

/// The role that a word stands for.
pub fn role_of_word(word: &str) -> Option<Role> {
    [Role::Viewer, Role::Operator, Role::Editor, Role::Admin].into_iter().find(|role| role.to_string() == word)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::NotPermitted, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::GrantInEffect;

    fn limits(role: Role, tunnels: Option<&str>) -> Limits {
        Limits { role, tunnels: tunnels.map(|pattern| pattern.parse().unwrap()) }
    }

    #[test]
    fn a_tool_above_the_role_is_refused_with_the_role_that_it_needs() {
        let needs = Needs { role: Role::Editor, whole_host: false };
        assert!(limits(Role::Admin, None).check_tool("update_tunnel", needs).is_ok());
        let error = limits(Role::Viewer, None).check_tool("update_tunnel", needs).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotPermitted);
        assert!(error.message.contains("needs role editor") && error.hint.unwrap().contains("--role editor"));
    }

    #[test]
    fn a_server_for_some_tunnels_covers_those_and_offers_nothing_about_all() {
        let some = limits(Role::Admin, Some("web-*"));
        assert!(some.covers("web-1") && !some.covers("api"));
        assert!(some.check_tunnel("web-1").is_ok());
        assert!(some.check_tunnel("api").unwrap_err().message.contains("limited to tunnels like \"web-*\""));
        assert!(some.check_tool("apply", Needs { role: Role::Admin, whole_host: true }).is_err());
    }

    #[test]
    fn a_caller_counts_with_the_best_of_role_and_grants() {
        let who = |role: Option<&str>, grant: Option<&str>| WhoAmI {
            uid: 1,
            user: None,
            groups: Vec::new(),
            role: role.map(str::to_owned),
            grants: grant.map(|role| GrantInEffect { role: role.to_owned(), tunnels: Vec::new() }).into_iter().collect(),
        };
        assert_eq!(caller_role(&who(Some("viewer"), Some("editor"))), Some(Role::Editor));
        assert_eq!(caller_role(&who(None, None)), None);
        let needs = Needs { role: Role::Viewer, whole_host: false };
        assert!(check_caller("status", needs, &who(None, None)).unwrap_err().message.contains("has no role"));
    }
}
