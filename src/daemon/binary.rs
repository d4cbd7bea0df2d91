//! Where `cloudflared` is.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The absolute path of `binary`: itself, or the first program of that name on `path`. A name that is nowhere stays as it is, and
/// the supervisor waits for it to appear in one of its folders.
pub fn resolve(binary: &Path, path: Option<&str>) -> PathBuf {
    if binary.is_absolute() {
        return binary.to_owned();
    }
    let found = folders(path).into_iter().map(|folder| folder.join(binary)).find(|candidate| is_program(candidate));
    found.unwrap_or_else(|| binary.to_owned())
}

/// The folders in which programs are looked up by their names.
pub(super) fn folders(path: Option<&str>) -> Vec<PathBuf> {
    path.unwrap_or(DEFAULT_PATH).split(':').filter(|folder| folder.starts_with('/')).map(PathBuf::from).collect()
}

/// Where programs are when nobody says it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_an_absolute_path_is_not() {
        assert_eq!(resolve(Path::new("sh"), Some("/nowhere:relative:/bin")), Path::new("/bin/sh"));
        assert_eq!(resolve(Path::new("/opt/cloudflared"), Some("/bin")), Path::new("/opt/cloudflared"));
        assert_eq!(resolve(Path::new("no-such-program"), Some("/bin")), Path::new("no-such-program"));
    }
}
