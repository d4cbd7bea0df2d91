//! Origins that answer, and origins that do everything else.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};

use super::*;

fn asking(rule: Value) -> Asking {
    Asking::of(json!({ "httpHostHeader": "tunnel.example.com" }).as_object(), rule.as_object())
}

fn hostname() -> Hostname {
    "app.example.com".parse().unwrap()
}

/// What a request said whose first bytes are all that is read, and that is answered with 204.
async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    String::from_utf8(request).unwrap().to_lowercase()
}

/// The next connection, once its request is there.
async fn asked(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_buf(&mut Vec::with_capacity(4_096)).await.unwrap();
    stream
}

async fn listening() -> (TcpListener, SocketAddr, Service) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address, format!("http://{address}").parse().unwrap())
}

#[tokio::test]
async fn an_origin_is_asked_once_as_its_rule_says() {
    let (listener, _, service) = listening().await;
    let asked = async {
        // The first connection only sees whether there is anybody.
        drop(listener.accept().await.unwrap());
        answer(listener.accept().await.unwrap().0).await
    };
    let (asking, hostname) = (asking(json!({ "httpHostHeader": "inner.example.com" })), hostname());
    let prober = Prober::new();
    let (finding, request) = tokio::join!(prober.origin(&service, &asking, &hostname, "/a?b=c"), asked);
    assert_eq!(finding, OriginFinding::Answered { path: "/a?b=c".to_owned(), status: 204 });
    assert!(request.starts_with("head /a?b=c http/1.1\r\n") && request.contains("host: inner.example.com\r\n"), "{request}");
}

#[tokio::test]
async fn an_origin_on_a_unix_socket_is_asked_too() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("app.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let service: Service = format!("unix:{}", socket.display()).parse().unwrap();
    let asked = async {
        drop(listener.accept().await.unwrap());
        answer(listener.accept().await.unwrap().0).await
    };
    let (asking, hostname, prober) = (asking(json!({})), hostname(), Prober::new());
    let (finding, request) = tokio::join!(prober.origin(&service, &asking, &hostname, "/"), asked);
    assert_eq!(finding, OriginFinding::Answered { path: "/".to_owned(), status: 204 });
    assert!(request.contains("host: tunnel.example.com\r\n"), "what the tunnel says holds for its rules: {request}");
}

