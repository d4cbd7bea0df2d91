//! The socket in the file system.

use std::{
    fs::{self, Permissions},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener as StdListener, UnixStream as StdStream},
        },
    },
    path::Path,
};

use adit::control::{Client, Lock, SocketError, Trouble, adopt, bind};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[tokio::test]
async fn the_socket_has_its_mode_and_the_private_folder_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::take(folder.path()).unwrap();
    let socket = folder.path().join("adit.sock");
    let (_listener, file) = bind(&socket, 0o660, &lock).await.unwrap();
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(mode(&folder.path().join("private")), 0o700);
    file.remove();
    let left: Vec<_> = fs::read_dir(folder.path().join("private")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["daemon.lock"], "nothing is left behind");
}

#[tokio::test]
async fn a_second_daemon_loses_and_names_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::take(folder.path()).unwrap();
    let error = Lock::take(folder.path()).unwrap_err();
    assert!(matches!(error, SocketError::Locked { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    drop(lock);
    Lock::take(folder.path()).expect("a lock that was given back can be taken");
}

#[tokio::test]
async fn a_daemon_with_another_runtime_directory_does_not_take_the_socket_away() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let socket = first.path().join("adit.sock");
    let lock = Lock::take(first.path()).unwrap();
    let (listener, _file) = bind(&socket, 0o666, &lock).await.unwrap();
    let other = Lock::take(second.path()).unwrap();
    assert!(matches!(bind(&socket, 0o666, &other).await.unwrap_err(), SocketError::InUse(_)));
    drop(listener);
    bind(&socket, 0o666, &other).await.expect("a socket on which nobody listens is replaced");
}

#[tokio::test]
async fn a_socket_that_a_former_daemon_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("adit.sock");
    drop(StdListener::bind(&socket).unwrap());
    let lock = Lock::take(folder.path()).unwrap();
    let _bound = bind(&socket, 0o666, &lock).await.unwrap();
    StdStream::connect(&socket).unwrap();
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adit.sock");
    fs::write(&path, "precious").unwrap();
    let lock = Lock::take(folder.path()).unwrap();
    assert!(matches!(bind(&path, 0o666, &lock).await.unwrap_err(), SocketError::NoSocket(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::take(folder.path()).unwrap();
    for open in [0o777, 0o775, 0o757, 0o1777] {
        let place = folder.path().join(format!("open-{open:o}"));
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(open)).unwrap();
        let error = bind(&place.join("adit.sock"), 0o666, &lock).await.unwrap_err();
        assert!(matches!(error, SocketError::FolderOpen { mode, .. } if mode == open), "{error}");
        assert!(error.to_string().ends_with(&format!("(mode {open:04o}, at most 0755 is allowed)")), "{error}");
    }
}

#[tokio::test]
async fn a_private_folder_that_others_can_look_into_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(Lock::take(folder.path()).unwrap_err(), SocketError::FolderOpen { .. }));
}

#[tokio::test]
async fn a_listener_that_was_handed_in_is_taken_and_anything_else_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("adit.sock");
    let listener = adopt(OwnedFd::from(StdListener::bind(&socket).unwrap())).unwrap();
    let (accepted, connected) = tokio::join!(listener.accept(), tokio::net::UnixStream::connect(&socket));
    assert!(accepted.is_ok() && connected.is_ok());
    assert!(adopt(OwnedFd::from(StdStream::connect(&socket).unwrap())).is_err());
    assert!(adopt(OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap())).is_err());
}

#[tokio::test]
async fn a_client_without_a_daemon_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("adit.sock");
    assert!(matches!(Client::new(&missing).status().await.unwrap_err(), Trouble::NotReachable { .. }));
    drop(StdListener::bind(&missing).unwrap());
    assert!(matches!(Client::new(&missing).status().await.unwrap_err(), Trouble::NotReachable { .. }));
}

#[tokio::test]
async fn a_socket_on_another_file_system_is_refused_before_anything_is_made() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm"));
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let Some(there) = there.ok().filter(|there| device(there.path()) != device(here.path())) else { return };
    let lock = Lock::take(here.path()).unwrap();
    let socket = there.path().join("adit.sock");
    let error = bind(&socket, 0o666, &lock).await.unwrap_err();
    assert!(matches!(error, SocketError::OtherFileSystem { .. }), "{error}");
    assert!(
        adit::control::obstacles(here.path(), &socket, nix::unistd::geteuid().as_raw())
            .iter()
            .any(|obstacle| matches!(obstacle, SocketError::OtherFileSystem { .. }))
    );
    let left: Vec<_> = fs::read_dir(here.path().join("private")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["daemon.lock"]);
}
