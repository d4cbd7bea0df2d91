//! Rotations by the schedule and by an operator, without a connector in sight.

use std::{fs, sync::Arc};

use adit::{
    connector::{Holder, HolderRole, Holders, SlotId, token_fingerprint},
    credential::connector_token,
    event::PassResult,
    id::TunnelId,
    plan::{Conflict, HoldCode},
    sandbox::faults::{Fault, Matching, Times},
    secret::Secret,
};
use hyper::Method;

use super::harness::{Harness, name, tunnel};

/// A tunnel whose secret gets a day old.
fn daily(name: &str) -> String {
    tunnel(name, &[&format!("{name}.example.com")]).replace("account =", "rotate_every = \"1d\"\naccount =")
}

impl Harness {
    fn record(&self, tunnel: &str) -> toml::Table {
        fs::read_to_string(self.directory.path().join(format!("records/{tunnel}.toml"))).unwrap().parse().unwrap()
    }

    fn secret(&self, tunnel: &str) -> Secret {
        Secret::new(self.record(tunnel)["secret"].as_str().unwrap())
    }

    fn is_valid(&self, tunnel: &str, secret: &Secret) -> bool {
        let id = self.record(tunnel)["id"].as_str().unwrap().parse().unwrap();
        self.world.tunnel_for_registration(&self.world.account_id(), &id, secret.expose()).is_ok()
    }

    /// One ready connector of each tunnel, with this secret.
    fn hold(&self, secrets: &[(&str, &Secret)]) {
        let mut holders = Holders::default();
        for (tunnel, secret) in secrets {
            let id: TunnelId = self.record(tunnel)["id"].as_str().unwrap().parse().unwrap();
            let token = token_fingerprint(&connector_token(&self.world.account_id(), &id, secret));
            let connector_id = Some("11111111-2222-3333-4444-666666666666".parse().unwrap());
            let holder = Holder { token, connector_id, role: HolderRole::Ready };
            holders.set(&SlotId::new(name(tunnel), 0), vec![holder]);
        }
        self.holders.send_replace(Arc::new(holders));
    }

    /// Makes the secrets of these tunnels as old as a clock of that year would have them.
    async fn age(&mut self, tunnels: &[&str], since: &str) {
        self.kill().await;
        for tunnel in tunnels {
            let mut record = self.record(tunnel);
            record.insert("secret_since".to_owned(), since.into());
            fs::write(self.directory.path().join(format!("records/{tunnel}.toml")), record.to_string()).unwrap();
        }
    }

    fn under_way(&self) -> usize {
        self.view().tunnels.values().filter(|tunnel| tunnel.secret.rotation.is_some()).count()
    }
}

#[tokio::test]
async fn the_schedule_replaces_old_secrets_one_tunnel_at_a_time_also_after_a_restart() {
    let mut harness = Harness::settled(&(daily("a") + &daily("b"))).await;
    let former = [harness.secret("a"), harness.secret("b")];
    assert_eq!((harness.told("rotation-begun").len(), harness.requests("PATCH", "cfd_tunnel")), (0, 0), "they are new");

    harness.age(&["a", "b"], "2020-01-01T00:00:00Z").await;
    harness.hold(&[("a", &former[0]), ("b", &former[1])]);
    harness.start(None);
    harness.until("one secret is placed", |harness| harness.told("rotation-placed").len() == 1).await;
    harness.pass().await;
    assert_eq!((harness.under_way(), harness.told("rotation-begun").len()), (1, 1), "the other one waits for its turn");

    for round in 1..=2 {
        harness.until("a secret is placed", |harness| harness.told("rotation-placed").len() == round).await;
        harness.hold(&[("a", &harness.secret("a")), ("b", &harness.secret("b"))]);
        harness.until("it is finished", |harness| harness.told("rotation-finished").len() == round).await;
    }
    for (tunnel, former) in ["a", "b"].iter().zip(&former) {
        assert!(harness.is_valid(tunnel, &harness.secret(tunnel)) && !harness.is_valid(tunnel, former));
    }
    harness.pass().await;
    assert_eq!(harness.told("rotation-begun").len(), 2, "they are new again");
}

