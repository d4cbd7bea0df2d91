//! Paths in the configuration: absolute, and compared without asking the file system.

use std::path::{Component, Path, PathBuf};

/// The longest path of a Unix socket: `sockaddr_un` has 108 bytes with the final zero (unix(7)).
const SOCKET_PATH_MAX: usize = 107;

/// An absolute path: the daemon's own folder is no place that anybody chose.
pub(super) fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    if text.contains('\0') {
        return Err("a path must not contain a zero byte");
    }
    if !text.starts_with('/') {
        return Err("a path must be absolute, so that it starts with /");
    }
    Ok(PathBuf::from(text))
}

/// An absolute path that a Unix socket can have.
pub(super) fn socket(text: &str) -> Result<PathBuf, String> {
    if text.len() > SOCKET_PATH_MAX {
        return Err(format!("the path of a Unix socket must not be longer than {SOCKET_PATH_MAX} bytes"));
    }
    Ok(absolute(text)?)
}

/// Whether `path` is `folder` or inside it, as far as their text tells.
pub(super) fn is_inside(path: &Path, folder: &Path) -> bool {
    plain(path).starts_with(plain(folder))
}

/// `path` without `.` and `..`, and with `/var/run` as what it is a link to everywhere.
fn plain(path: &Path) -> PathBuf {
    let mut result = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => result.push(name),
            Component::ParentDir => {
                result.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
        if result == Path::new("/var/run") {
            result = PathBuf::from("/run");
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_are_taken() {
        assert!(absolute("/run/app.sock").is_ok());
        for bad in ["", "run/app.sock", "./app.sock", "~/app.sock", "/a\0b"] {
            assert!(absolute(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_socket_path_has_a_longest() {
        assert!(socket(&format!("/{}", "a".repeat(106))).is_ok());
        assert!(socket(&format!("/{}", "a".repeat(107))).is_err());
    }

    #[test]
    fn detours_into_a_folder_are_seen_through() {
        let folder = Path::new("/run/adit");
        for inside in ["/run/adit", "/run/adit/adit.sock", "/run/../run/adit/x", "/run//adit/./x", "/var/run/adit/adit.sock"] {
            assert!(is_inside(Path::new(inside), folder), "{inside}");
        }
        for outside in ["/run/aditya/x", "/run/adit/../x", "/run", "/srv/run/adit/x"] {
            assert!(!is_inside(Path::new(outside), folder), "{outside}");
        }
    }
}
