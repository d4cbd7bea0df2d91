//! Whether a program is root's alone.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::Failure;

/// The program's own path, links resolved, when nobody but root can replace it.
///
/// # Errors
///
/// When there is no such program, and when somebody else could replace it.
pub fn check(program: &Path) -> Result<PathBuf, Failure> {
    if !program.is_absolute() {
        return Err(Failure::not_run("the program needs an absolute path; nothing is looked up"));
    }
    let missing = |error| Failure::caused("there is no such program, or it cannot be looked at", error);
    let path = program.canonicalize().map_err(missing)?;
    let metadata = path.metadata().map_err(missing)?;
    if !metadata.is_file() {
        return Err(Failure::not_run("the program is not a regular file"));
    }
    check_program(metadata.mode(), metadata.uid()).map_err(Failure::not_run)?;
    for folder in path.ancestors().skip(1) {
        let metadata = folder.metadata().map_err(missing)?;
        check_folder(metadata.mode(), metadata.uid()).map_err(|reason| {
            Failure::not_run(format!("its folder {folder:?} {reason}, so that the program could be replaced"))
        })?;
    }
    Ok(path)
}

fn check_program(mode: u32, owner: u32) -> Result<(), String> {
    if owner != 0 {
        return Err(format!("the program belongs to user {owner}; it must belong to root"));
    }
    if mode & 0o111 == 0 {
        return Err(format!("the program's mode is {:04o}; it cannot be executed (chmod +x)", mode & 0o7777));
    }
    if mode & 0o022 != 0 {
        return Err(format!("the program's mode is {:04o}; only root may be able to write it (chmod go-w)", mode & 0o7777));
    }
    Ok(())
}

/// A group may write to a folder, as `staff` does to Debian's `/usr/local/bin`: root chose its members. Others may only where
/// the sticky bit keeps them from what is not theirs.
fn check_folder(mode: u32, owner: u32) -> Result<(), String> {
    if owner != 0 {
        return Err(format!("belongs to user {owner}"));
    }
    if mode & 0o1002 == 0o002 {
        return Err("can be written by everyone".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_root_alone_can_write_is_run() {
        for (mode, owner, fine) in
            [(0o755, 0, true), (0o555, 0, true), (0o755, 1_000, false), (0o775, 0, false), (0o757, 0, false), (0o644, 0, false)]
        {
            assert_eq!(check_program(mode, owner).is_ok(), fine, "{mode:o} {owner}");
        }
        for (mode, owner, fine) in
            [(0o755, 0, true), (0o2775, 0, true), (0o1777, 0, true), (0o777, 0, false), (0o755, 1_000, false)]
        {
            assert_eq!(check_folder(mode, owner).is_ok(), fine, "{mode:o} {owner}");
        }
    }
}
