//! What takes long: it goes on without its client, can be waited for and looked at, and says what came of it.

use std::time::Duration;

use adit::control::{
    Begun,
    api::{Applied, ErrorKind, Followed, Operation, OperationState, State},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::UnixStream};

use crate::{
    backend::{Host, user},
    raw::{request, request_with},
};

/// Begins an apply that stands still at its first of three steps.
async fn held_apply(host: &Host) -> Operation {
    host.backend.set_plan(&["+ first", "+ second", "+ third"]);
    host.backend.hold(true);
    match host.client.begin_apply("plan-3").await.expect("it is taken") {
        Begun::Operation(operation) => *operation,
        Begun::Answered(applied) => panic!("it cannot be done: {applied:?}"),
    }
}

/// Looks until an operation is there that `holds`.
async fn until(host: &Host, holds: impl Fn(&Operation) -> bool) -> Operation {
    let looking = async {
        loop {
            if let Some(found) = host.client.operations(&[]).await.expect("they are listed").into_iter().find(&holds) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.expect("there is such an operation")
}

#[tokio::test]
async fn whoever_prefers_not_to_wait_gets_an_operation_that_ends_with_the_same_answer() {
    let host = Host::start().await;
    host.backend.set_plan(&["+ first", "+ second"]);
    host.backend.hold(true);
    let prefer = [("prefer", "respond-async")];
    let answer = request_with(&host.socket, "POST", "/v1/apply", &prefer, "{\"hash\": \"plan-2\"}").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let begun: Operation = serde_json::from_value(answer.json()).unwrap();
    assert!(answer.head.contains(&format!("location: /v1/operations/{}", begun.id)), "{answer:?}");
    assert!(answer.head.contains("preference-applied: respond-async"), "{answer:?}");
    assert_eq!((begun.kind.as_str(), begun.by.as_str(), begun.state), ("apply", "root", OperationState::Running));
    assert_eq!((begun.progress.done, begun.progress.total), (0, 2));
    assert_eq!(begun.progress.sentence.as_deref(), Some("+ first"));

    host.backend.hold(false);
    let ended = host.client.operation(&begun.id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!((ended.state, ended.error), (OperationState::Done, None));
    let applied: Applied = serde_json::from_value(ended.result.unwrap()).unwrap();
    assert_eq!((applied.hash.as_str(), applied.done), ("plan-2", 2));
    assert!(ended.ended_at.is_some());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_nothing_and_finds_what_came_of_it() {
    let host = Host::start().await;
    host.backend.set_plan(&["+ first"]);
    host.backend.hold(true);
    let mut stream = UnixStream::connect(&host.socket).await.unwrap();
    stream.write_all(b"POST /v1/apply HTTP/1.1\r\nhost: adit\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let begun = until(&host, Operation::is_running).await;
    assert_eq!(begun.kind, "apply", "others see it");
    drop(stream);
    host.backend.hold(false);
    let ended = host.client.operation(&begun.id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(ended.state, OperationState::Done);
    assert_eq!(ended.result.unwrap()["done"], json!(1));
    let audited = async {
        while host.backend.audited() != ["root apply - done"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), audited).await.expect("what it did is audited");
}

#[tokio::test]
async fn what_is_refused_at_once_is_answered_and_no_operation() {
    let host = Host::start().await;
    let prefer = [("prefer", "respond-async")];
    for (method, path, body, status) in [
        ("POST", "/v1/apply", "{\"hash\": \"plan-7\"}", 409),
        ("POST", "/v1/apply", "{", 400),
        ("DELETE", "/v1/tunnels/web", "", 404),
    ] {
        assert_eq!(request_with(&host.socket, method, path, &prefer, body).await.status, status, "{method} {path}");
    }
    host.become_user(user(2003, "vera"));
    assert_eq!(request_with(&host.socket, "POST", "/v1/apply", &prefer, "").await.status, 403);
    host.client.who_am_i().await.unwrap();
    assert_eq!(host.client.operations(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn what_fails_later_is_told_by_the_operation() {
    let host = Host::start().await;
    let begun = held_apply(&host).await;
    // Meanwhile the plan becomes another one.
    host.backend.set_plan(&["+ other"]);
    host.backend.hold(false);
    let ended = host.client.operation(&begun.id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(ended.state, OperationState::Failed);
    assert_eq!(ended.error.unwrap().kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn an_operation_is_followed_to_its_end() {
    let host = Host::start().await;
    let begun = held_apply(&host).await;
    let mut stream = host.client.follow_operation(&begun.id).await.unwrap();
    let Some(Followed::Item(first)) = stream.next().await.unwrap() else { panic!("it begins with how it is") };
    assert_eq!((first.state, first.progress.sentence.as_deref()), (OperationState::Running, Some("+ first")));
    host.backend.hold(false);
    let mut last = first;
    while let Some(Followed::Item(next)) = stream.next().await.unwrap() {
        assert!(next.progress.done >= last.progress.done);
        last = next;
    }
    assert_eq!(last.state, OperationState::Done, "the stream ends with it");
}

#[tokio::test]
async fn a_change_goes_on_as_an_operation_until_it_is_in_force() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.state = State::Starting);
    let prefer = [("prefer", "respond-async")];
    let answer = request_with(&host.socket, "POST", "/v1/tunnels/web/start", &prefer, "").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let starting = until(&host, |operation| operation.progress.sentence.is_some()).await;
    assert_eq!((starting.id.as_str(), starting.progress.sentence.as_deref()), (id.as_str(), Some("starting")));
    assert_eq!(starting.result.unwrap()["change"], "accepted", "what the request answers is known before");
    host.backend.change("web", |tunnel| tunnel.state = State::Ready);
    let ended = host.client.operation(&id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!((ended.state, ended.tunnel.as_deref()), (OperationState::Done, Some("web")));

    host.backend.change("web", |tunnel| tunnel.state = State::Starting);
    let answer = request_with(&host.socket, "POST", "/v1/tunnels/web/start", &prefer, "").await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    host.backend.change("web", |tunnel| tunnel.state = State::Blocked);
    let ended = host.client.operation(&id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(ended.state, OperationState::Failed);
    assert_eq!(ended.error.unwrap().message, "tunnel \"web\" is blocked");
    assert!(ended.result.is_some(), "it was accepted all the same");
}

#[tokio::test]
async fn what_was_accepted_and_fails_is_answered_so_and_audited_as_both() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let start = async || {
        let prefer = [("prefer", "respond-async, wait=60")];
        request_with(&host.socket, "POST", "/v1/tunnels/web/start", &prefer, "").await
    };
    host.backend.change("web", |tunnel| tunnel.state = State::Ready);
    assert_eq!(start().await.status, 200);
    assert_eq!(host.backend.audited(), ["root start web done"], "what is in force is told once");
    host.backend.change("web", |tunnel| tunnel.state = State::Blocked);
    let answer = start().await;
    assert_eq!((answer.status, answer.error().message.as_str()), (503, "tunnel \"web\" is blocked"));
    let expected = ["root start web done", "root start web done", "root start web unavailable"];
    assert_eq!(host.backend.audited(), expected);
    let entry = host.backend.last_audited();
    assert_eq!((entry.role.as_deref(), entry.before, entry.after), (Some("admin"), None, None));
}

#[tokio::test]
async fn what_a_stop_of_the_daemon_cuts_off_is_audited() {
    let host = Host::start().await;
    held_apply(&host).await;
    tokio::time::pause();
    host.shutdown.cancel();
    host.task.await.unwrap();
    assert_eq!(host.backend.audited(), ["root apply - unavailable"]);
}

#[tokio::test]
async fn who_may_not_ask_for_it_sees_only_that_it_is_there() {
    let host = Host::start().await;
    let begun = held_apply(&host).await;
    host.backend.hold(false);
    host.client.operation(&begun.id, Some(Duration::from_secs(30))).await.unwrap();
    for (uid, sees, sees_all) in [(2001, true, true), (2002, true, false), (2003, true, false), (2005, false, false)] {
        host.become_user(user(uid, "someone"));
        let found = host.client.operation(&begun.id, None).await;
        assert_eq!(found.is_ok(), sees, "{uid}: {found:?}");
        assert_eq!(host.client.operations(&[]).await.unwrap().len(), usize::from(sees), "{uid}");
        if let Ok(operation) = found {
            let told = (operation.result.is_some(), operation.progress.sentence.is_some(), !operation.withheld);
            assert_eq!(told, (sees_all, sees_all, sees_all), "{uid}");
        }
    }
}

#[tokio::test]
async fn a_grant_shows_the_operations_of_its_tunnels() {
    let host = Host::start().await;
    let definition = json!({ "account": "default" });
    for name in ["web-shop", "api"] {
        host.backend.put(name, definition.clone());
        host.backend.change(name, |tunnel| tunnel.state = State::Starting);
        let path = format!("/v1/tunnels/{name}/start");
        let answer = request_with(&host.socket, "POST", &path, &[("prefer", "respond-async")], "").await;
        assert_eq!(answer.status, 202);
    }
    host.become_user(user(2005, "web-team"));
    let seen = host.client.operations(&[]).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|operation| (operation.tunnel.as_deref(), operation.withheld)).collect();
    assert_eq!(seen, [(Some("web-shop"), false)]);
}

#[tokio::test]
async fn operations_are_listed_the_newest_first_and_by_state_and_tunnel() {
    let host = Host::start().await;
    let begun = held_apply(&host).await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.state = State::Starting);
    request_with(&host.socket, "POST", "/v1/tunnels/web/start", &[("prefer", "respond-async")], "").await;
    let kinds = async |query: &[(&str, String)]| -> Vec<String> {
        host.client.operations(query).await.unwrap().into_iter().map(|operation| operation.kind).collect()
    };
    assert_eq!(kinds(&[]).await, ["start", "apply"]);
    assert_eq!(kinds(&[("tunnel", "web".to_owned())]).await, ["start"]);
    host.backend.hold(false);
    host.client.operation(&begun.id, Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(kinds(&[("state", "running".to_owned())]).await, ["start"]);
    assert_eq!(kinds(&[("state", "done".to_owned())]).await, ["apply"]);
}

#[tokio::test]
async fn an_id_that_names_nothing_says_why() {
    let host = Host::start().await;
    for (id, why) in [("aaaaaaaa-1", "the daemon was started again since"), ("nonsense", "no operation has that id")] {
        let answer = request(&host.socket, "GET", &format!("/v1/operations/{id}"), "").await;
        assert_eq!((answer.status, answer.error().kind), (404, ErrorKind::NotFound));
        assert!(answer.error().message.contains(why), "{answer:?}");
        assert!(answer.error().hint.is_some());
    }
}

#[tokio::test]
async fn a_stop_of_the_daemon_waits_for_nothing_that_only_waits() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    host.backend.change("web", |tunnel| tunnel.state = State::Starting);
    let answer = request_with(&host.socket, "POST", "/v1/tunnels/web/start", &[("prefer", "respond-async")], "").await;
    assert_eq!(answer.status, 202);
    let mut stream = host.client.follow_operation(answer.json()["id"].as_str().unwrap()).await.unwrap();
    stream.next().await.unwrap();
    // The tunnel never comes to be as asked for, and time stands still: only what ends by itself can end.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    host.shutdown.cancel();
    host.task.await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(5), "nothing had to be cut: {:?}", before.elapsed());
}

#[tokio::test]
async fn a_stop_of_the_daemon_waits_for_nobody_who_waits() {
    let host = Host::start().await;
    let begun = held_apply(&host).await;
    let waiting = tokio::spawn({
        let (client, id) = (host.client.clone(), begun.id.clone());
        async move { client.operation(&id, Some(Duration::from_secs(60))).await }
    });
    until(&host, Operation::is_running).await;
    host.shutdown.cancel();
    let seen = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is answered").unwrap();
    // Either it was asked before the stop and is told how it was, or the socket took no more.
    assert!(seen.map_or(true, |operation| operation.is_running()));
}
