//! Routes are watched: at their origins and from outside. What is found is told, and no connector is restarted for it.

use std::net::SocketAddr;

use adit::{
    control::api::{CheckState, RouteCheck, RouteHealth, RouteVerdict, Verdict},
    sandbox::origin::Origin,
};
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    closed_port::ClosedPort,
    host::Host,
    tls_origin::{self, TlsOrigin},
};

/// A host that checks every second.
async fn watching(tunnels: &str) -> Host {
    let host = Host::prepare().await;
    write(&host, tunnels);
    host.start().await;
    host.until_all_serve().await;
    host
}

fn write(host: &Host, tunnels: &str) {
    let often = "[health]\ninterval = \"1s\"\noutside_interval = \"1s\"\n";
    host.write_configuration(&host.configuration(tunnels).replace("[health]\n", often));
}

async fn health(host: &Host, hostname: &str) -> RouteHealth {
    host.route(hostname).await.health.expect("the tunnel is not stopped")
}

fn origin_code(health: &RouteHealth) -> (CheckState, &str) {
    health.origin.as_ref().map_or((CheckState::Unknown, ""), |check| (check.state, check.reason.code.as_str()))
}

async fn until_verdict(host: &Host, hostname: &str, verdict: RouteVerdict) -> RouteHealth {
    host.found(&format!("{hostname} is {verdict:?}"), async |host| {
        let health = health(host, hostname).await;
        (health.verdict == verdict).then_some(health)
    })
    .await
}

async fn metric(host: &Host, series: &str) -> Option<String> {
    let metrics = host.metrics().await;
    metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
}

#[tokio::test]
async fn an_origin_that_goes_down_is_told_and_nothing_is_restarted_for_it() {
    let host = watching("[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n").await;
    let well = until_verdict(&host, "app.example.com", RouteVerdict::Healthy).await;
    assert_eq!((well.serving, well.written_version, well.config_version), (1, Some(1), Some(1)));
    assert!(well.origin.as_ref().is_some_and(|check| check.checked_at.is_some()), "{well:?}");
    let before = host.connector("web").await;
    let series = "adit_origin_up{route=\"app.example.com\",tunnel=\"web\"}";
    assert_eq!(metric(&host, series).await.as_deref(), Some("1"));

    host.origin.set_up(false);
    let down = until_verdict(&host, "app.example.com", RouteVerdict::Failing).await;
    assert_eq!(down.reasons[0].code, "origin-down");
    assert_eq!(origin_code(&down), (CheckState::Down, "no-connection"));
    let status = host.status().await;
    assert_eq!(status.overview.health.verdict, Verdict::Failing);
    assert!(status.overview.health.reasons.iter().any(|finding| finding.code == "origin-down"), "{status:?}");
    assert_eq!(metric(&host, series).await.as_deref(), Some("0"));
    let shown = host.adit(&["status"]).await;
    assert!(shown.code == Some(1) && shown.stdout.contains("(origin-down)"), "{shown:?}");
    let shown = host.adit(&["route", "list"]).await;
    assert!(shown.stdout.contains("failing") && shown.stdout.contains("takes no connection"), "{shown:?}");

    host.origin.set_up(true);
    until_verdict(&host, "app.example.com", RouteVerdict::Healthy).await;
    let events = host.adit(&["events"]).await.stdout;
    let kinds: Vec<&str> = ["origin-down", "origin-up"].into_iter().filter(|kind| events.contains(kind)).collect();
    assert_eq!(kinds, ["origin-down", "origin-up"], "{events}");
    let after = host.connector("web").await;
    assert_eq!((after.pid, after.restarts_total), (before.pid, 0));
}

