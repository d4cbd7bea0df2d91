//! Who may do what.
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

use adit::{
    config::{Access, Grant, Role},
    control::{
        ENDPOINTS, Principal,
        api::{ErrorKind, Verdict},
    },
};
use serde_json::json;

use crate::{
    backend::{Host, access, root, user},
    raw::request,
};

/// Who may use each endpoint: `v`iewer, `o`perator, an `e`ditor by a grant for everything, `a`dmin; `-` a user without any role.
const ALLOWED: [(&str, &str, &str); 44] = [
    ("GET", "/v1/whoami", "-voea"),
    ("GET", "/v1/version", "voea"),
    ("GET", "/v1/health", "voea"),
    ("GET", "/v1/status", "voea"),
    ("GET", "/v1/tunnels", "voea"),
    ("POST", "/v1/tunnels", "ea"),
    ("GET", "/v1/tunnels/{name}", "voea"),
    ("PUT", "/v1/tunnels/{name}", "ea"),
    ("PATCH", "/v1/tunnels/{name}", "ea"),
    ("DELETE", "/v1/tunnels/{name}", "ea"),
    ("POST", "/v1/tunnels/{name}/start", "oea"),
    ("POST", "/v1/tunnels/{name}/stop", "oea"),
    ("POST", "/v1/tunnels/{name}/restart", "oea"),
    ("GET", "/v1/tunnels/{name}/restart", "voea"),
    ("POST", "/v1/tunnels/{name}/rotate", "a"),
    ("GET", "/v1/tunnels/{name}/logs", "oea"),
    ("GET", "/v1/routes", "voea"),
    ("POST", "/v1/tunnels/{name}/routes", "ea"),
    ("DELETE", "/v1/tunnels/{name}/routes", "ea"),
    ("GET", "/v1/events", "voea"),
    ("GET", "/v1/plan", "voa"),
    ("POST", "/v1/apply", "a"),
    ("GET", "/v1/config", "voa"),
    ("POST", "/v1/config/reload", "a"),
    ("GET", "/v1/credentials", "voa"),
    ("POST", "/v1/credentials/check", "oa"),
    ("POST", "/v1/origins/check", "a"),
    ("GET", "/v1/tunnels/{name}/adoption", "a"),
    ("POST", "/v1/tunnels/{name}/adoption", "a"),
    ("POST", "/v1/tunnels/{name}/forget", "a"),
    ("GET", "/v1/routes/adoption", "a"),
    ("POST", "/v1/routes/adoption", "a"),
    ("GET", "/v1/identity", "voa"),
    ("POST", "/v1/identity/take-over", "a"),
    ("POST", "/v1/identity/new", "a"),
    ("GET", "/v1/orphans", "oa"),
    ("POST", "/v1/orphans", "a"),
    ("GET", "/v1/openapi.json", "-voea"),
    ("GET", "/v1/operations", "voea"),
    ("GET", "/v1/operations/{id}", "voea"),
    ("GET", "/v1/doctor", "oa"),
    // Without a hostname: an editor by a grant for everything sees everything.
    ("GET", "/v1/diagnose", "voea"),
    ("GET", "/v1/audit", "a"),
    ("GET", "/v1/traffic", "voea"),
];

/// Somebody who asks.
struct Somebody {
    uid: u32,
    /// The letter that stands for them in [`ALLOWED`].
    letter: char,
    /// The role that they have where it counts.
    role: Option<&'static str>,
    /// Whether they have it only for tunnels that are called `web-…`.
    is_scoped: bool,
}

