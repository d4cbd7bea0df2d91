//! Operations of the real daemon: their progress is what the reconciler does, and they end without their client.

use adit::control::{
    Begun,
    api::{Applied, Followed, Operation, OperationState},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::UnixStream};

use crate::host::Host;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

/// The newest operation of that kind.
async fn newest(host: &Host, kind: &str) -> Option<Operation> {
    let operations = host.client.operations(&[]).await.expect("they are listed");
    operations.into_iter().find(|operation| operation.kind == kind)
}

#[tokio::test]
async fn an_apply_tells_each_of_its_steps_and_counts_them() {
    let host = Host::serving(ONE_TUNNEL).await;
    host.configure(&format!("{ONE_TUNNEL}[tunnels.api]\ningress = [{{ hostname = \"api.example.com\", service = \"ORIGIN\" }}]"));
    let plan = host.client.plan().await.unwrap();
    let Begun::Operation(begun) = host.client.begin_apply(&plan.hash).await.unwrap() else { panic!("it takes its time") };
    let mut stream = host.client.follow_operation(&begun.id).await.unwrap();
    let (mut told, mut last) = (Vec::new(), *begun);
    while let Some(Followed::Item(next)) = stream.next().await.unwrap() {
        assert!(next.progress.done >= last.progress.done, "{next:?}");
        told.extend(next.progress.sentence.clone());
        last = next;
    }
    assert_eq!((last.state, last.error), (OperationState::Done, None));
    assert_eq!(last.progress.done, last.progress.total);
    assert_eq!(usize::try_from(last.progress.total).unwrap(), plan.changes, "{plan:?}");
    let steps: Vec<&str> = plan.text.lines().map(str::trim).collect();
    assert!(told.iter().any(|sentence| steps.contains(&sentence.as_str())), "{told:?} are steps of {steps:?}");
    let applied: Applied = serde_json::from_value(last.result.unwrap()).unwrap();
    assert_eq!((applied.hash, applied.done), (plan.hash, plan.changes));
}

#[tokio::test]
async fn a_deletion_ends_though_its_client_goes_away() {
    let host = Host::serving("").await;
    let rule = json!({ "hostname": "app.example.com", "service": host.origin.url() });
    host.client.create_tunnel("web", json!({ "ingress": [rule] })).await.unwrap();
    host.until_all_serve().await;
    let mut gone = UnixStream::connect(host.client.socket()).await.unwrap();
    gone.write_all(b"DELETE /v1/tunnels/web HTTP/1.1\r\nhost: adit\r\n\r\n").await.unwrap();
    host.until("it has begun", async |host| newest(host, "delete").await.is_some()).await;
    drop(gone);
    host.until("it ended", async |host| newest(host, "delete").await.is_some_and(|delete| !delete.is_running())).await;
    let ended = newest(&host, "delete").await.unwrap();
    assert_eq!((ended.state, ended.tunnel.as_deref()), (OperationState::Done, Some("web")), "{ended:?}");
    assert!(host.snapshot().records_named("app.example.com").is_empty());
    assert!(host.client.tunnels().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_restart_tells_how_many_connectors_serve_afresh() {
    let host = Host::serving(&ONE_TUNNEL.replace("ingress", "replicas = 2\ningress")).await;
    let before = host.connector_pids();
    let restarted = host.adit(&["tunnel", "restart", "web", "--wait"]).await;
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert!(restarted.stderr.contains("of 2: "), "{restarted:?}");
    assert_eq!(before.len(), 2);
    let operation = newest(&host, "restart").await.unwrap();
    assert_eq!((operation.state, operation.progress.done), (OperationState::Done, 2), "{operation:?}");
    assert_eq!(host.adit(&["operation", "wait", &operation.id]).await.code, Some(0));
    let shown = host.adit(&["operation", "show", &operation.id]).await;
    assert!(shown.stdout.contains("restart") && shown.stdout.contains("2 of 2"), "{shown:?}");
    let listed = host.adit(&["operation", "list", "-o", "json"]).await;
    let listed: Vec<Operation> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed.first(), Some(&operation));
}

#[tokio::test]
async fn an_operation_is_not_known_to_the_next_daemon_which_says_so() {
    let host = Host::serving(ONE_TUNNEL).await;
    assert_eq!(host.adit(&["tunnel", "restart", "web", "--wait"]).await.code, Some(0));
    let id = newest(&host, "restart").await.unwrap().id;
    host.kill();
    host.start().await;
    let shown = host.adit(&["operation", "show", &id]).await;
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stderr.contains("the daemon was started again since"), "{shown:?}");
    assert!(shown.stderr.contains("hint: "), "{shown:?}");
}
