//! Configuration files and folders that are wrong.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use crate::host::Host;

#[tokio::test]
async fn every_mistake_of_every_file_is_reported_at_once() {
    let host = Host::prepare().await;
    host.configure(
        r#"
        [tunnels.web]
        replica = 2
        ingress = [{ hostname = "app.example.com", service = "gopher://localhost" }]
        "#,
    );
    fs::create_dir(host.path("conf.d")).unwrap();
    let same = "[tunnels.api]\ningress = [{ hostname = \"app.example.com\", service = \"http://localhost:1\" }]\n";
    fs::write(host.path("conf.d/10-api.toml"), same).unwrap();
    fs::write(host.path("conf.d/20-broken.toml"), "[tunnels.broken\n").unwrap();

    let main = host.path("adit.toml");
    let checked = host.adit(&["config", "check", "--config", main.to_str().unwrap()]).await;
    let ended = host.start_in_vain().await;

    assert_eq!((checked.code, ended.code), (Some(1), Some(78)), "{ended:?}");
    for words in [
        &["adit.toml:", "replica", "did you mean \"replicas\"?"][..],
        &["adit.toml:", "ingress[0].service", "gopher"],
        &["20-broken.toml:1"],
    ] {
        for (name, text) in [("config check", &checked.stdout), ("the daemon", &ended.stderr)] {
            let told = text.lines().any(|line| words.iter().all(|word| line.contains(word)));
            assert!(told, "{name} does not say {words:?}:\n{text}");
        }
    }
}

#[tokio::test]
async fn a_hostname_in_two_files_is_an_error_that_names_both_places() {
    let host = Host::serving("[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]").await;
    let there = host.snapshot();
    fs::create_dir(host.path("conf.d")).unwrap();
    let same = "[tunnels.api]\ningress = [{ hostname = \"app.example.com\", service = \"http://localhost:1\" }]\n";
    fs::write(host.path("conf.d/10-api.toml"), same).unwrap();

    let reloaded = host.adit(&["config", "reload"]).await;

    assert_eq!(reloaded.code, Some(1), "{reloaded:?}");
    let line = reloaded.stderr.lines().find(|line| line.contains("app.example.com")).expect("the hostname is named");
    assert!(line.contains("10-api.toml:2") && line.contains("adit.toml:"), "{line}");
    host.until_synced(1).await;
    assert_eq!(host.snapshot(), there);
}

#[tokio::test]
async fn a_socket_folder_that_others_can_write_to_is_refused() {
    let host = Host::prepare().await;
    fs::create_dir(host.path("open")).unwrap();
    fs::set_permissions(host.path("open"), Permissions::from_mode(0o777)).unwrap();
    let socket = host.path("open/adit.sock");
    host.configure(&format!("[control]\nsocket = \"{}\"", socket.display()));

    let ended = host.start_in_vain().await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("open") && ended.stderr.contains("0777"), "{ended:?}");
    assert!(!socket.exists());
    assert!(host.processes().is_empty());
}

#[tokio::test]
async fn what_stands_in_the_sockets_place_is_left_alone() {
    let host = Host::prepare().await;
    host.configure("");
    fs::create_dir(host.path("run")).unwrap();
    fs::write(host.path("run/adit.sock"), "precious").unwrap();

    let ended = host.start_in_vain().await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("adit.sock"), "{ended:?}");
    assert_eq!(fs::read_to_string(host.path("run/adit.sock")).unwrap(), "precious");
}

#[tokio::test]
async fn a_metrics_address_that_is_taken_is_said() {
    let host = Host::prepare().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let unix = format!("unix:{}", host.path("metrics.sock").display());
    host.write_configuration(&host.configuration("").replace(&unix, &address));

    let ended = host.start_in_vain().await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&address), "{ended:?}");
}
