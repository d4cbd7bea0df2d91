//! The stand-in's end of the switchboard.

use std::{io, io::Write, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::UnixStream,
    sync::watch,
    time::timeout,
};

use super::log::Log;
use crate::sandbox::switchboard::{
    Command, Crash, Switches,
    message::{Hello, Order},
};

/// How long a switchboard may take to say how to behave. Without one cloudflared's own behaviour is right.
const FIRST_WORD_TIME_MAX: Duration = Duration::from_millis(500);

/// A connected switchboard.
pub(super) struct Board {
    lines: Lines<BufReader<UnixStream>>,
    switches: watch::Sender<Switches>,
}

/// Connects to the switchboard and waits for the first switches. `None` when there is none.
pub(super) async fn connect(path: &str, hello: &Hello) -> Option<Board> {
    let first = timeout(FIRST_WORD_TIME_MAX, async {
        let mut stream = UnixStream::connect(path).await?;
        let mut line = serde_json::to_vec(hello)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut lines = BufReader::new(stream).lines();
        match next(&mut lines).await? {
            Some(Order::Switches(switches)) => Ok(Board { lines, switches: watch::Sender::new(switches) }),
            Some(Order::Command(_)) | None => Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    });
    first.await.ok()?.ok()
}

impl Board {
    /// The switches as they are and will be.
    pub(super) fn switches(&self) -> watch::Receiver<Switches> {
        self.switches.subscribe()
    }

    /// Does as told until the switchboard goes away; then everything stays as it is.
    pub(super) async fn follow(mut self, log: Log) {
        let mut memory = Vec::new();
        self.apply(&log, &mut memory);
        while let Ok(Some(order)) = next(&mut self.lines).await {
            match order {
                Order::Switches(switches) => {
                    self.switches.send_replace(switches);
                    self.apply(&log, &mut memory);
                }
                Order::Command(Command::Crash(crash)) => die(&crash),
                Order::Command(Command::Hang) => self.switches.send_modify(|switches| switches.hang = true),
                Order::Command(Command::FloodStderr(lines)) => {
                    for number in 1..=lines {
                        log.plain(&format!("flood line {number} of {lines}: the quick brown fox jumps over the lazy dog"));
                    }
                }
            }
        }
        // The receivers keep working without the connection.
        std::future::pending::<()>().await;
    }

    fn apply(&self, log: &Log, memory: &mut Vec<u8>) {
        let switches = self.switches.borrow();
        log.set_torn(switches.torn_lines);
        // Written and not only reserved, so that it counts as resident.
        *memory = vec![0xA5; switches.eat_memory_bytes];
    }
}

async fn next(lines: &mut Lines<BufReader<UnixStream>>) -> io::Result<Option<Order>> {
    match lines.next_line().await? {
        Some(line) => Ok(Some(serde_json::from_str(&line)?)),
        None => Ok(None),
    }
}

/// Ends the process without a graceful stop.
pub(super) fn die(crash: &Crash) -> ! {
    match crash {
        Crash::Exit(code) => std::process::exit(i32::from(*code)),
        Crash::Kill => {
            // It ends the process; where it cannot, the line below does.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
            std::process::exit(1)
        }
        Crash::Panic(text) => {
            let dump = format!("panic: {text}\n\ngoroutine 1 [running]:\nmain.main()\n\t/cloudflared/cmd/main.go:1 +0x1d\n");
            // Whether anybody reads it or not, the process is over.
            io::stderr().write_all(dump.as_bytes()).ok();
            std::process::exit(2)
        }
    }
}
