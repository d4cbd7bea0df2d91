//! Servers that answer well, badly, late and never.

use tokio::net::TcpListener;

use super::*;

fn app() -> Hostname {
    "app.example.com".parse().unwrap()
}

/// An answer to `question` with these flags and, for a question of its family, this address.
fn answered(question: &[u8], flags: u16, address: Ipv4Addr) -> Vec<u8> {
    let mut message = question[..question.len() - 11].to_vec();
    let is_four = message.ends_with(&[0, 1, 0, 1]);
    message[2..4].copy_from_slice(&flags.to_be_bytes());
    message[6..12].copy_from_slice(&[0, u8::from(is_four), 0, 0, 0, 0]);
    if is_four {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(address.octets());
    }
    message
}

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A server that sends for each question what `answer` makes of it.
async fn server(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut question = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut question).await.unwrap();
            for packet in answer(&question[..length]) {
                socket.send_to(&packet, from).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn a_server_is_asked_for_both_families_and_answers_with_what_there_is() {
    let server = server(|question| vec![answered(question, 0x8180, ADDRESS)]).await;
    assert_eq!(addresses(server, &app()).await.unwrap(), [IpAddr::from(ADDRESS)]);
}

#[tokio::test]
async fn packets_that_are_no_answer_to_the_question_are_passed_over() {
    let server = server(|question| {
        let mut guessed = answered(question, 0x8180, Ipv4Addr::new(203, 0, 113, 66));
        guessed[0] ^= 0xff;
        vec![guessed, b"noise".to_vec(), Vec::new(), answered(question, 0x8180, ADDRESS)]
    })
    .await;
    assert_eq!(addresses(server, &app()).await.unwrap(), [IpAddr::from(ADDRESS)]);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_told_from_a_server_that_refuses() {
    let unknown = server(|question| vec![answered(question, 0x8183, ADDRESS)]).await;
    assert!(matches!(addresses(unknown, &app()).await, Err(LookupError::NoSuchName { .. })));
    let refusing = server(|question| vec![answered(question, 0x8185, ADDRESS)]).await;
    assert!(matches!(addresses(refusing, &app()).await, Err(LookupError::Refused { code: 5, .. })));
    let without = server(|question| {
        let mut answer = answered(question, 0x8180, ADDRESS);
        answer[7] = 0;
        vec![answer]
    })
    .await;
    assert!(matches!(addresses(without, &app()).await, Err(LookupError::NoAddress { .. })));
}

#[tokio::test]
async fn an_answer_that_was_cut_short_is_asked_for_by_tcp() {
    // A port that is free for UDP may be somebody's for TCP.
    let (server, listener) = loop {
        let server = server(|question| vec![answered(question, 0x8380, Ipv4Addr::new(203, 0, 113, 66))]).await;
        if let Ok(listener) = TcpListener::bind(server).await {
            break (server, listener);
        }
    };
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let answer = answered(&question, 0x8180, ADDRESS);
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    assert_eq!(addresses(server, &app()).await.unwrap(), [IpAddr::from(ADDRESS)]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_is_asked_twice_and_not_waited_for_long() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let started = tokio::time::Instant::now();
    assert!(matches!(addresses(server, &app()).await, Err(LookupError::Silent { .. })));
    assert_eq!(started.elapsed(), 2 * ANSWER_TIME_MAX);
    // Both families, twice.
    for _ in 0..4 {
        assert!(socket.try_recv(&mut [0; 512]).is_ok());
    }
    assert!(socket.try_recv(&mut [0; 512]).is_err());
}
