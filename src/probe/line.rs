//! A connection to a metrics server that is kept from one probe to the next.
//!
//! A probe over it is one write and one read, and neither waits. Nobody is woken by the answer: whoever asked comes back for it. So a
//! host that asks 500 connectors every few seconds is woken only to ask, and makes no connection for each question, which would
//! cost it, and the connector, several times as much.

use std::{
    borrow::Cow,
    io::{self, Read, Write},
    mem,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};

use super::{Head, ReadyBody, ready_of, silence, version_of};
use crate::connector::{Ask, Probe, VersionReading};

/// cloudflared closes a connection over which it was not asked for 10 s. One that is used for ever would not show that a connector
/// takes no other, as one does that is out of descriptors.
const AGE_MAX: Duration = Duration::from_secs(60);
/// The longest answer that is taken in here, in bytes. Configurations of many rules are longer, and are asked for by
/// [`probe`](super::probe).
const LENGTH_MAX: usize = 64 * 1024;

/// One connection, over which one question is out at a time.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    opened_at: Instant,
    ask: Ask,
    /// What `/ready` said, while `/config` is asked for.
    ready: Option<ReadyBody>,
    /// The beginning of an answer that is not whole yet.
    begun: Vec<u8>,
}

/// What came over a [`Line`] since the question.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// Not all of an answer yet.
    Nothing,
    /// What came of the question. After a miss the line is of no use any more.
    Probed(Probe),
    /// The line broke, or what comes does not fit it. That says nothing of the connector: it is to be asked in another way.
    Broken,
}

impl Line {
    /// Opens a line to `metrics`. It never waits, so the line may turn out to be broken when it is used.
    ///
    /// # Errors
    ///
    /// When there can be none.
    pub fn open(metrics: SocketAddr, now: Instant) -> io::Result<Self> {
        let family = if metrics.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
        match connect(&socket, &metrics) {
            // On this host it is open all the same: what can be written to it shows that.
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { stream: socket.into(), opened_at: now, ask: Ask::Ready, ready: None, begun: Vec::new() })
    }

    /// Whether it has been used for long enough.
    pub fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.opened_at) >= AGE_MAX
    }

    /// Asks; [`Self::hear`] tells the answer.
    ///
    /// # Errors
    ///
    /// When the line is broken.
    pub fn ask(&mut self, ask: Ask) -> io::Result<()> {
        (self.ask, self.ready) = (ask, None);
        self.begun.clear();
        self.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let sent = self.stream.write(request)?;
        if sent == request.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Takes in what has come, with the help of `buffer`, which keeps nothing.
    pub fn hear(&mut self, buffer: &mut [u8]) -> Heard {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Heard::Broken,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Heard::Broken,
            };
            let mut begun = mem::take(&mut self.begun);
            let answer = if begun.is_empty() {
                &buffer[..length]
            } else {
                begun.extend_from_slice(&buffer[..length]);
                &begun
            };
            match body_of(answer) {
                Ok(Some((status, body))) => match self.take(status, &body) {
                    Some(heard) => return heard,
                    None => continue,
                },
                Ok(None) if answer.len() <= LENGTH_MAX => self.begun = answer.to_vec(),
                Ok(None) | Err(NotHere) => return Heard::Broken,
            }
        }
    }

    /// What came of the question when its time is over. The line is of no use any more.
    pub fn give_up(self) -> Probe {
        match self.ready {
            // Whether it is ready stays worth knowing when it does not say its version in time.
            Some(ready) => Probe::Answered(ready.answer(VersionReading::Unread)),
            None => silence(),
        }
    }

    /// Takes in an answer; `None` when it leads to another question.
    fn take(&mut self, status: u16, body: &[u8]) -> Option<Heard> {
        let (ready, version) = match self.ready.take() {
            // Whether it is ready stays worth knowing when its version cannot be read.
            Some(ready) => (ready, version_of(status, body).unwrap_or(VersionReading::Unread)),
            None => match ready_of(status, body) {
                Ok(ready) => (ready, VersionReading::Unread),
                Err(error) => return Some(Heard::Probed(Probe::Missed(error.to_string()))),
            },
        };
        if self.ask == Ask::ReadyAndVersion {
            (self.ask, self.ready) = (Ask::Ready, Some(ready));
            return self.send(b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n").is_err().then_some(Heard::Broken);
        }
        Some(Heard::Probed(Probe::Answered(ready.answer(version))))
    }
}

