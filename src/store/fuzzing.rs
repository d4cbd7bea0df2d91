//! The laws of the state directory: whatever stands in a file, it is the value that was written or said to be none.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use tempfile::TempDir;

use super::{Store, records};
use crate::{
    event::Hook,
    name::{AccountName, TunnelName},
};

/// Every file of the directory that is read, but the one of the installation.
const FILES: [&str; 8] = [
    "accepted/sources.toml",
    "accounts.toml",
    "cache/zones-default.toml",
    "forgotten/web.toml",
    "hooks/webhook.toml",
    "records/web.toml",
    "stops.toml",
    "tunnels/web.toml",
];

/// The file of the installation.
const INSTALL: &str = "install.toml";

/// The machine on which the state is read.
const MACHINE: &str = "4d6a1a2b3c4d4e5f8a9b0c1d2e3f4a5b";

/// The shortest secret that is looked for in what is said: a shorter one may stand there by chance.
const SECRET_MIN: usize = 8;

/// Where the files are.
struct Ground {
    /// All of them are one file.
    subject: TempDir,
    /// Where what was read of it is written.
    copy: TempDir,
    store: Store,
}

static GROUND: Mutex<Option<Ground>> = Mutex::new(None);

/// Any bytes as every file of the state directory.
pub fn state(bytes: &[u8]) {
    let mut ground = GROUND.lock().unwrap_or_else(PoisonError::into_inner);
    let Ground { subject, copy, store } = ground.get_or_insert_with(Ground::prepare);
    fs::write(subject.path().join(INSTALL), bytes).expect("there is room for a file");
    let looked = look(subject.path());
    // Its identity is part of what it reads; it has one in any case, if only as one that cannot be read.
    let web: TunnelName = "web".parse().expect("it is a name");
    let default: AccountName = "default".parse().expect("it is a name");

    let records = looked.records().expect("the directory can be listed");
    match (records.tunnels.get(&web), records.held.get(&web)) {
        (Some(record), None) => {
            let text = records::render(record);
            assert_eq!(records::parse(&web, &text).as_ref(), Ok(record));
            check_hidden(record.secret.expose(), bytes, &format!("{records:?}"));
        }
        (None, Some(why)) => secrets(bytes).iter().for_each(|secret| check_hidden(secret, bytes, why)),
        (held, why) => panic!("the record is neither there nor held: {held:?} {why:?}"),
    }
    if let Ok(stops) = looked.stops() {
        store.write_stops(&stops).expect("there is room for a file");
        assert_eq!(store.stops(), Ok(stops));
    }
    if let Ok(Some(sources)) = looked.accepted() {
        store.write_accepted(&sources).expect("there is room for a file");
        assert_eq!(store.accepted(), Ok(Some(sources)));
    }
    if let Ok(Some(id)) = looked.account_id(&default) {
        store.pin_account_id(&default, &id).expect("there is room for a file");
        assert_eq!(store.account_id(&default), Ok(Some(id.clone())));
        assert!(looked.accounts_pinned_to(&id).is_ok_and(|names| names.contains(&default)));
    }
    if let Some((read_at, zones)) = looked.cached_zones(&default) {
        store.cache_zones(&default, read_at, &zones).expect("there is room for a file");
        assert_eq!(store.cached_zones(&default), Some((read_at, zones)));
    }
    if let Some(forgotten) = looked.forgotten(&web) {
        store.note_forgotten(&web, &forgotten).expect("there is room for a file");
        assert_eq!(store.forgotten(&web), Some(forgotten));
    }
    if let Some(told) = looked.hook_mark(Hook::Webhook) {
        store.write_hook_mark(Hook::Webhook, Some(told)).expect("there is room for a file");
        assert_eq!(store.hook_mark(Hook::Webhook), Some(told));
    }
    if let Some(source) = looked.definitions().expect("the directory can be listed").sources.get(&web) {
        assert_eq!(source.text.as_bytes(), bytes);
    }
    drop(looked);
    assert!(fs::read(subject.path().join(INSTALL)).is_ok_and(|there| there == bytes), "looking changes nothing");
    assert!(copy.path().exists());
}

impl Ground {
    fn prepare() -> Self {
        // Syncing costs nothing there.
        let folder = || match Path::new("/dev/shm") {
            memory if memory.is_dir() => tempfile::tempdir_in(memory),
            _ => tempfile::tempdir(),
        };
        let (subject, copy) = (folder().expect("there is room"), folder().expect("there is room"));
        fs::write(subject.path().join(INSTALL), "").expect("there is room for a file");
        for file in FILES {
            let path = subject.path().join(file);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("there is room for a folder");
            fs::hard_link(subject.path().join(INSTALL), path).expect("a file may have several names");
        }
        let store = Store::open(copy.path(), None).expect("nobody else uses it");
        Self { subject, copy, store }
    }
}

fn look(directory: &Path) -> Store {
    Store::look(directory, Some(MACHINE)).expect("it can be opened").expect("it was used")
}

/// What a document calls secret.
fn secrets(bytes: &[u8]) -> Vec<String> {
    let table: Option<toml::Table> = str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    let secret = |table: &toml::Table| Some(table.get("secret")?.as_str()?.to_owned());
    table.iter().filter_map(secret).collect()
}

/// A secret that stands once in a file stands nowhere in what is said about it.
fn check_hidden(secret: &str, bytes: &[u8], said: &str) {
    let times = bytes.windows(secret.len().max(1)).filter(|window| *window == secret.as_bytes()).count();
    if secret.len() >= SECRET_MIN && times == 1 {
        assert!(!said.contains(secret), "{said:?} tells the secret");
    }
}
