//! A DNS server on loopback: the names that lead to a tunnel, all at the front's address, as Cloudflare's lead to its servers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

use super::edge::Directory;

/// The largest question: a header, the longest name and what comes with it.
const QUESTION_MAX: usize = 512;

/// The bytes before the question.
const HEADER: usize = 12;

/// How long visitors may keep an answer, in seconds.
const TIME_TO_LIVE: u32 = 5;

/// How long to wait after a failed receive, so that a socket that fails for good spins nobody.
const RECEIVE_PAUSE: Duration = Duration::from_millis(20);

/// A running server. Dropping it ends it.
pub struct Resolver {
    address: SocketAddr,
    _answering: AbortOnDropHandle<()>,
}

impl Resolver {
    /// Starts a server on a free UDP port of `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// When there is no port to listen on.
    pub async fn start(directory: Arc<dyn Directory>) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        Ok(Self { address, _answering: AbortOnDropHandle::new(tokio::spawn(serve(socket, directory))) })
    }

    /// Where it is asked.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(socket: UdpSocket, directory: Arc<dyn Directory>) {
    let mut question = [0; QUESTION_MAX];
    loop {
        match socket.recv_from(&mut question).await {
            Ok((length, from)) => {
                if let Some(answer) = answer(&question[..length], |name| directory.resolve(name).is_some()) {
                    // Whoever does not take it asks again.
                    socket.send_to(&answer, from).await.ok();
                }
            }
            Err(_) => tokio::time::sleep(RECEIVE_PAUSE).await,
        }
    }
}

/// The answer to a question; `None` for what is none.
fn answer(message: &[u8], is_known: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let header = message.get(..HEADER)?;
    let is_question = header[2] & 0xf8 == 0 && header[4..6] == [0, 1];
    if !is_question {
        return None;
    }
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        if length > 63 {
            return None;
        }
        let label = message.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(std::str::from_utf8(label).ok()?);
    }
    let kind = message.get(at..at + 4)?;
    let known = is_known(&labels.join(".").to_ascii_lowercase());
    let has_address = known && kind == [0, 1, 0, 1];
    // An answer, with recursion; 3 says that there is no such name.
    let code = if known { 0 } else { 3 };
    let mut answer =
        [&header[..2], &[0x81, 0x80 | code, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0], &message[HEADER..at + 4]].concat();
    if has_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1]);
        answer.extend(TIME_TO_LIVE.to_be_bytes());
        answer.extend([0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dns_lookup::message::{self, Code, Family};

    #[test]
    fn names_that_lead_to_a_tunnel_have_an_address_and_others_are_unknown() {
        let read = |name: &str, family| {
            let name = name.parse().unwrap();
            let answer = answer(&message::question(9, &name, family, 512), |name| name == "app.example.com").unwrap();
            let answer = message::answer(&answer, 9, &name, family).unwrap();
            (answer.code, answer.addresses)
        };
        assert_eq!(read("app.example.com", Family::V4), (Code::Fine, vec!["127.0.0.1".parse().unwrap()]));
        assert_eq!(read("app.example.com", Family::V6), (Code::Fine, Vec::new()));
        assert_eq!(read("api.example.com", Family::V4), (Code::NoSuchName, Vec::new()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = answer(&message, |_| true);
        }
    }
}
