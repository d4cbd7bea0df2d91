//! What a principal may: pure decisions over the configuration's access rules.
//!
//! Deny by default: who is named nowhere may nothing, and the daemon's own user is nobody special. Root is always admin: root can
//! read and replace everything that Adit has anyway.

#[cfg(test)]
mod laws;
mod object;

use std::sync::Arc;

use object::Part;
pub(super) use object::{Object, waived_access};

use super::peer::{Names, Principal};
use crate::config::{Access, Grant, Role, Who};

/// The access rules with the ids of everybody they name.
#[derive(Debug)]
pub(super) struct Policy {
    access: Arc<Access>,
    names: Names,
}

/// What one principal may: a role everywhere, and grants for some tunnels.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// What they may everywhere.
    pub(super) role: Option<Role>,
    /// What they may beyond that, where each pattern matches.
    pub(super) grants: Vec<Grant>,
}

impl Policy {
    /// The rules of `access`. Looks up names, which may take long.
    pub(super) fn resolve(access: Arc<Access>) -> Self {
        let names = Names::resolve(&access);
        Self { access, names }
    }

    /// Whether this policy was made from just these rules.
    pub(super) fn is_of(&self, access: &Arc<Access>) -> bool {
        Arc::ptr_eq(&self.access, access) || self.access == *access
    }

    /// Whether the name service answered for every name.
    pub(super) fn is_complete(&self) -> bool {
        self.names.is_complete()
    }

    /// What `principal` may.
    pub(super) fn standing(&self, principal: &Principal) -> Standing {
        let named = |list: &[Who]| list.iter().any(|who| self.is(who, principal));
        let access = &self.access;
        let lists = [(Role::Admin, &access.admin), (Role::Operator, &access.operator), (Role::Viewer, &access.viewer)];
        let role = lists.into_iter().find(|(_, list)| named(list)).map(|(role, _)| role);
        let role = if principal.uid == ROOT { Some(Role::Admin) } else { role };
        let grants = access.grants.iter().filter(|grant| named(&grant.who)).cloned().collect();
        Standing { role, grants }
    }

    fn is(&self, who: &Who, principal: &Principal) -> bool {
        match who {
            Who::User(name) => self.names.user(name) == Some(principal.uid),
            Who::Group(name) => self.names.group(name).is_some_and(|gid| principal.is_in(gid)),
        }
    }
}

impl Standing {
    /// What root may, whatever the rules say.
    pub(super) fn root() -> Self {
        Self { role: Some(Role::Admin), grants: Vec::new() }
    }

    /// Whether they may what `need` may, everywhere.
    pub(super) fn everywhere(&self, need: Role) -> bool {
        self.role.is_some_and(|role| role >= need)
    }

    /// Whether there is anything for which they may what `need` may.
    pub(super) fn anywhere(&self, need: Role) -> bool {
        self.role_anywhere().is_some_and(|role| role >= need)
    }

    /// The highest role that they have for anything.
    pub(super) fn role_anywhere(&self) -> Option<Role> {
        self.role.max(self.grants.iter().map(|grant| grant.role).max())
    }

    /// The highest role that they have for `object`.
    pub(super) fn role_for(&self, object: &Object) -> Option<Role> {
        let granted = self.grants.iter().filter(|grant| covers(grant, object)).map(|grant| grant.role);
        self.role.max(granted.max())
    }

    /// Whether they may what `need` may for `object`.
    pub(super) fn covers(&self, need: Role, object: &Object) -> bool {
        self.role_for(object).is_some_and(|role| role >= need)
    }