/// It is no answer that ends before the connection does.
struct NotHere;

/// Status and body of an answer.
type Answered<'a> = (u16, Cow<'a, [u8]>);

/// An answer, if it is whole.
fn body_of(answer: &[u8]) -> Result<Option<Answered<'_>>, NotHere> {
    let Some(head) = Head::read(answer) else { return Ok(None) };
    let body = &answer[head.end..];
    let body = match head.length {
        _ if head.is_chunked => unchunked(body)?.map(Cow::Owned),
        Some(told) if body.len() > told => return Err(NotHere),
        Some(told) => (body.len() == told).then_some(Cow::Borrowed(body)),
        None => return Err(NotHere),
    };
    Ok(body.map(|body| (head.status, body)))
}

/// The content of a body in chunks, if it is whole. Go's servers make chunks of what is longer than 2 KiB.
fn unchunked(mut body: &[u8]) -> Result<Option<Vec<u8>>, NotHere> {
    let mut content = Vec::new();
    loop {
        let Some(end) = body.windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        let length = str::from_utf8(&body[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or(NotHere)?;
        let Some(rest) = body.get(end + 2..).filter(|rest| rest.len() >= length.saturating_add(2)) else { return Ok(None) };
        let (chunk, rest) = rest.split_at(length);
        body = rest.strip_prefix(b"\r\n").ok_or(NotHere)?;
        match length {
            0 if body.is_empty() => return Ok(Some(content)),
            0 => return Err(NotHere),
            _ => content.extend_from_slice(chunk),
        }
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    use super::body_of;

    /// An answer that is whole is so at its last byte, not before and not after.
    pub(crate) fn law(bytes: &[u8]) {
        let Ok(Some((_, body))) = body_of(bytes) else { return };
        assert!(body.len() < bytes.len());
        for shorter in [bytes.len() - 1, bytes.len() / 2] {
            assert!(matches!(body_of(&bytes[..shorter]), Ok(None)), "whole before its end");
        }
        assert!(body_of(&[bytes, b"x"].concat()).is_err(), "whole with something behind it");
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;
    use crate::connector::{Answer, testing::start_of_time};

    const READY: &str = r#"{"status":200,"readyConnections":4,"connectorId":"a-b"}"#;

    /// A line, and the server's end of it.
    fn line() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Line::open(listener.local_addr().unwrap(), start_of_time()).unwrap();
        (line, listener.accept().unwrap().0)
    }

    fn http(status: u16, body: &str) -> String {
        format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn requested(server: &mut TcpStream) -> String {
        let mut request = [0; 256];
        let length = server.read(&mut request).unwrap();
        String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned()
    }

    /// What is heard when the server has said something.
    fn heard(line: &mut Line) -> Heard {
        poll(&mut [PollFd::new(&line.stream, PollFlags::IN)], None).unwrap();
        line.hear(&mut [0; 64])
    }

    fn answered(connections: u8, version: VersionReading) -> Heard {
        Heard::Probed(Probe::Answered(Answer { connections, connector_id: "a-b".parse().unwrap(), version }))
    }

    #[test]
    fn one_line_serves_many_questions() {
        let (mut line, mut server) = line();
        for connections in [4, 0, 1] {
            line.ask(Ask::Ready).unwrap();
            assert_eq!(line.hear(&mut [0; 64]), Heard::Nothing);
            assert_eq!(requested(&mut server), "GET /ready HTTP/1.1");
            let status = if connections == 0 { 503 } else { 200 };
            let body = READY.replace('4', &connections.to_string());
            server.write_all(http(status, &body).as_bytes()).unwrap();
            assert_eq!(heard(&mut line), answered(connections, VersionReading::Unread));
        }
    }

    #[test]
    fn the_version_is_asked_for_over_the_same_line() {
        for (config, version) in [
            (http(200, r#"{"version":7,"config":{}}"#), VersionReading::Version(7)),
            (http(200, r#"{"version":-1,"config":{}}"#), VersionReading::Missing),
            (http(500, ""), VersionReading::Unread),
        ] {
            let (mut line, mut server) = line();
            line.ask(Ask::ReadyAndVersion).unwrap();
            assert_eq!(requested(&mut server), "GET /ready HTTP/1.1");
            server.write_all(http(200, READY).as_bytes()).unwrap();
            assert_eq!(heard(&mut line), Heard::Nothing);
            assert_eq!(requested(&mut server), "GET /config HTTP/1.1");
            server.write_all(config.as_bytes()).unwrap();
            assert_eq!(heard(&mut line), answered(4, version));
        }
    }

    #[test]
    fn a_server_that_is_silent_about_its_version_alone_has_answered() {
        let (mut line, mut server) = line();
        line.ask(Ask::ReadyAndVersion).unwrap();
        server.write_all(http(200, READY).as_bytes()).unwrap();
        assert_eq!(heard(&mut line), Heard::Nothing);
        assert_eq!(Heard::Probed(line.give_up()), answered(4, VersionReading::Unread));
        let (mut line, _server) = self::line();
        line.ask(Ask::ReadyAndVersion).unwrap();
        assert!(matches!(line.give_up(), Probe::Missed(_)));
    }

    #[test]
    fn an_answer_may_come_in_pieces() {
        let (mut line, mut server) = line();
        line.ask(Ask::Ready).unwrap();
        let answer = http(200, READY);
        let (last, pieces) = answer.as_bytes().split_last().unwrap();
        for piece in pieces.chunks(20) {
            server.write_all(piece).unwrap();
            assert_eq!(heard(&mut line), Heard::Nothing);
        }
        server.write_all(&[*last]).unwrap();
        assert_eq!(heard(&mut line), answered(4, VersionReading::Unread));
    }

    #[test]
    fn an_answer_may_come_in_chunks() {
        let chunked = |chunks: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let (first, second) = READY.split_at(10);
        let whole = chunked(&format!("{:x}\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len()));
        for end in 0..whole.len() {
            assert!(matches!(body_of(&whole.as_bytes()[..end]), Ok(None)), "{end}");
        }
        assert!(matches!(body_of(whole.as_bytes()), Ok(Some((200, body))) if *body == *READY.as_bytes()));
        for strange in ["x\r\n", "2\r\nabc\r\n", "ffffffffffffffffff\r\n", "-1\r\n", "0\r\n\r\nmore"] {
            assert!(body_of(chunked(strange).as_bytes()).is_err(), "{strange}");
        }
    }

    #[test]
    fn what_is_no_answer_of_its_kind_is_a_miss_that_says_why() {
        for (answer, why) in [
            (http(404, "404 page not found"), "/ready answers with status 404"),
            (http(200, "OK"), "/ready answers no JSON of its kind"),
        ] {
            let (mut line, mut server) = line();
            line.ask(Ask::Ready).unwrap();
            server.write_all(answer.as_bytes()).unwrap();
            match heard(&mut line) {
                Heard::Probed(Probe::Missed(said)) => assert!(said.contains(why), "{said}"),
                other @ (Heard::Nothing | Heard::Broken | Heard::Probed(Probe::Answered(_))) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_line_that_was_closed_or_tells_no_length_is_broken_and_says_nothing_of_the_connector() {
        let (mut line, server) = line();
        drop(server);
        let broken = line.ask(Ask::Ready).is_err() || heard(&mut line) == Heard::Broken;
        assert!(broken);
        for answer in ["HTTP/1.1 200 OK\r\n\r\n{}", &http(200, &"x".repeat(LENGTH_MAX + 1024)), &(http(200, READY) + "more")] {
            let (mut line, mut server) = self::line();
            line.ask(Ask::Ready).unwrap();
            server.write_all(answer.as_bytes()).unwrap();
            let not_nothing = std::iter::repeat_with(|| heard(&mut line)).find(|heard| *heard != Heard::Nothing);
            assert_eq!(not_nothing, Some(Heard::Broken));
        }
    }

    #[test]
    fn a_line_to_a_closed_port_is_of_no_use() {
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let line = Line::open(metrics, start_of_time());
        assert!(line.is_err() || line.unwrap().ask(Ask::Ready).is_err());
    }

    #[test]
    fn a_line_is_renewed_once_a_minute() {
        let (line, _server) = line();
        assert!(!line.is_old(start_of_time() + AGE_MAX - Duration::from_secs(1)));
        assert!(line.is_old(line.opened_at + AGE_MAX));
    }
}
