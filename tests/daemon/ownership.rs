//! What others made becomes ours, and what is ours is given up, by an operator's word.

use adit::{
    cloudflare::{Client, ConfigSource, Settings},
    control::api::{AdoptRoute, AdoptTunnel, RouteState},
    id::TunnelId,
    sandbox::world::RecordKind,
};
use serde_json::{Value, json};

use crate::host::{Ended, Host};

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

/// A tunnel of somebody else's, with a configuration and a DNS record that leads to it.
fn theirs(host: &Host, name: &str) -> TunnelId {
    let dashboard = host.stage.world.dashboard();
    let id = dashboard.create_tunnel(&host.stage.world.account_id(), name).unwrap();
    // Of the three hostnames one has no DNS record.
    let document = json!({
        "ingress": [
            { "hostname": "app.example.com", "service": "http://localhost:1", "originRequest": { "noTLSVerify": true } },
            { "hostname": "old.example.com", "service": "http://localhost:2" },
            { "hostname": "private.example.com", "service": "http://localhost:3" },
            { "service": "http_status:404" },
        ],
    });
    dashboard.put_configuration(&id, document).unwrap();
    dashboard.create_record("app.example.com", RecordKind::Cname, &id.dns_target()).unwrap();
    dashboard.create_record("old.example.com", RecordKind::Cname, &id.dns_target()).unwrap();
    dashboard.edit_record("app.example.com", json!({ "comment": "ask Bob" })).unwrap();
    id
}

