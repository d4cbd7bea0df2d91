//! Passing connectors' lines on to the systemd journal, with fields: `journalctl ADIT_TUNNEL=web`.
//!
//! A thread of its own reads them by the ledger, as any other reader does, so a journal that is slow or gone holds nobody up. What
//! it does not take in time is left out there and counted; in the files it stays. Lines that were numbered by an earlier daemon are
//! not passed on again.

mod news;

use std::{
    collections::BTreeMap,
    io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

pub(super) use news::News;

use super::{
    Losses, NumberedLine, Shown, book,
    files::Folders,
    line::{LogLevel, Stream},
    reader,
};
use crate::name::TunnelName;

/// How long the journal may take for a line.
const SEND_TIME_MAX: Duration = Duration::from_secs(1);
/// About how many lines are read at once.
const LINES_AT_ONCE: usize = 500;
/// No value is longer, in bytes: the journal takes a datagram as a whole or not at all. What ended in half a character would be no
/// text to it.
const VALUE_BYTES_MAX: usize = 16 * 1024;
/// How many of cloudflared's own fields a line may have.
const FIELDS_MAX: usize = 32;

/// Where connectors' lines go beside the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The journal's socket for native messages.
    pub socket: PathBuf,
    /// Lines below it stay out; `None` lets everything pass. What has no level passes in any case.
    pub least: Option<LogLevel>,
}

impl Journal {
    /// The host's own.
    pub fn of_host(least: Option<LogLevel>) -> Self {
        Self { socket: "/run/systemd/journal/socket".into(), least }
    }
}

/// Starts the thread. `losses` counts the lines that the journal did not get.
pub(super) fn start(journal: Journal, shown: Shown, folders: Folders, news: News, losses: Arc<Losses>) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIME_MAX))?;
    let mut forwarder = Forwarder { journal, shown, folders, socket, losses, news, read: BTreeMap::new() };
    let thread = std::thread::Builder::new().name("adit-journal".into());
    thread.spawn(move || {
        while let Some(unread) = forwarder.news.next() {
            for (tunnel, first) in unread {
                forwarder.pass_on(tunnel, first);
            }
        }
    })?;
    Ok(())
}

struct Forwarder {
    journal: Journal,
    shown: Shown,
    folders: Folders,
    socket: UnixDatagram,
    losses: Arc<Losses>,
    news: News,
    /// The number of the last line of each tunnel that was passed on.
    read: BTreeMap<TunnelName, u64>,
}

impl Forwarder {
    fn pass_on(&mut self, tunnel: TunnelName, first: u64) {
        let mut last = self.read.get(&tunnel).copied().unwrap_or(first.saturating_sub(1));
        // Slots that were renamed keep their name, and everything that is told outside speaks of the tunnel.
        let shown = (self.shown)(&tunnel);
        loop {
            let ledger = book::read(&self.folders.ledger(&tunnel)).unwrap_or_default();
            let batch = reader::behind(&self.folders, &tunnel, &ledger, last, LINES_AT_ONCE);
            self.losses.journal_lines.fetch_add(batch.missed, Relaxed);
            let mut lines = batch.lines.iter().filter(|line| self.wants(line));
            if lines.by_ref().any(|line| self.send(&shown, line).is_err()) {
                // One line tells as much as a second of waiting for each of the others.
                self.losses.journal_lines.fetch_add(1 + lines.count() as u64, Relaxed);
            }
            match batch.last {
                Some(reached) if reached > last => {
                    last = reached;
                    self.news.passed_on(&tunnel, last.saturating_add(1));
                }
                Some(_) | None => break,
            }
        }
        self.read.insert(tunnel, last);
    }

    fn wants(&self, line: &NumberedLine) -> bool {
        match (self.journal.least, line.line.level) {
            (Some(least), Some(level)) => level >= least,
            (None, _) | (_, None) => true,
        }
    }

    fn send(&self, tunnel: &TunnelName, line: &NumberedLine) -> io::Result<()> {
        self.socket.send_to(&message(tunnel, line), &self.journal.socket).map(drop)
    }
}

