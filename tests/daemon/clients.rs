//! Clients that behave badly, and what they leave behind in the daemon.

use std::fs;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::host::Host;

fn descriptors(host: &Host) -> usize {
    fs::read_dir(format!("/proc/{}/fd", host.daemon_pid())).unwrap().count()
}

#[tokio::test]
async fn no_client_leaves_a_descriptor_behind() {
    let host = Host::serving("").await;
    host.status().await;
    let before = descriptors(&host);
    for round in 0..10 {
        let mut open = Vec::new();
        for number in 0..60 {
            let mut stream = UnixStream::connect(host.path("run/adit.sock")).await.unwrap();
            let request: &[u8] = match number % 6 {
                0 => b"",
                1 => b"GET /v1/sta",
                2 => b"\x16\x03\x01 no HTTP at all\r\n\r\n",
                3 => b"POST /v1/tunnels HTTP/1.1\r\nhost: adit\r\ncontent-length: 99\r\n\r\n{\"na",
                4 => b"GET /v1/events?follow=true HTTP/1.1\r\nhost: adit\r\n\r\n",
                _ => b"GET /v1/status HTTP/1.1\r\nhost: adit\r\n\r\nGET /v1/status HTTP/1.1\r\nhost: adit\r\n\r\n",
            };
            // One that is turned away at once may be closed by now.
            let _ = stream.write_all(request).await;
            if round % 2 == 0 && number % 6 == 5 {
                let _ = stream.read(&mut [0; 64]).await;
            }
            open.push(stream);
        }
    }
    host.until("every descriptor is closed", async |host| descriptors(host) <= before).await;
    assert!(host.client.status().await.is_ok());
}
