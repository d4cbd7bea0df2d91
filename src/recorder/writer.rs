//! The writer's thread: log lines and the feed's file, everything that may block.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use super::LinesFirst;
use crate::event::{Entry, Level};

/// How many entries may wait for the writer: at some 300 bytes each that is 300 KiB, and a journal that stands still for longer
/// than this lasts belongs to a host with other worries.
const QUEUE_MAX: usize = 1_024;

/// The size at which the feed's file is put aside, in bytes; one older file is kept beside it.
const FILE_MAX: u64 = 4 << 20;

/// No id is larger: what reads JSON has the numbers up to here exactly, and microseconds since 1970 come there in the year 2255. A
/// file that says otherwise is damaged, and the ids behind that would have nowhere to go.
const ID_MAX: u64 = (1 << f64::MANTISSA_DIGITS) - 1;

/// Where the entries go.
pub(super) struct Writer(SyncSender<Job>);

/// Ends the writer's thread when dropped, after it wrote what is queued.
pub struct WriterGuard {
    queue: SyncSender<Job>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    Write(Arc<Entry>),
    End,
}

/// Reads what the feed's files hold and starts the thread that goes on writing them.
pub(super) fn start(state_dir: &Path, lines_first: LinesFirst) -> (Vec<Entry>, Writer, WriterGuard) {
    let file = FeedFile::new(state_dir.join("events.jsonl"));
    let past = file.read();
    let (queue, jobs) = sync_channel(QUEUE_MAX);
    let thread = Builder::new().name("recorder".to_owned()).spawn(move || run(&jobs, &lines_first, file));
    let thread = thread.expect("a process that just started can make a thread");
    (past, Writer(queue.clone()), WriterGuard { queue, thread: Some(thread) })
}

impl Writer {
    /// Queues one entry; `false` when the queue is full.
    pub(super) fn write(&self, entry: Arc<Entry>) -> bool {
        !matches!(self.0.try_send(Job::Write(entry)), Err(TrySendError::Full(_)))
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        // It waits for room: this is the end of the process, and the last lines tell why.
        let _ = self.queue.send(Job::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(jobs: &Receiver<Job>, lines_first: &LinesFirst, mut file: FeedFile) {
    while let Ok(Job::Write(entry)) = jobs.recv() {
        // What its connector wrote before it ended, or got ready, is to be read before that.
        if let (Some(pass_on), Some(tunnel), Some(_)) = (lines_first.get(), &entry.subject.tunnel, entry.subject.replica) {
            pass_on(tunnel);
        }
        log(&entry);
        if let Err(error) = file.append(&entry) {
            file.complain(&error);
        }
    }
}

/// One log line. The sentence is the message and the values are fields, so that `journalctl ADIT_TUNNEL=web` finds them.
fn log(entry: &Entry) {
    let tunnel = entry.subject.tunnel.as_ref().map(|tunnel| tunnel.as_str());
    let account = entry.subject.account.as_ref().map(|account| account.as_str());
    let connector = match (entry.subject.replica, entry.subject.generation) {
        (Some(replica), Some(generation)) => Some(format!("{replica}.{generation}")),
        _ => None,
    };
    let (connector, reason) = (connector.as_deref(), entry.reason.as_deref());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(event = entry.kind, tunnel, connector, account, reason, "{}", entry.sentence)
        };
    }
    match entry.level {
        Level::Reading => {}
        Level::Info => line!(info),
        Level::Warn => line!(warn),
        Level::Error => line!(error),
    }
}

/// `events.jsonl`: one entry a line, put aside as `events.1.jsonl` when it has grown.
struct FeedFile {
    path: PathBuf,
    open: Option<(File, u64)>,
    complained: bool,
}

impl FeedFile {
    fn new(path: PathBuf) -> Self {
        Self { path, open: None, complained: false }
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("1.jsonl")
    }

    /// All entries of both files that can be understood and go on where the one before was, oldest first. A torn line (a power cut)
    /// is passed over.
    fn read(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for path in [self.older(), self.path.clone()] {
            let Ok(file) = File::open(&path) else { continue };
            let lines = BufReader::new(file.take(FILE_MAX)).split(b'\n').map_while(Result::ok);
            for entry in lines.filter_map(|line| serde_json::from_slice::<Entry>(&line).ok()) {
                if entry.id <= ID_MAX && entries.last().is_none_or(|last| entry.id > last.id) {
                    entries.push(entry);
                }
            }
        }
        entries
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let added = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let (mut file, mut length) = match self.open.take() {
            Some(open) => open,
            None => self.create()?,
        };
        if length + added > FILE_MAX {
            fs::rename(&self.path, self.older())?;
            (file, length) = self.create()?;
        }
        // One write a line: a reader never meets half a line, and a crash tears at most the last.
        file.write_all(&line)?;
        self.open = Some((file, length + added));
        self.complained = false;
        Ok(())
    }

