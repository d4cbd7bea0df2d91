//! The configuration's files: the main one and `conf.d/*.toml` beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{config::Source, whole_file};

/// The largest file that is read, in bytes: some 20,000 routes. A larger one is no configuration but a mistake.
const FILE_SIZE_MAX: u64 = 4 << 20;

/// The most files in `conf.d`: one for each tunnel of an account (1,000), and one for the rest.
const FILES_MAX: usize = 1_001;

/// Why the files could not be read. The path is part of the text.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file or folder cannot be opened or read, is something else than that, or is larger than 4 MiB.
    #[error("cannot read {path:?}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not UTF-8.
    #[error("cannot read {path:?}: line {line}, column {column} is not UTF-8")]
    NotText {
        /// Which one.
        path: PathBuf,
        /// The line of the first wrong byte, counted from 1.
        line: usize,
        /// Its column in characters, counted from 1.
        column: usize,
    },
    /// The folder has more files than are read.
    #[error("cannot read {path:?}: it has more than {FILES_MAX} files")]
    TooMany {
        /// Which one.
        path: PathBuf,
    },
}

/// Reads the main file and then every `*.toml` in the folder `conf.d` beside it, in the order of their names. The folder may be
/// missing; hidden files are left out, because editors keep their copies there.
///
/// # Errors
///
/// The first file that cannot be read. One of several files is never left out in silence: its tunnels would seem to be gone.
pub fn read(main: &Path) -> Result<Vec<Source>, FilesError> {
    let mut sources = vec![read_file(main)?];
    sources.extend(read_beside(main)?);
    Ok(sources)
}

/// Reads the files beside the main one alone, which may be missing.
///
/// # Errors
///
/// The first file that cannot be read.
pub fn read_beside(main: &Path) -> Result<Vec<Source>, FilesError> {
    toml_files(&folder(main))?.iter().map(|path| read_file(path)).collect()
}

/// The folder of the files beside the main one.
pub fn folder(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join("conf.d")
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let error = |source| FilesError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A link to nowhere is no absence: what it should lead to has files.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_symlink() => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(error)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        paths.push(path);
        if paths.len() > FILES_MAX {
            return Err(FilesError::TooMany { path: folder.to_owned() });
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_file(path: &Path) -> Result<Source, FilesError> {
    let bytes = whole_file::read(path, FILE_SIZE_MAX).map_err(|source| FilesError::Read { path: path.to_owned(), source })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path: path.to_owned(), text }),
        Err(error) => Err(not_text(path, &error)),
    }
}

fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> FilesError {
    let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
    let line_start = good.rfind('\n').map_or(0, |newline| newline + 1);
    let line = good.matches('\n').count() + 1;
    let column = good[line_start..].chars().count() + 1;
    FilesError::NotText { path: path.to_owned(), line, column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_text::with_causes;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn read_in(folder: &tempfile::TempDir) -> Result<Vec<Source>, FilesError> {
        read(&folder.path().join("adit.toml"))
    }

    /// The error's text, with the temporary folder taken out.
    fn error_in(folder: &tempfile::TempDir) -> String {
        with_causes(&read_in(folder).unwrap_err()).replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn the_main_file_comes_first_and_the_others_by_name() {
        let folder = folder(&[
            ("conf.d/20-b.toml", b"b"),
            ("conf.d/10-a.toml", b"a"),
            ("conf.d/.10-a.toml.swp", b"x"),
            ("conf.d/.hidden.toml", b"x"),
            ("conf.d/README", b"x"),
            ("conf.d/30.toml.bak", b"x"),
            ("adit.toml", b"main"),
        ]);
        let texts: Vec<String> = read_in(&folder).unwrap().into_iter().map(|source| source.text).collect();
        assert_eq!(texts, ["main", "a", "b"]);
    }

    #[test]
    fn the_folder_may_be_missing_but_not_the_main_file() {
        assert_eq!(read_in(&folder(&[("adit.toml", b"")])).unwrap().len(), 1);
        assert_eq!(
            error_in(&folder(&[("conf.d/a.toml", b"")])),
            "cannot read \"adit.toml\": No such file or directory (os error 2)"
        );
    }

    #[test]
    fn what_is_not_utf8_is_refused_with_its_position() {
        let folder = folder(&[("adit.toml", b""), ("conf.d/a.toml", b"# ok\n# \xc3\xbc\xff\n")]);
        assert_eq!(error_in(&folder), "cannot read \"conf.d/a.toml\": line 2, column 4 is not UTF-8");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let folder = folder(&[("adit.toml", &vec![b'\n'; 4 << 20])]);
        assert!(read_in(&folder).is_ok());
        fs::write(folder.path().join("adit.toml"), vec![b'\n'; (4 << 20) + 1]).unwrap();
        assert_eq!(error_in(&folder), "cannot read \"adit.toml\": it is larger than 4194304 bytes");
    }

    #[test]
    fn a_folder_or_a_pipe_is_no_file() {
        let folder = folder(&[("adit.toml", b""), ("conf.d/a.toml/x", b"")]);
        assert_eq!(error_in(&folder), "cannot read \"conf.d/a.toml\": it is not a regular file");
        fs::remove_dir_all(folder.path().join("conf.d/a.toml")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("conf.d/a.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(error_in(&folder), "cannot read \"conf.d/a.toml\": it is not a regular file");
    }

    #[test]
    fn a_link_to_nowhere_is_an_error_and_not_an_absence() {
        let folder = folder(&[("adit.toml", b""), ("conf.d/b.toml", b"")]);
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("conf.d/a.toml")).unwrap();
        assert_eq!(error_in(&folder), "cannot read \"conf.d/a.toml\": No such file or directory (os error 2)");
        fs::rename(folder.path().join("conf.d"), folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("conf.d")).unwrap();
        assert_eq!(error_in(&folder), "cannot read \"conf.d\": No such file or directory (os error 2)");
    }
}
