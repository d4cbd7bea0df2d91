//! Many clients, and such as take their time.
#![allow(clippy::unwrap_used, reason = "a helper may fail its test where the world is not as it should be")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use adit::{
    config::Access,
    control::{
        Principal,
        api::{ErrorKind, Followed},
    },
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep},
};

use crate::{
    backend::{Host, user},
    raw::send_any,
};

/// The group whose members may read.
const VIEWERS: u32 = 7003;

const STATUS: &[u8] = b"GET /v1/status HTTP/1.1\r\nhost: adit\r\n\r\n";

/// A host where the number of a connection, counted from 0, says whose it is.
async fn host(uid: impl Fn(u32) -> u32 + Send + Sync + 'static) -> Host {
    let access = Access { viewer: vec![format!("@{VIEWERS}").parse().unwrap()], admin: vec![], operator: vec![], grants: vec![] };
    let connections = AtomicU32::new(0);
    let identify = move |_: &UnixStream| {
        let uid = uid(connections.fetch_add(1, Ordering::Relaxed));
        Ok(Principal { groups: vec![VIEWERS], ..user(uid, "somebody") })
    };
    Host::start_identifying(Arc::new(identify), access).await
}

/// Reads one answer of a connection that stays open.
async fn answer(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "the connection ends after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
}