/// A line of a tunnel as the journal's native protocol has it.
pub(super) fn message(tunnel: &TunnelName, numbered: &NumberedLine) -> Vec<u8> {
    let NumberedLine { id, line } = numbered;
    let mut message = Vec::new();
    let mut add = |name: &str, value: &str| {
        let value = &value.as_bytes()[..value.floor_char_boundary(VALUE_BYTES_MAX)];
        message.extend_from_slice(name.as_bytes());
        // With its length in front a value may hold anything.
        message.push(b'\n');
        message.extend_from_slice(&(value.len() as u64).to_le_bytes());
        message.extend_from_slice(value);
        message.push(b'\n');
    };
    let text = match line.fields.get("error") {
        Some(error) => format!("{}: {error}", line.message),
        None => line.message.clone(),
    };
    add("MESSAGE", &text);
    add("PRIORITY", priority(line.level));
    add("SYSLOG_IDENTIFIER", "cloudflared");
    add("ADIT_TUNNEL", tunnel.as_str());
    add("ADIT_CONNECTOR", &format!("{}.{}", line.replica, line.generation));
    add("ADIT_LINE", &id.to_string());
    // The journal's own time is that of arrival, which is another one for what was written while no daemon ran.
    add("ADIT_TIME", &line.at.to_string());
    add("ADIT_STREAM", if line.stream == Stream::Log { "log" } else { "stderr" });
    for (name, value) in line.fields.iter().take(FIELDS_MAX) {
        if let Some(name) = field_name(name) {
            add(&name, value);
        }
    }
    message
}

/// syslog's numbers, as the journal has them. What has no level is worth a look: a panic, the reason of an exit.
fn priority(level: Option<LogLevel>) -> &'static str {
    match level {
        Some(LogLevel::Debug) => "7",
        Some(LogLevel::Info) => "6",
        None => "5",
        Some(LogLevel::Warn) => "4",
        Some(LogLevel::Error) => "3",
        Some(LogLevel::Fatal) => "2",
    }
}

