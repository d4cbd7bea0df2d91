//! Folders in which everything is the daemon's own.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

/// Makes sure that `path` is a folder that nobody else can enter, and no way to another one: what lies in it may be removed. A symbolic
/// link in its place is taken away; what it leads to is left as it is.
///
/// # Errors
///
/// When something else stands there, or the system refuses.
pub fn own_folder(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_symlink()) {
        tracing::warn!(path = %path.display(), "Took away a symbolic link that stood in the place of a folder");
        fs::remove_file(path)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        // Of an earlier daemon, or of somebody who meant well: it holds records and sockets, so it is shut all the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_its_place_goes_and_what_it_leads_to_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (elsewhere, own) = (directory.path().join("elsewhere"), directory.path().join("own"));
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("passwd"), "").unwrap();
        let mode = fs::metadata(&elsewhere).unwrap().permissions().mode();
        std::os::unix::fs::symlink(&elsewhere, &own).unwrap();
        own_folder(&own).unwrap();
        assert_eq!(fs::read_dir(&own).unwrap().count(), 0);
        assert!(elsewhere.join("passwd").exists());
        assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode(), mode);
        own_folder(&own).unwrap();
        assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