#[tokio::test]
async fn a_check_takes_one_connection_and_one_request() {
    let (listener, address, service) = listening().await;
    let (prober, asking) = (Prober::new(), Asking::default());
    let asked = async { answer(listener.accept().await.unwrap().0).await };
    let (status, request) = tokio::join!(ask(&prober, &service, &asking, None, "/healthz"), asked);
    assert_eq!(status, Ok(204));
    assert!(request.starts_with("get /healthz http/1.1\r\n") && request.contains(&format!("host: {address}\r\n")), "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (listener, _, service) = listening().await;
    let (prober, asking) = (Prober::new(), Asking::default());
    let redirecting = async {
        let mut stream = asked(&listener).await;
        stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    };
    let (status, ()) = tokio::join!(ask(&prober, &service, &asking, None, "/"), redirecting);
    assert_eq!(status, Ok(302));
    let next = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    assert_eq!(listener.accept().await.unwrap().1, next.local_addr().unwrap(), "nobody else came again");
}

#[tokio::test]
async fn an_origin_that_floods_is_left_after_its_first_lines() {
    let (listener, _, service) = listening().await;
    let (prober, asking) = (Prober::new(), Asking::default());
    let flooding = async {
        let mut stream = asked(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x1_0000], b"\r\n"].concat();
        let mut written = 0_usize;
        // It ends when nobody takes any more.
        while stream.write_all(&chunk).await.is_ok() {
            written += chunk.len();
        }
        written
    };
    let (status, written) = tokio::join!(ask(&prober, &service, &asking, None, "/"), flooding);
    assert_eq!(status, Ok(200));
    assert!(written < 64 * 1024 * 1024, "{written} bytes were taken, the kernel's buffers included");
    let endless_head = async {
        let mut stream = asked(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"X-Noise: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").await.is_ok() {}
    };
    let (status, ()) = tokio::join!(ask(&prober, &service, &asking, None, "/"), endless_head);
    assert!(matches!(status, Err(Silence::NoAnswer(_))), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_hangs_is_not_waited_for_long() {
    let (listener, _, service) = listening().await;
    let (prober, asking) = (Prober::new(), Asking::default());
    let hanging = async {
        let _taken = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    };
    let asked = ask(&prober, &service, &asking, None, "/");
    let status = tokio::select! { status = asked => status, () = hanging => unreachable!("it hangs") };
    assert_eq!(status, Err(Silence::NoAnswer("it does not answer within 5 s".to_owned())));
}

#[tokio::test]
async fn a_name_that_leads_where_nobody_may_publish_is_not_asked() {
    let names = crate::host_names::HostNames::new();
    for host in ["169.254.169.254", "127.65.68.73", "[::ffff:169.254.169.254]"] {
        let refused = addresses(&names, &url::Host::parse(host).unwrap(), 80).await.unwrap_err();
        assert!(refused.to_string().starts_with("it is not asked: "), "{refused}");
    }
    let local = addresses(&names, &url::Host::parse("localhost").unwrap(), 80).await.unwrap();
    assert!(local.iter().all(|address| address.ip().is_loopback()), "{local:?}");
}

#[tokio::test]
async fn what_takes_no_connection_is_told_from_what_gives_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let service: Service = format!("unix:{}", folder.path().join("gone.sock").display()).parse().unwrap();
    let (prober, asking) = (Prober::new(), Asking::default());
    let gone = ask(&prober, &service, &asking, None, "/").await;
    assert!(matches!(gone, Err(Silence::NoConnection(_))), "{gone:?}");

    let (listener, address, service) = listening().await;
    let silent = async { drop(listener.accept().await.unwrap()) };
    let (status, ()) = tokio::join!(ask(&prober, &service, &asking, None, "/"), silent);
    assert!(matches!(status, Err(Silence::NoAnswer(_))), "{status:?}");
    // Plain words where TLS is expected.
    let service: Service = format!("https://{address}").parse().unwrap();
    let asking = Asking { no_verify: true, ..Asking::default() };
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(4_096)).await.unwrap();
    };
    let (status, ()) = tokio::join!(ask(&prober, &service, &asking, None, "/"), plain);
    assert!(matches!(status, Err(Silence::NoAnswer(_))), "{status:?}");
}

#[tokio::test]
async fn a_name_in_a_certificate_is_never_the_place_to_go_to() {
    let (listener, address, _) = listening().await;
    let service: Service = format!("https://{address}").parse().unwrap();
    let elsewhere = TcpListener::bind(("127.0.0.2", address.port())).await.unwrap();
    for name in ["127.0.0.2", "Certificate.Example.COM", "127.0.0.2:443"] {
        let asking = Asking { server_name: Some(name.to_owned()), no_verify: true, ..Asking::default() };
        let prober = Prober::new();
        tokio::select! {
            taken = listener.accept() => drop(taken.unwrap()),
            _ = elsewhere.accept() => panic!("{name} was asked"),
            status = ask(&prober, &service, &asking, None, "/") => panic!("nobody was asked for {name}: {status:?}"),
        }
    }
    let asking = Asking { server_name: Some("a certificate/of ours".to_owned()), ..Asking::default() };
    let refused = ask(&Prober::new(), &service, &asking, None, "/").await;
    assert_eq!(refused, Err(Silence::NoAnswer("no certificate has the name \"a certificate/of ours\"".to_owned())));
}

#[tokio::test]
async fn a_file_of_authorities_is_a_file_of_a_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    let large = folder.path().join("large");
    std::fs::File::create(&large).unwrap().set_len(2 * 1024 * 1024).unwrap();
    let (_listener, address, _) = listening().await;
    let service: Service = format!("https://{address}").parse().unwrap();
    for (pool, why) in [
        (pipe.as_path(), "it is not a regular file"),
        ("/dev/zero".as_ref(), "it is not a regular file"),
        (&large, "it is larger than"),
    ] {
        let asking = Asking { ca_pool: Some(pool.to_str().unwrap().to_owned()), ..Asking::default() };
        let refused = ask(&Prober::new(), &service, &asking, None, "/").await;
        assert!(matches!(&refused, Err(Silence::NoAnswer(told)) if told.contains(why)), "{refused:?}");
    }
}