    fn create(&self) -> io::Result<(File, u64)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        let mut length = file.metadata()?.len();
        // A line that a power cut tore must not take the next one with it.
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
            length += 1;
        }
        Ok((file, length))
    }

    /// Says once, not for every event, that the file cannot be written.
    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            tracing::warn!(path = %self.path.display(), %error, "cannot write the feed of events, it goes on in memory");
        }
        self.complained = true;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        event::{DaemonEvent, Event, Subject},
        name::TunnelName,
    };

    fn entry(id: u64) -> Entry {
        Entry::new(id, Timestamp::UNIX_EPOCH, &Event::from(DaemonEvent::Started { version: "0.0.0" }))
    }

    #[test]
    fn what_was_written_is_read_back_and_a_torn_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (past, writer, guard) = start(folder.path(), LinesFirst::default());
        assert!(past.is_empty());
        assert!(writer.write(Arc::new(entry(1))));
        assert!(writer.write(Arc::new(entry(2))));
        drop(guard);
        let path = folder.path().join("events.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":3,\"at\":").unwrap();
        let (past, writer, guard) = start(folder.path(), LinesFirst::default());
        assert_eq!(past, [entry(1), entry(2)]);
        assert!(writer.write(Arc::new(entry(4))));
        drop(guard);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\xff\n").unwrap();
        let (_, writer, guard) = start(folder.path(), LinesFirst::default());
        assert!(writer.write(Arc::new(entry(5))));
        drop(guard);
        let (past, _, _guard) = start(folder.path(), LinesFirst::default());
        assert_eq!(past, [1, 2, 4, 5].map(entry));
    }

    #[test]
    fn an_entry_that_leaves_no_room_for_those_after_it_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let line = |id| serde_json::to_string(&entry(id)).unwrap();
        let text = [1, u64::MAX, 7, 3, 8].map(line).join("\n");
        fs::write(folder.path().join("events.jsonl"), text).unwrap();
        let (past, _, _guard) = start(folder.path(), LinesFirst::default());
        assert_eq!(past, [1, 7, 8].map(entry));
    }

    #[test]
    fn what_a_connector_wrote_is_passed_on_before_what_became_of_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (sender, passed_on) = sync_channel(1);
        let lines_first = LinesFirst::default();
        let written = path.clone();
        let pass_on = move |tunnel: &TunnelName| {
            sender.send((tunnel.to_string(), fs::read_to_string(&written).unwrap_or_default())).unwrap();
        };
        assert!(lines_first.set(Box::new(pass_on)).is_ok());
        let (_, writer, guard) = start(folder.path(), lines_first);
        let subject = Subject { tunnel: Some("web".parse().unwrap()), replica: Some(0), ..Subject::default() };
        assert!(writer.write(Arc::new(entry(1))), "this one is about no connector");
        assert!(writer.write(Arc::new(Entry { subject, ..entry(2) })));
        drop(guard);
        let (tunnel, written) = passed_on.recv().unwrap();
        assert_eq!((tunnel.as_str(), written.lines().count()), ("web", 1));
        assert!(passed_on.recv().is_err(), "and nobody else was waited for");
        assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_file_that_has_grown_is_put_aside_and_both_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = FeedFile::new(folder.path().join("events.jsonl"));
        file.append(&entry(1)).unwrap();
        file.open.as_mut().unwrap().1 = FILE_MAX;
        file.append(&entry(2)).unwrap();
        assert!(folder.path().join("events.1.jsonl").exists());
        assert_eq!(file.read(), [entry(1), entry(2)]);
    }

    #[test]
    fn no_entry_is_written_where_the_next_daemon_does_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let full = format!("{}\n", "x".repeat(usize::try_from(FILE_MAX).unwrap() - 1));
        fs::write(&path, full).unwrap();
        FeedFile::new(path.clone()).append(&entry(1)).unwrap();
        assert_eq!(FeedFile::new(path).read(), [entry(1)]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_stops_nothing() {
        let (past, writer, guard) = start(Path::new("/nonexistent"), LinesFirst::default());
        assert!(past.is_empty());
        assert!(writer.write(Arc::new(entry(1))));
        drop(guard);
    }
}
