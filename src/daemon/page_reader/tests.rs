//! Connectors that answer, hang, flood and lie, and who waits for whom.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
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

/// A metrics server that answers every connection with what `write` writes.
async fn answers<Write, Writing>(write: Write) -> SocketAddr
where
    Write: Fn(TcpStream) -> Writing + Send + 'static,
    Writing: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 256];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            tokio::spawn(write(stream));
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
    let reader = PageReader::new(|| None);
    let answers = join_all((0..10).map(|_| reader.traffic(&targets))).await;
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
    let reader = PageReader::new(|| None);
    let figures = reader.traffic(&targets).await;
    assert_eq!(requests(&figures[0]), Some(1));
    assert!(figures[1..].iter().all(|figures| figures.last.is_none() && figures.unread.is_some()), "{figures:?}");
}

#[tokio::test]
async fn another_process_in_the_place_has_figures_of_its_own() {
    let asked = Arc::new(AtomicUsize::new(0));
    let metrics = serves(Arc::clone(&asked)).await;
    let reader = PageReader::new(|| None);
    assert_eq!(requests(&reader.traffic(&[target(0, 1, metrics)]).await[0]), Some(1));
    assert_eq!(requests(&reader.traffic(&[target(0, 2, metrics)]).await[0]), Some(2));
    assert!(reader.traffic(&[]).await.is_empty());
    assert!(reader.lock().is_empty(), "what is no target any more is kept");
}

#[tokio::test]
async fn one_that_missed_is_left_alone_for_a_while_and_nobody_waits_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let targets = [target(0, 1, metrics)];
    let (reader, asked) = (PageReader::new(|| None), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    for _ in 0..3 {
        let figures = reader.traffic(&targets).await;
        let why = figures[0].unread.as_deref().unwrap();
        assert!(why.starts_with("its metrics cannot be read: "), "{why}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

const HEAD: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";

#[tokio::test]
async fn traffic_and_page_are_one_reading_and_a_page_is_given_away_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let targets = [target(0, 1, serves(Arc::clone(&asked)).await)];
    let reader = PageReader::new(|| Some(10));
    let (figures, pages) = tokio::join!(reader.traffic(&targets), reader.pages(&targets));
    assert_eq!(requests(&figures[0]), Some(1));
    assert_eq!(pages[0].as_ref().unwrap().page.series(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(reader.lock().values().all(|entry| entry.page.is_none()), "a page is kept for nobody");

    assert_eq!(reader.pages(&targets).await[0].as_ref().unwrap().page.series(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the page is read again");
    assert_eq!(requests(&reader.traffic(&targets).await[0]), Some(2), "and its figures are shared");
}

#[tokio::test]
async fn pages_that_find_no_room_are_counted_and_room_comes_back() {
    let targets = [target(0, 1, serves(Arc::default()).await)];
    let reader = PageReader::new(|| Some(10));
    let everything = Arc::clone(&reader.room).acquire_many_owned(PAGES_KIB_MAX).await.unwrap();
    let page = reader.pages(&targets).await.remove(0).unwrap().page;
    assert_eq!((page.series(), page.dropped()), (0, 1));
    drop(everything);
    let kept = reader.pages(&targets).await.remove(0).unwrap();
    assert_eq!(kept.page.series(), 1);
    assert!(reader.room.available_permits() < PAGES_KIB_MAX as usize);
    drop(kept);
    assert_eq!(reader.room.available_permits(), PAGES_KIB_MAX as usize);
}

#[tokio::test]
async fn whatever_a_connector_answers_the_others_pages_come() {
    let garbage = answers(async |mut stream| {
        // A reader that has heard enough goes away.
        let _ = stream.write_all(&[HEAD, &[0, 0xFF, b'\n'].repeat(1_000)].concat()).await;
    });
    let endless = answers(async |mut stream| {
        let mebibyte = b"cloudflared_tunnel_total_requests 1\n".repeat(29_128);
        let _ = stream.write_all(HEAD).await;
        for _ in 0..100 {
            if stream.write_all(&mebibyte).await.is_err() {
                return;
            }
        }
    });
    let slow = answers(async |mut stream| {
        for byte in HEAD.iter().chain(b"cloudflared_tunnel_total_requests 1\n".iter().cycle()) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let closed = answers(async |stream| drop(stream));
    let (garbage, endless, slow, closed) = tokio::join!(garbage, endless, slow, closed);
    let mut targets = Vec::from([garbage, endless, slow, closed].map(|metrics| target(0, 1, metrics)));
    targets.push(target(0, 1, serves(Arc::default()).await));
    for (replica, target) in (0..).zip(&mut targets) {
        target.slot.replica = replica;
    }
    let reader = PageReader::new(|| Some(10));
    let pages = reader.pages(&targets).await;
    let came: Vec<bool> = pages.iter().map(Option::is_some).collect();
    assert_eq!(came, [false, false, false, false, true]);
}

#[tokio::test]
async fn many_that_begin_to_hang_at_once_keep_no_other_from_being_read() {
    let hung = hangs().await;
    // More of them than are asked at once, and all before it.
    let mut targets: Vec<Target> = (0..2 * 16 + 1).map(|replica| target(replica, 1, hung)).collect();
    targets.push(target(99, 1, serves(Arc::default()).await));
    let pages = PageReader::new(|| Some(10)).pages(&targets).await;
    assert!(pages.last().unwrap().is_some() && pages.iter().flatten().count() == 1);
}
