//! Where a program is that is known by its name.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::PATH;

/// The absolute path of a program: itself, or the first one of that name on `path`. A name that is nowhere stays as it is.
pub fn find(program: &Path, path: Option<&str>) -> PathBuf {
    if program.is_absolute() {
        return program.to_owned();
    }
    let found = folders(path).into_iter().map(|folder| folder.join(program)).find(|candidate| is_program(candidate));
    found.unwrap_or_else(|| program.to_owned())
}

/// The folders in which programs are looked up by their names.
pub fn folders(path: Option<&str>) -> Vec<PathBuf> {
    path.unwrap_or(PATH).split(':').filter(|folder| folder.starts_with('/')).map(PathBuf::from).collect()
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_an_absolute_path_is_not() {
        assert_eq!(find(Path::new("sh"), Some("/nowhere:relative:/bin")), Path::new("/bin/sh"));
        assert_eq!(find(Path::new("/opt/cloudflared"), Some("/bin")), Path::new("/opt/cloudflared"));
        assert_eq!(find(Path::new("no-such-program"), Some("/bin")), Path::new("no-such-program"));
    }
}