#[tokio::test]
async fn the_schedule_waits_while_the_tunnel_does_not_serve_or_cloudflare_cannot_be_read() {
    let mut harness = Harness::settled(&daily("web")).await;
    let former = harness.secret("web");
    harness.age(&["web"], "2020-01-01T00:00:00Z").await;
    harness.start(None);
    harness.pass().await;
    assert_eq!(harness.told("rotation-begun").len(), 0, "nothing serves");
    harness.world.faults().add(Fault::ServerError(500), Matching::everything(), Times::UntilCleared);
    harness.hold(&[("web", &former)]);
    harness.pass().await;
    assert_eq!(harness.told("rotation-begun").len(), 0, "Cloudflare is away");
    harness.world.faults().clear();
    harness.pass().await;
    assert_eq!(harness.told("rotation-begun").len(), 1);
}

#[tokio::test]
async fn the_schedule_does_not_wait_for_an_access_application_or_for_the_owner_of_a_balancer() {
    let gated = daily("gated") + "access = \"required\"\n";
    let balanced = daily("balanced") + "load_balancer = { hostname = \"balanced.example.com\" }\n";
    // Another installation has the balancer.
    let other =
        Harness::settled(&(tunnel("web", &["balanced.example.com"]) + &balanced[balanced.find("load_").unwrap()..])).await;
    let mut harness = Harness::beside(&other, &(gated + &balanced)).await;
    let plan = harness.pass().await.plan;
    assert!(plan.holds.iter().any(|hold| hold.code == HoldCode::AccessMissing), "{plan}");
    assert!(plan.conflicts.iter().any(|conflict| matches!(conflict, Conflict::Balancing { .. })), "{plan}");

    let former = [harness.secret("gated"), harness.secret("balanced")];
    harness.age(&["gated", "balanced"], "2020-01-01T00:00:00Z").await;
    harness.hold(&[("gated", &former[0]), ("balanced", &former[1])]);
    harness.start(None);
    for round in 1..=2 {
        harness.until("a secret is placed", |harness| harness.told("rotation-placed").len() == round).await;
        harness.hold(&[("gated", &harness.secret("gated")), ("balanced", &harness.secret("balanced"))]);
        harness.until("it is finished", |harness| harness.told("rotation-finished").len() == round).await;
    }
    assert_ne!([harness.secret("gated"), harness.secret("balanced")], former);
    assert_eq!(harness.target("gated.example.com"), None, "it is as little public as before");
}

#[tokio::test]
async fn a_rotation_keeps_the_tunnel_in_its_balancer() {
    let balanced = daily("web") + "load_balancer = { hostname = \"web.example.com\" }\n";
    let mut harness = Harness::settled(&balanced).await;
    let (former, objects) = (harness.secret("web"), harness.world.snapshot().objects);
    let balancing = harness.record("web")["balancing"].clone();
    harness.age(&["web"], "2020-01-01T00:00:00Z").await;
    harness.hold(&[("web", &former)]);
    harness.start(None);
    harness.until("the secret is placed", |harness| harness.told("rotation-placed").len() == 1).await;
    harness.hold(&[("web", &harness.secret("web"))]);
    harness.until("it is finished", |harness| harness.told("rotation-finished").len() == 1).await;
    assert_eq!(harness.pass().await.result, PassResult::Clean);
    assert_eq!((harness.world.snapshot().objects, &harness.record("web")["balancing"]), (objects, &balancing));
    assert!(harness.is_valid("web", &harness.secret("web")) && !harness.is_valid("web", &former));
}

