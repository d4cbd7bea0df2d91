//! Giving up root's rights for those of the daemon's user, before anything is read that this user may have written: what it put there
//! then reaches nothing that it could not have reached itself.

use std::{ffi::CString, fs, io, os::unix::fs::MetadataExt, path::Path};

use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setgroups, setuid};

/// The user as whom the package's unit runs the daemon.
pub const DAEMON_USER: &str = "adit";

/// Goes on as the user to whom the folder belongs, without any other group. Nothing changes for whoever is not root, and for a folder
/// of root's.
pub(super) fn become_owner(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    if !geteuid().is_root() || metadata.uid() == Uid::from_raw(0).as_raw() {
        return Ok(());
    }
    become_user_of(&metadata)
}

/// Goes on as the daemon's user with the groups that systemd would give it: the user to whom the state directory belongs, and before
/// there is one, the package's. Nothing changes for whoever is not root, for a daemon that runs as root, and where there is no such user.
pub(super) fn become_daemon(state_dir: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    // A link to the state directory is root's, as is the folder that it stands in.
    match fs::metadata(state_dir) {
        Ok(metadata) => match User::from_uid(Uid::from_raw(metadata.uid()))? {
            Some(user) => become_user(user),
            None => become_user_of(&metadata),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => User::from_name(DAEMON_USER)?.map_or(Ok(()), become_user),
        Err(error) => Err(error),
    }
}

/// Goes on as this user with all groups that it is in.
fn become_user(user: User) -> io::Result<()> {
    if user.uid.is_root() {
        return Ok(());
    }
    let name = CString::new(user.name).map_err(|_| io::Error::other("the daemon's user has a name with a zero byte"))?;
    initgroups(&name, user.gid)?;
    change(user.uid, user.gid)
}

/// Goes on as the user and the group to which this belongs, without any other group.
fn become_user_of(metadata: &fs::Metadata) -> io::Result<()> {
    setgroups(&[])?;
    change(Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()))
}

fn change(user: Uid, group: Gid) -> io::Result<()> {
    setgid(group)?;
    setuid(user)?;
    Ok(())
}