/// All places of the one user, as soon as what came before has given them back.
async fn take_places(host: &Host) -> Vec<UnixStream> {
    let mut open = Vec::new();
    let all = async {
        while open.len() < 16 {
            let mut stream = UnixStream::connect(&host.socket).await.unwrap();
            stream.write_all(STATUS).await.unwrap();
            if answer(&mut stream).await.starts_with("HTTP/1.1 200") {
                open.push(stream);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("all sixteen places are free again");
    open
}

async fn assert_serves(host: &Host) {
    assert_eq!(host.client.version().await.unwrap().version, "1.2.3");
}

#[tokio::test]
async fn two_hundred_clients_at_once_are_all_served_again_and_again() {
    // Twelve users with sixteen each, and root with the eight that are kept for it.
    let host = host(|number| if number < 192 { 3000 + number / 16 } else { 0 }).await;
    host.backend.put("web", json!({}));
    let mut open = Vec::new();
    for _ in 0..200 {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        stream.write_all(STATUS).await.unwrap();
        // The answer shows that the connection is counted.
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let all = open.iter_mut().map(async |stream| {
        for _ in 0..10 {
            stream.write_all(STATUS).await.unwrap();
            assert!(answer(stream).await.starts_with("HTTP/1.1 200"));
        }
    });
    join_all(all).await;
    assert_eq!(host.client.version().await.unwrap_err().kind(), Some(ErrorKind::Busy), "even root's places have an end");
    open.truncate(100);
    let served = async {
        while host.client.version().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("places come back");
}

#[tokio::test]
async fn whoever_comes_beyond_the_bounds_at_once_reads_why() {
    let host = host(|_| 3000).await;
    let clients = (0..60).map(|_| host.client.version());
    let answers = join_all(clients).await;
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_err(|trouble| trouble.kind())).collect();
    assert!(kinds.iter().all(|kind| matches!(kind, Ok(_) | Err(Some(ErrorKind::Busy)))), "{answers:?}");
    assert!(kinds.iter().filter(|kind| kind.is_ok()).count() >= 16, "{answers:?}");
    // A body on its way does not turn the sentence into a broken connection.
    let _held = take_places(&host).await;
    let large = json!({ "ingress": [], "padding": "x".repeat(900_000) });
    assert_eq!(host.client.create_tunnel("web", large).await.unwrap_err().kind(), Some(ErrorKind::Busy));
}

#[tokio::test]
async fn requests_that_come_all_at_once_are_answered_in_their_order() {
    let host = Host::start().await;
    let requests: String = (0..300).map(|number| format!("GET /v1/no-{number} HTTP/1.1\r\nhost: adit\r\n\r\n")).collect();
    let last = "GET /v1/version HTTP/1.1\r\nhost: adit\r\nconnection: close\r\n\r\n";
    let answers = send_any(&host.socket, format!("{requests}{last}").as_bytes()).await;
    let text = format!("{}\r\n\r\n{}", answers.head, answers.body);
    let order: Vec<_> = (0..300).map(|number| text.find(&format!("/v1/no-{number}\\\"")).expect("each is answered")).collect();
    assert!(order.is_sorted());
    assert!(text.ends_with("{\"version\":\"1.2.3\"}"));
}

#[tokio::test]
async fn a_client_that_has_said_all_it_will_say_is_answered() {
    let host = Host::start().await;
    let mut stream = UnixStream::connect(&host.socket).await.unwrap();
    stream.write_all(STATUS).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text:?}");
}

#[tokio::test]
async fn a_head_without_an_end_is_refused() {
    let host = Host::start().await;
    let mut request = b"GET /v1/status HTTP/1.1\r\nhost: adit\r\nx: ".to_vec();
    request.resize(1_000_000, b'x');
    assert_eq!(send_any(&host.socket, &request).await.status, 431);
    assert_serves(&host).await;
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_too_slow_for_a_head_and_for_a_body() {
    let host = Host::start().await;
    let body = b"POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\ncontent-length: 99\r\n\r\n";
    for (at_once, slowly) in [(&b""[..], STATUS), (body, &[b' '; 99][..])] {
        let begun = Instant::now();
        let (mut reader, mut writer) = UnixStream::connect(&host.socket).await.unwrap().into_split();
        writer.write_all(at_once).await.unwrap();
        let writing = async {
            for byte in slowly {
                // The server has gone when this fails.
                let _ = writer.write_all(&[*byte]).await;
                sleep(Duration::from_secs(1)).await;
            }
        };
        let mut text = String::new();
        tokio::select! {
            () = writing => panic!("the server has more patience than it should"),
            read = reader.read_to_string(&mut text) => drop(read),
        }
        assert_eq!(begun.elapsed().as_secs(), 10, "{text}");
        assert_serves(&host).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_answer_gives_its_place_back_after_thirty_seconds() {
    let host = host(|_| 3000).await;
    for number in 0..4_000 {
        host.backend.put(&format!("t{number}"), json!({}));
    }
    let begun = Instant::now();
    let mut deaf = Vec::new();
    for _ in 0..16 {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        stream.write_all(b"GET /v1/tunnels HTTP/1.1\r\nhost: adit\r\n\r\n").await.unwrap();
        // It is counted, and there is more than the kernel keeps for a reader.
        stream.readable().await.unwrap();
        deaf.push(stream);
    }
    assert_eq!(host.client.version().await.unwrap_err().kind(), Some(ErrorKind::Busy));
    while host.client.version().await.is_err() {
        sleep(Duration::from_secs(1)).await;
    }
    assert!((30..=31).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    let _ = deaf[0].read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"]"), "what it did not take in time is lost");
}

#[tokio::test(start_paused = true)]
async fn followers_that_are_gone_give_their_places_back_before_there_is_anything_to_tell_them() {
    let host = host(|_| 3000).await;
    let mut followers = Vec::new();
    for _ in 0..16 {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        stream.write_all(b"GET /v1/events?follow=true&since=9 HTTP/1.1\r\nhost: adit\r\n\r\n").await.unwrap();
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        followers.push(stream);
    }
    assert_eq!(host.client.version().await.unwrap_err().kind(), Some(ErrorKind::Busy));
    let begun = Instant::now();
    drop(followers);
    while host.client.version().await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn requests_that_break_off_give_their_places_back() {
    let host = host(|_| 3000).await;
    for round in 0..100 {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        let request: &[u8] = match round % 4 {
            0 => b"",
            1 => b"GET /v1/sta",
            2 => b"POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\ncontent-length: 99\r\n\r\n{\"na",
            _ => b"GET /v1/events?follow=true HTTP/1.1\r\nhost: adit\r\n\r\n",
        };
        stream.write_all(request).await.unwrap();
    }
    take_places(&host).await;
}

#[tokio::test]
async fn one_reader_of_events_that_takes_nothing_delays_nobody_and_is_told_what_it_missed() {
    /// Far more than all buffers between the daemon and a reader hold.
    const EVENTS: u64 = 20_000;
    let host = Host::start().await;
    let from = [("since", "3".to_owned())];
    let mut slow = host.client.follow_events(&from).await.unwrap();
    let mut fast = host.client.follow_events(&from).await.unwrap();
    assert_eq!(fast.next().await.unwrap(), Some(Followed::Missed(7)));
    for id in 10..10 + EVENTS {
        host.backend.tell_event(id, "web");
        match fast.next().await.unwrap() {
            Some(Followed::Item(event)) => assert_eq!(event.id, id),
            other => panic!("{other:?}"),
        }
    }
    assert_serves(&host).await;
    let (mut seen, mut missed) = (0, 0);
    while seen + missed < EVENTS + 7 {
        match slow.next().await.unwrap() {
            Some(Followed::Item(_)) => seen += 1,
            Some(Followed::Missed(count)) => missed += count,
            None => panic!("the stream goes on"),
        }
    }
    assert!(missed > EVENTS / 2, "{missed} missed, {seen} seen: nobody keeps all that it does not take");
}