#[tokio::test]
async fn a_clock_that_was_ahead_neither_rotates_nor_stops_the_schedule() {
    let mut harness = Harness::settled(&daily("web")).await;
    let former = harness.secret("web");
    harness.age(&["web"], "2199-01-01T00:00:00Z").await;
    harness.hold(&[("web", &former)]);
    harness.start(None);
    harness.pass().await;
    assert_eq!(harness.told("rotation-begun").len(), 0);
    assert!(!harness.record("web")["secret_since"].as_str().unwrap().starts_with("2199"), "its age counts from now");
}

#[tokio::test]
async fn a_secret_that_somebody_else_replaced_is_replaced_by_ours() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    let id = harness.record("web")["id"].as_str().unwrap().parse().unwrap();
    let foreign = Secret::new("Zm9yZWlnbiBmb3JlaWduIGZvcmVpZ24gZm9yZWlnbiE=");
    harness.world.dashboard().rotate_secret(&id, &foreign).unwrap();
    assert!(!harness.is_valid("web", &harness.secret("web")));
    assert!(harness.reconciler().rotate_tunnel(&name("web"), false, "jane".to_owned()).await.unwrap());
    assert!(harness.is_valid("web", &harness.secret("web")) && !harness.is_valid("web", &foreign));
}

#[tokio::test]
async fn a_rotation_that_cloudflare_refuses_rests_says_why_and_holds_up_nothing_else() {
    let harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
    let former = harness.secret("web");
    let refused = Matching::resource("cfd_tunnel").method(Method::PATCH);
    harness.world.faults().add(Fault::Html(403), refused, Times::UntilCleared);
    assert!(harness.reconciler().rotate_tunnel(&name("web"), false, "jane".to_owned()).await.unwrap());
    assert_eq!(harness.told("rotation-failed").len(), 1);
    let asked = harness.requests("PATCH", "cfd_tunnel");
    let report = harness.pass().await;
    assert_eq!(harness.requests("PATCH", "cfd_tunnel"), asked, "it rests");
    assert!(report.plan.holds.iter().any(|hold| hold.code.as_str() == "rotation-failed"), "{}", report.plan);
    assert!(harness.is_valid("web", &former) && harness.secret("web") == former);

    harness.world.faults().clear();
    assert!(!harness.reconciler().rotate_tunnel(&name("web"), false, "jane".to_owned()).await.unwrap(), "it goes on");
    assert!(harness.is_valid("web", &harness.secret("web")) && !harness.is_valid("web", &former));
}

#[tokio::test]
async fn a_daemon_that_ends_at_any_call_of_a_rotation_leaves_one_that_the_next_one_finishes() {
    for fault in [Fault::Hang, Fault::AnswerLost, Fault::DropBefore] {
        let mut harness = Harness::settled(&tunnel("web", &["app.example.com"])).await;
        let former = harness.secret("web");
        harness.hold(&[("web", &former)]);
        let asked = Matching::resource("cfd_tunnel").method(Method::PATCH);
        harness.world.faults().add(fault, asked, Times::UntilCleared);
        let reconciler = harness.reconciler().clone();
        let asking = tokio::spawn(async move { reconciler.rotate_tunnel(&name("web"), true, "jane".to_owned()).await });
        harness.until("it was asked", |harness| harness.requests("PATCH", "cfd_tunnel") > 0).await;
        harness.kill().await;
        let _ = asking.await;
        harness.world.faults().clear();
        harness.start(None);
        harness.until("it is placed", |harness| harness.told("rotation-placed").len() == 1).await;
        let next = harness.secret("web");
        assert!(harness.is_valid("web", &next) && !harness.is_valid("web", &former));
        // Nothing runs any more, as far as is known: another connector has to serve before the former secret is forgotten.
        assert!(harness.record("web").contains_key("rotation"));
        harness.hold(&[("web", &next)]);
        harness.until("it is finished", |harness| harness.under_way() == 0).await;
        assert!(!harness.record("web").contains_key("rotation"));
    }
}