fn kept(ended: &Ended) -> Vec<Value> {
    let paths = ended.stderr.lines().filter_map(|line| line.strip_prefix("what was there is kept in "));
    paths.map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn a_tunnel_that_others_made_is_shown_then_adopted_with_its_records() {
    let host = Host::prepare().await;
    let id = theirs(&host, "prod");
    let before = host.snapshot();
    // What it is to be is on hold until then: nothing else is made in its place.
    host.configure(&format!("{ONE_TUNNEL}replicas = 1\n"));
    let asked = AdoptTunnel { cloudflare_name: Some("prod".to_owned()), ..AdoptTunnel::default() };
    host.start().await;
    host.until("the record in the way is told", async |host| {
        host.client.tunnel("web").await.is_ok_and(|web| web.tunnel.routes.iter().any(|route| route.state == RouteState::Conflict))
    })
    .await;
    // The conflict made a tunnel of our own; it is given up for theirs.
    let ours = host.tunnel("web").await.id.unwrap();
    let refused = host.adit(&["tunnel", "adopt", "web", "--cloudflare-name", "prod", "--yes"]).await;
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains(&ours) && refused.stderr.contains("adit tunnel forget web"), "{refused:?}");
    assert_eq!(host.snapshot().tunnels[&id], before.tunnels[&id]);

    host.configure("");
    host.client.reload_configuration().await.unwrap();
    let forgotten = host.adit(&["tunnel", "forget", "web", "--yes"]).await;
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let held = host.client.look_at_tunnel("web", &asked).await.unwrap_err().to_string();
    assert!(held.contains("the configuration does not have it"), "{held}");

    let adopted = host.adit(&["tunnel", "adopt", "web", "--cloudflare-name", "prod", "--from-cloudflare", "--yes"]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    for shown in
        ["prod", id.as_str(), "app.example.com (\"ask Bob\"): becomes ours", "old.example.com: becomes ours", "none runs"]
    {
        assert!(adopted.stderr.contains(shown), "{shown:?} is shown: {adopted:?}");
    }
    let tunnel = host.tunnel("web").await;
    assert_eq!((tunnel.id.as_deref(), tunnel.origin.as_str()), (Some(id.as_str()), "api"));
    let after = host.snapshot();
    assert_eq!(after.tunnels[&id], before.tunnels[&id], "it keeps its name and configuration");
    assert!(after.records_named("private.example.com").is_empty(), "nothing is published that was not public before");
    assert!(after.records_named("app.example.com")[0].comment.as_deref().is_some_and(|comment| comment.starts_with("adit:")));
    let kept = kept(&adopted);
    assert_eq!(kept.len(), 3, "the configuration and two records: {adopted:?}");
    assert!(kept.iter().any(|kept| kept[0]["comment"] == "ask Bob"), "{kept:?}");
    host.until("our connector serves", async |host| host.connectors().len() == 1).await;

    let again = host.adit(&["tunnel", "adopt", "web", "--yes"]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("is ours already"), "{again:?}");
    assert_eq!(host.snapshot(), after);
    host.pass().await;
    assert_eq!(host.snapshot(), after);
}

#[tokio::test]
async fn an_adopted_tunnel_gets_the_configuration_that_was_shown_and_visitors_get_through() {
    let host = Host::prepare().await;
    // Of the name that ours would have: a conflict, which is what adopting is for.
    host.configure("[tunnels.other]\ningress = []\n");
    host.start().await;
    host.until("the installation is known", async |host| host.tunnel("other").await.id.is_some()).await;
    let name = host.snapshot().tunnels.into_values().next().unwrap().name.replace("other.", "web.");
    let id = theirs(&host, &name);
    host.configure(&format!("[tunnels.other]\ningress = []\n{ONE_TUNNEL}"));
    host.client.reload_configuration().await.unwrap();
    host.until("the conflict names the way out", async |host| {
        let routes = host.client.tunnel("web").await.map(|web| web.tunnel.routes).unwrap_or_default();
        routes.iter().any(|route| route.reason.as_deref().is_some_and(|reason| reason.contains("adit tunnel adopt web")))
    })
    .await;

    let nobody_asked = host.adit(&["tunnel", "adopt", "web"]).await;
    assert_eq!(nobody_asked.code, Some(2), "{nobody_asked:?}");
    assert!(nobody_asked.stderr.contains("--yes"), "{nobody_asked:?}");
    assert!(nobody_asked.stderr.contains("- old.example.com -> http://localhost:2"), "{nobody_asked:?}");
    assert!(nobody_asked.stderr.contains(&format!("+ app.example.com -> {}", host.origin.url())), "{nobody_asked:?}");
    assert!(nobody_asked.stderr.contains("old.example.com: stays"), "{nobody_asked:?}");

    let adopted = host.adit(&["tunnel", "adopt", "web", "--yes", "--wait"]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert!(host.visit("app.example.com").await.reached("here"));
    let after = host.snapshot();
    assert_eq!(after.tunnels[&id].name, name);
    assert_eq!(after.tunnels[&id].configuration.as_ref().unwrap().1["ingress"].as_array().unwrap().len(), 2);
    assert_eq!(after.records_named("old.example.com")[0].comment, None, "a record that no route wants stays theirs");
    assert!(kept(&adopted).iter().any(|kept| kept["ingress"][1]["hostname"] == "old.example.com"));
    let audit = std::fs::read_to_string(host.path("state/audit.jsonl")).unwrap();
    assert!(audit.contains("\"verb\":\"adopt\",\"tunnel\":\"web\",\"result\":\"done\""), "{audit}");
}

#[tokio::test]
async fn nothing_is_adopted_that_changed_since_it_was_shown_or_is_not_there() {
    let host = Host::prepare().await;
    let id = theirs(&host, "prod");
    let deleted = theirs_deleted(&host);
    host.configure("[tunnels.other]\ningress = []\n");
    host.start().await;
    host.until("a tunnel of ours is there", async |host| host.tunnel("other").await.id.is_some()).await;
    let other = host.tunnel("other").await.id.unwrap();

    let asked = AdoptTunnel { id: Some(id.to_string()), from_cloudflare: true, ..AdoptTunnel::default() };
    let shown = host.client.look_at_tunnel("web", &asked).await.unwrap();
    host.stage.world.dashboard().put_configuration(&id, json!({ "ingress": [{ "service": "http_status:418" }] })).unwrap();
    let before = host.snapshot();
    let late = AdoptTunnel { hash: Some(shown.hash), ..asked.clone() };
    let refused = host.client.adopt_tunnel("web", &late).await.unwrap_err().to_string();
    assert!(refused.contains("not what was shown"), "{refused}");
    let unseen = host.client.adopt_tunnel("web", &asked).await.unwrap_err().to_string();
    assert!(unseen.contains("what was not looked at"), "{unseen}");

    let already = format!("other is {other} already");
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (arguments, code, says) in [
        (&["web", "--id", unknown, "--from-cloudflare"][..], 1, "has no tunnel 00000000"),
        (&["web", "--id", "../zones", "--from-cloudflare"], 2, "a tunnel's id is a UUID"),
        (&["web", "--id", deleted.as_str(), "--from-cloudflare"], 1, "was deleted"),
        (&["web", "--cloudflare-name", "nobody", "--from-cloudflare"], 1, "has no tunnel named \"nobody\""),
        (&["web", "--id", id.as_str()], 1, "the configuration does not have it"),
        (&["web", "--id", id.as_str(), "--from-cloudflare", "--account", "nobody"], 1, "there is no account \"nobody\""),
        (&["Web!", "--id", id.as_str(), "--from-cloudflare"], 1, "cannot adopt a tunnel as \"Web!\""),
        (&["web", "--id", other.as_str(), "--from-cloudflare"], 5, "it is ours already, as tunnel other"),
        (&["other", "--id", id.as_str()], 5, already.as_str()),
        (&["web", "--id", id.as_str(), "--cloudflare-name", "prod"], 2, "cannot be used with"),
    ] {
        let ended = host.adit(&[&["tunnel", "adopt"], arguments, &["--yes"]].concat()).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {ended:?}");
    }
    assert_eq!(host.snapshot(), before);
    assert!(!host.path("state/records/web.toml").exists());
}

fn theirs_deleted(host: &Host) -> TunnelId {
    let dashboard = host.stage.world.dashboard();
    let id = dashboard.create_tunnel(&host.stage.world.account_id(), "gone").unwrap();
    dashboard.delete_tunnel(&id).unwrap();
    id
}

#[tokio::test]
async fn what_waits_for_apply_is_adopted_and_its_differences_show_in_the_plan_before_they_are_written() {
    let host = Host::prepare().await;
    let id = theirs(&host, "prod");
    let before = host.snapshot();
    let asks = |tunnels: &str| host.configuration(tunnels).replace("sync_interval", "apply = \"ask\"\nsync_interval");
    host.write_configuration(&asks("[tunnels.web]\nconfiguration = \"local\"\ningress = []\n"));
    host.start().await;
    host.until("the configuration waits", async |host| host.adit(&["plan"]).await.code == Some(2)).await;
    let local = host.adit(&["tunnel", "adopt", "web", "--id", id.as_str(), "--yes"]).await;
    assert_eq!(local.code, Some(5), "{local:?}");
    assert!(local.stderr.contains("its configuration is remote, and the definition says local"), "{local:?}");

    host.write_configuration(&asks(ONE_TUNNEL));
    host.client.reload_configuration().await.unwrap();
    let adopted = host.adit(&["tunnel", "adopt", "web", "--id", id.as_str(), "--yes"]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let planned = host.adit(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    assert!(planned.stdout.contains("configuration of web"), "{planned:?}");
    assert_eq!(host.snapshot().tunnels, before.tunnels, "nothing is made or written");
    let applied = host.adit(&["apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    host.until("visitors get through", async |host| host.visit("app.example.com").await.reached("here")).await;
    assert_eq!(host.snapshot().tunnels.len(), 1);
}

#[tokio::test]
async fn a_tunnel_with_a_local_configuration_is_adopted_before_it_is_defined() {
    let host = Host::prepare().await;
    let id = local_tunnel(&host, "prod").await;
    host.stage.world.dashboard().create_record("app.example.com", RecordKind::Cname, &id.dns_target()).unwrap();
    host.configure("[tunnels.other]\ningress = []\n");
    host.start().await;
    host.until_all_serve().await;
    let stored = host.adit(&["tunnel", "adopt", "web", "--id", id.as_str(), "--from-cloudflare", "--yes"]).await;
    assert_eq!(stored.code, Some(5), "{stored:?}");
    assert!(stored.stderr.contains("its configuration is local"), "{stored:?}");
    let before = host.snapshot();
    let adopted = host.adit(&["tunnel", "adopt", "web", "--id", id.as_str(), "--define-later", "--yes"]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert!(adopted.stderr.contains("add [tunnels.web]"), "{adopted:?}");
    host.pass().await;
    assert_eq!(host.snapshot(), before, "until it is defined nothing of it changes");
    assert_eq!(host.connectors().len(), 1);

    let defined = ONE_TUNNEL.replace("[tunnels.web]", "[tunnels.web]\nconfiguration = \"local\"");
    host.configure(&format!("[tunnels.other]\ningress = []\n{defined}"));
    host.client.reload_configuration().await.unwrap();
    host.until("its connector runs", async |host| host.connectors().len() == 2).await;
    // The record that leads to it is still theirs: the same word again takes it.
    let records = host.adit(&["tunnel", "adopt", "web", "--yes", "--wait"]).await;
    assert_eq!(records.code, Some(0), "{records:?}");
    assert!(records.stderr.contains("app.example.com: becomes ours"), "{records:?}");
    assert!(host.visit("app.example.com").await.reached("here"));
    assert_eq!(host.snapshot().tunnels[&id], before.tunnels[&id]);
}

/// A tunnel that somebody made with a configuration of its own.
async fn local_tunnel(host: &Host, name: &str) -> TunnelId {
    let world = &host.stage.world;
    let (_keep, token) = tokio::sync::watch::channel(Some(world.api_token()));
    let api_base = host.stage.configuration();
    let api_base = api_base.lines().find_map(|line| line.trim().strip_prefix("api_base = ")).unwrap().trim_matches('"');
    let client = Client::new(Settings {
        api_base: api_base.parse().unwrap(),
        budget_per_second: 100.0,
        user_agent: "adit-test".to_owned(),
        token,
        observer: std::sync::Arc::new(|_| {}),
        book: None,
    });
    let secret = adit::secret::Secret::new("bm90IGEgc2VjcmV0IGJ1dCB0aGlydHktdHdvIGJ5dGVzIQ==");
    client.unwrap().create_tunnel(&world.account_id(), name, ConfigSource::Local, &secret).await.unwrap().id
}

#[tokio::test]
async fn a_hostname_is_taken_over_with_everything_that_stood_there_kept() {
    let host = Host::prepare().await;
    let dashboard = host.stage.world.dashboard();
    dashboard.create_record("app.example.com", RecordKind::A, "192.0.2.7").unwrap();
    dashboard.create_record("app.example.com", RecordKind::A, "192.0.2.8").unwrap();
    dashboard.create_record("app.example.com", RecordKind::Aaaa, "2001:db8::7").unwrap();
    let text = dashboard.create_record("app.example.com", RecordKind::Txt, "\"v=spf1 -all\"").unwrap();
    dashboard.create_record("*.dev.example.com", RecordKind::Cname, "elsewhere.example.org").unwrap();
    dashboard.edit_record("*.dev.example.com", json!({ "comment": "ask Bob" })).unwrap();
    host.configure(
        "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" },\n\
         { hostname = \"*.dev.example.com\", service = \"ORIGIN\" }]\n",
    );
    host.start().await;
    host.until("both conflicts are told", async |host| {
        let web = host.client.tunnel("web").await.map(|web| web.tunnel.routes).unwrap_or_default();
        !web.is_empty() && web.iter().all(|route| route.state == RouteState::Conflict)
    })
    .await;
    let before = host.snapshot();

    let unasked = host.adit(&["route", "adopt", "app.example.com"]).await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    for shown in ["- A \"192.0.2.7\"", "- A \"192.0.2.8\"", "- AAAA", "= TXT", "cfargotunnel.com"] {
        assert!(unasked.stderr.contains(shown), "{shown}: {unasked:?}");
    }
    let asked = AdoptRoute { hostname: "app.example.com".to_owned(), tunnel: None, from_install: None, hash: None };
    let shown = host.client.look_at_route(&asked).await.unwrap();
    dashboard.create_record("app.example.com", RecordKind::A, "192.0.2.9").unwrap();
    let late = AdoptRoute { hash: Some(shown.hash), ..asked };
    let refused = host.client.adopt_route(&late).await.unwrap_err().to_string();
    assert!(refused.contains("not what was shown"), "{refused}");
    assert_eq!(host.snapshot().records.len(), before.records.len() + 1);

    let taken = host.adit(&["route", "adopt", "app.example.com", "--yes"]).await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let kept = kept(&taken);
    assert_eq!(kept[0].as_array().unwrap().len(), 4, "{kept:?}");
    assert!(kept[0][0]["id"].is_string() && kept[0][0]["created_on"].is_string(), "as Cloudflare gave them: {kept:?}");
    let there = host.snapshot();
    let named = there.records_named("app.example.com");
    assert_eq!(named.len(), 2);
    assert_eq!(there.records[&text], before.records[&text], "the TXT record stays");
    // Nobody sees a gap: they went and ours came in one call.
    let requests = host.stage.world.requests();
    assert_eq!(requests.iter().filter(|request| request.path.ends_with("/dns_records/batch")).count(), 1);

    let wildcard = host.adit(&["route", "adopt", "*.dev.example.com", "--tunnel", "web", "--yes"]).await;
    assert_eq!(wildcard.code, Some(0), "{wildcard:?}");
    let changed = host.snapshot();
    let record = changed.records_named("*.dev.example.com")[0];
    assert!(before.records.contains_key(&record.id), "one CNAME is changed in place");
    host.until_all_serve().await;
    assert!(host.visit("app.example.com").await.reached("here"));
    assert!(host.visit("a.dev.example.com").await.reached("here"));

    let settled = host.snapshot();
    let again = host.adit(&["route", "adopt", "app.example.com", "--yes"]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("is ours already"), "{again:?}");
    assert_eq!(host.snapshot(), settled);
    for (arguments, code, says) in [
        (&["no.example.com"][..], 1, "no tunnel has a route for it"),
        (&["app"], 1, "cannot take over \"app\""),
        (&["app.example.com", "--tunnel", "other"], 5, "is one of tunnel web"),
    ] {
        let ended = host.adit(&[&["route", "adopt"], arguments, &["--yes"]].concat()).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
    let audit = std::fs::read_to_string(host.path("state/audit.jsonl")).unwrap();
    assert!(audit.contains("\"verb\":\"adopt route\",\"tunnel\":\"web\",\"result\":\"done\""), "{audit}");
    assert!(
        audit.contains("\"verb\":\"adopt route\",\"tunnel\":\"web\",\"result\":\"conflict\"")
            || audit.contains("\"result\":\"conflict\""),
        "{audit}"
    );
}

#[tokio::test]
async fn the_record_of_another_installation_gives_way_only_when_that_is_named() {
    let host = Host::prepare().await;
    let dashboard = host.stage.world.dashboard();
    dashboard.create_record("app.example.com", RecordKind::Cname, "elsewhere.example.org").unwrap();
    dashboard.edit_record("app.example.com", json!({ "comment": "adit:zzzzzzzz:web" })).unwrap();
    host.configure(ONE_TUNNEL);
    host.start().await;
    host.until("the conflict is told", async |host| {
        let web = host.client.tunnel("web").await.map(|web| web.tunnel.routes).unwrap_or_default();
        web.iter().any(|route| route.state == RouteState::Conflict)
    })
    .await;
    let before = host.snapshot();
    for arguments in [&["--yes"][..], &["--yes", "--from-install", "aaaaaaaa"]] {
        let refused = host.adit(&[&["route", "adopt", "app.example.com"], arguments].concat()).await;
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert!(refused.stderr.contains("--from-install zzzzzzzz"), "{refused:?}");
    }
    assert_eq!(host.snapshot(), before);
    let taken = host.adit(&["route", "adopt", "app.example.com", "--from-install", "zzzzzzzz", "--yes", "--wait"]).await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    assert!(host.visit("app.example.com").await.reached("here"));
}

#[tokio::test]
async fn a_forgotten_tunnel_stays_at_cloudflare_and_can_be_taken_back() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.client
        .create_tunnel("api", json!({ "ingress": [{ "hostname": "api.example.com", "service": host.origin.url() }] }))
        .await
        .unwrap();
    host.until_all_serve().await;
    let there = host.snapshot();
    let id = host.tunnel("api").await.id.unwrap();

    let wanted = host.adit(&["tunnel", "forget", "web", "--yes"]).await;
    assert_eq!(wanted.code, Some(5), "{wanted:?}");
    assert!(wanted.stderr.contains("adit.toml") && wanted.stderr.contains("config reload"), "{wanted:?}");
    let unknown = host.adit(&["tunnel", "forget", "nobody", "--yes"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert_eq!(host.adit(&["tunnel", "forget", "api"]).await.code, Some(2), "nobody is there to be asked");

    for times in ["forgotten; nothing was deleted", "it was forgotten before"] {
        let forgotten = host.adit(&["tunnel", "forget", "api", "--yes"]).await;
        assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
        for says in [times, id.as_str(), "DNS record api.example.com stays", "adit tunnel adopt api"] {
            assert!(forgotten.stderr.contains(says), "{says}: {forgotten:?}");
        }
    }
    host.until("its connector has stopped", async |host| host.connectors().len() == 1).await;
    assert!(host.client.tunnel("api").await.is_err());
    assert_eq!(host.snapshot(), there);
    host.pass().await;
    assert_eq!(host.snapshot(), there);
    let note = std::fs::read_to_string(host.path("state/forgotten/api.toml")).unwrap();
    assert!(!note.contains("secret"), "{note}");
    assert!(!host.path("state/records/api.toml").exists() && !host.path("state/tunnels/api.toml").exists());

    let back = host.adit(&["tunnel", "adopt", "api", "--from-cloudflare", "--yes", "--wait"]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    host.until_all_serve().await;
    assert!(host.visit("api.example.com").await.reached("here"));
    assert_eq!(host.snapshot(), there, "all of it is ours again, as it was");
    assert!(!host.path("state/forgotten/api.toml").exists());
}

#[tokio::test]
async fn a_tunnel_that_left_the_files_is_forgotten_and_stays_at_cloudflare() {
    let host = Host::serving(&format!("{ONE_TUNNEL}[tunnels.api]\ningress = []\n")).await;
    let there = host.snapshot();
    host.configure("[tunnels.api]\ningress = []\n");
    host.client.reload_configuration().await.unwrap();
    let forgotten = host.adit(&["tunnel", "forget", "web", "--yes", "-o", "json"]).await;
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let answer: Value = serde_json::from_str(&forgotten.stdout).unwrap();
    assert_eq!(answer["records"], json!(["app.example.com"]), "{answer}");
    host.until("only the other one is known", async |host| host.status().await.tunnels.len() == 1).await;
    assert_eq!(host.snapshot(), there);
}

/// STRRL #323: DNS handed away, deleted later.
#[tokio::test]
async fn a_record_that_was_handed_over_sees_no_call_of_ours_ever_after() {
    let host = Host::serving("[tunnels.other]\ningress = []\n").await;
    let definition =
        |dns: bool| json!({ "ingress": [{ "hostname": "app.example.com", "service": host.origin.url(), "dns": dns }] });
    host.client.create_tunnel("web", definition(true)).await.unwrap();
    host.until_all_serve().await;
    host.client.replace_tunnel("web", &definition(false)).await.unwrap();
    host.pass().await;
    let handed_over = host.snapshot().records;
    let before = writes_to_dns(&host);

    host.client.patch_tunnel("web", &json!({ "ingress": [] })).await.unwrap();
    host.pass().await;
    host.client.delete_tunnel("web").await.unwrap();
    host.until("the tunnel is gone", async |host| host.status().await.tunnels.len() == 1).await;
    host.pass().await;
    assert_eq!(host.snapshot().records, handed_over);
    assert_eq!(writes_to_dns(&host), before);
}

fn writes_to_dns(host: &Host) -> usize {
    let requests = host.stage.world.requests();
    requests.iter().filter(|request| request.method.as_str() != "GET" && request.path.contains("/dns_records")).count()
}