const EVERYBODY: [Somebody; 9] = [
    Somebody { uid: 2999, letter: '-', role: None, is_scoped: false },
    Somebody { uid: 2003, letter: 'v', role: Some("viewer"), is_scoped: false },
    Somebody { uid: 2002, letter: 'o', role: Some("operator"), is_scoped: false },
    Somebody { uid: 2004, letter: 'e', role: Some("editor"), is_scoped: false },
    Somebody { uid: 2001, letter: 'a', role: Some("admin"), is_scoped: false },
    Somebody { uid: 0, letter: 'a', role: Some("admin"), is_scoped: false },
    Somebody { uid: 2013, letter: 'v', role: Some("viewer"), is_scoped: true },
    Somebody { uid: 2012, letter: 'o', role: Some("operator"), is_scoped: true },
    Somebody { uid: 2014, letter: 'e', role: Some("editor"), is_scoped: true },
];

/// The access rules of the walk: those of all tests, and scoped grants of each role.
fn rules_of_the_walk() -> Access {
    let grant = |role: Role, who: &str, tunnels: &str| Grant {
        role,
        who: vec![who.parse().unwrap()],
        accounts: None,
        tunnels: Some(vec![tunnels.parse().unwrap()]),
        hostnames: None,
        origins: None,
    };
    let mut access = access();
    access.grants.extend([
        grant(Role::Viewer, "2013", "web-*"),
        grant(Role::Operator, "2012", "web-*"),
        grant(Role::Editor, "2014", "web-*"),
    ]);
    access
}

