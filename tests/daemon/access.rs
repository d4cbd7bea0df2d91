//! Who may do what: every request is decided by the user who asks, as the kernel tells it.

use std::{
    fs::{self, Permissions},
    io::{Read, Write},
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixStream,
    },
    thread,
};

use nix::unistd::getuid;
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use serde_json::Value;

use crate::{host::Host, host_has, visitor::visit};

/// A user without any right of its own on this machine.
const NOBODY: u32 = 65_534;

const ONE_TUNNEL: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]\n";

/// Requests, each with the least role that it needs.
const REQUESTS: [(&str, Role); 6] = [
    ("GET /v1/status", Role::Viewer),
    ("GET /v1/events", Role::Viewer),
    ("GET /v1/tunnels/web/logs", Role::Operator),
    ("POST /v1/tunnels/web/restart", Role::Operator),
    ("DELETE /v1/tunnels/web", Role::Admin),
    ("POST /v1/config/reload", Role::Admin),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    None,
    Viewer,
    Operator,
    Admin,
}

#[tokio::test]
async fn a_user_may_exactly_what_the_role_in_the_configuration_allows() {
    // Only root can ask as somebody else.
    if !host_has("rights of root", getuid().is_root()) {
        return;
    }
    let host = Host::prepare().await;
    fs::set_permissions(host.path(""), Permissions::from_mode(0o755)).unwrap();
    let granting = |line: &str| host.configuration(ONE_TUNNEL).replace("[access]\n", &format!("[access]\n{line}"));
    host.write_configuration(&granting(""));
    host.start().await;
    host.until_all_serve().await;
    let there = host.snapshot();

    for (role, line) in [
        (Role::None, String::new()),
        (Role::Viewer, format!("viewer = [\"{NOBODY}\"]\n")),
        (Role::Operator, format!("operator = [\"{NOBODY}\"]\n")),
    ] {
        host.write_configuration(&granting(&line));
        host.client.reload_configuration().await.unwrap();
        let who = ask_as_nobody(&host, "GET /v1/whoami").await;
        assert_eq!((who.0, &who.1["uid"]), (200, &Value::from(NOBODY)), "everybody may ask who they are");
        for (request, needed) in REQUESTS {
            let (status, answer) = ask_as_nobody(&host, request).await;
            if role >= needed {
                assert!((200..300).contains(&status), "{role:?}: {request}: {status} {answer}");
            } else {
                assert_eq!((status, answer["error"]["kind"].as_str()), (403, Some("not_permitted")), "{role:?}: {request}");
            }
        }
    }
    assert_eq!(host.snapshot(), there);
}

#[tokio::test]
async fn a_tunnel_that_leads_to_the_control_socket_under_another_name_reaches_no_role() {
    let host = Host::prepare().await;
    let leads_to = |socket: &str| {
        let service = format!("unix:{}", host.path(socket).display());
        format!("[tunnels.web]\ningress = [{{ hostname = \"app.example.com\", service = \"{service}\" }}]\n")
    };
    host.configure(&leads_to("run/adit.sock"));
    let refused = host.adit(&["config", "check", "--config", host.path("adit.toml").to_str().unwrap()]).await;
    assert!(refused.code != Some(0) && format!("{refused:?}").contains("Adit's own control socket"), "{refused:?}");

    symlink(host.path("run/adit.sock"), host.path("app.sock")).unwrap();
    host.configure(&leads_to("app.sock"));
    host.start().await;
    host.until("the tunnel leads to the socket", async |host| host.visit("app.example.com").await.body.contains("\"error\""))
        .await;
    for path in ["/v1/whoami", "/v1/status", "/v1/credentials", "/nothing"] {
        let visit = visit(host.stage.front(), "app.example.com", path).await.unwrap();
        assert!(visit.status == 403 && visit.body.contains("not_permitted"), "{path}: {} {}", visit.status, visit.body);
    }
    assert!(host.client.status().await.is_ok(), "whoever asks without a tunnel is answered as before");
}

/// The status and the JSON of an answer to the user `nobody`.
async fn ask_as_nobody(host: &Host, request: &str) -> (u16, Value) {
    let (socket, request) = (host.path("run/adit.sock"), request.to_owned());
    // A thread of its own, because only this thread becomes somebody else.
    let asking = thread::spawn(move || {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        let mut stream = UnixStream::connect(socket).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: adit\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = tokio::task::spawn_blocking(|| asking.join().unwrap()).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}
