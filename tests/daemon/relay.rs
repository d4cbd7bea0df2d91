//! One scrape of the host: own families, and the connectors' own with their tunnel, account and replica.

use std::io::Read as _;

use adit::{
    exposition::{Line, Sample},
    sandbox::switchboard::{Command, Switches},
};
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE},
};

use crate::host::{Host, brisk};

const TWO_TUNNELS: &str = "\
[tunnels.web]
ingress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]
[tunnels.api]
replicas = 2
ingress = [{ hostname = \"api.example.com\", service = \"ORIGIN\" }]
";

async fn ask(host: &Host, method: Method, path: &str, headers: &[(reqwest::header::HeaderName, &str)]) -> Response {
    // Only the first of a process is taken.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().unix_socket(host.path("metrics.sock")).no_gzip().build().unwrap();
    let request = client.request(method, format!("http://localhost{path}"));
    headers.iter().fold(request, |request, (name, value)| request.header(name, *value)).send().await.unwrap()
}

async fn scrape(host: &Host) -> String {
    let response = ask(host, Method::GET, "/metrics", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

/// The value of the series with that name and all of these labels.
fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    page.lines().filter_map(Sample::read).find_map(|sample| {
        let fits = labels.iter().all(|(label, value)| sample.label(label).is_some_and(|there| there == *value));
        (sample.name == name && fits).then_some(sample.value)
    })
}

/// The page keeps to the format: one head for each family, its series behind it, and no series twice.
fn assert_sound(page: &str) {
    let (mut types, mut series) = (Vec::new(), Vec::new());
    for line in page.lines() {
        match Line::read(line) {
            Some(Line::Type { family, .. }) => types.push(family.to_owned()),
            Some(Line::Help { .. }) => {}
            Some(Line::Sample(sample)) => {
                let family = types.last().unwrap();
                assert!(sample.name.starts_with(family.as_str()), "{line} below {family}");
                series.push(line.rsplit_once(' ').unwrap().0.to_owned());
            }
            None => panic!("no line of the format: {line:?}"),
        }
    }
    for mut names in [types, series] {
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "something is there twice in\n{page}");
    }
}

const WEB: [(&str, &str); 2] = [("tunnel", "web"), ("replica", "0")];

#[tokio::test]
async fn connectors_families_are_told_with_their_tunnel_account_and_replica() {
    let host = Host::serving(TWO_TUNNELS).await;
    for _ in 0..3 {
        assert!(host.visit("app.example.com").await.reached("here"));
    }
    let page = scrape(&host).await;
    assert_sound(&page);
    let web = [("tunnel", "web"), ("account", "sandbox"), ("replica", "0")];
    assert_eq!(value(&page, "cloudflared_tunnel_total_requests", &web), Some(3.0));
    assert_eq!(value(&page, "cloudflared_tunnel_total_requests", &[("tunnel", "api"), ("replica", "1")]), Some(0.0));
    assert!(value(&page, "quic_client_smoothed_rtt", &[("tunnel", "web"), ("conn_index", "0")]).is_some(), "{page}");
    assert_eq!(page.matches("# HELP cloudflared_tunnel_total_requests ").count(), 1);
    assert!(page.find("adit_uplink_up") < page.find("cloudflared_tunnel"), "own families stand first");
    for foreign in ["\ngo_", "\nprocess_", "\npromhttp_", "\nbuild_info"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!(value(&page, "adit_relay_up", &WEB), Some(1.0));
    assert_eq!(value(&page, "adit_relay_dropped_series_total", &WEB), Some(0.0));
}

#[tokio::test]
async fn a_connector_that_hangs_is_left_out_and_said_to_be() {
    let host = Host::serving(TWO_TUNNELS).await;
    let api = host.connector("api").await;
    assert!(host.stage.switchboard.command(api.pid.unwrap(), Command::Hang));
    let hung = [("tunnel", "api"), ("replica", "0")];
    host.until("the connector that hangs is left out, while it is there", async |host| {
        let page = scrape(host).await;
        assert_sound(&page);
        assert_eq!(value(&page, "adit_relay_up", &WEB), Some(1.0), "{page}");
        // By then its supervisor may have replaced it.
        let is_replaced = host.connector("api").await.generation > api.generation;
        let is_left_out = value(&page, "adit_relay_up", &hung) == Some(0.0)
            && value(&page, "cloudflared_tunnel_total_requests", &hung).is_none();
        is_replaced || is_left_out
    })
    .await;
}

#[tokio::test]
async fn what_a_connector_says_beyond_the_format_spoils_nothing() {
    let host = Host::serving(TWO_TUNNELS).await;
    let web = host.snapshot().tunnels.into_values().find(|tunnel| tunnel.name.starts_with("web.")).unwrap().id;
    let flood: String = (0..1_500).map(|number| format!("cloudflared_zz_flood{{number=\"{number}\"}} 1\n")).collect();
    let more_metrics = format!(
        "# TYPE cloudflared_tunnel_ha_connections counter\n\
         # TYPE cloudflared_odd gauge\n\
         cloudflared_odd{{tunnel=\"x\",text=\"a\\\"b\\\\c\\nd\u{202e}\"}} 1\n\
         cloudflared_odd{{text=\"one\",text=\"two\"}} 1\n\
         cloudflared_odd{{__name__=\"adit_uplink_up\"}} 0\n\
         cloudflared_odd{{a:b=\"c\"}} 1\n\
         cloudflared_odd{{text=\"unended}} 1\n\
         cloudflared_odd nonsense\n\
         adit_uplink_up 0\n\
         \0\u{1b}[2J\n\
         {flood}cloudflared_cut 1"
    );
    host.stage.switchboard.set(Some(&web), Switches { more_metrics, ..brisk() });
    let page = host
        .found("the flood is there", async |host| {
            let page = scrape(host).await;
            page.contains("cloudflared_zz_flood").then_some(page)
        })
        .await;
    assert_sound(&page);
    let odd = [("tunnel", "web"), ("exported_tunnel", "x"), ("text", "a\"b\\c\nd\u{202e}")];
    assert_eq!(value(&page, "cloudflared_odd", &odd), Some(1.0));
    assert_eq!(page.matches("\ncloudflared_odd{").count(), 1);
    assert_eq!(page.matches("\nadit_uplink_up ").count(), 1);
    assert!(!page.contains("cloudflared_cut") && page.contains("# TYPE cloudflared_tunnel_ha_connections gauge\n"));
    let kept = page.lines().filter(|line| line.starts_with("cloudflared_") || line.starts_with("quic_"));
    let kept =
        kept.filter_map(Sample::read).filter(|sample| sample.label("tunnel").is_some_and(|tunnel| tunnel == "web")).count();
    assert_eq!(kept, 1_000, "the default of relay_series_max");
    let dropped = |page: &str| value(page, "adit_relay_dropped_series_total", &WEB).unwrap();
    assert!(dropped(&page) > 500.0 && value(&page, "adit_relay_up", &WEB) == Some(1.0));
    host.until("it counts on", async |host| dropped(&scrape(host).await) > dropped(&page)).await;
    assert_eq!(value(&page, "adit_relay_dropped_series_total", &[("tunnel", "api"), ("replica", "0")]), Some(0.0));
}

#[tokio::test]
async fn a_reload_turns_the_relay_off_and_on() {
    let host = Host::serving(TWO_TUNNELS).await;
    let on = host.configuration(TWO_TUNNELS);
    for (setting, is_relayed) in [("relay = false\n", false), ("relay_series_max = 3\n", true)] {
        host.write_configuration(&on.replace("[metrics]\n", &format!("[metrics]\n{setting}")));
        host.client.reload_configuration().await.unwrap();
        let page = scrape(&host).await;
        assert_sound(&page);
        assert_eq!(page.contains("\ncloudflared_"), is_relayed, "{page}");
        assert_eq!(page.contains("\nadit_relay_up{"), is_relayed);
        if is_relayed {
            assert_eq!(page.lines().filter(|line| line.starts_with("cloudflared_")).count(), 9);
        }
    }
}

#[tokio::test]
async fn a_scraper_gets_the_format_and_the_encoding_that_it_asks_for() {
    let host = Host::serving(TWO_TUNNELS).await;
    let get = async |headers: &[_]| ask(&host, Method::GET, "/metrics", headers).await;

    let text = get(&[]).await;
    assert_eq!(text.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.headers().get(CONTENT_ENCODING).is_none());

    let openmetrics = get(&[(ACCEPT, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")]).await;
    assert_eq!(openmetrics.headers()[CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let page = openmetrics.text().await.unwrap();
    assert!(page.ends_with("\n# EOF\n") && page.contains("# TYPE adit_events counter\nadit_events_total{"), "{page}");
    assert!(page.contains("# TYPE cloudflared_tunnel_total_requests unknown\ncloudflared_tunnel_total_requests{"), "{page}");

    let compressed = get(&[(ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(compressed.headers()[CONTENT_ENCODING], "gzip");
    let mut page = String::new();
    flate2::read::GzDecoder::new(&*compressed.bytes().await.unwrap()).read_to_string(&mut page).unwrap();
    assert_sound(&page);
    assert!(page.contains("\ncloudflared_tunnel_total_requests{"));

    let head = ask(&host, Method::HEAD, "/metrics", &[]).await;
    assert_eq!((head.status(), head.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain")), (StatusCode::OK, true));
    let post = ask(&host, Method::POST, "/metrics", &[]).await;
    assert_eq!((post.status(), post.headers()[ALLOW].to_str().unwrap()), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    let other = ask(&host, Method::GET, "/", &[]).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    assert!(other.text().await.unwrap().contains("/metrics"));
}

#[tokio::test]
async fn no_series_is_told_twice_while_one_connector_takes_over_from_another() {
    let host = Host::serving(TWO_TUNNELS).await;
    let before = host.connector("web").await;
    let restarting = host.adit(&["tunnel", "restart", "web"]);
    let watching = async {
        loop {
            assert_sound(&scrape(&host).await);
            let web = host.connector("web").await;
            if web.generation > before.generation && web.serving {
                break;
            }
        }
    };
    let (restarted, ()) = tokio::join!(restarting, watching);
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    let page = scrape(&host).await;
    assert_eq!(value(&page, "adit_relay_up", &WEB), Some(1.0), "{page}");
}
