//! Names of users and groups, from the name service. Every function here may take long: a directory over the network may be asked.

use std::collections::BTreeMap;

use nix::unistd::{Gid, Group, Uid, User};

use crate::config::{Access, Who};

/// The ids of the users and groups that the access rules name. A name without an id is nobody's.
#[derive(Debug, Default)]
pub(in crate::control) struct Names {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
    /// Whether the name service failed for some name, which is not the same as not knowing it.
    failed: bool,
}

impl Names {
    /// Looks up every name in `access`.
    pub(in crate::control) fn resolve(access: &Access) -> Self {
        let mut names = Self::default();
        let lists = [&access.admin, &access.operator, &access.viewer].into_iter().flatten();
        for who in lists.chain(access.grants.iter().flat_map(|grant| &grant.who)) {
            let (name, id) = match who {
                Who::User(name) => (name, number(name).map_or_else(|| user_id(name), |id| Ok(Some(id)))),
                Who::Group(name) => (name, number(name).map_or_else(|| group_id(name), |id| Ok(Some(id)))),
            };
            let ids = match who {
                Who::User(_) => &mut names.users,
                Who::Group(_) => &mut names.groups,
            };
            match id {
                Ok(Some(id)) => {
                    ids.insert(name.clone(), id);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%who, %error, "cannot look up a name of [access]");
                    names.failed = true;
                }
            }
        }
        names
    }

    /// Whether the name service answered for every name.
    pub(in crate::control) fn is_complete(&self) -> bool {
        !self.failed
    }

    /// The id of the user `name`.
    pub(in crate::control) fn user(&self, name: &str) -> Option<u32> {
        self.users.get(name).copied()
    }

    /// The id of the group `name`.
    pub(in crate::control) fn group(&self, name: &str) -> Option<u32> {
        self.groups.get(name).copied()
    }

    /// The name of the user `uid`.
    pub(in crate::control) fn of_user(uid: u32) -> Option<String> {
        User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
    }
}

/// Names made of digits are ids: no user or group may be called like that (useradd(8)).
fn number(name: &str) -> Option<u32> {
    name.parse().ok()
}

fn user_id(name: &str) -> nix::Result<Option<u32>> {
    Ok(User::from_name(name)?.map(|user| Uid::as_raw(user.uid)))
}

fn group_id(name: &str) -> nix::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| Gid::as_raw(group.gid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_become_ids_and_unknown_names_nobody() {
        let access = Access {
            admin: vec!["root".parse().unwrap(), "@root".parse().unwrap()],
            operator: vec!["1234".parse().unwrap(), "@5678".parse().unwrap()],
            viewer: vec!["no-such-user-here".parse().unwrap()],
            grants: Vec::new(),
        };
        let names = Names::resolve(&access);
        assert_eq!((names.user("root"), names.group("root")), (Some(0), Some(0)));
        assert_eq!((names.user("1234"), names.group("5678")), (Some(1234), Some(5678)));
        assert_eq!(names.user("no-such-user-here"), None);
        assert!(names.is_complete(), "an unknown name is no failure");
    }
}
