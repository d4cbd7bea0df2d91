//! Whether a secret appears where it does not belong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::bytes::Regex;

/// The largest file that is read at once; none of the daemon's comes near it.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The secrets of a run.
pub(crate) struct Canary {
    secrets: Vec<(String, String)>,
    pattern: Regex,
}

impl Canary {
    /// The API token, and what the records of the tunnels hold.
    pub(crate) fn new(api_token: &str, records: &Path) -> Self {
        let mut secrets = vec![("the API token".to_owned(), api_token.to_owned())];
        for path in files_below(records) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines = text.lines().filter_map(|line| line.strip_prefix("secret = \"")?.strip_suffix('"'));
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            secrets.extend(lines.map(|secret| (format!("the secret of {name}"), secret.to_owned())));
        }
        let words: Vec<String> = secrets.iter().map(|(_, secret)| regex::escape(secret)).collect();
        let pattern = Regex::new(&words.join("|")).unwrap();
        Self { secrets, pattern }
    }

    /// How many secrets there are.
    pub(crate) fn count(&self) -> usize {
        self.secrets.len()
    }

    /// The first secret in these bytes.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        let first = self.pattern.find(bytes)?;
        self.secrets.iter().find(|(_, secret)| secret.as_bytes() == first.as_bytes()).map(|(name, _)| name.as_str())
    }

    /// The secrets in files below `directory`, but for those whose path below it `may` hold them.
    pub(crate) fn leaks_below(&self, directory: &Path, may: impl Fn(&Path) -> bool) -> Vec<String> {
        let files = files_below(directory).into_iter().filter(|path| !may(path.strip_prefix(directory).unwrap()));
        let leaks = files.filter_map(|path| {
            let bytes = fs::read(&path).ok()?;
            Some(format!("{} is in {}", self.found_in(&bytes)?, path.display()))
        });
        leaks.collect()
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) if data.is_file() && data.len() < FILE_BYTES_MAX => files.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    files
}
