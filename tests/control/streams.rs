//! Streams that are followed, and the server's end.

use adit::control::api::Followed;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use crate::backend::{Host, user};

#[tokio::test]
async fn events_are_followed_with_their_gaps_until_the_daemon_stops() {
    let host = Host::start().await;
    let mut stream = host.client.follow_events(&[("since", "1".to_owned())]).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(match stream.next().await.unwrap().unwrap() {
            Followed::Item(event) => event.sentence,
            Followed::Missed(count) => format!("{count} missed"),
        });
    }
    assert_eq!(seen, ["event 2", "event 3", "7 missed"]);
    host.shutdown.cancel();
    assert_eq!(stream.next().await.unwrap(), None);
    host.task.await.expect("the server ends when its streams have ended");
}

#[tokio::test]
async fn a_follower_by_grant_sees_only_their_tunnels_events() {
    let host = Host::start().await;
    host.backend.put("web-shop", json!({}));
    host.become_user(user(2005, "web-team"));
    let seen = async |query: &[(&str, String)]| {
        let mut stream = host.client.follow_events(query).await.unwrap();
        let mut seen = Vec::new();
        while let Some(Followed::Item(event)) = stream.next().await.unwrap() {
            seen.push(event.id);
        }
        // Behind the gap that this daemon tells of it goes on.
        host.backend.tell_event(4, "web-shop");
        assert!(matches!(stream.next().await.unwrap(), Some(Followed::Item(event)) if event.id == 4));
        seen
    };
    assert_eq!(seen(&[]).await, [1, 3]);
    assert_eq!(seen(&[("limit", "2".to_owned())]).await, [1, 3], "the limit counts what they may see");
    assert_eq!(seen(&[("limit", "1".to_owned())]).await, [3]);
    assert_eq!(seen(&[("since", "1".to_owned())]).await, [3]);
}

#[tokio::test]
async fn a_reader_that_was_cut_off_goes_on_where_it_was() {
    let host = Host::start().await;
    host.backend.put("web", json!({}));
    let stream = UnixStream::connect(&host.socket).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let request = "GET /v1/tunnels/web/logs?follow=true HTTP/1.1\r\nhost: adit\r\nlast-event-id: 4\r\n\r\n";
    writer.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(reader).lines();
    let id = loop {
        let line = lines.next_line().await.unwrap().expect("the stream is open");
        if let Some(id) = line.strip_prefix("id: ") {
            break id.to_owned();
        }
    };
    assert_eq!(id, "5");
}

#[tokio::test]
async fn a_reader_of_the_audit_log_that_was_cut_off_gets_all_that_came_meanwhile() {
    let host = Host::start().await;
    let first = async |query: &[(&str, &str)]| {
        let query: Vec<_> = query.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let mut stream = host.client.follow_audited(&query).await.unwrap();
        match stream.next().await.unwrap() {
            Some(Followed::Item(entry)) => entry.id,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(first(&[]).await, 51, "of 150, who begins gets the newest hundred");
    assert_eq!(first(&[("since", "7")]).await, 8);
    assert_eq!(first(&[("since", "7"), ("limit", "2")]).await, 149);
}

#[tokio::test]
async fn a_stop_finishes_what_was_asked_and_takes_no_more() {
    let host = Host::start().await;
    host.client.status().await.unwrap();
    host.shutdown.cancel();
    host.task.await.unwrap();
    host.client.status().await.unwrap_err();
}

#[tokio::test]
async fn a_stream_says_when_to_come_again_what_each_element_is_called_and_what_to_do_about_a_gap() {
    let host = Host::start().await;
    let stream = UnixStream::connect(&host.socket).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    writer.write_all(b"GET /v1/events?follow=true&since=1 HTTP/1.1\r\nhost: adit\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(reader).lines();
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let line = lines.next_line().await.unwrap().expect("the stream is open");
        if line.starts_with("retry: ") || line.starts_with("id: ") || line.contains("count") {
            seen.push(line);
        }
    }
    assert_eq!(seen[..3], ["retry: 1000", "id: 2", "id: 3"]);
    let missed = seen[3].strip_prefix("data: ").expect("a gap is told");
    let missed: serde_json::Value = serde_json::from_str(missed).unwrap();
    assert_eq!(missed["count"], 7);
    assert!(missed["hint"].as_str().unwrap().contains("since=3"), "and what can be done about it: {missed}");
}