    /// Whether they may take `object` away, with what only an admin may write of it.
    pub(super) fn may_delete(&self, object: &Object) -> Result<(), String> {
        match object.for_admins.first() {
            Some(part) if !self.everywhere(Role::Admin) => Err(format!("it has {}, which needs role \"admin\"", part.name)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether they may give `object` its definition where `former` stood, if anything did. What reaches beyond a grant's patterns
    /// is for admins only, to write and to take away: an editor leaves it as it is.
    pub(super) fn may_define(&self, former: Option<&Object>, object: &Object) -> Result<(), String> {
        if self.everywhere(Role::Admin) {
            return Ok(());
        }
        if former.is_some_and(|former| !self.covers(Role::Editor, former)) {
            return Err("it reaches beyond what you have role \"editor\" for".to_owned());
        }
        let former_parts = former.map_or(&[][..], |former| &former.for_admins);
        let first_not_in = |parts: &[Part], others: &[Part]| parts.iter().find(|part| !part.is_kept_in(others)).cloned();
        if let Some(part) = first_not_in(&object.for_admins, former_parts) {
            return Err(format!("{} needs role \"admin\"", part.name));
        }
        if let Some(part) = first_not_in(former_parts, &object.for_admins) {
            return Err(format!("removing {} needs role \"admin\"", part.name));
        }
        if self.covers(Role::Editor, object) {
            return Ok(());
        }
        Err("it needs role \"editor\" for its account, its name, every hostname and every service".to_owned())
    }
}

/// The user that is always admin.
const ROOT: u32 = 0;

fn covers(grant: &Grant, object: &Object) -> bool {
    let all = |patterns: &Option<Vec<_>>, texts: &[String]| match patterns {
        None => true,
        Some(patterns) => texts.iter().all(|text| patterns.iter().any(|pattern: &crate::config::Pattern| pattern.matches(text))),
    };
    let account = match &grant.accounts {
        None => true,
        Some(accounts) => accounts.iter().any(|account| account.as_str() == object.account),
    };
    account
        && all(&grant.tunnels, std::slice::from_ref(&object.tunnel))
        && all(&grant.hostnames, &object.hostnames)
        && all(&grant.origins, &object.origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(uid: u32, groups: &[u32]) -> Principal {
        Principal { uid, gid: uid, groups: groups.to_vec(), pid: 1, user: None, is_connector: false }
    }

    fn who(texts: &[&str]) -> Vec<Who> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn policy() -> Policy {
        let patterns = |texts: &[&str]| Some(texts.iter().map(|text| text.parse().unwrap()).collect());
        Policy::resolve(Arc::new(Access {
            admin: who(&["@100"]),
            operator: who(&["@200", "12"]),
            viewer: who(&["@300", "@100"]),
            grants: vec![Grant {
                role: Role::Editor,
                who: who(&["@400"]),
                accounts: Some(vec!["default".parse().unwrap()]),
                tunnels: patterns(&["web-*"]),
                hostnames: patterns(&["*.web.example.com"]),
                origins: patterns(&["http://localhost:80??"]),
            }],
        }))
    }

    fn object(tunnel: &str, hostname: &str, origin: &str) -> Object {
        Object {
            account: "default".to_owned(),
            tunnel: tunnel.to_owned(),
            hostnames: vec![hostname.to_owned()],
            origins: vec![origin.to_owned()],
            for_admins: Vec::new(),
        }
    }

    #[test]
    fn the_highest_role_that_names_a_principal_holds() {
        for (principal, role) in [
            (principal(0, &[]), Some(Role::Admin)),
            (principal(10, &[100]), Some(Role::Admin)),
            (principal(100, &[]), Some(Role::Admin)),
            (principal(10, &[300, 200]), Some(Role::Operator)),
            (principal(12, &[]), Some(Role::Operator)),
            (principal(10, &[300]), Some(Role::Viewer)),
            (principal(10, &[400]), None),
            (principal(10, &[12]), None),
            (principal(10, &[]), None),
        ] {
            assert_eq!(policy().standing(&principal).role, role, "{principal:?}");
        }
    }

    #[test]
    fn the_daemons_own_user_has_no_role() {
        let own = rustix::process::getuid().as_raw().max(1);
        assert_eq!(policy().standing(&principal(own, &[])).role, None);
    }

    #[test]
    fn a_grant_holds_only_where_every_pattern_matches() {
        let standing = policy().standing(&principal(10, &[400]));
        let good = object("web-shop", "a.web.example.com", "http://localhost:8080");
        assert!(standing.covers(Role::Editor, &good));
        assert!(standing.covers(Role::Viewer, &good), "an editor may what a viewer may");
        assert!(!standing.covers(Role::Admin, &good));
        assert!(!standing.everywhere(Role::Viewer));
        for bad in [
            object("shop", "a.web.example.com", "http://localhost:8080"),
            object("web-shop", "example.com", "http://localhost:8080"),
            object("web-shop", "a.web.example.com", "http://localhost:9090"),
            Object { account: "other".to_owned(), ..good.clone() },
            Object { hostnames: vec!["a.web.example.com".to_owned(), "b.example.com".to_owned()], ..good.clone() },
        ] {
            assert!(!standing.covers(Role::Editor, &bad), "{bad:?}");
        }
    }

    #[test]
    fn what_is_for_admins_is_refused_to_an_editor() {
        let standing = policy().standing(&principal(10, &[400]));
        let good = object("web-shop", "a.web.example.com", "http://localhost:8080");
        assert_eq!(standing.may_define(None, &good), Ok(()));
        let bad = |protocol: &str| {
            let definition = serde_json::json!({ "protocol": protocol });
            Object { for_admins: Object::of_definition("web-shop", &definition).for_admins, ..good.clone() }
        };
        let needs = "\"protocol\" needs role \"admin\"";
        assert_eq!(standing.may_define(None, &bad("quic")), Err(needs.to_owned()));
        assert_eq!(standing.may_define(Some(&bad("http2")), &bad("quic")), Err(needs.to_owned()));
        assert_eq!(standing.may_define(Some(&bad("quic")), &good), Err(format!("removing {needs}")));
        assert_eq!(standing.may_define(Some(&bad("quic")), &bad("quic")), Ok(()), "what stays as it is was written by another");
        assert_eq!(Standing::root().may_define(None, &bad("quic")), Ok(()));
        let beyond = object("web-shop", "example.com", "http://localhost:8080");
        assert!(standing.may_define(Some(&beyond), &good).is_err(), "what became another's is not written over");
        assert_eq!(standing.may_delete(&good), Ok(()));
        assert_eq!(standing.may_delete(&bad("quic")), Err("it has \"protocol\", which needs role \"admin\"".to_owned()));
        assert_eq!(Standing::root().may_delete(&bad("quic")), Ok(()));
    }
}