/// A field of cloudflared's as a field of the journal's, if it can be one: `connIndex` is `CLOUDFLARED_CONNINDEX`.
fn field_name(name: &str) -> Option<String> {
    let fits = !name.is_empty() && name.len() < 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then(|| format!("CLOUDFLARED_{}", name.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::{
        super::{Output, Sinks},
        *,
    };
    use crate::connector::{Generation, SlotId};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// The fields of a native message.
    fn fields(mut message: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        while !message.is_empty() {
            let name_end = message.iter().position(|byte| *byte == b'\n').unwrap();
            let name = String::from_utf8(message[..name_end].to_vec()).unwrap();
            let (length, rest) = message[name_end + 1..].split_at(8);
            let (value, rest) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
            fields.insert(name, String::from_utf8(value.to_vec()).unwrap());
            message = rest.strip_prefix(b"\n").unwrap();
        }
        fields
    }

    fn output(directory: &std::path::Path, least: Option<LogLevel>) -> Output {
        let journal = Journal { socket: directory.join("journal"), least };
        let sinks = Sinks { hint: Box::new(|_| {}), journal: Some(journal), shown: Box::new(TunnelName::clone) };
        Output::start(directory.join("logs"), directory.join("spare"), sinks).unwrap()
    }

    fn write(output: &Output, text: &str) {
        write_as(output, Generation(7), text);
    }

    fn write_as(output: &Output, generation: Generation, text: &str) {
        let slot = SlotId::new("web".parse().unwrap(), 2);
        let opened = output.open(&slot, generation).unwrap();
        OpenOptions::new().append(true).open(opened.logfile).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_reach_the_journal_with_their_fields_and_levels() {
        let directory = tempfile::tempdir().unwrap();
        let journal = UnixDatagram::bind(directory.path().join("journal")).unwrap();
        journal.set_read_timeout(Some(PATIENCE)).unwrap();
        let output = output(directory.path(), Some(LogLevel::Warn));
        write(
            &output,
            "{\"level\":\"info\",\"message\":\"quiet\"}\n\
             {\"level\":\"error\",\"connIndex\":3,\"bad name\":\"x\",\"error\":\"it broke\",\"time\":\"2026-08-20T10:00:00Z\",\"message\":\"Serve tunnel error\"}\n\
             panic: oh\n",
        );

        let mut buffer = [0; 4096];
        let mut next = || {
            let length = journal.recv(&mut buffer).unwrap();
            fields(&buffer[..length])
        };
        let first = next();
        let field = |name: &str| first.get(name).map(String::as_str);
        assert_eq!((field("MESSAGE"), field("PRIORITY")), (Some("Serve tunnel error: it broke"), Some("3")));
        assert_eq!((field("ADIT_TUNNEL"), field("ADIT_CONNECTOR")), (Some("web"), Some("2.7")));
        assert_eq!((field("CLOUDFLARED_CONNINDEX"), field("SYSLOG_IDENTIFIER")), (Some("3"), Some("cloudflared")));
        assert_eq!(field("ADIT_TIME"), Some("2026-08-20T10:00:00Z"));
        assert!(!first.keys().any(|name| name.contains("BAD")));
        assert_eq!((next()["MESSAGE"].as_str(), output.losses().journal_lines()), ("panic: oh", 0));
    }

    #[test]
    fn a_long_value_is_cut_between_two_characters() {
        let (slot, found) = (SlotId::new("web".parse().unwrap(), 0), jiff::Timestamp::UNIX_EPOCH);
        let raw = format!("x{}", "é".repeat(VALUE_BYTES_MAX));
        let line = super::super::line::parse_log(&slot, Generation(1), raw.as_bytes(), found).unwrap();
        let message = &fields(&message(&slot.tunnel, &NumberedLine { id: 7, line }))["MESSAGE"];
        assert!(raw.starts_with(message.as_str()) && message.len() == VALUE_BYTES_MAX - 1, "{} bytes", message.len());
    }

    #[test]
    fn whoever_waits_for_the_lines_of_a_tunnel_comes_behind_them_in_the_journal() {
        let directory = tempfile::tempdir().unwrap();
        let journal = UnixDatagram::bind(directory.path().join("journal")).unwrap();
        journal.set_read_timeout(Some(PATIENCE)).unwrap();
        let output = output(directory.path(), None);
        let event = UnixDatagram::unbound().unwrap();
        event.connect(directory.path().join("journal")).unwrap();
        let mut buffer = [0; 4096];
        // A machine that is busy may take longer than events wait; that would be told as an event in front of its lines.
        let is_in_order = (0..100).any(|round| {
            write_as(&output, Generation(round), "{\"message\":\"one\"}\n{\"message\":\"two\"}\n");
            output.pass_on(&"web".parse().unwrap());
            event.send(format!("EVENT={round}\n").as_bytes()).unwrap();
            let arrived = [(); 3].map(|()| journal.recv(&mut buffer).map(|length| buffer[..length].to_vec()).unwrap());
            arrived[2].starts_with(b"EVENT=")
        });
        assert!(is_in_order);
    }

    #[test]
    fn a_renamed_tunnel_is_found_by_its_name_of_now() {
        let directory = tempfile::tempdir().unwrap();
        let journal = UnixDatagram::bind(directory.path().join("journal")).unwrap();
        journal.set_read_timeout(Some(PATIENCE)).unwrap();
        let shown: Shown = Box::new(|_| "site".parse().unwrap());
        let sinks = Sinks {
            hint: Box::new(|_| {}),
            journal: Some(Journal { socket: directory.path().join("journal"), least: None }),
            shown,
        };
        let output = Output::start(directory.path().join("logs"), directory.path().join("spare"), sinks).unwrap();
        write(&output, "{\"message\":\"one\"}\n");
        let mut buffer = [0; 4096];
        let length = journal.recv(&mut buffer).unwrap();
        assert_eq!(fields(&buffer[..length])["ADIT_TUNNEL"], "site");
    }

    #[test]
    fn a_journal_that_is_not_there_costs_its_lines_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let output = output(directory.path(), None);
        write(&output, "{\"message\":\"one\"}\n{\"message\":\"two\"}\n");
        let started = jiff::Timestamp::now();
        while output.losses().journal_lines() < 2 {
            assert!(jiff::Timestamp::now().duration_since(started) < jiff::SignedDuration::from_secs(20), "they are counted");
            std::thread::yield_now();
        }
        assert_eq!(output.newest(&"web".parse().unwrap(), 9).lines.len(), 2);
    }
}
