use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// A metrics server that counts its readers, and answers each with how many there were.
async fn serves(asked: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = asked.fetch_add(1, Ordering::SeqCst) + 1;
            let mut request = [0; 256];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let page = format!("HTTP/1.0 200 OK\r\n\r\ncloudflared_tunnel_total_requests {count}\n");
            stream.write_all(page.as_bytes()).await.unwrap();
        }
    });
    address
}

/// A metrics server that takes every connection and answers none.
async fn hangs() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut streams = Vec::new();
        loop {
            streams.push(listener.accept().await.unwrap());
        }
    });
    address
}

fn target(replica: u8, generation: u64, metrics: SocketAddr) -> Target {
    Target { slot: SlotId::new("web".parse().unwrap(), replica), generation, pid: 1, metrics }
}

fn requests(figures: &Figures) -> Option<u64> {
    figures.last.as_ref()?.traffic.requests
}

#[tokio::test]
async fn those_who_ask_at_the_same_time_share_one_reading() {
    let asked = Arc::new(AtomicUsize::new(0));
    let targets = [target(0, 1, serves(Arc::clone(&asked)).await)];
    let reader = TrafficReader::new();
    let answers = join_all((0..10).map(|_| reader.read(&targets))).await;
    assert!(answers.iter().all(|figures| requests(&figures[0]) == Some(1) && figures[0].unread.is_none()), "{answers:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_that_hangs_is_told_as_unread_and_the_others_have_their_figures() {
    let asked = Arc::new(AtomicUsize::new(0));
    let hung = hangs().await;
    // More of them than are asked at once.
    let mut targets: Vec<Target> = (0..20).map(|replica| target(replica, 1, hung)).collect();
    targets.insert(0, target(99, 1, serves(Arc::clone(&asked)).await));
    let reader = TrafficReader::new();
    let figures = reader.read(&targets).await;
    assert_eq!(requests(&figures[0]), Some(1));
    assert!(figures[1..].iter().all(|figures| figures.last.is_none() && figures.unread.is_some()), "{figures:?}");
}

#[tokio::test]
async fn another_process_in_the_place_has_figures_of_its_own() {
    let asked = Arc::new(AtomicUsize::new(0));
    let metrics = serves(Arc::clone(&asked)).await;
    let reader = TrafficReader::new();
    assert_eq!(requests(&reader.read(&[target(0, 1, metrics)]).await[0]), Some(1));
    assert_eq!(requests(&reader.read(&[target(0, 2, metrics)]).await[0]), Some(2));
    assert!(reader.read(&[]).await.is_empty());
    assert!(reader.lock().is_empty(), "what is no target any more is kept");
}

#[tokio::test]
async fn one_that_missed_is_left_alone_for_a_while_and_nobody_waits_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let targets = [target(0, 1, metrics)];
    let (reader, asked) = (TrafficReader::new(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    for _ in 0..3 {
        let figures = reader.read(&targets).await;
        let why = figures[0].unread.as_deref().unwrap();
        assert!(why.starts_with("its metrics cannot be read: "), "{why}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
