use std::fs;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;
use crate::{connector::Stop, name::TunnelName, store::StoreError};

const FILE: &str = "[accounts.default]\napi_token = { file = \"/etc/token\" }\n\
                    [tunnels.web]\ningress = [{ hostname = \"a.example.com\", service = \"http://localhost:8080\" }]\n";

/// A state directory and a main file beside it.
struct Desk {
    folder: TempDir,
    /// The tunnels whose connectors run.
    running: BTreeSet<TunnelName>,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), running: BTreeSet::new() };
        desk.write(FILE);
        desk
    }

    fn main(&self) -> PathBuf {
        self.folder.path().join("adit.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.main(), text).unwrap();
    }

    fn try_open(&self) -> Result<(Intent, Option<Arc<Config>>), NothingToRun> {
        // A process that another test starts holds the lock of a store that was closed until it has become another program.
        let store = loop {
            match Store::open(&self.folder.path().join("state"), None) {
                Err(StoreError::Locked { .. }) => std::thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        Intent::open(&self.main(), FirstReading::of(&self.main()), store, Sink::new(drop), |_| self.running.clone())
    }

    fn open(&self) -> Intent {
        self.try_open().unwrap().0
    }
}

fn name(text: &str) -> TunnelName {
    text.parse().unwrap()
}

fn names(intent: &Intent) -> Vec<String> {
    intent.intended().config.tunnels.keys().map(ToString::to_string).collect()
}

fn definition(hostname: &str) -> Map<String, Value> {
    let definition = json!({ "ingress": [{ "hostname": hostname, "service": "http://localhost:9000" }] });
    definition.as_object().unwrap().clone()
}

#[tokio::test]
async fn a_tunnel_made_over_the_socket_is_there_after_a_restart() {
    let desk = Desk::new();
    let intent = desk.open();
    assert_eq!(intent.create(name("shop"), definition("shop.example.com")).await.unwrap(), Changed::Created);
    assert_eq!(intent.create(name("shop"), definition("shop.example.com")).await.unwrap(), Changed::Unchanged);
    assert_eq!(names(&intent), ["shop", "web"]);
    drop(intent);
    assert_eq!(names(&desk.open()), ["shop", "web"]);
}

#[tokio::test]
async fn what_would_clash_or_is_not_ours_to_change_is_refused_and_changes_nothing() {
    let desk = Desk::new();
    let intent = desk.open();
    intent.create(name("shop"), definition("shop.example.com")).await.unwrap();
    let other = definition("other.example.com");
    assert!(matches!(intent.create(name("shop"), other.clone()).await, Err(ChangeError::Exists(_))));
    assert!(matches!(intent.create(name("web"), other.clone()).await, Err(ChangeError::ReadOnly { .. })));
    assert!(matches!(intent.replace(name("web"), other.clone(), None).await, Err(ChangeError::ReadOnly { .. })));
    assert!(matches!(intent.replace(name("none"), other.clone(), None).await, Err(ChangeError::NotFound(_))));
    assert!(matches!(intent.replace(name("shop"), other, Some("old".to_owned())).await, Err(ChangeError::Stale(_))));
    // The hostname of the file's tunnel.
    assert!(matches!(intent.create(name("new"), definition("a.example.com")).await, Err(ChangeError::Problems(_))));
    assert_eq!(names(&intent), ["shop", "web"]);
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_one_in_force_stays_also_over_a_restart() {
    let desk = Desk::new();
    let intent = desk.open();
    desk.write("nonsense = 1\n");
    let problems = intent.reload().await.unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(intent.files().problems, problems);
    assert_eq!(names(&intent), ["web"]);
    drop(intent);
    let intent = desk.open();
    assert_eq!(names(&intent), ["web"]);
    assert_eq!(intent.files().problems, problems);
    desk.write(FILE);
    intent.reload().await.unwrap();
    assert!(intent.files().problems.is_empty());
}

#[tokio::test]
async fn bad_files_with_none_accepted_before_are_nothing_to_run() {
    let desk = Desk::new();
    desk.write("[daemon]\nstate_dir = \"/srv/adit\"\nnonsense = 1\n");
    assert_eq!(FirstReading::of(&desk.main()).state_dir().as_deref(), Some(Path::new("/srv/adit")));
    let error = desk.try_open().err().unwrap().to_string();
    assert!(error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn bad_files_with_none_accepted_before_hold_the_tunnels_that_run() {
    let mut desk = Desk::new();
    desk.running.insert(name("web"));
    fs::remove_file(desk.main()).unwrap();
    assert!(desk.try_open().is_err(), "nobody knows what to listen on");
    desk.write(&format!("[control]\nsocket = \"/srv/adit.sock\"\n[metrics]\nnonsense = 1\n{FILE}"));
    let (intent, before) = desk.try_open().unwrap();
    assert!(before.is_none() && names(&intent).is_empty());
    assert_eq!(intent.intended().config.control.socket, Path::new("/srv/adit.sock"));
    assert!(intent.intended().held[&name("web")].contains("none was accepted"));
    assert!(!intent.files().problems.is_empty());

    desk.write(FILE);
    intent.reload().await.unwrap();
    assert_eq!(names(&intent), ["web"]);
    assert!(intent.intended().held.is_empty());
}

#[tokio::test]
async fn under_ask_a_new_file_is_kept_only_when_it_is_confirmed() {
    let desk = Desk::new();
    drop(desk.open());
    desk.write(&format!("[daemon]\napply = \"ask\"\n{FILE}"));
    let (intent, before) = desk.try_open().unwrap();
    assert_eq!(before.unwrap().daemon.apply, ApplyMode::Auto);
    drop(intent);
    let (intent, before) = desk.try_open().unwrap();
    assert_eq!(before.unwrap().daemon.apply, ApplyMode::Auto, "nobody confirmed it");
    intent.confirm(intent.intended().config.clone()).await;
    drop(intent);
    assert_eq!(desk.try_open().unwrap().1.unwrap().daemon.apply, ApplyMode::Ask);
}

#[tokio::test]
async fn what_was_read_after_the_plan_that_is_confirmed_is_not_confirmed_with_it() {
    let desk = Desk::new();
    desk.write(&format!("[daemon]\napply = \"ask\"\n{FILE}"));
    let intent = desk.open();
    let confirmed = intent.intended().config.clone();
    desk.write(&format!("[daemon]\napply = \"ask\"\n{FILE}").replace("tunnels.web", "tunnels.other"));
    intent.reload().await.unwrap();
    intent.confirm(confirmed).await;
    drop(intent);
    assert!(desk.try_open().unwrap().1.is_none(), "nobody has confirmed the other tunnel");
}

#[tokio::test]
async fn a_stop_lasts_until_it_is_ended_and_keeps_the_name_of_the_first() {
    let desk = Desk::new();
    let intent = desk.open();
    let stop = |by: &str| Some(Stop { by: by.to_owned(), at: Timestamp::UNIX_EPOCH });
    assert_eq!(intent.set_stop(name("web"), stop("jane")).await.unwrap(), Changed::Updated);
    assert_eq!(intent.set_stop(name("web"), stop("joe")).await.unwrap(), Changed::Unchanged);
    drop(intent);
    let intent = desk.open();
    assert_eq!(intent.intended().stops[&name("web")].by, "jane");
    assert_eq!(intent.set_stop(name("web"), None).await.unwrap(), Changed::Updated);
    assert!(intent.intended().stops.is_empty());
    assert!(matches!(intent.set_stop(name("none"), None).await, Err(ChangeError::NotFound(_))));
}

#[tokio::test]
async fn stops_that_cannot_be_read_stay_as_they_were() {
    let desk = Desk::new();
    let intent = desk.open();
    intent.set_stop(name("web"), Some(Stop { by: "jane".to_owned(), at: Timestamp::UNIX_EPOCH })).await.unwrap();
    fs::write(desk.folder.path().join("state/stops.toml"), "torn").unwrap();
    let intended = intent.reload().await.unwrap();
    assert_eq!(intended.stops[&name("web")].by, "jane");
    assert_eq!(intent.unreadable().len(), 1);
}

#[tokio::test]
async fn a_tunnel_is_removed_whatever_becomes_of_its_stop_and_the_next_of_its_name_begins_without_one() {
    let desk = Desk::new();
    let intent = desk.open();
    intent.create(name("shop"), definition("shop.example.com")).await.unwrap();
    intent.set_stop(name("shop"), Some(Stop { by: "jane".to_owned(), at: Timestamp::UNIX_EPOCH })).await.unwrap();
    let stops = desk.folder.path().join("state/stops.toml");
    let kept = fs::read(&stops).unwrap();
    fs::write(&stops, "torn").unwrap();
    assert_eq!(intent.remove(name("shop"), None).await.unwrap(), Changed::Updated);
    assert_eq!(names(&intent), ["web"]);
    fs::write(&stops, kept).unwrap();
    assert_eq!(intent.create(name("shop"), definition("shop.example.com")).await.unwrap(), Changed::Created);
    assert!(intent.intended().stops.is_empty());
}

#[tokio::test]
async fn definitions_that_cannot_be_listed_hold_the_tunnels_that_may_be_among_them() {
    let desk = Desk::new();
    let intent = desk.open();
    intent.create(name("shop"), definition("shop.example.com")).await.unwrap();
    let (folder, aside) = (desk.folder.path().join("state/tunnels"), desk.folder.path().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "").unwrap();
    let held = |intended: &Intended| intended.held.keys().map(ToString::to_string).collect::<Vec<_>>();
    for _ in 0..2 {
        let intended = intent.reload().await.unwrap();
        assert_eq!((names(&intent), held(&intended)), (vec!["web".to_owned()], vec!["shop".to_owned()]));
    }
    drop(intent);
    // What the next daemon knows of are the tunnels with a record; this one cannot be read, either.
    let records = desk.folder.path().join("state/records");
    fs::create_dir_all(&records).unwrap();
    for recorded in ["shop.toml", "web.toml"] {
        fs::write(records.join(recorded), "torn").unwrap();
    }
    let intent = desk.open();
    assert_eq!((names(&intent), held(&intent.intended())), (vec!["web".to_owned()], vec!["shop".to_owned()]));
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    intent.reload().await.unwrap();
    assert_eq!((names(&intent), held(&intent.intended())), (vec!["shop".to_owned(), "web".to_owned()], vec![]));
}

#[tokio::test]
async fn a_torn_definition_holds_its_own_tunnel_and_no_other() {
    let desk = Desk::new();
    let intent = desk.open();
    intent.create(name("shop"), definition("shop.example.com")).await.unwrap();
    intent.create(name("blog"), definition("blog.example.com")).await.unwrap();
    drop(intent);
    let torn = desk.folder.path().join("state/tunnels/shop.toml");
    fs::write(&torn, "[tunnels.shop]\ningr").unwrap();
    let intent = desk.open();
    assert_eq!(names(&intent), ["blog", "web"]);
    assert_eq!(intent.intended().held.keys().map(ToString::to_string).collect::<Vec<_>>(), ["shop"]);
    assert!(matches!(intent.set_stop(name("shop"), None).await, Err(ChangeError::Held { .. })));
    assert!(matches!(intent.replace(name("shop"), definition("shop.example.com"), None).await, Err(ChangeError::Held { .. })));
    assert!(matches!(intent.remove(name("shop"), None).await, Err(ChangeError::Held { .. })));
    assert_eq!(fs::read_to_string(&torn).unwrap(), "[tunnels.shop]\ningr");
    assert_eq!(intent.create(name("shop"), definition("shop.example.com")).await.unwrap(), Changed::Created);
    assert_eq!((names(&intent).len(), intent.intended().held.len()), (3, 0));
}
