//! Private networks and private hostnames from the outside: in the files, over the socket, in the dashboard.

use serde_json::Value;

use crate::host::Host;

const LAB: &str = r#"
[tunnels.lab]
ingress = [{ hostname = "lab.example.com", service = "ORIGIN" }]
private_networks = [{ network = "10.20.0.0/16", virtual_network = "lab" }]
hostname_routes = ["wiki.internal.example"]
"#;

/// What leads where at Cloudflare, by the route's network or hostname.
fn private_routes(host: &Host) -> Vec<(String, String)> {
    let objects = host.snapshot().objects;
    let of = |kind: &str, key: &str| -> Vec<(String, String)> {
        let routes = objects.get(kind).into_iter().flat_map(|routes| routes.values());
        routes.map(|route| [key, "tunnel_id"].map(|key| route[key].as_str().unwrap().to_owned()).into()).collect()
    };
    let mut all = [of("routes", "network"), of("hostname_routes", "hostname")].concat();
    all.sort();
    all
}

#[tokio::test]
async fn private_networks_of_a_file_are_led_to_its_tunnel_and_shown() {
    let host = Host::serving(LAB).await;
    let id = host.tunnel("lab").await.id.unwrap();
    assert_eq!(private_routes(&host), [("10.20.0.0/16".to_owned(), id.clone()), ("wiki.internal.example".to_owned(), id)]);

    let listed = host.adit(&["route", "list"]).await.stdout;
    for line in
        ["10.20.0.0/16 in \"lab\"  network ", "wiki.internal.example  private hostname ", "lab.example.com        hostname "]
    {
        assert!(listed.contains(line), "{line}\n{listed}");
    }
    assert!(host.adit(&["status", "lab"]).await.stdout.contains("10.20.0.0/16 in \"lab\""));
    let data: Vec<Value> = serde_json::from_str(&host.adit(&["route", "list", "-o", "json"]).await.stdout).unwrap();
    let kinds: Vec<&str> = data.iter().map(|route| route["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hostname", "network", "private_hostname"]);
    assert_eq!((&data[1]["network"], &data[1]["virtual_network"]), (&"10.20.0.0/16".into(), &"lab".into()));

    // Somebody deletes one in the dashboard.
    host.stage.world.dashboard().delete_network_route("10.20.0.0/16").unwrap();
    host.pass().await;
    assert_eq!(private_routes(&host).len(), 2);
}

#[tokio::test]
async fn private_routes_are_added_to_and_removed_from_a_tunnel_made_over_the_socket() {
    let host = Host::serving("").await;
    let service = host.origin.url();
    let wait = ["--wait", "--timeout", "15s"];
    let adit = async |arguments: &[&str]| host.adit(&[arguments, &wait].concat()).await;
    let created = adit(&["tunnel", "create", "web", "--hostname", "app.example.com", "--service", &service]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    for route in [
        &["--network", "10.0.0.0/8"][..],
        &["--network", "10.1.0.0/16", "--virtual-network", "lab"],
        &["--private-hostname", "wiki.internal.example"],
    ] {
        let added = adit(&[&["route", "add", "web"], route].concat()).await;
        assert_eq!(added.code, Some(0), "{added:?}");
    }
    assert_eq!(private_routes(&host).len(), 3);
    assert_eq!(host.snapshot().objects["virtual_networks"].len(), 2);

    for bad in [
        &["route", "add", "web", "--network", "10.0.0.1/8"][..],
        &["route", "add", "web", "--network", "all of it"],
        &["route", "add", "web", "--private-hostname", "wiki"],
        &["route", "remove", "web", "--yes", "--network", "10.9.0.0/16"],
    ] {
        let refused = host.adit(bad).await;
        assert_eq!(refused.code, Some(1), "{bad:?}: {refused:?}");
    }
    let host_bits = host.adit(&["route", "add", "web", "--network", "10.0.0.1/8"]).await;
    assert!(host_bits.stderr.contains("the network is 10.0.0.0/8"), "{host_bits:?}");
    for wrong in [
        &["route", "add", "web", "--network", "10.0.0.0/8", "--hostname", "app.example.com"][..],
        &["route", "add", "web", "--virtual-network", "lab"],
        &["route", "remove", "web", "--yes"],
    ] {
        assert_eq!(host.adit(wrong).await.code, Some(2), "{wrong:?}");
    }

    for route in [&["--network", "10.1.0.0/16", "--virtual-network", "lab"][..], &["--private-hostname", "wiki.internal.example"]]
    {
        let removed = adit(&[&["route", "remove", "web", "--yes"], route].concat()).await;
        assert_eq!(removed.code, Some(0), "{removed:?}");
    }
    assert_eq!(private_routes(&host).len(), 1);
    assert_eq!(host.snapshot().objects["virtual_networks"].len(), 1);
    let deleted = adit(&["tunnel", "delete", "web", "--yes"]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    assert_eq!(private_routes(&host), []);
}

#[tokio::test]
async fn a_private_route_of_somebody_else_is_a_conflict_that_waiting_tells_at_once() {
    let host = Host::serving("[tunnels.other]\ningress = []\n").await;
    let other = host.tunnel("other").await.id.unwrap().parse().unwrap();
    host.stage.world.dashboard().create_network_route("10.0.0.0/8", "default", &other).unwrap();
    host.adit(&["tunnel", "create", "web", "--hostname", "app.example.com", "--service", &host.origin.url()]).await;
    let added = host.adit(&["route", "add", "web", "--network", "10.0.0.0/8", "--wait", "--timeout", "15s"]).await;
    assert_eq!(added.code, Some(5), "{added:?}");
    assert!(added.stderr.contains("cannot have the route 10.0.0.0/8"), "{added:?}");
    assert_eq!(private_routes(&host).len(), 1);
}