#[tokio::test]
async fn every_endpoint_lets_in_those_it_should_and_nobody_else_and_keeps_every_change() {
    let host = Host::start_with(rules_of_the_walk()).await;
    let table: Vec<_> = ENDPOINTS.iter().map(|endpoint| (endpoint.method.to_string(), endpoint.path)).collect();
    let expected: Vec<_> = ALLOWED.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    assert_eq!(table, expected, "the table and what is expected of it name the same endpoints");
    for (endpoint, (method, path, allowed)) in ENDPOINTS.iter().zip(ALLOWED) {
        for (somebody, tunnel) in EVERYBODY.iter().flat_map(|somebody| [(somebody, "web-shop"), (somebody, "api")]) {
            let Somebody { uid, letter, role, is_scoped } = somebody;
            for name in ["web-shop", "api"] {
                host.backend.put(name, json!({}));
            }
            host.become_user(user(*uid, "someone"));
            let audited = host.backend.audited().len();
            let answer = request(&host.socket, method, &path.replace("{name}", tunnel), "").await;
            let case = format!("{method} {path} of {tunnel} as {uid}: {answer:?}");

            let is_about_tunnel = path.contains("{name}");
            // A grant counts where grants count at all, which is where that of an editor for everything does.
            let counts = !is_scoped || (allowed.contains('e') && (!is_about_tunnel || tunnel == "web-shop"));
            let expected = allowed.contains(*letter) && counts || allowed.contains('-');
            assert_eq!(answer.status != 403, expected, "{case}");
            if !expected {
                assert_eq!(answer.error().kind, ErrorKind::NotPermitted, "{case}");
            }

            let kept = host.backend.audited().split_off(audited);
            let Some(verb) = endpoint.audit else {
                assert!(kept.is_empty(), "{case}: {kept:?}");
                continue;
            };
            let [line] = &kept[..] else { panic!("{case}: {kept:?}") };
            assert!(line.starts_with(&format!("someone {verb} ")), "{case}: {line}");
            assert_eq!(line.ends_with(" not_permitted"), !expected, "{case}: {line}");
            assert!(!is_about_tunnel || line.contains(tunnel), "{case}: {line}");
            let audited = host.backend.last_audited();
            assert!(audited.needed.is_some(), "{case}: {audited:?}");
            if expected {
                assert_eq!(audited.role.as_deref(), *role, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn whoever_comes_through_a_tunnel_may_nothing_whatever_user_its_connector_runs_as() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    for uid in [0, 2001, 2003] {
        host.become_user(Principal { is_connector: true, ..user(uid, "someone") });
        for (method, path, _) in ALLOWED {
            let answer = request(&host.socket, method, &path.replace("{name}", "web"), "").await;
            assert_eq!((answer.status, answer.error().kind), (403, ErrorKind::NotPermitted), "{method} {path} as {uid}");
        }
    }
}

#[tokio::test]
async fn a_hostname_of_a_tunnel_that_may_not_be_seen_is_diagnosed_as_one_that_nobody_has() {
    let host = Host::start().await;
    host.backend.put("web-shop", json!({ "ingress": [{ "hostname": "a.web.example.com", "service": "http://localhost:1" }] }));
    host.backend.put("api", json!({ "ingress": [{ "hostname": "b.web.example.com", "service": "http://localhost:1" }] }));
    host.become_user(user(2005, "editor"));
    let ask = async |hostname: &str| host.client.diagnose(hostname, "/", false, false).await.unwrap();
    assert_eq!(ask("a.web.example.com").await.tunnel.as_deref(), Some("web-shop"));
    let (unseen, unknown) = (ask("b.web.example.com").await, ask("c.web.example.com").await);
    assert_eq!((unseen.tunnel, unseen.verdict, unseen.links), (unknown.tunnel, unknown.verdict, unknown.links));
}

#[tokio::test]
async fn what_cannot_be_diagnosed_is_refused_with_what_would_be_right() {
    let host = Host::start().await;
    for (hostname, path) in [("*.example.com", "/"), ("app", "/"), ("app.example.com", "api"), ("", "/")] {
        let trouble = host.client.diagnose(hostname, path, false, false).await.unwrap_err();
        assert!(trouble.to_string().contains("cannot diagnose"), "{hostname}{path}: {trouble}");
    }
    assert_eq!(request(&host.socket, "GET", "/v1/diagnose?hostname=a.example.com&more=1", "").await.status, 400);
    assert_eq!(request(&host.socket, "GET", "/v1/doctor?online=maybe", "").await.status, 400);
}

#[tokio::test]
async fn nobody_without_a_role_learns_which_paths_there_are() {
    let host = Host::start().await;
    host.become_user(user(2999, "stranger"));
    for path in ["/v1/tunnels/web", "/v1/tunnels/no-such", "/v1/nothing", "/"] {
        assert_eq!(request(&host.socket, "GET", path, "").await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn the_kernel_says_who_asks() {
    let own = rustix::process::getuid().as_raw();
    let nobody = || Access { admin: Vec::new(), operator: Vec::new(), viewer: Vec::new(), grants: Vec::new() };
    let host = Host::start_with_kernel(nobody()).await;
    let who = host.client.who_am_i().await.unwrap();
    assert_eq!(who.uid, own);
    assert_eq!(who.role.as_deref(), if own == 0 { Some("admin") } else { None }, "the daemon's own user is nobody special");
    let host = Host::start_with_kernel(Access { operator: vec![own.to_string().parse().unwrap()], ..nobody() }).await;
    let who = host.client.who_am_i().await.unwrap();
    assert_eq!(who.role.as_deref(), Some(if own == 0 { "admin" } else { "operator" }));
}

#[tokio::test]
async fn a_group_gives_its_members_its_role() {
    let access = Access {
        admin: vec!["@7001".parse().unwrap()],
        operator: Vec::new(),
        viewer: vec!["@7003".parse().unwrap()],
        grants: Vec::new(),
    };
    let host = Host::start_with(access).await;
    for (uid, groups, role) in [
        (2999, vec![5, 7003], Some("viewer")),
        (2999, vec![7003, 7001], Some("admin")),
        (7001, vec![], Some("admin")),
        (2999, vec![5], None),
    ] {
        let mut member = user(uid, "member");
        member.groups = groups.clone();
        host.become_user(member);
        assert_eq!(host.client.who_am_i().await.unwrap().role.as_deref(), role, "{uid} {groups:?}");
    }
}

#[tokio::test]
async fn a_grant_shows_only_what_it_is_for() {
    let host = Host::start().await;
    let rule = |hostname: &str| json!({ "ingress": [{ "hostname": hostname, "service": "http://localhost:1" }] });
    host.backend.put("web-shop", rule("shop.web.example.com"));
    host.backend.put("web-other", rule("www.example.com"));
    host.backend.put("api", rule("api.web.example.com"));
    host.become_user(user(2005, "web-team"));
    let names: Vec<_> = host.client.tunnels().await.unwrap().into_iter().map(|tunnel| tunnel.name).collect();
    assert_eq!(names, ["web-shop"]);
    let status = host.client.status().await.unwrap();
    assert_eq!(status.tunnels.len(), 1);
    let reasons: Vec<_> = status.overview.health.reasons.into_iter().map(|finding| finding.sentence).collect();
    assert_eq!(reasons, ["web-shop was seen"]);
    assert_eq!(status.overview.health.verdict, Verdict::Attention);
    assert!(status.overview.accounts.is_empty(), "an account without a visible tunnel is not told");
    let routes: Vec<_> = host.client.routes().await.unwrap().into_iter().map(|route| route.tunnel).collect();
    assert_eq!(routes, ["web-shop"]);
    let events: Vec<_> = host.client.events(&[]).await.unwrap().into_iter().map(|event| event.id).collect();
    assert_eq!(events, [1, 3]);
    host.backend.remove("web-shop");
    let alone = host.client.status().await.unwrap().overview.health;
    assert_eq!((alone.verdict, alone.reasons), (Verdict::Healthy, vec![]), "no verdict without its reasons");
    for hidden in ["web-other", "api", "no-such"] {
        let trouble = host.client.tunnel(hidden).await.unwrap_err();
        assert_eq!(trouble.kind(), Some(ErrorKind::NotPermitted), "{hidden}");
    }
}

#[tokio::test]
async fn a_grant_is_for_a_tunnel_as_well_that_another_takes_the_place_of() {
    let host = Host::start().await;
    let rule = json!({ "hostname": "shop.web.example.com", "service": "http://localhost:1" });
    host.backend.put("web-shop~1", json!({ "ingress": [rule] }));
    host.become_user(user(2005, "web-team"));
    assert_eq!(host.client.tunnels().await.unwrap()[0].name, "web-shop~1");
    assert_eq!(host.client.tunnel("web-shop~1").await.unwrap().tunnel.name, "web-shop~1");
    host.client.stop_tunnel("web-shop~1").await.unwrap();
    let diagnosis = host.client.diagnose("shop.web.example.com", "/", false, false).await.unwrap();
    assert_eq!(diagnosis.tunnel.as_deref(), Some("web-shop~1"));
}

#[tokio::test]
async fn a_grant_lets_write_only_within_its_patterns() {
    let host = Host::start().await;
    let rule = |hostname: &str| json!({ "hostname": hostname, "service": "http://localhost:1" });
    let definition = |hostname: &str| json!({ "account": "default", "ingress": [rule(hostname)] });
    host.become_user(user(2005, "web-team"));
    let client = &host.client;
    client.create_tunnel("web-shop", definition("shop.web.example.com")).await.unwrap();
    client.add_route("web-shop", &rule("new.web.example.com")).await.unwrap();
    client.patch_tunnel("web-shop", &json!({ "replicas": 2 })).await.unwrap();
    for refused in [
        client.create_tunnel("api", definition("shop.web.example.com")).await,
        client.create_tunnel("web-2", definition("www.example.com")).await,
        client.create_tunnel("web-2", json!({ "account": "other" })).await,
        client.create_tunnel("web-2", json!({ "protocol": "http2" })).await,
        client.add_route("web-shop", &rule("www.example.com")).await,
        client.add_route("web-shop", &json!({ "hostname": "b.web.example.com", "service": "bastion" })).await,
        client.patch_tunnel("web-shop", &json!({ "private_networks": [{ "network": "10.0.0.0/8" }] })).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), Some(ErrorKind::NotPermitted));
    }
    let rules = host.backend.definition_of("web-shop").unwrap();
    let ingress = json!([rule("shop.web.example.com"), rule("new.web.example.com")]);
    assert_eq!(rules, json!({ "account": "default", "replicas": 2, "ingress": ingress }));
    assert_eq!(host.backend.definition_of("web-2"), None);
}

#[tokio::test]
async fn an_editor_leaves_what_only_an_admin_may_write_as_it_is() {
    let host = Host::start().await;
    let rule = json!({ "hostname": "shop.web.example.com", "service": "http://localhost:1" });
    let definition = json!({ "account": "default", "protocol": "http2", "ingress": [rule] });
    host.backend.put("web-shop", definition.clone());
    host.become_user(user(2005, "web-team"));
    let client = &host.client;
    for refused in [
        client.patch_tunnel("web-shop", &json!({ "protocol": null })).await,
        client.patch_tunnel("web-shop", &json!({ "protocol": "quic" })).await,
        client.replace_tunnel("web-shop", &json!({ "account": "default", "ingress": [rule] })).await,
        client.delete_tunnel("web-shop").await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), Some(ErrorKind::NotPermitted));
    }
    assert_eq!(host.backend.definition_of("web-shop"), Some(definition));
    client.patch_tunnel("web-shop", &json!({ "replicas": 2 })).await.unwrap();
    let changed = host.backend.definition_of("web-shop").unwrap();
    assert_eq!((&changed["protocol"], &changed["replicas"]), (&json!("http2"), &json!(2)));
}

#[tokio::test]
async fn an_audited_change_says_before_behind_and_what_it_is_about() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let before = host.client.tunnel("web").await.unwrap();
    let rule = json!({ "hostname": "a.example.com", "service": "http://localhost:1" });
    host.client.add_route("web", &rule).await.unwrap();
    let added = host.backend.last_audited();
    assert_eq!((added.role.as_deref(), added.needed.as_deref()), (Some("admin"), Some("editor")));
    assert_eq!(added.object.as_deref(), Some("a.example.com"));
    assert!(added.before.is_some() && added.after.is_some() && added.before != added.after, "{added:?} {before:?}");
    host.client.add_route("web", &rule).await.unwrap();
    let again = host.backend.last_audited();
    assert_eq!((again.before, again.after), (None, None), "nothing changed");
    host.client.remove_route("web", "b.example.com", None).await.unwrap_err();
    let refused = host.backend.last_audited();
    assert_eq!((refused.object.as_deref(), refused.after), (Some("b.example.com"), None));
    host.client.delete_tunnel("web").await.unwrap();
    let deleted = host.backend.last_audited();
    assert_eq!((deleted.before, deleted.after), (added.after, None));
    host.client.apply(Some("plan-0")).await.unwrap();
    assert_eq!(host.backend.last_audited().object.as_deref(), Some("plan-0"));
    for is_new in [true, false] {
        host.client.create_tunnel("new", json!({})).await.unwrap();
        let created = host.backend.last_audited();
        assert_eq!((created.before, created.after.is_some()), (None, is_new), "the same one again changes nothing");
    }
}

#[tokio::test]
async fn every_change_and_every_refusal_is_audited() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.become_user(user(2002, "olga"));
    host.client.stop_tunnel("web").await.unwrap();
    host.client.delete_tunnel("web").await.unwrap_err();
    host.client.tunnels().await.unwrap();
    host.become_user(root());
    host.client.create_tunnel("new", json!({})).await.unwrap();
    host.client.create_tunnel("new", json!({ "replicas": 2 })).await.unwrap_err();
    let expected = ["olga stop web done", "olga delete web not_permitted", "root create new done", "root create new conflict"];
    assert_eq!(host.backend.audited(), expected);
}
