//! Asking a DNS server by its address: which addresses a public hostname has.
//!
//! The host's own resolver will not do for a hostname that was just made: it may keep for minutes that there is no such name. One
//! question a family is sent by UDP, once more after a second, and by TCP when the answer was cut short. An answer counts only when
//! it comes from the server, with the question's number and the question itself in it.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod message;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use self::message::{Answer, Code, Family};
use crate::name::Hostname;

/// How long the server has for an answer before it is asked once more: a packet may be lost.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// How often a question is sent by UDP.
const ATTEMPTS_MAX: usize = 2;

/// How long a conversation by TCP may take in all.
const TCP_TIME_MAX: Duration = Duration::from_secs(2);

/// The largest answer by UDP that is asked for and taken: what gets through everywhere in one piece.
const UDP_ANSWER_MAX: usize = 1_232;

/// The largest answer by TCP: hundreds of addresses.
const TCP_ANSWER_MAX: usize = 16 * 1_024;

/// How many packets that are no answer to the question are looked at: somebody is guessing.
const STRAY_PACKETS_MAX: usize = 64;

/// Why a name has no address to go to.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is no such name.
    #[error("{server} knows no such name")]
    NoSuchName {
        /// Who was asked.
        server: SocketAddr,
    },
    /// The name is there without an address.
    #[error("{server} knows the name and no address of it")]
    NoAddress {
        /// Who was asked.
        server: SocketAddr,
    },
    /// The server does not want to, or cannot.
    #[error("{server} answers with error {code}")]
    Refused {
        /// Who was asked.
        server: SocketAddr,
        /// The code of the answer (RFC 1035, 4.1.1).
        code: u8,
    },
    /// No answer came.
    #[error("{server} does not answer")]
    Silent {
        /// Who was asked.
        server: SocketAddr,
    },
    /// It cannot be asked.
    #[error("{server} cannot be asked")]
    Unreachable {
        /// Who was to be asked.
        server: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// The addresses of `hostname`, as `server` knows them: those of IPv4 first, at least one. It takes four seconds at most.
///
/// # Errors
///
/// When there is none, or the server does not tell.
pub async fn addresses(server: SocketAddr, hostname: &Hostname) -> Result<Vec<IpAddr>, LookupError> {
    let ask = |family| async move { Inquiry::new(server, hostname, family).answered().await };
    let (four, six) = tokio::join!(ask(Family::V4), ask(Family::V6));
    match (four, six) {
        (Ok(four), Ok(six)) if four.is_empty() && six.is_empty() => Err(LookupError::NoAddress { server }),
        (Ok(four), Ok(six)) => Ok([four, six].concat()),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) if !one.is_empty() => Ok(one),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// One question to the server.
struct Inquiry<'a> {
    server: SocketAddr,
    hostname: &'a Hostname,
    family: Family,
    id: u16,
    question: Vec<u8>,
}

impl<'a> Inquiry<'a> {
    fn new(server: SocketAddr, hostname: &'a Hostname, family: Family) -> Self {
        let id = rand::random();
        Self { server, hostname, family, id, question: message::question(id, hostname, family, UDP_ANSWER_MAX) }
    }

    async fn answered(&self) -> Result<Vec<IpAddr>, LookupError> {
        let server = self.server;
        let unreachable = |source| LookupError::Unreachable { server, source };
        let answer = match self.by_udp().await.map_err(unreachable)? {
            None => return Err(LookupError::Silent { server }),
            Some(answer) if !answer.is_cut_short => answer,
            Some(_) => match timeout(TCP_TIME_MAX, self.by_tcp()).await {
                Ok(answer) => answer.map_err(unreachable)?,
                Err(_) => return Err(LookupError::Silent { server }),
            },
        };
        match answer.code {
            Code::Fine => Ok(answer.addresses),
            Code::NoSuchName => Err(LookupError::NoSuchName { server }),
            Code::Other(code) => Err(LookupError::Refused { server, code }),
        }
    }

    async fn by_udp(&self) -> io::Result<Option<Answer>> {
        let local: IpAddr = if self.server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // A port of its own for every question; connected, so that the kernel drops what others send.
        let socket = UdpSocket::bind((local, 0)).await?;
        socket.connect(self.server).await?;
        for _ in 0..ATTEMPTS_MAX {
            socket.send(&self.question).await?;
            if let Ok(answer) = timeout(ANSWER_TIME_MAX, self.answer_on(&socket)).await {
                return answer;
            }
        }
        Ok(None)
    }

    async fn answer_on(&self, socket: &UdpSocket) -> io::Result<Option<Answer>> {
        let mut packet = [0; UDP_ANSWER_MAX];
        for _ in 0..STRAY_PACKETS_MAX {
            let length = socket.recv(&mut packet).await?;
            if let Some(answer) = self.read(&packet[..length]) {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    async fn by_tcp(&self) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(self.server).await?;
        let length = u16::try_from(self.question.len()).expect("a question is a name and some bytes");
        stream.write_all(&[&length.to_be_bytes(), self.question.as_slice()].concat()).await?;
        let length = usize::from(stream.read_u16().await?);
        if length > TCP_ANSWER_MAX {
            return Err(io::Error::other(format!("its answer has {length} bytes, and {TCP_ANSWER_MAX} are taken")));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        self.read(&answer).ok_or_else(|| io::Error::other("its answer is none to the question"))
    }

    fn read(&self, message: &[u8]) -> Option<Answer> {
        message::answer(message, self.id, self.hostname, self.family)
    }
}

#[cfg(test)]
mod tests;