#[tokio::test]
async fn each_kind_of_origin_is_asked_as_its_rule_says() {
    let host = Host::prepare().await;
    let authority = host.path("authority.pem");
    let tls = TlsOrigin::start(&authority);
    let closed = ClosedPort::take();
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = host.path("app.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let [tls, socket, authority] = [tls.url(), format!("unix:{}", socket.display()), authority.display().to_string()];
    write(
        &host,
        &format!(
            "[tunnels.tcp]\ningress = [\n\
             {{ hostname = \"socket.example.com\", service = \"{socket}\" }},\n\
             {{ hostname = \"ssh.example.com\", service = \"ssh://{closed}\" }},\n\
             {{ hostname = \"none.example.com\", service = \"hello_world\" }},\n]\n\
             [tunnels.http]\nhealth = {{ origin = {{ http = \"/healthz\", expect = 204 }} }}\ningress = [\n\
             {{ hostname = \"wrong.example.com\", service = \"ORIGIN\" }},\n\
             {{ hostname = \"hanging.example.com\", service = \"http://{hanging}\" }},\n\
             {{ hostname = \"unproved.example.com\", service = \"{tls}\" }},\n\
             {{ hostname = \"trusted.example.com\", service = \"{tls}\", originRequest = {{ noTLSVerify = true }} }},\n\
             {{ hostname = \"proved.example.com\", service = \"{tls}\", \
             originRequest = {{ caPool = \"{authority}\", originServerName = \"{name}\" }} }},\n]\n\
             [tunnels.off]\nhealth = {{ origin = \"off\" }}\n\
             ingress = [{{ hostname = \"off.example.com\", service = \"http://{closed}\" }}]\n",
            closed = closed.address(),
            hanging = hanging.local_addr().unwrap(),
            name = tls_origin::NAME,
        ),
    );
    host.start().await;
    host.until_all_serve().await;
    for (hostname, state, code) in [
        ("socket.example.com", CheckState::Up, "takes-connections"),
        ("ssh.example.com", CheckState::Down, "no-connection"),
        ("wrong.example.com", CheckState::Down, "wrong-status"),
        ("unproved.example.com", CheckState::Down, "no-answer"),
        ("trusted.example.com", CheckState::Up, "answers"),
        ("proved.example.com", CheckState::Up, "answers"),
    ] {
        host.until(&format!("{hostname} is {state:?} ({code})"), async |host| {
            origin_code(&health(host, hostname).await) == (state, code)
        })
        .await;
    }
    for hostname in ["none.example.com", "off.example.com"] {
        let health = health(&host, hostname).await;
        assert_eq!((health.origin, health.verdict), (None, RouteVerdict::Healthy), "{hostname} is not asked");
    }
    // What hangs held up nobody, and is not taken for well.
    assert_ne!(health(&host, "hanging.example.com").await.verdict, RouteVerdict::Healthy);

    drop(listener);
    std::fs::remove_file(host.path("app.sock")).unwrap();
    until_verdict(&host, "socket.example.com", RouteVerdict::Failing).await;
}

#[tokio::test]
async fn a_visitor_from_outside_sees_what_the_origin_alone_does_not_tell() {
    let host = watching(
        "[tunnels.web]\nhealth = { origin = \"off\", outside = { http = \"/\" } }\n\
         ingress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }, { hostname = \"*.example.net\", service = \"ORIGIN\" }]\n",
    )
    .await;
    let probe = async |host: &Host| health(host, "app.example.com").await.outside;
    let up =
        host.found("a visitor gets through", async |host| probe(host).await.filter(|check| check.state == CheckState::Up)).await;
    assert_eq!((up.asked.as_str(), up.reason.code.as_str()), ("https://app.example.com/", "answers"));
    assert_eq!(health(&host, "*.example.net").await.outside, None, "a wildcard names no page");
    assert!(metric(&host, "adit_probe_duration_seconds{route=\"app.example.com\",tunnel=\"web\"}").await.is_some());

    host.origin.set_up(false);
    let down =
        host.found("a visitor does not", async |host| probe(host).await.filter(|check| check.state == CheckState::Down)).await;
    assert_eq!(down.reason.code, "origin-unreachable");
    assert_eq!(metric(&host, "adit_probe_success{route=\"app.example.com\",tunnel=\"web\"}").await.as_deref(), Some("0"));
    let known = host.client.diagnose("app.example.com", "/", false, false).await.unwrap();
    let public = known.links.last().unwrap();
    assert!(public.sentence.contains("by the last regular check") && public.seen_at.is_some(), "{public:?}");
    host.origin.set_up(true);
    host.until("visitors get through again", async |host| host.adit(&["events"]).await.stdout.contains("probe-succeeded")).await;
}

/// A host with a public hostname, for which visitors are looked for every second, by this resolver.
async fn visited_by(resolver: SocketAddr) -> Host {
    let host = Host::prepare().await;
    let tunnels =
        "[tunnels.web]\nhealth = { outside = \"on\" }\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";
    let text = host.configuration(tunnels);
    let own = text.lines().map(|line| match line.starts_with("resolver = ") {
        true => format!("resolver = \"{resolver}\"\noutside_interval = \"1s\"\n"),
        false => format!("{line}\n"),
    });
    host.write_configuration(&own.collect::<String>());
    host.start().await;
    host.until_all_serve().await;
    host
}

/// The check of visitors once its reason is this, of a route of which nothing is known and a host that is well.
async fn unknown_because(host: &Host, code: &str) -> RouteCheck {
    let check = host
        .found("the reason is told", async |host| {
            health(host, "app.example.com").await.outside.filter(|check| check.reason.code == code)
        })
        .await;
    assert_eq!(health(host, "app.example.com").await.verdict, RouteVerdict::Unknown);
    assert_eq!(host.status().await.overview.health.verdict, Verdict::Healthy);
    assert_eq!(metric(host, "adit_probe_success{route=\"app.example.com\",tunnel=\"web\"}").await, None);
    check
}

#[tokio::test]
async fn a_hostname_that_no_resolver_knows_yet_is_pending_and_not_failing() {
    let resolver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = resolver.local_addr().unwrap();
    let _answering = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = resolver.recv_from(&mut packet).await {
            // An answer: no such name (RFC 1035, 4.1.1).
            (packet[2], packet[3]) = (packet[2] | 0x80, 3);
            let _ = resolver.send_to(&packet[..length], from).await;
        }
    }));
    let host = visited_by(address).await;
    assert_eq!(unknown_because(&host, "no-address").await.state, CheckState::Pending);
}

