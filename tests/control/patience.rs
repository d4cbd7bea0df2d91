//! How long a client waits for a daemon that takes its time.

use std::time::Duration;

use adit::control::{Client, Trouble};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    time::{Instant, sleep},
};

/// A daemon that says `at_once`, and a minute later the rest.
fn slow_daemon(at_once: &'static str, rest: &'static str) -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let socket = folder.path().join("adit.sock");
    let listener = UnixListener::bind(&socket).expect("a socket can be bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Who waits no longer has gone.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(at_once.as_bytes()).await;
            sleep(Duration::from_secs(60)).await;
            let _ = stream.write_all(rest.as_bytes()).await;
        }
    });
    (Client::new(&socket), folder)
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_longer_where_cloudflare_is_asked() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"tunnel\": \"web\", \"change\": \"accepted\"}";
    let (client, _folder) = slow_daemon("", answer);
    client.delete_tunnel("web").await.unwrap();
    client.rotate_tunnel("web", false).await.unwrap();
    assert!(matches!(client.stop_tunnel("web").await.unwrap_err(), Trouble::Slow { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_does_not_come_to_its_end_keeps_no_follower_waiting() {
    let (client, _folder) = slow_daemon("HTTP/1.1 503 X\r\ncontent-length: 9\r\n\r\n", "");
    let begun = Instant::now();
    assert!(matches!(client.follow_events(&[]).await.unwrap_err(), Trouble::Slow { .. }));
    assert_eq!(begun.elapsed().as_secs(), 30);
}