#[tokio::test]
async fn a_resolver_that_does_not_answer_makes_nobody_fail() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let host = visited_by(silent.local_addr().unwrap()).await;
    assert_eq!(unknown_because(&host, "resolver-silent").await.state, CheckState::Unknown);
}

#[tokio::test]
async fn a_hostname_that_leads_to_this_host_sends_no_visitor_there() {
    let host = Host::prepare().await;
    let tunnels =
        "[tunnels.web]\nhealth = { outside = \"on\" }\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";
    let text = host.configuration(tunnels).replace("[health]\n", "[health]\noutside_interval = \"1s\"\n");
    // The resolver of the sandbox tells a loopback address for every hostname.
    let without_front: Vec<&str> = text.lines().filter(|line| !line.starts_with("front = ")).collect();
    host.write_configuration(&without_front.join("\n"));
    host.start().await;
    host.until_all_serve().await;
    let down = until_verdict(&host, "app.example.com", RouteVerdict::Failing).await;
    let outside = down.outside.expect("it is checked");
    assert_eq!((outside.state, outside.reason.code.as_str()), (CheckState::Down, "not-public"));
    let known = host.client.diagnose("app.example.com", "/", false, true).await.unwrap();
    let public = known.links.last().unwrap();
    assert!(
        public
            .sentence
            .ends_with("leads to 127.0.0.1 (no addresses that Cloudflare publishes), where nothing public is; it was not asked"),
        "{public:?}"
    );
}

#[tokio::test]
async fn a_stopped_tunnel_is_asked_nothing_and_nothing_is_known_of_it() {
    let beside = Origin::start("beside").unwrap();
    let host = watching(&format!(
        "[tunnels.web]\nhealth = {{ origin = {{ http = \"/\" }} }}\ningress = [{{ hostname = \"app.example.com\", service = \"ORIGIN\" }}]\n\
         [tunnels.api]\nhealth = {{ origin = {{ http = \"/\" }} }}\ningress = [{{ hostname = \"api.example.com\", service = \"{}\" }}]\n",
        beside.url(),
    ))
    .await;
    until_verdict(&host, "app.example.com", RouteVerdict::Healthy).await;
    host.client.stop_tunnel("web").await.unwrap();
    let series = "adit_origin_up{route=\"app.example.com\",tunnel=\"web\"}";
    host.until("nothing is known of it", async |host| {
        host.route("app.example.com").await.health.is_none() && metric(host, series).await.is_none()
    })
    .await;
    let (of_web, of_api) = (host.origin.requests(), beside.requests());
    host.until("the other one is asked on", async |_| beside.requests() >= of_api + 2).await;
    // One request may have been under way.
    assert!(host.origin.requests() <= of_web + 1);
    host.client.start_tunnel("web").await.unwrap();
    until_verdict(&host, "app.example.com", RouteVerdict::Healthy).await;
}
